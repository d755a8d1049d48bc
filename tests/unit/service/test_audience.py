from __future__ import annotations

from typing import TYPE_CHECKING

from scripted_world import START, an_order

from trimtab.core.decision import Outcome, Tick, WriteStatus
from trimtab.errors import ErrorKind
from trimtab.service import audience
from trimtab.service.audience import Audience, Callbacks, Listener
from trimtab.service.controller import Evaluation
from trimtab.service.fleet import Reading
from trimtab.service.observer import Poll

if TYPE_CHECKING:
    import pytest

EVALUATION = Evaluation(tick=Tick(at=START), took_seconds=0.0)
OUTCOME = Outcome(order=an_order(), at=START, status=WriteStatus.APPLIED, sentence="so")
POLL = Poll(source="s", endpoint="e", at=START, took_seconds=0.0)


class Ears:
    """Hears everything, and raises every time if told to."""

    def __init__(self, *, is_broken: bool = False) -> None:
        self.heard: list[object] = []
        self.is_broken = is_broken

    def _hear(self, *news: object) -> None:
        self.heard.append(news)
        if self.is_broken:
            raise ValueError("too loud")

    evaluated = wrote = polled = fleet_read = target_called = task_ended = _hear


def tell_all(listeners: Audience | Listener) -> None:
    listeners.evaluated(EVALUATION)
    listeners.wrote(OUTCOME)
    listeners.polled(POLL)
    listeners.fleet_read(Reading(target="t"))
    listeners.target_called("t", "list", ErrorKind.TIMEOUT)
    listeners.task_ended("decide", None, 1.0)


def test_every_listener_hears_everything_whatever_the_others_raise(
    capsys: pytest.CaptureFixture[str],
) -> None:
    broken, sound = Ears(is_broken=True), Ears()
    tell_all(Audience(broken, sound))
    assert broken.heard == sound.heard
    assert len(sound.heard) == 6
    assert "too loud" in capsys.readouterr().out


def test_callbacks_hear_ticks_and_outcomes_only() -> None:
    ticks: list[Tick] = []
    outcomes: list[Outcome] = []
    tell_all(Callbacks(ticks.append, outcomes.append))
    assert (ticks, outcomes) == ([EVALUATION.tick], [OUTCOME])
    tell_all(Callbacks(None, None))


def test_a_log_that_nobody_reads_any_more_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object, **__: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(audience.LOG, "exception", gone, raising=False)
    sound = Ears()
    tell_all(Audience(Ears(is_broken=True), sound))
    assert len(sound.heard) == 6
