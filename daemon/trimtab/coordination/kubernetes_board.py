"""What members leave for one another, as ConfigMaps of a cluster: ``Board`` on Kubernetes.

One ConfigMap for each member and topic. How old a posting is, is judged as leases are: it is no older than
the last look at which it was not there yet, by this process's monotonic clock. What was there at the first
look may be of any age, and is said to be: infinitely old, until it is posted anew.
"""

from __future__ import annotations

import asyncio
import json
import math
from typing import TYPE_CHECKING, Any, TypeVar

from trimtab.coordination.kubernetes_objects import (
    MEMBER,
    TERM,
    TOPIC,
    WRITES,
    Place,
    coordination_error,
    data_of,
    is_conflict,
    is_missing,
    metadata_of,
    named,
    term_of,
    version_of,
)
from trimtab.coordination.port import Posting
from trimtab.errors import CoordinationError, ErrorKind
from trimtab.kubernetes.api import MERGE_PATCH, KubernetesError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

    from trimtab.clock import Clock
    from trimtab.core.proposals import JsonValue
    from trimtab.kubernetes.api import Api

T = TypeVar("T")

POSTING_BYTES_MAX = 256 * 1024
CALL_SECONDS_MAX = 5.0

FORGOTTEN_SECONDS = 3600.0
"""A posting that nobody renewed for so long is removed by whoever reads."""


class BoardInKubernetes:
    """Implements ``Board``. ``api`` may be that of the leases; it is not closed here."""

    def __init__(
        self, clock: Clock, api: Api, place: Place, *, call_seconds_max: float = CALL_SECONDS_MAX
    ) -> None:
        self._clock = clock
        self._api = api
        self._place = place
        self._call_seconds_max = call_seconds_max
        self._writes = 0
        self._posted: dict[str, tuple[str, int]] = {}
        """Name → version ("": none is there) and term of what this process last knew to be there."""

        self._read_at: dict[str, float] = {}
        self._seen: dict[str, tuple[str, float | None]] = {}
        """Name → version, and the last time at which that version was certainly not there yet."""

    async def post(self, topic: str, member: str, term: int, body: Mapping[str, JsonValue]) -> None:
        """See ``Board``."""
        text = json.dumps(body, separators=(",", ":"), ensure_ascii=False)
        size = len(text.encode())
        if size > POSTING_BYTES_MAX:
            raise CoordinationError(
                f"what {member} posts under {topic!r} has {size} bytes, and {POSTING_BYTES_MAX} are "
                "allowed; let fewer deployments share what is posted there",
                kind=ErrorKind.REJECTED,
            )
        await self._in_time("post", self._post(topic, member, term, text))

    async def read(self, topic: str) -> Mapping[str, Posting]:
        """See ``Board``."""
        return await self._in_time("read", self._read(topic))

    async def _in_time(self, name: str, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(self._call_seconds_max):
                return await work
        except TimeoutError:
            raise CoordinationError(
                f"the Kubernetes API did not do what `{name}` needs within "
                f"{self._call_seconds_max:g} s",
                kind=ErrorKind.TIMEOUT,
            ) from None
        except KubernetesError as error:
            raise coordination_error(error) from None

    # -- posting ---------------------------------------------------------------------------------

    async def _post(self, topic: str, member: str, term: int, text: str) -> None:
        name = self._place.posting_name(topic, member)
        document = self._document(name, topic, member, term, text)
        for is_fresh in (name not in self._posted, True):
            if is_fresh:
                found = await self._found(name)
                there = ("", 0) if found is None else (version_of(found), _term(found))
                self._posted[name] = there
            version, posted_term = self._posted[name]
            if posted_term > term:
                return  # what is there was posted in a later term, and stays
            try:
                made = await self._write(name, document, version)
            except KubernetesError as error:
                del self._posted[name]
                if is_conflict(error) or is_missing(error):
                    continue
                raise
            self._posted[name] = (version_of(made), term)
            return
        raise KubernetesError(
            f"ConfigMap {name} changes faster than it can be read and written",
            kind=ErrorKind.CONFLICT,
        )

    def _document(self, name: str, topic: str, member: str, term: int, text: str) -> dict[str, Any]:
        self._writes += 1
        labels = self._place.labels("board", **{TOPIC: named(topic)})
        annotations = {MEMBER: member, TERM: str(term), WRITES: str(self._writes)}
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "labels": labels, "annotations": annotations},
            "data": {"body": text},
        }

    async def _found(self, name: str) -> Mapping[str, Any] | None:
        try:
            return await self._api.call("GET", f"{self._place.config_maps}/{name}")
        except KubernetesError as error:
            if is_missing(error):
                return None
            raise

    async def _write(self, name: str, document: dict[str, Any], version: str) -> Mapping[str, Any]:
        if not version:
            return await self._api.call("POST", self._place.config_maps, body=document)
        metadata = {**document["metadata"], "resourceVersion": version}
        path = f"{self._place.config_maps}/{name}"
        body = {**document, "metadata": metadata}
        return await self._api.call("PATCH", path, body=body, content_type=MERGE_PATCH)

    # -- reading ---------------------------------------------------------------------------------

    async def _read(self, topic: str) -> Mapping[str, Posting]:
        asked_at = self._clock.monotonic()
        # Not from the server's cache: what was posted before the last look must have been seen there.
        query = {"labelSelector": self._place.selector("board", topic=topic)}
        found = await self._api.call("GET", self._place.config_maps, query=query)
        listed = found.get("items")
        looked_before_at = self._read_at.get(topic)
        self._read_at[topic] = asked_at
        now = self._clock.monotonic()
        postings: dict[str, Posting] = {}
        names: set[str] = set()
        oldest: tuple[float, str, str] = (0.0, "", "")
        for item in listed if isinstance(listed, list) else ():
            meta = metadata_of(item)
            name, version = str(meta.get("name", "")), version_of(item)
            names.add(name)
            age = self._age(name, version, now, looked_before_at)
            stood_still = 0.0 if age == math.inf else age
            oldest = max(oldest, (stood_still, name, version))
            posting = _posting(item, age)
            if posting is not None:
                postings[posting.member] = posting
        prefix = self._place.posting_name(topic, "")[: -len(named(""))]
        for name in [one for one in self._seen if one.startswith(prefix) and one not in names]:
            del self._seen[name]
        if oldest[0] >= FORGOTTEN_SECONDS:
            await self._forget(*oldest[1:])
        return postings

    def _age(self, name: str, version: str, now: float, looked_before_at: float | None) -> float:
        """How old a version can be at most; infinity if it was there at the first look."""
        known = self._seen.get(name)
        if known is None or known[0] != version:
            known = self._seen[name] = (version, looked_before_at)
        return math.inf if known[1] is None else now - known[1]

    async def _forget(self, name: str, version: str) -> None:
        options = {"preconditions": {"resourceVersion": version}}
        try:
            await self._api.call("DELETE", f"{self._place.config_maps}/{name}", body=options)
        except KubernetesError:
            return  # it is tried again at the next look


def _term(item: Any) -> int:
    return term_of(metadata_of(item))


def _posting(item: Any, age_seconds: float) -> Posting | None:
    """Return what a ConfigMap holds; ``None`` for one that people made something else of."""
    annotations = metadata_of(item).get("annotations")
    member = annotations.get(MEMBER) if isinstance(annotations, dict) else None
    try:
        body = json.loads(data_of(item, "body"))
    except (ValueError, RecursionError):
        return None
    if not isinstance(member, str) or not isinstance(body, dict):
        return None
    return Posting(member=member, term=_term(item), age_seconds=age_seconds, body=body)
