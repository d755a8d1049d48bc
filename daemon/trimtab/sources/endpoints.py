"""Where the engines of each deployment are: written down, found by DNS, or in a file that is followed.

What was known last stays known while a name does not resolve or a file cannot be read; that it is so
is told.
"""

from __future__ import annotations

import asyncio
import json
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from trimtab.errors import ErrorKind, SourceError, excerpt
from trimtab.sources.asking import full_names

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

FILE_BYTES_MAX = 16 * 1024 * 1024
RESOLVE_SECONDS_MAX = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one deployment's engines are. ``dns`` is ``name:port``."""

    urls: tuple[str, ...] = ()
    dns: str | None = None
    path: str = "/metrics"
    scheme: str = "http"


@dataclass(slots=True)
class Found:
    """The endpoints of each deployment, and what went wrong in looking for them."""

    urls: dict[str, tuple[str, ...]] = field(default_factory=dict)
    troubles: list[SourceError] = field(default_factory=list)


class Directory(Protocol):
    """Knows where the engines of deployments are."""

    def may_have(self, deployment: str) -> bool:
        """Whether endpoints of the deployment are known, or may be found."""
        ...

    async def look_up(self, deployments: Collection[str]) -> Found:
        """Return the endpoints of ``deployments``; one without any is left out."""
        ...

    async def close(self) -> None:
        """Look nothing up any more; safe to call twice."""
        ...


class Directories:
    """Several directories as one: what any of them knows is known."""

    def __init__(self, *directories: Directory) -> None:
        self._directories = directories

    def may_have(self, deployment: str) -> bool:
        """See ``Directory``."""
        return any(one.may_have(deployment) for one in self._directories)

    async def look_up(self, deployments: Collection[str]) -> Found:
        """See ``Directory``."""
        found = Found()
        for one in self._directories:
            part = await one.look_up(deployments)
            found.troubles += part.troubles
            for name, urls in part.urls.items():
                found.urls[name] = tuple(dict.fromkeys((*found.urls.get(name, ()), *urls)))
        return found

    async def close(self) -> None:
        """See ``Directory``."""
        for one in self._directories:
            await one.close()


class Endpoints:
    """Looks endpoints up. ``places`` are by full deployment name; ``file`` is as file_sd has it."""

    def __init__(self, places: Mapping[str, Place], file: Path | None = None) -> None:
        self._places = places
        self._file = file
        self._file_state: tuple[int, int] | None = None
        self._in_file: dict[str, tuple[str, ...]] = {}
        self._resolved: dict[str, tuple[str, ...]] = {}

    def may_have(self, deployment: str) -> bool:
        """Whether endpoints of the deployment are known, or may stand in the file."""
        return self._file is not None or deployment in self._places

    async def look_up(self, deployments: Collection[str]) -> Found:
        """Return the endpoints of ``deployments``; one without any is left out."""
        found = Found()
        in_file = self._read_file(found)
        by_name = full_names(deployments)
        urls: dict[str, list[str]] = {}
        for written, some in in_file.items():
            if written in by_name:
                urls.setdefault(by_name[written], []).extend(some)
        places = {name: self._places[name] for name in deployments if name in self._places}
        resolved = await asyncio.gather(*(self._at(place, found) for place in places.values()))
        for name, some in zip(places, resolved, strict=True):
            urls.setdefault(name, []).extend(some)
        found.urls = {name: tuple(dict.fromkeys(some)) for name, some in urls.items() if some}
        return found

    async def close(self) -> None:
        """Hold nothing: there is nothing to release."""

    async def _at(self, place: Place, found: Found) -> tuple[str, ...]:
        if place.dns is None:
            return place.urls
        host, _, port = place.dns.rpartition(":")
        try:
            async with asyncio.timeout(RESOLVE_SECONDS_MAX):
                answers = await asyncio.get_running_loop().getaddrinfo(
                    host, int(port), type=socket.SOCK_STREAM
                )
        except (OSError, TimeoutError) as error:
            found.troubles.append(
                SourceError(
                    f"the name {host} does not resolve ({str(error) or 'no answer'}); "
                    "check it in the settings",
                    kind=ErrorKind.UNAVAILABLE,
                )
            )
        else:
            addresses = sorted({str(answer[4][0]) for answer in answers})
            self._resolved[place.dns] = tuple(
                f"{place.scheme}://{f'[{one}]' if ':' in one else one}:{port}{place.path}"
                for one in addresses
            )
        return (*place.urls, *self._resolved.get(place.dns, ()))

    def _read_file(self, found: Found) -> dict[str, tuple[str, ...]]:
        file = self._file
        if file is None:
            return {}
        try:
            status = file.stat()
            state = (status.st_mtime_ns, status.st_size)
            if state != self._file_state:
                self._in_file = _targets_of(file, status.st_size)
                self._file_state = state
        except (OSError, ValueError, TypeError, RecursionError) as error:
            why = excerpt(getattr(error, "strerror", None) or str(error), 120)
            found.troubles.append(
                SourceError(
                    f"the file of targets {file} cannot be used ({why}); what it held last counts",
                    kind=ErrorKind.BAD_RESPONSE,
                )
            )
        return self._in_file


def _targets_of(file: Path, size: int) -> dict[str, tuple[str, ...]]:
    if size > FILE_BYTES_MAX:
        raise ValueError(f"it has more than {FILE_BYTES_MAX} bytes")
    return targets_in(json.loads(file.read_text(encoding="utf-8")))


def targets_in(groups: Any) -> dict[str, tuple[str, ...]]:
    """Return URLs by the label ``deployment`` of a list of target groups. Raises ``ValueError`` or ``TypeError``."""
    if not isinstance(groups, list):
        raise TypeError("it is not a list of target groups")
    urls: dict[str, tuple[str, ...]] = {}
    for group in groups:
        targets = group.get("targets") if isinstance(group, dict) else None
        labels = group.get("labels") if isinstance(group, dict) else None
        if not isinstance(targets, list) or not isinstance(labels, dict):
            raise TypeError("a group has no list of targets, or no labels")
        deployment = labels.get("deployment")
        if not isinstance(deployment, str):
            raise TypeError("a group has no label `deployment`")
        urls[deployment] = (*urls.get(deployment, ()), *_urls(targets, labels))
    return urls


def _urls(targets: list[Any], labels: Mapping[str, Any]) -> Iterator[str]:
    scheme, path = labels.get("__scheme__", "http"), labels.get("__metrics_path__", "/metrics")
    if scheme not in ("http", "https") or not str(path).startswith("/"):
        raise ValueError("a group has a __scheme__ or __metrics_path__ that is none")
    for target in targets:
        if not isinstance(target, str) or not target or set(target) & set("/?#@ "):
            raise ValueError(f"{excerpt(str(target), 60)!r} is no target; write host:port")
        yield f"{scheme}://{target}{path}"
