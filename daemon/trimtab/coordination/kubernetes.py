"""Buckets as Leases (coordination.k8s.io/v1) of a cluster: ``Leases`` on Kubernetes.

A bucket has one Lease. Whoever claims, renews or releases it replaces exactly the version that it knows
(resourceVersion), so of two members that want one bucket the API refuses one, and a claim that races a renewal
is refused too, however old the view it was made on. ``leaseTransitions`` is the term. A lease is free when it
was released, or when its version stood still for the lease's time by this process's monotonic clock: times
that others wrote are never compared with anything (Kubernetes' own leader election judges alike). A Lease
that somebody deleted is not free either, as its holder may not know it yet: it is made anew without a holder,
and stands still for the lease's time as any other.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, TypeVar

from trimtab.coordination.buckets import BUCKETS
from trimtab.coordination.kubernetes_board import BoardInKubernetes
from trimtab.coordination.kubernetes_leases import LeaseWriter
from trimtab.coordination.kubernetes_objects import (
    SAYS,
    SAYS_BYTES_MAX,
    TERM,
    LeaseRead,
    Place,
    coordination_error,
    data_of,
    is_conflict,
    is_missing,
    metadata_of,
    read_lease,
    term_of,
    version_of,
)
from trimtab.coordination.port import LeaseSeen, Survey, Tenure
from trimtab.coordination.standstill import Standstill
from trimtab.errors import CoordinationError, ErrorKind, SettingsError
from trimtab.kubernetes.api import MERGE_PATCH, KubernetesError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
    from typing import Any

    from trimtab.clock import Clock
    from trimtab.coordination.port import Posting
    from trimtab.core.proposals import JsonValue
    from trimtab.kubernetes.api import Api

T = TypeVar("T")

LEASE_SECONDS = 15.0
DEAD_SECONDS = 600.0
"""A member that has said nothing for so long is removed by whoever notices."""

FORGET_EVERY_SECONDS = 60.0


def writes_per_second_needed(buckets: int, lease_seconds: float) -> float:
    """Return how many writes a second one member makes that holds all buckets, and says so itself."""
    return (buckets + 1) * 3 / lease_seconds


class LeasesInKubernetes:
    """Implements ``Leases``, and ``Board`` by ConfigMaps beside them. One member's view: not to be shared by two stewards.

    ``api`` belongs to it and is closed with it. ``writes_per_second_max`` is what ``api`` allows: a member
    that came to hold every bucket must be able to renew them all in a third of the lease's time, or
    ``SettingsError``.
    """

    def __init__(
        self,
        clock: Clock,
        api: Api,
        place: Place,
        *,
        writes_per_second_max: float,
        buckets: int = BUCKETS,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        needed = writes_per_second_needed(buckets, lease_seconds)
        if needed > writes_per_second_max:
            raise SettingsError(
                f"{buckets} buckets with leases of {lease_seconds:g} s can need {needed:.0f} writes a "
                f"second of the Kubernetes API, and {writes_per_second_max:g} are allowed; allow "
                "more, or set longer leases or fewer buckets"
            )
        self._clock = clock
        self._api = api
        self._place = place
        self._buckets = buckets
        self._lease_seconds = lease_seconds
        self._board = BoardInKubernetes(clock, api, place, call_seconds_max=lease_seconds / 3)
        self._still: Standstill[str] = Standstill()
        self._writer = LeaseWriter(clock, api, place, lease_seconds=lease_seconds)
        self._left_term = 0
        self._opened_at: float | None = None
        self._longest_seconds = lease_seconds
        self._forgot_at: float | None = None

    @property
    def buckets(self) -> int:
        """See ``Leases``."""
        return self._buckets

    @property
    def lease_seconds(self) -> float:
        """See ``Leases``."""
        return self._lease_seconds

    async def open(self) -> None:
        """Agree on the number of buckets with whoever was here before."""
        await self._in_time("open", self._open())
        if self._opened_at is None:
            self._opened_at = self._clock.monotonic()

    async def survey(self) -> Survey:
        """Look at every Lease. The server's cache may answer: what is done upon it is checked then."""
        return await self._in_time("survey", self._survey())

    async def announce(self, member: str, says: Mapping[str, JsonValue]) -> None:
        """See ``Leases``."""
        await self._in_time("announce", self._announce(member, says))

    async def claim(self, member: str, seen: LeaseSeen) -> Tenure | None:
        """See ``Leases``."""
        return await self._in_time("claim", self._writer.claim(member, seen))

    async def renew(self, member: str, held: Collection[Tenure]) -> frozenset[Tenure]:
        """See ``Leases``. A call that fails is made once more; if any fails again, nothing is told."""
        return await self._in_time("renew", self._writer.renew(member, held))

    async def release(self, member: str, held: Collection[Tenure]) -> None:
        """See ``Leases``."""
        await self._in_time("release", self._writer.release(member, held))

    async def leave(self, member: str) -> None:
        """See ``Leases``."""
        path = f"{self._place.leases}/{self._place.member_name(member)}"
        await self._in_time("leave", self._leave(path))

    async def post(self, topic: str, member: str, term: int, body: Mapping[str, JsonValue]) -> None:
        """See ``Board``."""
        await self._board.post(topic, member, term, body)

    async def read(self, topic: str) -> Mapping[str, Posting]:
        """See ``Board``."""
        return await self._board.read(topic)

    async def close(self) -> None:
        """See ``Leases``."""
        await self._api.close()

    async def _in_time(self, name: str, work: Awaitable[T]) -> T:
        limit = self._lease_seconds / 3
        try:
            async with asyncio.timeout(limit):
                return await work
        except TimeoutError:
            raise CoordinationError(
                f"the Kubernetes API did not do what `{name}` needs within {limit:g} s",
                kind=ErrorKind.TIMEOUT,
            ) from None
        except KubernetesError as error:
            raise coordination_error(error) from None

    # -- the group -------------------------------------------------------------------------------

    async def _open(self) -> None:
        place = self._place
        path = f"{place.config_maps}/{place.group_name}"
        try:
            found = await self._api.call("GET", path)
        except KubernetesError as error:
            if not is_missing(error):
                raise
            made = {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": place.group_name, "labels": place.labels("group")},
                "data": {"buckets": str(self._buckets)},
            }
            try:
                await self._api.call("POST", place.config_maps, body=made)
            except KubernetesError as late:
                if not is_conflict(late):
                    raise
                found = await self._api.call("GET", path)
            else:
                # Nobody was here before: what is not there was not deleted under anybody.
                await self._writer.make_all(range(self._buckets))
                return
        self._writer.note_term(term_of(metadata_of(found)))
        said = data_of(found, "buckets")
        if said != str(self._buckets):
            raise CoordinationError(
                f"the group {place.group} has {said or 'an unknown number of'} buckets and this member "
                f"is set to {self._buckets}; all members must say the same: stop all, delete ConfigMap "
                f"{place.group_name} and the group's Leases in namespace {place.namespace}, start again",
                kind=ErrorKind.REJECTED,
            )

    # -- looking ---------------------------------------------------------------------------------

    async def _survey(self) -> Survey:
        selector = self._place.selector("bucket", "member")
        asked_at = self._clock.monotonic()
        query = {"labelSelector": selector, "resourceVersion": "0"}
        found = await self._api.call("GET", self._place.leases, query=query)
        answered_at = self._clock.monotonic()
        listed = found.get("items")
        read = [read_lease(item) for item in (listed if isinstance(listed, list) else ())]

        def still(key: str, version: str) -> float:
            return self._still.seconds(key, version, asked_at=asked_at, answered_at=answered_at)

        for one in read:
            self._writer.note_term(one.term)
            self._longest_seconds = max(self._longest_seconds, one.seconds)
        there = {one.bucket: one for one in read if one.bucket is not None}
        leases = {
            bucket: self._seen(bucket, there[bucket], still)
            if bucket in there
            else self._unseen(bucket)
            for bucket in range(self._buckets)
        }
        members = [one for one in read if one.part == "member" and one.holder is not None]
        silent = {one.name: still(one.name, one.version) for one in members}
        self._still.forget_all_but({one.name for one in read})
        if not self._is_just_opened:
            await self._writer.make_anew(set(leases) - set(there))
        await self._forget(members, silent)
        return Survey(
            leases=leases,
            members={
                one.holder: one.says
                for one in members
                if one.holder is not None and silent[one.name] < self._good_for(one)
            },
        )

    def _good_for(self, lease: LeaseRead) -> float:
        """For as long as its holder relies on it, whatever this member's settings say."""
        return lease.seconds or self._lease_seconds

    def _seen(self, bucket: int, lease: LeaseRead, still: Callable[[str, str], float]) -> LeaseSeen:
        stood_still = still(lease.name, lease.version)
        term = self._writer.highest_term(bucket, lease.term)
        if lease.is_made_anew:
            is_over = stood_still >= max(self._longest_seconds, self._good_for(lease))
            term = max(term, self._writer.highest)
        else:
            is_over = lease.holder is None or stood_still >= self._good_for(lease)
        return LeaseSeen(
            bucket=bucket,
            holder=lease.holder,
            term=term,
            is_free=is_over and not self._writer.was_refused(bucket, lease.version),
            version=lease.version,
        )

    def _unseen(self, bucket: int) -> LeaseSeen:
        """A Lease that is not there, so that nobody can take it.

        How long it has been away proves nothing: between two looks it may have been made, claimed and
        deleted. It is made anew, and must stand still for as long as any lease.
        """
        term = self._writer.highest_term(bucket, 0)
        return LeaseSeen(bucket=bucket, holder=None, term=term, is_free=False, version="")

    @property
    def _is_just_opened(self) -> bool:
        """Whether whoever began the group may still be busy making its Leases."""
        opened_at = self._opened_at
        return opened_at is None or self._clock.monotonic() - opened_at < self._lease_seconds / 3

    async def _forget(self, members: Iterable[LeaseRead], silent: Mapping[str, float]) -> None:
        """Remove the Lease of one member that is long gone, now and then. What fails is tried again."""
        now = self._clock.monotonic()
        if self._forgot_at is not None and now - self._forgot_at < FORGET_EVERY_SECONDS:
            return
        dead = [
            one for one in members if silent[one.name] >= max(DEAD_SECONDS, self._good_for(one))
        ]
        if not dead:
            return
        self._forgot_at = now
        one = max(dead, key=lambda lease: silent[lease.name])
        only_if = {"uid": one.uid, "resourceVersion": one.version}
        try:
            await self._delete(f"{self._place.leases}/{one.name}", {"preconditions": only_if})
        except KubernetesError:
            return

    # -- being there -----------------------------------------------------------------------------

    async def _announce(self, member: str, says: Mapping[str, JsonValue]) -> None:
        text = json.dumps(says, separators=(",", ":"), ensure_ascii=False)
        if len(text.encode()) > SAYS_BYTES_MAX:
            raise CoordinationError(
                f"what {member} says of itself has {len(text.encode())} bytes; {SAYS_BYTES_MAX} fit",
                kind=ErrorKind.REJECTED,
            )
        name = self._place.member_name(member)
        body = self._writer.lease(name, self._place.labels("member"), holder=member)
        body["metadata"]["annotations"] |= {SAYS: text, TERM: str(self._writer.highest)}
        path = f"{self._place.leases}/{name}"
        try:
            await self._api.call("PATCH", path, body=body, content_type=MERGE_PATCH)
        except KubernetesError as error:
            if not is_missing(error):
                raise
            await self._api.call("POST", self._place.leases, body=body)

    async def _leave(self, path: str) -> None:
        """Leave the highest term behind: all Leases may be deleted before the next member comes."""
        if self._writer.highest > self._left_term:
            group = f"{self._place.config_maps}/{self._place.group_name}"
            annotations = {TERM: str(self._writer.highest)}
            body: dict[str, Any] = {"metadata": {"annotations": annotations}}
            try:
                found = await self._api.call("GET", group)
                if term_of(metadata_of(found)) < self._writer.highest:
                    body["metadata"]["resourceVersion"] = version_of(found)
                    await self._api.call("PATCH", group, body=body, content_type=MERGE_PATCH)
            except KubernetesError as error:
                if not is_missing(error) and not is_conflict(error):
                    raise
            self._left_term = self._writer.highest
        await self._delete(path)

    async def _delete(self, path: str, options: Mapping[str, Any] | None = None) -> None:
        try:
            await self._api.call("DELETE", path, body=options)
        except KubernetesError as error:
            if not is_missing(error):
                raise
