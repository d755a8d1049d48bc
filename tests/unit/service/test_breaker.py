from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.errors import InvariantViolation
from trimtab.service import breaker as machine
from trimtab.service.breaker import (
    OPENED,
    PROBE_SECONDS_MAX,
    TRANSITIONS,
    Breaker,
    CircuitEvent,
    CircuitState,
    Heard,
    Tolerance,
    admit,
    hear,
    refuses_for,
)

TOLERANCE = Tolerance(failures_max=3, window_seconds=60.0)


class Line:
    """A dependency behind its circuit, asked again and again."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.random = Random(1)
        self.breaker = Breaker(tolerance=TOLERANCE, since=self.now)

    @property
    def state(self) -> CircuitState:
        return self.breaker.state

    def begin(self) -> int | None:
        admitted = admit(self.breaker, self.now)
        if admitted is None:
            return None
        self.breaker = admitted
        return admitted.period

    def end(self, call: int, heard: Heard) -> None:
        self.breaker = hear(self.breaker, call, heard, self.now, self.random)

    def ask(self, heard: Heard) -> bool:
        """Ask once; whether it was admitted."""
        call = self.begin()
        if call is not None:
            self.end(call, heard)
        return call is not None

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def open(self) -> Line:
        for _ in range(TOLERANCE.failures_max):
            self.ask(Heard.FAILING)
        assert self.state is CircuitState.OPEN
        return self

    @property
    def seconds_left(self) -> float:
        return refuses_for(self.breaker, self.now) or 0.0


@pytest.fixture
def line() -> Line:
    return Line()


def test_it_opens_at_so_many_failures_in_a_row_and_refuses_from_then_on(line: Line) -> None:
    assert [line.ask(Heard.FAILING) for _ in range(4)] == [True, True, True, False]
    assert line.state is CircuitState.OPEN


def test_a_success_between_failures_starts_the_count_over(line: Line) -> None:
    for _ in range(20):
        line.ask(Heard.FAILING)
        line.ask(Heard.FAILING)
        line.ask(Heard.WELL)
    assert line.state is CircuitState.CLOSED


def test_failures_that_lie_far_apart_do_not_open_it(line: Line) -> None:
    for _ in range(20):
        line.ask(Heard.FAILING)
        line.wait(TOLERANCE.window_seconds / 2)
    assert line.state is CircuitState.CLOSED


def test_what_says_nothing_neither_opens_nor_clears(line: Line) -> None:
    line.ask(Heard.FAILING)
    line.ask(Heard.FAILING)
    for _ in range(20):
        line.ask(Heard.NOTHING)
    assert line.state is CircuitState.CLOSED
    line.ask(Heard.FAILING)
    assert line.state is CircuitState.OPEN


def test_after_the_pause_one_call_probes_and_the_others_wait_for_it(line: Line) -> None:
    line.open()
    line.wait(line.seconds_left)
    probe = line.begin()
    assert probe is not None
    assert line.state is CircuitState.HALF_OPEN
    assert line.begin() is None
    line.end(probe, Heard.WELL)
    assert line.state is CircuitState.CLOSED
    assert line.ask(Heard.WELL)


def test_a_probe_that_fails_makes_the_pause_longer_up_to_its_limit(line: Line) -> None:
    line.open()
    pauses = []
    for _ in range(12):
        pauses.append(line.seconds_left)
        line.wait(line.seconds_left)
        assert line.ask(Heard.FAILING)
    assert pauses[0] <= OPENED.first_seconds
    assert pauses[-1] > 2 * pauses[0]
    assert max(pauses) <= OPENED.seconds_max


def test_a_recovery_makes_the_next_pause_short_again(line: Line) -> None:
    line.open()
    for _ in range(6):
        line.wait(line.seconds_left)
        line.ask(Heard.FAILING)
    line.wait(line.seconds_left)
    line.ask(Heard.WELL)
    assert line.open().seconds_left <= OPENED.first_seconds


def test_a_probe_that_was_given_up_lets_the_next_call_probe_at_once(line: Line) -> None:
    line.open()
    line.wait(line.seconds_left)
    assert line.ask(Heard.NOTHING)
    assert line.state is CircuitState.HALF_OPEN
    assert line.ask(Heard.WELL)
    assert line.state is CircuitState.CLOSED


def test_a_probe_that_hangs_does_not_keep_others_from_asking_for_long(line: Line) -> None:
    line.open()
    line.wait(line.seconds_left)
    hanging = line.begin()
    assert hanging is not None
    line.wait(PROBE_SECONDS_MAX)
    assert line.ask(Heard.WELL)
    line.end(hanging, Heard.FAILING)
    assert line.state is CircuitState.CLOSED, "what comes back late changes nothing"


@pytest.mark.parametrize("late", list(Heard))
def test_what_began_before_it_opened_changes_nothing_when_it_ends(line: Line, late: Heard) -> None:
    call = line.begin()
    assert call is not None
    opened = line.open().breaker
    line.end(call, late)
    assert line.breaker == opened


@pytest.mark.parametrize("state", list(CircuitState))
@pytest.mark.parametrize("event", list(CircuitEvent))
def test_only_what_the_table_names_can_happen(state: CircuitState, event: CircuitEvent) -> None:
    at = Breaker(tolerance=TOLERANCE, since=0.0, state=state)
    if event in TRANSITIONS[state]:
        assert machine._next(at, event, 1.0).state is TRANSITIONS[state][event]
    else:
        with pytest.raises(InvariantViolation, match=event.value):
            machine._next(at, event, 1.0)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), st.floats(0.0, 90.0)),
        st.tuples(st.just("begin"), st.none()),
        st.tuples(st.just("end"), st.tuples(st.integers(0, 5), st.sampled_from(list(Heard)))),
    ),
    max_size=60,
)


@given(STEPS)
def test_whatever_happens_a_dependency_that_is_well_is_asked_again_within_the_bound(
    steps: list[tuple[str, object]],
) -> None:
    # Caught by it: an open state without end, a lost probe that blocks, `until` that is extended by
    # late failures, the pause without its limit.
    line = Line()
    calls: list[int] = []
    for what, argument in steps:
        if what == "wait":
            line.wait(argument)  # type: ignore[arg-type]  # drawn beside its name
        elif what == "begin":
            if (call := line.begin()) is not None:
                calls.append(call)
        elif calls:
            which, heard = argument  # type: ignore[misc]  # drawn beside its name
            line.end(calls.pop(which % len(calls)), heard)
        assert line.state is CircuitState.HALF_OPEN or len(line.breaker.failures) < 3
    waited = 0.0
    while not line.ask(Heard.WELL):
        assert line.seconds_left > 0
        waited += line.seconds_left
        line.wait(line.seconds_left)
    assert waited <= max(OPENED.seconds_max, PROBE_SECONDS_MAX)
    assert line.state is CircuitState.CLOSED
