"""What the owner of a bucket leaves for the next one, in a ConfigMap of the bucket's own.

For where no journal is shared. A ConfigMap cannot be written at every decision, so each is written every
``interval_seconds`` at most, and once more when the bucket is handed over. What is lost when an owner dies is
what it learned since: see ``docs/reliability.md``. Intentions are not kept here at all.

The fence: whoever takes a bucket over writes its term into the ConfigMap first, and every write replaces
exactly the version that its writer knows. An owner of an earlier term is refused from then on.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from trimtab.coordination.kubernetes_objects import (
    BUCKET,
    TERM,
    WRITES,
    Place,
    data_of,
    is_conflict,
    is_missing,
    metadata_of,
    moment,
    term_of,
    version_of,
)
from trimtab.core.memory import Memory
from trimtab.errors import ErrorKind, JournalError
from trimtab.kubernetes.api import MERGE_PATCH, KubernetesError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from trimtab.clock import Clock
    from trimtab.core.memory import DeploymentMemory, JsonObject
    from trimtab.kubernetes.api import Api

R_co = TypeVar("R_co", covariant=True)
R = TypeVar("R")

MEMORY_BYTES_MAX = 900_000
"""Of the 1 MiB that a ConfigMap may have; the rest is for its metadata."""

INTERVAL_SECONDS = 60.0
WRITES_PER_SECOND_MAX = 5.0
LEVEL = 6
PLAIN_BYTES_MAX = 64 * 1024 * 1024
"""What is unpacked at most: nobody's ConfigMap is to take the memory of a process."""


