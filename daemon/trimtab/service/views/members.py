"""Who shares the fleet, as the steward's last look at the coordination service showed it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from trimtab.core.buckets import LEADING_BUCKET
from trimtab.version import VERSION
from trimtab.web.views.members import MemberRow, MembersView

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.clock import Clock
    from trimtab.service.tenancy import Tenancy

ALONE = "this process"


class MembersSeen:
    """Looks at the tenancy; ``None``: this process is alone."""

    def __init__(
        self, clock: Clock, tenancy: Tenancy | None, started_at: Callable[[], float | None]
    ) -> None:
        self._clock = clock
        self._tenancy = tenancy
        self._started_at = started_at

    def view(self) -> MembersView:
        """Return all members."""
        if self._tenancy is None:
            return self._alone()
        standing = self._tenancy.steward.standing
        survey, ours = standing.survey, standing.member
        leases = () if survey is None else survey.leases.values()
        held = [one for one in leases if one.holder is not None and not one.is_free]
        counts = Counter(one.holder for one in held)
        terms: dict[str | None, int] = {}
        for one in held:
            terms[one.holder] = max(one.term, terms.get(one.holder, 0))
        leader = next((one.holder for one in held if one.bucket == LEADING_BUCKET), None)
        says = {} if survey is None else survey.members
        names = sorted({*says, *(name for name in counts if name is not None), ours})
        return MembersView(
            at=self._clock.now(),
            is_shared=True,
            members=tuple(
                MemberRow(
                    name=name,
                    address=_text(says.get(name, {}).get("address")),
                    version=_text(says.get(name, {}).get("version")),
                    started_at=_moment(says.get(name, {}).get("started_at")),
                    buckets=counts[name],
                    highest_term=terms.get(name),
                    is_leading=name == leader,
                    is_this=name == ours,
                    is_alive=name in says,
                )
                for name in names
            ),
            buckets=standing.buckets,
            buckets_free=standing.buckets - len(held),
            seen_seconds_ago=standing.survey_age_seconds,
            renewed_seconds_ago=standing.renewal_age_seconds,
            trouble=standing.trouble,
        )

    def _alone(self) -> MembersView:
        row = MemberRow(
            name=ALONE,
            address=None,
            version=VERSION,
            started_at=self._started_at(),
            buckets=1,
            highest_term=None,
            is_leading=True,
            is_this=True,
            is_alive=True,
        )
        return MembersView(
            at=self._clock.now(),
            is_shared=False,
            members=(row,),
            buckets=1,
            buckets_free=0,
            seen_seconds_ago=None,
            renewed_seconds_ago=None,
            trouble=None,
        )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _moment(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
