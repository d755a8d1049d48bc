from __future__ import annotations

from collections.abc import Sequence
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_world import CHAT, CODE, START

from trimtab.clock import ManualClock
from trimtab.core.signals import FUTURE_TOLERANCE_SECONDS, Sample
from trimtab.service.inbox import Accepted, Inbox


def an_inbox(samples_max: int = 100) -> Inbox:
    return Inbox(ManualClock(START), samples_max)


def a_sample(value: float, *, of: str = CHAT, at: float = START, signal: str = "load") -> Sample:
    return Sample(of, signal, at, value)


def test_samples_wait_for_the_slice_that_their_deployment_is_in() -> None:
    inbox = an_inbox()
    assert inbox.accept([a_sample(1.0), a_sample(2.0, of=CODE), a_sample(3.0, signal="queued")])
    assert inbox.take([CODE]).samples == [a_sample(2.0, of=CODE)]
    assert inbox.take([CODE, CHAT]).samples == [a_sample(1.0), a_sample(3.0, signal="queued")]
    assert inbox.take([CODE, CHAT]).samples == []


def test_a_newer_sample_takes_the_place_of_an_older_one_and_an_older_one_of_none() -> None:
    inbox = an_inbox()
    inbox.add([a_sample(1.0, at=START - 5), a_sample(2.0, at=START), a_sample(3.0, at=START - 1)])
    assert inbox.room == 99
    assert inbox.take([CHAT]).samples == [a_sample(2.0, at=START)]
    assert inbox.room == 100


@pytest.mark.parametrize(
    "broken",
    [
        a_sample(nan),
        a_sample(inf),
        a_sample(-1.0),
        a_sample(7.0, at=START + FUTURE_TOLERANCE_SECONDS + 1),
    ],
)
def test_what_the_engine_would_not_believe_takes_no_others_place(broken: Sample) -> None:
    inbox = an_inbox()
    inbox.add([a_sample(1.0, at=START - 5), broken])
    assert inbox.take([CHAT]).samples == [a_sample(1.0, at=START - 5)]


def test_pushed_samples_are_taken_together_or_not_at_all() -> None:
    inbox = an_inbox(samples_max=2)
    assert inbox.accept([a_sample(1.0)])
    assert not inbox.accept([a_sample(2.0, of=CODE), a_sample(3.0, of="other")])
    assert inbox.take([CHAT, CODE]).samples == [a_sample(1.0)]


def test_polled_samples_beyond_the_room_are_dropped_and_counted() -> None:
    inbox = an_inbox(samples_max=1)
    assert inbox.add([a_sample(1.0), a_sample(2.0, of=CODE), a_sample(3.0)]) == 1
    assert inbox.take([CHAT, CODE]).samples == [a_sample(3.0)], (
        "what waits already may become newer"
    )


def is_above_five(sample: Sample) -> bool:
    return sample.value > 5.0


def test_only_deployments_that_a_sample_may_move_are_to_be_woken() -> None:
    inbox = an_inbox()
    pushed = [a_sample(1.0), a_sample(9.0, of=CODE), a_sample(2.0, of=CODE, signal="queued")]
    assert inbox.accept(pushed, is_above_five) == Accepted(woken=(CODE,), quiet=1)
    assert inbox.accept([a_sample(2.0)], is_above_five) == Accepted(woken=(), quiet=1)


def test_what_moves_nothing_waits_and_is_told_with_the_time_until_which_it_upheld_the_wish() -> (
    None
):
    clock = ManualClock(START)
    inbox = Inbox(clock)
    inbox.accept([a_sample(1.0)], is_above_five)
    clock.advance(2.0)
    inbox.accept([a_sample(2.0, at=START + 1)], is_above_five)
    clock.advance(3.0)
    inbox.accept([a_sample(9.0, signal="queued")], is_above_five)
    clock.advance(1.0)
    inbox.accept([a_sample(3.0, at=START + 5)], is_above_five)
    taken = inbox.take([CHAT, CODE])
    assert taken.upheld == {CHAT: START + 2.0}, "after something moved, nothing upholds any more"
    assert [one.value for one in taken.samples] == [3.0, 9.0]
    assert inbox.accept([a_sample(1.0)], is_above_five) == Accepted(woken=(), quiet=1)
    assert inbox.take([CHAT]).upheld == {CHAT: START + 6.0}


def test_what_the_engine_would_not_believe_wakes_nobody_and_upholds_nothing() -> None:
    inbox = an_inbox()
    ahead = a_sample(1.0, at=START + FUTURE_TOLERANCE_SECONDS + 1)
    assert inbox.accept([a_sample(nan), ahead], is_above_five) == Accepted(woken=(), quiet=0)
    assert inbox.take([CHAT]) == ([], {})
    assert inbox.accept([a_sample(1.0)], is_above_five) == Accepted(woken=(), quiet=1)


def test_a_polled_sample_is_to_be_decided_on_whatever_it_moves() -> None:
    inbox = an_inbox()
    inbox.add([a_sample(1.0)])
    assert inbox.accept([a_sample(2.0)], is_above_five) == Accepted(woken=(CHAT,), quiet=0)
    assert inbox.take([CHAT]).upheld == {}


names = st.sampled_from([CHAT, CODE])
samples = st.lists(
    st.builds(
        Sample,
        names,
        st.sampled_from(["load", "queued"]),
        st.floats(START - 100, START),
        st.floats(0, 100),
    ),
    max_size=8,
)


@given(st.lists(st.one_of(samples, names), max_size=20))
def test_the_newest_acknowledged_sample_of_each_signal_is_handed_out_and_the_room_is_right(
    events: Sequence[list[Sample] | str],
) -> None:
    inbox = an_inbox(samples_max=6)
    waiting: dict[tuple[str, str], Sample] = {}
    for event in events:
        if isinstance(event, str):
            expected = [one for one in waiting.values() if one.deployment == event]
            assert sorted(inbox.take([event]).samples) == sorted(expected)
            waiting = {key: one for key, one in waiting.items() if one.deployment != event}
        elif inbox.accept(event) is not None:
            for one in event:
                before = waiting.get((one.deployment, one.signal))
                if before is None or one.time >= before.time:
                    waiting[one.deployment, one.signal] = one
        assert inbox.room == 6 - len(waiting)