class Recollects(Protocol[R_co]):
    """Makes what a journal gives back at the start: ``journal.port.Recollection``."""

    def __call__(self, *, memory: Memory, until: float | None) -> R_co:
        """Return it for this memory, last written at ``until``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryStatus:
    """How well the memory of owned buckets is kept.

    ``dropped`` counts the deployments that did not fit when their bucket was last written.
    ``oldest_seconds`` is for how long one owned bucket has not been written, ``None`` without any.
    """

    buckets: int = 0
    bytes: int = 0
    dropped: int = 0
    oldest_seconds: float | None = None
    trouble: str | None = None
    """What is amiss, in one sentence."""


@dataclass(slots=True)
class _Owned:
    term: int
    version: str
    written_at: float
    bytes: int = 0
    dropped: int = 0
    is_pressing: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class MemoryInKubernetes(Generic[R]):
    """Implements ``journal.port.SharedMemory``. Run ``run`` beside it: it writes what is owned.

    ``memory_of`` gives what is known of a bucket now. ``api`` is not closed here.
    """

    def __init__(
        self,
        clock: Clock,
        api: Api,
        place: Place,
        *,
        memory_of: Callable[[int], Memory],
        recollects: Recollects[R],
        interval_seconds: float = INTERVAL_SECONDS,
        writes_per_second_max: float = WRITES_PER_SECOND_MAX,
    ) -> None:
        self._clock = clock
        self._api = api
        self._place = place
        self._memory_of = memory_of
        self._recollects = recollects
        self._interval_seconds = interval_seconds
        self._gap_seconds = 1.0 / writes_per_second_max
        self._owned: dict[int, _Owned] = {}
        self._writes = 0
        self._trouble: str | None = None

    @property
    def status(self) -> MemoryStatus:
        """How well it goes."""
        now = self._clock.monotonic()
        owned = self._owned.values()
        dropped = sum(one.dropped for one in owned)
        too_much = (
            f"the memory of {dropped} deployments does not fit into their buckets' ConfigMaps and "
            "would be lost with this process; use more buckets, or a journal on PostgreSQL"
        )
        return MemoryStatus(
            buckets=len(owned),
            bytes=sum(one.bytes for one in owned),
            dropped=dropped,
            oldest_seconds=max((now - one.written_at for one in owned), default=None),
            trouble=self._trouble or (too_much if dropped else None),
        )

    async def take_over(self, bucket: int, term: int) -> R:
        """Fence off earlier owners, and return what the last one left."""
        try:
            found, version = await self._fence(bucket, term)
        except KubernetesError as error:
            raise _journal_error(
                f"the memory of bucket {bucket} cannot be taken over", error
            ) from None
        self._owned[bucket] = _Owned(term, version, self._clock.monotonic())
        memory, until = Memory(), None
        if found is not None:
            try:
                memory, until = _unpacked(found)
            except ValueError as error:
                # Worse than a young memory would be none at all and a bucket that nobody serves.
                self._trouble = f"what was left of bucket {bucket} cannot be read: {error}"
        return self._recollects(memory=memory, until=until)

    async def let_go(self, bucket: int, term: int) -> None:
        """Write what is known of a bucket, and own it no longer."""
        owned = self._owned.get(bucket)
        if owned is None or owned.term != term:
            return
        try:
            await self._keep(bucket, owned)
        except KubernetesError as error:
            raise _journal_error(f"the memory of bucket {bucket} cannot be kept", error) from None
        finally:
            self.lose(bucket, term)

    def lose(self, bucket: int, term: int) -> None:
        """Write nothing of a bucket any more: it is another's."""
        owned = self._owned.get(bucket)
        if owned is not None and owned.term == term:
            del self._owned[bucket]

    def press(self, buckets: Iterable[int]) -> None:
        """Have these written as soon as may be: people changed what is remembered of them."""
        for bucket in buckets:
            if (owned := self._owned.get(bucket)) is not None:
                owned.is_pressing = True

    async def run(self) -> None:
        """Write each owned bucket when its time has come, what presses first, then what waits for longest."""
        while True:
            await self._clock.sleep(self._gap_seconds)
            due = [
                (not owned.is_pressing, owned.written_at, bucket)
                for bucket, owned in self._owned.items()
                if owned.is_pressing
                or self._clock.monotonic() - owned.written_at >= self._interval_seconds
            ]
            if not due:
                continue
            bucket = min(due)[2]
            owned = self._owned[bucket]
            try:
                await self._keep(bucket, owned)
                self._trouble = None
            except KubernetesError as error:
                self._trouble = f"the memory of bucket {bucket} cannot be kept: {error}"
                if is_conflict(error):
                    self.lose(bucket, owned.term)
                else:  # the others first, and none in haste
                    await self._clock.sleep(min(self._interval_seconds / 10, 5.0))

    # -- one bucket ------------------------------------------------------------------------------

    def _path(self, bucket: int) -> str:
        return f"{self._place.config_maps}/{self._place.bucket_name(bucket)}"

    def _metadata(self, bucket: int, term: int) -> dict[str, Any]:
        self._writes += 1
        return {
            "name": self._place.bucket_name(bucket),
            "labels": self._place.labels("memory", **{BUCKET: str(bucket)}),
            "annotations": {TERM: str(term), WRITES: str(self._writes)},
        }

    async def _fence(self, bucket: int, term: int) -> tuple[Mapping[str, Any] | None, str]:
        """Write the term; return what was there, and the version from which to go on."""
        for _ in range(3):
            with suppress(_Again):
                return await self._fence_once(bucket, term)
        raise KubernetesError(
            f"{self._path(bucket)} changes faster than it can be read and written",
            kind=ErrorKind.CONFLICT,
        )

    async def _fence_once(self, bucket: int, term: int) -> tuple[Mapping[str, Any] | None, str]:
        metadata = self._metadata(bucket, term)
        try:
            found = await self._api.call("GET", self._path(bucket))
        except KubernetesError as error:
            if not is_missing(error):
                raise
            made = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
            try:
                return None, version_of(
                    await self._api.call("POST", self._place.config_maps, body=made)
                )
            except KubernetesError as late:
                if is_conflict(late):
                    raise _Again from None
                raise
        there = term_of(metadata_of(found))
        if there > term:
            raise KubernetesError(
                f"bucket {bucket} was taken over in term {there}, and this is term {term}",
                kind=ErrorKind.CONFLICT,
            )
        metadata["resourceVersion"] = version_of(found)
        try:
            made = dict(await self._patch(bucket, {"metadata": metadata}))
        except KubernetesError as error:
            if is_conflict(error) or is_missing(error):
                raise _Again from None
            raise
        return found, version_of(made)

    async def _keep(self, bucket: int, owned: _Owned) -> None:
        async with owned.turn:  # or what is older might be written over what is newer
            is_pressing, owned.is_pressing = owned.is_pressing, False
            try:
                await self._write(bucket, owned)
            except BaseException:
                owned.is_pressing = is_pressing or owned.is_pressing
                raise

    async def _write(self, bucket: int, owned: _Owned) -> None:
        memory = self._memory_of(bucket)
        loop = asyncio.get_running_loop()
        packed, dropped = await loop.run_in_executor(None, _packed, memory)
        metadata = self._metadata(bucket, owned.term)
        metadata["resourceVersion"] = owned.version
        body = {
            "metadata": metadata,
            "binaryData": {"memory": base64.b64encode(packed).decode()},
            "data": {"until": repr(self._clock.now()), "written": moment(self._clock.now())},
        }
        try:
            made = await self._patch(bucket, body)
        except KubernetesError as error:
            if not is_conflict(error) and not is_missing(error):
                raise
            # Our own write whose answer was lost, somebody's label, or another owner: the term tells.
            _, owned.version = await self._fence(bucket, owned.term)
            metadata["resourceVersion"] = owned.version
            made = await self._patch(bucket, body)
        owned.version = version_of(made)
        owned.written_at = self._clock.monotonic()
        owned.bytes, owned.dropped = len(packed), dropped

    async def _patch(self, bucket: int, body: dict[str, Any]) -> Mapping[str, Any]:
        return await self._api.call(
            "PATCH", self._path(bucket), body=body, content_type=MERGE_PATCH
        )


