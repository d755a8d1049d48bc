"""Who hears what the daemon does: logs, metrics, callbacks. The journal does not listen, it is told.

Listeners hear of things after they happened, cannot change them, and cannot stop them: what one
raises is reported and survived.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, ParamSpec

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.core.decision import Outcome, Tick
    from trimtab.journal.port import JournalStatus, Recollection
    from trimtab.service.circuits import CircuitStatus
    from trimtab.service.controller import Evaluation
    from trimtab.service.fleet import Reading
    from trimtab.service.fleet_quotas import QuotasStatus
    from trimtab.service.observer import Poll
    from trimtab.service.overrides import OverrideChange
    from trimtab.service.primer import PrimingReport
    from trimtab.service.reload import Reload
    from trimtab.service.withholding import Withholding

P = ParamSpec("P")

LOG = structlog.get_logger("trimtab")


class Listener:
    """One of the audience: hears everything and does nothing of itself, so override what matters.

    It is called in the event loop, so every method must be quick.
    """

    def evaluated(self, evaluation: Evaluation) -> None:
        """The engine has decided."""

    def wrote(self, outcome: Outcome) -> None:
        """An order has come to its end."""

    def not_handed_back(self, withholding: Withholding) -> None:
        """At the stop, a deployment's range could not be restored."""

    def interrupted(self, outcome: Outcome) -> None:
        """It is known now how an order ended that an earlier run was about to send."""

    def polled(self, poll: Poll) -> None:
        """A source was asked."""

    def fleet_read(self, reading: Reading) -> None:
        """All deployments of a target were read, or could not be."""

    def quotas_read(self, quotas: QuotasStatus) -> None:
        """An account was asked for its quotas, or could not be."""

    def target_called(self, target: str, verb: str, outcome: str) -> None:
        """A target was asked something (``metric_names.VERBS``); ``outcome`` is ``ok`` or an error kind."""

    def reloaded(self, reload: Reload) -> None:
        """The policy files were read."""

    def overridden(self, change: OverrideChange) -> None:
        """A person gave or lifted an override; its end is an event of an evaluation."""

    def circuit_changed(self, circuit: CircuitStatus) -> None:
        """A dependency is left alone, probed, or asked again."""

    def journal_changed(self, status: JournalStatus) -> None:
        """The journal is in another mode."""

    def journal_troubled(self, trouble: str | None) -> None:
        """Something is amiss with the journal although everything is kept; ``None``: no more."""

    def primed(self, report: PrimingReport) -> None:
        """Rules have learned from the past, or could not."""

    def recalled(self, recollection: Recollection, out_of_reach: tuple[str, ...]) -> None:
        """The journal was opened: what it had kept, and of which deployments nothing can be read."""

    def task_ended(self, task: str, problem: Exception | None, pause_seconds: float) -> None:
        """A task that should run for ever has ended and starts again after the pause."""


class Callbacks(Listener):
    """Passes ticks and outcomes on to plain functions."""

    def __init__(
        self,
        on_tick: Callable[[Tick], None] | None,
        on_outcome: Callable[[Outcome], None] | None,
    ) -> None:
        self._on_tick = on_tick
        self._on_outcome = on_outcome

    def evaluated(self, evaluation: Evaluation) -> None:
        """Pass the engine's tick on."""
        if self._on_tick is not None:
            self._on_tick(evaluation.tick)

    def wrote(self, outcome: Outcome) -> None:
        """Pass the outcome on."""
        if self._on_outcome is not None:
            self._on_outcome(outcome)


class Audience:
    """All listeners as one, each guarded from the others."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners

    def admit(self, listener: Listener) -> None:
        """Let ``listener`` hear everything from now on, before the others."""
        self._listeners = (listener, *self._listeners)

    def evaluated(self, evaluation: Evaluation) -> None:
        """The engine has decided."""
        for listener in self._listeners:
            _guarded(listener.evaluated, evaluation)

    def wrote(self, outcome: Outcome) -> None:
        """An order has come to its end."""
        for listener in self._listeners:
            _guarded(listener.wrote, outcome)

    def not_handed_back(self, withholding: Withholding) -> None:
        """At the stop, a deployment's range could not be restored."""
        for listener in self._listeners:
            _guarded(listener.not_handed_back, withholding)

    def interrupted(self, outcome: Outcome) -> None:
        """It is known now how an order of an earlier run ended."""
        for listener in self._listeners:
            _guarded(listener.interrupted, outcome)

    def polled(self, poll: Poll) -> None:
        """A source was asked."""
        for listener in self._listeners:
            _guarded(listener.polled, poll)

    def fleet_read(self, reading: Reading) -> None:
        """All deployments of a target were read, or could not be."""
        for listener in self._listeners:
            _guarded(listener.fleet_read, reading)

    def quotas_read(self, quotas: QuotasStatus) -> None:
        """An account was asked for its quotas, or could not be."""
        for listener in self._listeners:
            _guarded(listener.quotas_read, quotas)

    def target_called(self, target: str, verb: str, outcome: str) -> None:
        """A target was asked something."""
        for listener in self._listeners:
            _guarded(listener.target_called, target, verb, outcome)

    def reloaded(self, reload: Reload) -> None:
        """The policy files were read."""
        for listener in self._listeners:
            _guarded(listener.reloaded, reload)

    def overridden(self, change: OverrideChange) -> None:
        """A person gave or lifted an override."""
        for listener in self._listeners:
            _guarded(listener.overridden, change)

    def circuit_changed(self, circuit: CircuitStatus) -> None:
        """A dependency is left alone, probed, or asked again."""
        for listener in self._listeners:
            _guarded(listener.circuit_changed, circuit)

    def journal_changed(self, status: JournalStatus) -> None:
        """The journal is in another mode."""
        for listener in self._listeners:
            _guarded(listener.journal_changed, status)

    def journal_troubled(self, trouble: str | None) -> None:
        """Something is amiss with the journal, or no more."""
        for listener in self._listeners:
            _guarded(listener.journal_troubled, trouble)

    def primed(self, report: PrimingReport) -> None:
        """Rules have learned from the past, or could not."""
        for listener in self._listeners:
            _guarded(listener.primed, report)

    def recalled(self, recollection: Recollection, out_of_reach: tuple[str, ...]) -> None:
        """The journal was opened."""
        for listener in self._listeners:
            _guarded(listener.recalled, recollection, out_of_reach)

    def task_ended(self, task: str, problem: Exception | None, pause_seconds: float) -> None:
        """A task that should run for ever has ended."""
        for listener in self._listeners:
            _guarded(listener.task_ended, task, problem, pause_seconds)


def _guarded(tell: Callable[P, None], *news: P.args, **named: P.kwargs) -> None:
    try:
        tell(*news, **named)
    except Exception as bug:  # what a listener does with the news must not stop the daemon
        with contextlib.suppress(Exception):  # nor must a log that nobody reads any more
            LOG.exception("listener_failed", error=f"{type(bug).__name__}: {bug}")
