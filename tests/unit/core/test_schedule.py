"""``schedule``: which window counts, what it asks for, and when it has nothing to say."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.worlds.engine_world import DEMAND, world

from trimtab.core.calendar import Period, Recurrence
from trimtab.core.decision import Hold, Reason, ScaleDown, ScaleUp
from trimtab.core.policy import Rule
from trimtab.core.roles import Role
from trimtab.core.strategies.schedule import Schedule, Window
from trimtab.testing import a_view


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def window(replicas: int, cron: str = "0 8 * * MON-FRI", hours: float = 10, **other: Any) -> Window:
    opening = Recurrence(cron=cron, timezone="Europe/Berlin", duration_seconds=hours * 3600)
    return Window(opening=opening, replicas=replicas, label=f"`{cron}` for {hours}h", **other)


def schedule(*windows: Window) -> Schedule:
    return Schedule(windows=windows, timezone="Europe/Berlin")


MONDAY_NOON = utc("2026-01-12T12:00")


def test_an_open_window_asks_for_its_count_and_says_until_when() -> None:
    wish = schedule(window(4)).propose(a_view(now=MONDAY_NOON), None)
    assert (wish.replicas, wish.at_most, wish.is_abstaining) == (4, None, False)
    assert wish.sentence == (
        "`0 8 * * MON-FRI` for 10h is open until 2026-01-12 18:00 Europe/Berlin: 4"
    )


def test_outside_its_windows_it_abstains_and_says_which_opens_next() -> None:
    wish = schedule(window(4), window(2, cron="0 10 * * SAT")).propose(
        a_view(now=utc("2026-01-10T22:00")), None
    )
    assert (wish.replicas, wish.is_abstaining) == (None, True)
    assert wish.sentence == (
        "no window is open; `0 8 * * MON-FRI` for 10h opens at 2026-01-12 08:00 Europe/Berlin"
    )


def test_when_nothing_opens_for_long_it_says_so() -> None:
    wish = schedule(window(4, cron="0 0 1 7 *")).propose(a_view(now=MONDAY_NOON), None)
    assert wish.sentence == "no window is open, nor opens within a week"


def test_where_windows_overlap_priority_counts_then_the_larger_count() -> None:
    view = a_view(now=MONDAY_NOON)
    assert schedule(window(4), window(6), window(5)).propose(view, None).replicas == 6
    assert schedule(window(9), window(2, priority=1)).propose(view, None).replicas == 2
    closed = window(8, cron="0 20 * * *", hours=1, priority=9)
    assert schedule(window(4), closed).propose(view, None).replicas == 4


def test_a_single_window_is_open_once() -> None:
    launch = Window(
        opening=Period(start=utc("2026-01-12T00:00"), end=utc("2026-01-13T00:00")),
        replicas=8,
        label="launch",
    )
    assert schedule(launch).propose(a_view(now=MONDAY_NOON), None).replicas == 8
    assert schedule(launch).propose(a_view(now=utc("2027-01-12T12:00")), None).is_abstaining


def test_the_first_edge_is_the_next_start_or_end_of_any_window() -> None:
    both = schedule(window(4), window(9, cron="0 15 * * *", hours=1))
    edges, now = [], utc("2026-01-12T00:00")
    for _ in range(5):
        now = min(both.edges(now, None))
        edges.append(f"{datetime.fromtimestamp(now, tz=UTC):%d %H:%M}")
    assert edges == ["12 07:00", "12 14:00", "12 15:00", "12 17:00", "13 07:00"]


def test_what_is_over_has_no_edge_any_more() -> None:
    over = Window(opening=Period(start=0.0, end=1.0), replicas=1, label="the first second")
    assert schedule(over).edges(MONDAY_NOON, None) == ()
    assert schedule(over).edges(0.5, None) == (1.0,)


def test_between_two_edges_the_answer_is_the_same() -> None:
    several = schedule(window(4), window(9, cron="30 2 * * *", hours=1), window(2, priority=-1))
    now = utc("2026-03-28T00:00")
    while now < utc("2026-03-31T00:00"):
        change = min(several.edges(now, None))
        assert change > now
        answer = several.propose(a_view(now=now), None).replicas
        assert several.propose(a_view(now=(now + change) / 2), None).replicas == answer
        assert several.propose(a_view(now=change - 0.5), None).replicas == answer
        now = change


def rules(role: Role, *windows: Window) -> dict[str, Any]:
    return {"rules": (DEMAND, Rule(name="calendar", role=role, strategy=schedule(*windows)))}


def test_a_floor_raises_while_it_is_open_and_lets_go_afterwards() -> None:
    w = world(2, **rules(Role.FLOOR, window(5)))
    w.now = utc("2026-01-12T06:59")
    assert w.act(load=20.0).verdict == Hold(Reason.STEADY)
    decision = w.act(after=60.0, load=20.0)
    assert (decision.verdict, decision.wanted) == (ScaleUp(Reason.FLOOR), 5)
    w.now = utc("2026-01-12T17:00")
    assert w.act(load=20.0).wanted == 2


def test_a_ceiling_caps_while_it_is_open() -> None:
    w = world(6, **rules(Role.CEILING, window(3, cron="0 22 * * *", hours=8)))
    w.now = utc("2026-01-12T20:59")
    assert w.act(load=60.0).wanted == 6
    w.now = utc("2026-01-12T21:00")
    assert w.act(load=60.0).wanted == 3
    assert w.act(after=301.0, load=60.0).verdict == ScaleDown(Reason.CEILING)


def test_an_exact_count_is_a_floor_and_a_ceiling_at_once() -> None:
    for load in (0.0, 20.0, 90.0):
        w = world(4, **rules(Role.FLOOR, window(4, is_exact=True)))
        w.now = MONDAY_NOON
        assert w.step(load=load).wanted == 4


def test_a_schedule_that_demands_is_no_missing_data_outside_its_windows() -> None:
    w = world(2, rules=(Rule(name="day", role=Role.DEMAND, strategy=schedule(window(5))),))
    w.now = utc("2026-01-12T23:00")
    assert w.step().verdict == Hold(Reason.STEADY)
    w.now = utc("2026-01-13T12:00")
    assert w.step().wanted == 5