class _Again(Exception):  # noqa: N818  nothing is wrong: what was read has changed meanwhile
    """Read anew."""


def _journal_error(sentence: str, error: KubernetesError) -> JournalError:
    return JournalError(
        f"{sentence}: {error}",
        kind=error.kind,
        retryable=error.retryable,
        retry_after_seconds=error.retry_after_seconds,
    )


# -- what is in it -------------------------------------------------------------------------------


def last_change(one: DeploymentMemory) -> float:
    """Return when a deployment last did anything worth remembering (UTC seconds)."""
    moments = [one.adopted_at, *(at.time for at in (*one.moves, *one.doubtful_moves))]
    moments += [sample.time for sample in one.latest.values()]
    if one.written is not None:
        moments.append(one.written.at)
    return max(moments)


def _packed(memory: Memory, bytes_max: int = MEMORY_BYTES_MAX) -> tuple[bytes, int]:
    """Return as much of ``memory`` as fits, and how many deployments are left out.

    Those that are gone are the first to go, then those that have not changed for longest.
    """
    document = memory.to_json()
    packed = _deflated(document)
    if len(packed) <= bytes_max:
        return packed, 0
    whole = dict(document["deployments"])  # type: ignore[arg-type]  # an object, as it was just made
    order = sorted(
        memory.deployments,
        key=lambda name: (
            memory.deployments[name].gone_at is None,
            last_change(memory.deployments[name]),
        ),
        reverse=True,
    )
    fit, too_many = 0, len(order)
    best = _deflated({**document, "deployments": {}})
    while fit + 1 < too_many:  # the most that fit: sizes grow with every deployment
        count = (fit + too_many) // 2
        packed = _deflated(
            {**document, "deployments": {name: whole[name] for name in order[:count]}}
        )
        if len(packed) <= bytes_max:
            fit, best = count, packed
        else:
            too_many = count
    return best, len(order) - fit


def _deflated(document: JsonObject) -> bytes:
    return zlib.compress(json.dumps(document, separators=(",", ":")).encode(), LEVEL)


def _unpacked(found: Mapping[str, Any]) -> tuple[Memory, float | None]:
    """Return what a ConfigMap holds. Raises ``ValueError`` for what cannot be read."""
    text = data_of(found, "memory", "binaryData")
    if not text:
        return Memory(), None
    try:
        unpacking = zlib.decompressobj()
        plain = unpacking.decompress(base64.b64decode(text, validate=True), PLAIN_BYTES_MAX)
        if unpacking.unconsumed_tail or not unpacking.eof:
            raise ValueError("it is cut, or too large")
        memory = Memory.from_json(json.loads(plain))
    except (binascii.Error, zlib.error, RecursionError) as error:
        raise ValueError(f"it is damaged ({error})") from None
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise ValueError(f"it is no memory ({type(error).__name__})") from None
    until = data_of(found, "until")
    try:
        return memory, float(until) if until else None
    except ValueError:
        return memory, None
