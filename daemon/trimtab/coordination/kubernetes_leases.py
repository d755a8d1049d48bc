"""Leases of a cluster written: each write replaces exactly the version that is known, or is refused.

What a renewal that came too late, a release that got lost, or a claim on an old view would do harm with is
left to the one who knows: the API compares resourceVersion and answers 409.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from trimtab.coordination.kubernetes_objects import (
    BUCKET,
    MADE_ANEW,
    SECONDS,
    TERM,
    WRITES,
    Place,
    is_conflict,
    is_missing,
    moment,
    read_lease,
    version_of,
    whole_seconds,
)
from trimtab.coordination.port import LeaseSeen, Tenure
from trimtab.errors import ErrorKind
from trimtab.kubernetes.api import MERGE_PATCH, KubernetesError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping
    from typing import Any

    from trimtab.clock import Clock
    from trimtab.kubernetes.api import Api

AT_ONCE_MAX = 16
"""Calls on their way at the same time."""


class LeaseWriter:
    """Claims, renews and releases the Leases of buckets. Raises ``KubernetesError``."""

    def __init__(self, clock: Clock, api: Api, place: Place, *, lease_seconds: float) -> None:
        self._clock = clock
        self._api = api
        self._place = place
        self._lease_seconds = lease_seconds
        self._terms: dict[int, int] = {}
        self._versions: dict[int, tuple[Tenure, str]] = {}
        self._refused: dict[int, str] = {}
        self._writes = 0
        self.highest = 0
        """The highest term of any bucket that is known of: where a Lease is gone, the next is above it."""

    def note_term(self, term: int) -> None:
        """Take note of a term of some bucket."""
        self.highest = max(self.highest, term)

    def highest_term(self, bucket: int, term: int) -> int:
        """Take note of a bucket's term; return the highest that this process knew, whatever came of it."""
        self.note_term(term)
        found = self._terms[bucket] = max(term, self._terms.get(bucket, 0))
        return found

    def was_refused(self, bucket: int, version: str) -> bool:
        """Whether a claim on this version was refused: it is an old view and never current again."""
        return self._refused.get(bucket) == version

    def lease(
        self, name: str, labels: Mapping[str, str], *, holder: str, term: int | None = None
    ) -> dict[str, Any]:
        """Return a Lease as this member writes it. As a patch it leaves alone what others put there."""
        self._writes += 1
        now = moment(self._clock.now())
        seconds = whole_seconds(self._lease_seconds)
        annotations = {WRITES: str(self._writes), SECONDS: str(seconds)}
        spec: dict[str, Any] = {
            "holderIdentity": holder,
            "leaseDurationSeconds": seconds,
            "renewTime": now,
        }
        if term is not None:
            annotations[TERM] = str(term)
            spec["leaseTransitions"] = term
        return {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": name, "labels": dict(labels), "annotations": annotations},
            "spec": spec,
        }

    def _bucket(self, bucket: int, member: str, term: int) -> dict[str, Any]:
        labels = self._place.labels("bucket", **{BUCKET: str(bucket)})
        return self.lease(self._place.bucket_name(bucket), labels, holder=member, term=term)

    async def claim(self, member: str, seen: LeaseSeen) -> Tenure | None:
        """Take exactly what was seen, in the next term; ``None`` when it is that no more."""
        if not seen.is_free:
            return None
        term = self.highest_term(seen.bucket, seen.term) + 1
        body = self._bucket(seen.bucket, member, term)
        body["spec"]["acquireTime"] = body["spec"]["renewTime"]
        path = f"{self._place.leases}/{body['metadata']['name']}"
        body["metadata"]["resourceVersion"] = seen.version
        body["metadata"]["annotations"][MADE_ANEW] = None
        try:
            made = await self._api.call("PATCH", path, body=body, content_type=MERGE_PATCH)
        except KubernetesError as error:
            if is_conflict(error):
                self._refused[seen.bucket] = seen.version
                return None
            if is_missing(error):
                return None  # deleted meanwhile: the next survey shows it so
            raise
        tenure = Tenure(bucket=seen.bucket, term=term)
        self.highest_term(seen.bucket, term)
        self._versions[seen.bucket] = (tenure, version_of(made))
        return tenure

    async def make_all(self, buckets: Collection[int]) -> None:
        """Make the Leases of a group that never was, free for whoever comes first."""
        gate = asyncio.Semaphore(AT_ONCE_MAX)

        async def made(bucket: int) -> None:
            async with gate:
                try:
                    body = self._bucket(bucket, "", 0)
                    await self._api.call("POST", self._place.leases, body=body)
                except KubernetesError as error:
                    if not is_conflict(error):
                        raise

        await asyncio.gather(*map(made, buckets))

    async def make_anew(self, buckets: Collection[int]) -> None:
        """Make Leases that are not there, without a holder, and not free before they stood still."""
        for bucket in sorted(buckets)[:AT_ONCE_MAX]:
            body = self._bucket(bucket, "", self.highest)
            body["metadata"]["annotations"][MADE_ANEW] = "true"
            try:
                await self._api.call("POST", self._place.leases, body=body)
            except KubernetesError as error:
                if not is_conflict(error):
                    raise
                await self._label(bucket)

    async def _label(self, bucket: int) -> None:
        """Let a Lease be seen again whose labels somebody took away."""
        labels = self._place.labels("bucket", **{BUCKET: str(bucket)})
        path = f"{self._place.leases}/{self._place.bucket_name(bucket)}"
        body = {"metadata": {"labels": labels}}
        await self._api.call("PATCH", path, body=body, content_type=MERGE_PATCH)

    async def renew(self, member: str, held: Collection[Tenure]) -> frozenset[Tenure]:
        """Renew each; return those that ``member`` still held."""

        async def renewed(tenure: Tenure) -> bool:
            body = self._bucket(tenure.bucket, member, tenure.term)
            return await self._replace(member, tenure, body)

        found = await self._each(held, renewed)
        return frozenset(tenure for tenure, is_held in found.items() if is_held)

    async def release(self, member: str, held: Collection[Tenure]) -> None:
        """Leave each without a holder, unless it is another's by now."""

        async def released(tenure: Tenure) -> bool:
            body = self._bucket(tenure.bucket, "", tenure.term)
            is_done = await self._replace(member, tenure, body)
            self._versions.pop(tenure.bucket, None)
            return is_done

        await self._each(held, released)

    async def _each(
        self, held: Collection[Tenure], work: Callable[[Tenure], Awaitable[bool]]
    ) -> dict[Tenure, bool]:
        """Do ``work`` for each, some at once; once more for those where it failed.

        Raises the first failure when some fail again: whoever asked cannot tell those from the rest.
        """
        gate = asyncio.Semaphore(AT_ONCE_MAX)

        async def gated(tenure: Tenure) -> bool:
            async with gate:
                return await work(tenure)

        found: dict[Tenure, bool] = {}
        failures: list[BaseException] = []
        left = list(held)
        for _ in range(2):
            answers = await asyncio.gather(*map(gated, left), return_exceptions=True)
            failures = [answer for answer in answers if isinstance(answer, BaseException)]
            found |= {
                tenure: answer
                for tenure, answer in zip(left, answers, strict=True)
                if isinstance(answer, bool)
            }
            left = [tenure for tenure in left if tenure not in found]
            if not left:
                return found
        raise failures[0]

    async def _replace(self, member: str, tenure: Tenure, body: dict[str, Any]) -> bool:
        """Write a bucket's Lease if it is still held by ``member`` in this term; say whether it was."""
        path = f"{self._place.leases}/{body['metadata']['name']}"
        known = self._versions.get(tenure.bucket)
        version = known[1] if known is not None and known[0] == tenure else ""
        for is_fresh in (not version, True):
            try:
                if is_fresh:
                    lease = read_lease(await self._api.call("GET", path))
                    if (lease.holder, lease.term) != (member, tenure.term):
                        return False
                    version = lease.version
                body["metadata"]["resourceVersion"] = version
                made = await self._api.call("PATCH", path, body=body, content_type=MERGE_PATCH)
            except KubernetesError as error:
                if is_missing(error):
                    return False
                if not is_conflict(error):
                    raise
                self._versions.pop(tenure.bucket, None)
                continue  # somebody wrote to it; whether it is still ours has to be read
            self._versions[tenure.bucket] = (tenure, version_of(made))
            return True
        raise KubernetesError(
            f"{path} changes faster than it can be read and written", kind=ErrorKind.CONFLICT
        )
