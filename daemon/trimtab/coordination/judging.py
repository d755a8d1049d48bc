"""Which leases are free, who is alive and how old a posting is, where a service keeps rows of all that.

A server's clock may be set. So it is never what makes a lease free; and of two ages, by the server's clock
and by what this process itself has seen stand still, the larger counts.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from trimtab.coordination.port import LeaseSeen, Posting
from trimtab.coordination.standstill import Standstill

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trimtab.coordination.rows import LeaseRow, MemberRow, PostingRow
    from trimtab.core.proposals import JsonValue


class Vacancies:
    """One member's judgement, from all the surveys that it made.

    A lease is free when it was released, or when it stood still for the time that its holder gave it. A
    service that is seen to have begun anew (another ``epoch``) may be a standby that took over without the
    last of what its predecessor had confirmed: members may rely on claims and renewals that it never heard
    of. So nothing counts as free until all that they can rely on has run out: for as long as the longest
    lease that was ever seen, this member's own (``lease_seconds``) included.
    """

    def __init__(self, lease_seconds: float) -> None:
        self._longest_seconds = lease_seconds
        self._still: Standstill[int] = Standstill()
        self._epoch: str | None = None
        self._anew_at: float | None = None

    def judged(
        self, rows: Iterable[LeaseRow], *, epoch: str, asked_at: float, answered_at: float
    ) -> Mapping[int, LeaseSeen]:
        """Return each lease as it is seen. Times are monotonic: before and after the question."""
        if self._epoch not in (None, epoch):
            self._anew_at = answered_at
        self._epoch = epoch
        rows = tuple(rows)
        self._longest_seconds = max(self._longest_seconds, *(row.lease_seconds for row in rows))
        is_known = self._anew_at is None or asked_at - self._anew_at >= self._longest_seconds
        seen = {}
        for row in rows:
            version = f"{epoch}/{row.version}"
            still_seconds = self._still.seconds(
                row.bucket, version, asked_at=asked_at, answered_at=answered_at
            )
            seen[row.bucket] = LeaseSeen(
                bucket=row.bucket,
                holder=row.holder,
                term=row.term,
                is_free=is_known and (row.holder is None or still_seconds >= row.lease_seconds),
                version=version,
            )
        return seen


class Attendance:
    """Which members are alive: those whose announcement is not older than they said it would be good for."""

    def __init__(self) -> None:
        self._still: Standstill[str] = Standstill()

    def alive(
        self, rows: Iterable[MemberRow], *, epoch: str, asked_at: float, answered_at: float
    ) -> Mapping[str, Mapping[str, JsonValue]]:
        """Return what each of them says."""
        found = {}
        rows = tuple(rows)
        for row in rows:
            still_seconds = self._still.seconds(
                row.member, f"{epoch}/{row.version}", asked_at=asked_at, answered_at=answered_at
            )
            if max(still_seconds, row.age_seconds) < row.lease_seconds:
                found[row.member] = json.loads(row.says)
        self._still.forget_all_but({row.member for row in rows})
        return found


class Ages:
    """How old postings are: never younger than they are."""

    def __init__(self) -> None:
        self._still: Standstill[tuple[str, str]] = Standstill()

    def postings(
        self, topic: str, rows: Iterable[PostingRow], *, asked_at: float, answered_at: float
    ) -> Mapping[str, Posting]:
        """Return the postings under ``topic``, by member."""
        found = {}
        for row in rows:
            still_seconds = self._still.seconds(
                (topic, row.member), f"{row.version}", asked_at=asked_at, answered_at=answered_at
            )
            found[row.member] = Posting(
                member=row.member,
                term=row.term,
                age_seconds=max(still_seconds, row.age_seconds) + (answered_at - asked_at),
                body=json.loads(row.body),
            )
        return found
