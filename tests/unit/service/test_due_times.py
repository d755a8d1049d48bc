from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from trimtab.service.due_times import MOMENT_GAP_SECONDS, MOMENT_SLACK_SECONDS, DueTimes

NAMES = st.sampled_from("abcdef")
SECONDS = st.floats(0.0, 100.0)


def drained(due: DueTimes, now: float) -> list[str]:
    names = []
    while (name := due.take(now)) is not None:
        names.append(name)
    return names


def test_the_longest_overdue_comes_first_and_equals_in_their_order() -> None:
    due = DueTimes()
    for name, at in (("c", 3.0), ("b", 2.0), ("a", 2.0), ("d", 9.0)):
        due.set_tick(name, at)
    assert drained(due, 5.0) == ["b", "a", "c"]
    assert due.next_at() == 9.0


def test_a_thousand_postponements_leave_one_entry() -> None:
    due = DueTimes()
    for number in range(1000):
        due.set_tick("a", float(number))
    assert len(due._heap) == 1
    assert due.next_at() == 999.0


def test_ticks_are_taken_ahead_only_up_to_the_next_moment() -> None:
    due = DueTimes()
    for name, at in (("a", 1.0), ("b", 2.0), ("c", 9.0), ("d", 3.0)):
        due.set_tick(name, at)
    due.set_moment("c", 2.5, 0.0)
    assert due.take_tick_before(10.0) == "a"
    assert due.take_tick_before(10.0) == "b"
    assert due.take_tick_before(10.0) is None, "a moment is not to be answered before its time"
    assert due.take(3.0) == "c"
    assert due.take_tick_before(3.0) is None


def test_a_name_without_a_tick_has_no_moments() -> None:
    due = DueTimes()
    due.set_moment("a", 1.0, 0.0)
    assert due.next_at() is None


class Model(RuleBasedStateMachine):
    """Against a dictionary that is searched."""

    def __init__(self) -> None:
        super().__init__()
        self.due = DueTimes()
        self.ticks: dict[str, float] = {}
        self.moments: dict[str, float] = {}
        self.now = 0.0

    @property
    def expected(self) -> dict[str, float]:
        return {name: self.moments.get(name, at) for name, at in self.ticks.items()}

    @rule(name=NAMES, after=SECONDS)
    def tick(self, name: str, after: float) -> None:
        self.ticks[name] = self.now + after
        self.moments.pop(name, None)
        self.due.set_tick(name, self.now + after)

    @rule(name=NAMES, after=SECONDS)
    def moment(self, name: str, after: float) -> None:
        at = max(self.now + after + MOMENT_SLACK_SECONDS, self.now + MOMENT_GAP_SECONDS)
        if name in self.ticks and at < self.expected[name]:
            self.moments[name] = at
        self.due.set_moment(name, self.now + after, self.now)

    @rule(name=NAMES)
    def forget(self, name: str) -> None:
        self.ticks.pop(name, None)
        self.moments.pop(name, None)
        self.due.forget(name)

    @rule(names=st.lists(NAMES))
    def all_now(self, names: list[str]) -> None:
        for name in names:
            self.ticks[name] = min(self.ticks.get(name, self.now), self.now)
            self.moments.pop(name, None)
        self.due.all_now(names, self.now)

    @rule(seconds=SECONDS, after=SECONDS)
    def pass_and_take(self, seconds: float, after: float) -> None:
        self.now += seconds
        name = self.due.take(self.now)
        overdue = {at for at in self.expected.values() if at <= self.now}
        if name is None:
            assert not overdue
            return
        assert self.expected[name] == min(overdue)
        self.tick(name, after)

    @invariant()
    def knows_what_is_due_next(self) -> None:
        assert self.due.next_at() == min(self.expected.values(), default=None)
        assert set(self.due.names) == set(self.ticks)


TestModel = Model.TestCase
TestModel.settings = settings(deadline=None)
