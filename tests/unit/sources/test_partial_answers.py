"""An answer with something missing is an answer: nobody is left alone, or asked sooner, because of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random

import pytest

from trimtab.clock import ManualClock
from trimtab.core.signals import Sample, SignalSpec
from trimtab.errors import ErrorKind, SourceError
from trimtab.service.breaker import OPENED, CircuitState
from trimtab.service.circuits import FAILING_KINDS, SOURCE_TOLERANCE, CircuitStatus, guarded
from trimtab.sources.port import PartialAnswerError

SAMPLE = Sample("accounts/acme/deployments/chat", "load", 1.0, 2.0)


class Failing:
    """A source whose every answer is this failure."""

    name = endpoint = "prom"
    interval_seconds = 5.0

    def __init__(self, failure: SourceError) -> None:
        self.failure = failure
        self.polls = 0

    def serves(self, _: str) -> bool:
        return True

    async def poll(self, _: Mapping[str, Sequence[SignalSpec]]) -> Sequence[Sample]:
        self.polls += 1
        raise self.failure

    async def close(self) -> None:
        pass


def partial(kind: ErrorKind, *samples: Sample) -> PartialAnswerError:
    return PartialAnswerError("1 of 2 questions failed", kind=kind, samples=samples)


@pytest.mark.parametrize("kind", sorted(FAILING_KINDS))
@pytest.mark.parametrize("samples", [(SAMPLE,), ()])
async def test_partial_answers_open_no_circuit_however_many_there_are(
    kind: ErrorKind, samples: tuple[Sample, ...]
) -> None:
    changes: list[CircuitStatus] = []
    source = Failing(partial(kind, *samples))
    _, (behind,) = guarded([], [source], ManualClock(0.0), Random(1), on_change=changes.append)
    for _ in range(3 * SOURCE_TOLERANCE.failures_max):
        with pytest.raises(PartialAnswerError) as raised:
            await behind.poll({})
        assert raised.value.samples == samples
    assert changes == []
    assert source.polls == 3 * SOURCE_TOLERANCE.failures_max


async def test_a_partial_answer_to_the_probe_closes_the_circuit() -> None:
    clock = ManualClock(0.0)
    changes: list[CircuitStatus] = []
    source = Failing(SourceError("nobody there", kind=ErrorKind.UNAVAILABLE))
    _, (behind,) = guarded([], [source], clock, Random(1), on_change=changes.append)
    for _ in range(SOURCE_TOLERANCE.failures_max):
        with pytest.raises(SourceError):
            await behind.poll({})
    assert behind.circuit.status.state is CircuitState.OPEN
    clock.advance(OPENED.seconds_max)
    source.failure = partial(ErrorKind.UNAVAILABLE, SAMPLE)
    with pytest.raises(PartialAnswerError):
        await behind.poll({})
    assert behind.circuit.status.state is CircuitState.CLOSED
