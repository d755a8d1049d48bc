"""One request to stop is heard and kept; a second one is meant."""

import signal
from collections.abc import Iterator

import pytest

from trimtab.cli.demo import stopping
from trimtab.cli.demo.stopping import StopSignal
from trimtab.clock import ManualClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> ManualClock:
    clock = ManualClock()
    monkeypatch.setattr(stopping, "SystemClock", lambda: clock)
    return clock


@pytest.fixture
def stop(clock: ManualClock) -> Iterator[StopSignal]:  # noqa: ARG001  it has to be there first
    stop = StopSignal()
    yield stop
    stop.restore()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_the_wait_at_once(stop: StopSignal, number: signal.Signals) -> None:
    assert not stop.is_set
    signal.raise_signal(number)
    assert await stop.wait(3600.0)
    assert stop.is_set


async def test_without_a_signal_the_wait_ends_by_itself(stop: StopSignal) -> None:
    assert not await stop.wait(0.001)


async def test_an_echo_of_the_first_signal_is_no_second_one(
    stop: StopSignal, clock: ManualClock
) -> None:
    signal.raise_signal(signal.SIGINT)
    clock.advance(stopping.DEBOUNCE_SECONDS / 2)
    signal.raise_signal(signal.SIGINT)
    assert await stop.wait(3600.0)


def test_a_later_one_interrupts_whatever_is_going_on(stop: StopSignal, clock: ManualClock) -> None:
    signal.raise_signal(signal.SIGINT)
    clock.advance(stopping.DEBOUNCE_SECONDS * 2)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert stop.is_set


def test_the_handlers_from_before_come_back(clock: ManualClock) -> None:  # noqa: ARG001  likewise
    before = signal.getsignal(signal.SIGINT)
    stop = StopSignal()
    assert signal.getsignal(signal.SIGINT) != before
    stop.restore()
    assert signal.getsignal(signal.SIGINT) == before
