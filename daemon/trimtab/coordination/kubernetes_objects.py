"""What coordination keeps in a cluster: names, labels, and Leases written and read. No I/O.

One Lease for each bucket and for each member, and a few ConfigMaps, all with the label ``trimtab.dev/group``.
Times in a Lease are for people who look at it: nothing here ever compares them with a clock.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, NamedTuple

from trimtab.errors import CoordinationError, ErrorKind, SettingsError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.proposals import JsonValue
    from trimtab.kubernetes.api import KubernetesError

GROUP = "trimtab.dev/group"
PART = "trimtab.dev/part"
BUCKET = "trimtab.dev/bucket"
TOPIC = "trimtab.dev/topic"
TERM = "trimtab.dev/term"
MEMBER = "trimtab.dev/member"
SAYS = "trimtab.dev/says"
SECONDS = "trimtab.dev/lease-seconds"
"""For how long its holder relies on a lease, beside the field: who shortens that by hand frees nothing."""

WRITES = "trimtab.dev/writes"
"""A count that makes every write a new version, though the clock on the wall stood still."""

MADE_ANEW = "trimtab.dev/made-anew"
"""On a Lease that was not there: somebody may have deleted it under a holder that does not know it yet."""

SAYS_BYTES_MAX = 64 * 1024
"""Annotations of an object may have 256 KiB together."""

_GROUP_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?")
_PART_OF_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?")
_BUCKET_NAME = re.compile(r"-bucket-(\d{2,6})$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the objects of one group of members are. Members share deployments when it is the same.

    ``group`` is a word of at most 40 letters (a-z), digits and ``-``. Raises ``SettingsError`` for
    another.
    """

    namespace: str
    group: str = "default"

    def __post_init__(self) -> None:
        """Refuse what can be no part of a name or a label."""
        if not _GROUP_NAME.fullmatch(self.group):
            raise SettingsError(
                f"the group {self.group!r} cannot be part of a name in Kubernetes; use at most 40 "
                "small letters, digits and '-'"
            )

    @property
    def leases(self) -> str:
        """The path of all Leases."""
        return f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace}/leases"

    @property
    def config_maps(self) -> str:
        """The path of all ConfigMaps."""
        return f"/api/v1/namespaces/{self.namespace}/configmaps"

    @property
    def group_name(self) -> str:
        """The name of the ConfigMap that says that the group was ever there, and its buckets."""
        return f"trimtab-{self.group}"

    def bucket_name(self, bucket: int) -> str:
        """Return the name of a bucket's Lease and of its memory."""
        return f"trimtab-{self.group}-bucket-{bucket:02d}"

    def member_name(self, member: str) -> str:
        """Return the name of a member's Lease."""
        return f"trimtab-{self.group}-member-{named(member)}"

    def posting_name(self, topic: str, member: str) -> str:
        """Return the name of the ConfigMap of what a member has under a topic."""
        return f"trimtab-{self.group}-board-{named(topic)}-{named(member)}"

    def labels(self, part: str, **more: str) -> dict[str, str]:
        """Return the labels of an object that is ``part`` of the group."""
        return {"app.kubernetes.io/name": "trimtab", GROUP: self.group, PART: part, **more}

    def selector(self, *parts: str, topic: str | None = None) -> str:
        """Return the label selector of some parts of the group."""
        chosen = f"{GROUP}={self.group},{PART} in ({', '.join(parts)})"
        return chosen if topic is None else f"{chosen},{TOPIC}={named(topic)}"


def named(word: str) -> str:
    """Return ``word`` if it can be part of a name and a label, and a digest of it otherwise."""
    if _PART_OF_NAME.fullmatch(word):
        return word
    return "x-" + blake2b(word.encode(), digest_size=12).hexdigest()


class LeaseRead(NamedTuple):
    """A Lease as it was read. What is missing or odd is as if it had never been held."""

    name: str
    version: str
    uid: str
    holder: str | None
    term: int
    seconds: float
    part: str
    says: Mapping[str, JsonValue]
    is_made_anew: bool

    @property
    def bucket(self) -> int | None:
        """Which bucket its name says it is for."""
        found = _BUCKET_NAME.search(self.name)
        return None if found is None or self.part != "bucket" else int(found.group(1))


def read_lease(document: Any) -> LeaseRead:
    """Read a Lease, whatever people have done to it. Never raises."""
    meta, spec = _object(document, "metadata"), _object(document, "spec")
    annotations, labels = _object(meta, "annotations"), _object(meta, "labels")
    return LeaseRead(
        name=_text(meta, "name"),
        version=_text(meta, "resourceVersion"),
        uid=_text(meta, "uid"),
        holder=_text(spec, "holderIdentity") or None,
        term=max(_whole(spec, "leaseTransitions"), _count(_text(annotations, TERM))),
        seconds=float(
            max(_whole(spec, "leaseDurationSeconds"), _count(_text(annotations, SECONDS)))
        ),
        part=_text(labels, PART),
        says=_said(_text(annotations, SAYS)),
        is_made_anew=MADE_ANEW in annotations,
    )


def _said(text: str) -> Mapping[str, JsonValue]:
    try:
        found = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def term_of(meta: Any) -> int:
    """Return the term in the annotations of an object's metadata; 0 where none is."""
    return _count(_text(_object(meta, "annotations"), TERM))


def metadata_of(document: Any) -> Mapping[str, Any]:
    """Return the metadata of an object; empty where it has none."""
    return _object(document, "metadata")


def data_of(document: Any, key: str, field: str = "data") -> str:
    """Return one text of a ConfigMap; empty where there is none."""
    return _text(_object(document, field), key)


def version_of(document: Any) -> str:
    """Return the version of an object; empty where it has none."""
    return _text(metadata_of(document), "resourceVersion")


def moment(seconds: float) -> str:
    """Return a time as a Lease holds it: RFC 3339 with exactly six digits of a second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def whole_seconds(lease_seconds: float) -> int:
    """Return a lease's time as a Lease holds it: whole seconds, never less than what is meant."""
    return max(1, math.ceil(lease_seconds))


def coordination_error(error: KubernetesError) -> CoordinationError:
    """Return what coordination raises for a failed call."""
    return CoordinationError(
        str(error),
        kind=error.kind,
        retryable=error.retryable,
        retry_after_seconds=error.retry_after_seconds,
    )


def is_missing(error: KubernetesError) -> bool:
    """Whether there is no such object."""
    return error.kind is ErrorKind.NOT_FOUND


def is_conflict(error: KubernetesError) -> bool:
    """Whether the object is another version by now, or was made by another."""
    return error.kind is ErrorKind.CONFLICT


def _object(of: Any, key: str) -> Mapping[str, Any]:
    found = of.get(key) if isinstance(of, dict) else None
    return found if isinstance(found, dict) else {}


def _text(of: Mapping[str, Any], key: str) -> str:
    found = of.get(key)
    return found if isinstance(found, str) else ""


def _whole(of: Mapping[str, Any], key: str) -> int:
    found = of.get(key)
    is_count = isinstance(found, int) and not isinstance(found, bool) and found >= 0
    return found if is_count and isinstance(found, int) else 0


def _count(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else 0
