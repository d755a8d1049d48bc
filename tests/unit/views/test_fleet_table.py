"""The fleet as a table: what needs somebody first, and pages that lose nobody."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.clock import ManualClock
from trimtab.core.decision import Decision, Hold, Reason
from trimtab.core.deployment import Deployment
from trimtab.core.fleet_policy import NO_FLEET_POLICY
from trimtab.core.policy import Mode
from trimtab.service.overview import Glimpse
from trimtab.service.views.fleet_table import FleetTable
from trimtab.service.views.troubles import FAILING, HELD, SHORT
from trimtab.web.problem import ProblemError
from trimtab.web.views.fleet import FleetOrder, FleetWish
from trimtab.web.views.trouble import Level

START = 1_767_225_600.0


def a_glimpse(name: str, reason: Reason, current: int = 2, wanted: int = 2) -> Glimpse:
    decision = Decision(
        deployment=name,
        policy="chat",
        mode=Mode.ENFORCE,
        at=START,
        verdict=Hold(reason),
        current=current,
        desired=current,
        wanted=wanted,
        bounds=None,
        sentence=f"hold: {reason}",
        trail=(),
    )
    return Glimpse(Deployment(name=name), decision, None, None)


class Fleet:
    """As much of a daemon as a table needs."""

    def __init__(self) -> None:
        self.found: dict[str, Glimpse] = {}

    @property
    def deployments(self) -> dict[str, Deployment]:
        return {name: one.deployment for name, one in self.found.items()}

    def put(self, *glimpses: Glimpse) -> None:
        self.found |= {one.deployment.name: one for one in glimpses}

    def glimpses(self) -> Iterator[Glimpse]:
        yield from self.found.values()

    def deployment(self, name: str) -> Any:
        one = self.found.get(name)
        return one and SimpleNamespace(**one._asdict(), usd_an_hour=None)

    def table(self) -> FleetTable:
        engine = SimpleNamespace(policies=(), fleet_policy=NO_FLEET_POLICY)
        return FleetTable(
            ManualClock(START),
            overview=self,  # type: ignore[arg-type]  # a stand-in
            fleet=self,  # type: ignore[arg-type]  # the same
            overrides=SimpleNamespace(standing=lambda *_: ()),  # type: ignore[arg-type]  # nobody orders
            watch=SimpleNamespace(changed_at=lambda _: START),  # type: ignore[arg-type]  # nothing changes
            engine=lambda: engine,  # type: ignore[arg-type,return-value]  # of no fleet policy
        )


def test_each_reason_is_of_one_level_at_most() -> None:
    assert not FAILING & SHORT
    assert not FAILING & HELD
    assert not SHORT & HELD


async def test_what_needs_somebody_stands_first_and_the_shortest_before_the_rest() -> None:
    fleet = Fleet()
    fleet.put(
        a_glimpse("well", Reason.STEADY),
        a_glimpse("paused", Reason.PAUSED),
        a_glimpse("short", Reason.AT_MAX, wanted=4),
        a_glimpse("shorter", Reason.AT_MAX, wanted=9),
        a_glimpse("bug", Reason.INVARIANT),
    )
    page = await fleet.table().page(FleetWish())
    assert [row.name for row in page.rows] == ["bug", "shorter", "short", "paused", "well"]
    assert (page.counts.failing, page.counts.short, page.counts.held, page.counts.well) == (
        1,
        2,
        1,
        1,
    )
    assert page.rows[0].trouble.sentence == "hold: invariant"


async def test_filters_narrow_the_rows_and_not_the_counts() -> None:
    fleet = Fleet()
    fleet.put(a_glimpse("chat-a", Reason.AT_MAX), a_glimpse("code-a", Reason.STEADY))
    page = await fleet.table().page(FleetWish(level=Level.SHORT, text="CHAT"))
    assert ([row.name for row in page.rows], page.total, page.counts.all) == (["chat-a"], 1, 2)


async def test_without_deployments_there_is_an_empty_page() -> None:
    page = await Fleet().table().page(FleetWish())
    assert (page.rows, page.total, page.position, page.next_cursor) == ((), 0, 0, None)


async def test_pages_by_number_hang_together() -> None:
    fleet = Fleet()
    fleet.put(*(a_glimpse(f"d{number:02}", Reason.STEADY) for number in range(25)))
    pages = [
        await fleet.table().page(FleetWish(order=FleetOrder.NAME, limit=10, page=number))
        for number in (1, 2, 3, 4)
    ]
    assert [page.position for page in pages] == [1, 11, 21, 0]
    assert [row.name for page in pages for row in page.rows] == [f"d{n:02}" for n in range(25)]


@pytest.mark.parametrize("cursor", ["", "x", "bm9uc2Vuc2U", "WzFd", "WyJuYW1lIiwgZmFsc2UsIDFd"])
async def test_a_cursor_that_is_none_is_refused_in_a_sentence(cursor: str) -> None:
    fleet = Fleet()
    fleet.put(a_glimpse("a", Reason.STEADY))
    with pytest.raises(ProblemError, match="begin without one"):
        await fleet.table().page(FleetWish(order=FleetOrder.NAME, cursor=cursor))


names = st.sampled_from([f"d{number}" for number in range(12)])
reasons = st.sampled_from([Reason.STEADY, Reason.AT_MAX, Reason.PAUSED, Reason.INVARIANT])


@given(
    st.dictionaries(names, reasons, min_size=1),
    st.lists(st.tuples(names, st.booleans()), max_size=20),
    st.sampled_from([FleetOrder.NAME, FleetOrder.TROUBLE, FleetOrder.CURRENT]),
    st.booleans(),
    st.integers(1, 4),
)
async def test_who_stays_is_shown_once_whoever_comes_and_goes(
    there: dict[str, Reason],
    moves: list[tuple[str, bool]],
    order: FleetOrder,
    is_reversed: bool,
    limit: int,
) -> None:
    """Caught `>=` for `>` in the place of the cursor (twice) and a cursor of the row after (lost)."""
    fleet = Fleet()
    fleet.put(*(a_glimpse(name, reason) for name, reason in there.items()))
    moving = {name for name, _ in moves}
    staying = set(there) - moving
    shown: list[str] = []
    cursor: str | None = None
    moves = [*moves]
    for _ in range(100):  # more pages than there can be
        wish = FleetWish(order=order, is_reversed=is_reversed, limit=limit, cursor=cursor)
        page = await fleet.table().page(wish)
        shown += [row.name for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
        if moves:
            name, comes = moves.pop()
            if comes:
                fleet.put(a_glimpse(name, Reason.AT_MAX))
            else:
                fleet.found.pop(name, None)
    assert sorted(name for name in shown if name in staying) == sorted(staying)
