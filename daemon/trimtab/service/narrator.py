"""What the log is told: one line for each thing that happened, and none for what merely went on.

Events are stable identifiers (``decision``, ``hold``, ``write``, …); everything else is a field.
A repeated hold is logged once, when its reason changes. When more deployments change at once than anybody
reads of, holds, events and warnings about single ones are summed up beyond the first few hundred
(``service/line_budget.py``); moves, writes and mistakes of our own are not.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import structlog

from trimtab.core.decision import Hold, Reason, WriteStatus
from trimtab.core.overrides import EVERY_DEPLOYMENT
from trimtab.service.audience import Listener
from trimtab.service.breaker import CircuitState
from trimtab.service.gate import WRITABLE_MODES
from trimtab.service.line_budget import LineBudget
from trimtab.service.primer import PrimingEnd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trimtab.core.decision import Decision, Event, Outcome
    from trimtab.core.overrides import Override
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

ALARMING = frozenset(
    {
        *(Reason.FAILED, Reason.UNKNOWN_STATE, Reason.OTHER_SCALER),
        *(Reason.AMBIGUOUS_POLICY, Reason.WRONG_ACTUATION),
    }
)
"""Holds that somebody should look at."""

NAMES_TOLD_MAX = 20
"""Names in one line."""

SLOW_SHARE = 0.5
"""An evaluation that takes more than this share of the tick interval is called slow, whatever else is."""


def some_of(names: Sequence[str]) -> list[str]:
    """Return ``names`` for one line of the log: the first of them, and how many more there are."""
    left_out = len(names) - NAMES_TOLD_MAX
    more = [f"and {left_out} more"] if left_out > 0 else []
    return [*names[:NAMES_TOLD_MAX], *more]


class Narrator(Listener):
    """Tells the log what the daemon does, without repeating itself."""

    def __init__(self, tick_interval_seconds: float, slow_seconds: float) -> None:
        self._log = structlog.get_logger("trimtab")
        self._slow_seconds = min(slow_seconds, tick_interval_seconds * SLOW_SHARE)
        self._told: dict[str, tuple[object, ...]] = {}
        self._told_withheld: dict[str, tuple[str, str]] = {}
        self._told_trouble: dict[str, str] = {}
        self._told_quotas: dict[str, tuple[dict[str, int], tuple[str, ...]]] = {}
        self._noticed, self._warned = LineBudget(), LineBudget()

    def evaluated(self, evaluation: Evaluation) -> None:
        """Log the events, and each decision that differs from the one told last."""
        at = evaluation.tick.at
        for event in evaluation.tick.events:
            self._tell_event(event, at)
        for decision in evaluation.tick.decisions:
            self._tell_decision(decision)
        for withholding in evaluation.withheld:
            self._tell_withheld(withholding, at)
        self._tell_left_out(at)
        is_slow = evaluation.took_seconds > self._slow_seconds
        if is_slow and self._warned.spend(at, "slow_evaluation"):
            self._log.warning(
                "slow_evaluation",
                took_seconds=round(evaluation.took_seconds, 3),
                decisions=len(evaluation.tick.decisions),
            )

    def wrote(self, outcome: Outcome) -> None:
        """Log how a write ended."""
        self._told_withheld.pop(outcome.order.deployment, None)
        self._tell_end("write", outcome)

    def not_handed_back(self, withholding: Withholding) -> None:
        """Log what stays as trimtab wrote it."""
        self._tell_withheld(withholding, withholding.order.at)

    def interrupted(self, outcome: Outcome) -> None:
        """Log how a write of an earlier run ended."""
        self._tell_end("interrupted_write", outcome)

    def _tell_end(self, event: str, outcome: Outcome) -> None:
        order = outcome.order
        is_fine = outcome.status in (WriteStatus.APPLIED, WriteStatus.VOID)
        tell = self._log.info if is_fine else self._log.warning
        tell(
            event,
            deployment=order.deployment,
            policy=order.policy,
            outcome=outcome.status.value,
            from_replicas=order.from_replicas,
            to_replicas=order.to_replicas,
            actuation=order.actuation.value,
            reason=order.reason.value,
            error_kind=outcome.error_kind,
            sentence=outcome.sentence,
        )

    def polled(self, poll: Poll) -> None:
        """Log when a source begins to fail, fails in another way, or works again."""
        fields = {"source": poll.source, "endpoint": poll.endpoint}
        kind = None if poll.error_kind is None else poll.error_kind.value
        self._tell_trouble("source", f"{poll.source} {poll.endpoint}", poll.trouble, kind, fields)

    def fleet_read(self, reading: Reading) -> None:
        """Log when a target begins to fail, fails in another way, or works again."""
        trouble = reading.trouble
        self._tell_trouble(
            "target",
            reading.target,
            None if trouble is None else trouble.sentence,
            None if trouble is None else trouble.kind.value,
            {"target": reading.target, "view_age_seconds": reading.view_age_seconds},
        )

    def quotas_read(self, quotas: QuotasStatus) -> None:
        """Log quotas that are other than those told last, and when they cannot be read."""
        trouble, told = quotas.trouble, quotas.told
        self._tell_trouble(
            "quotas",
            f"quotas of {quotas.target}",
            None if trouble is None else trouble.sentence,
            None if trouble is None else trouble.kind.value,
            {"target": quotas.target},
        )
        if told is None or trouble is not None:
            return
        now = {
            str(one.quota.pool._replace(account=None)): one.quota.accelerators
            for one in told.readings  # the line has the account already
        }
        if self._told_quotas.get(quotas.target) != (now, told.not_understood):
            self._told_quotas[quotas.target] = (now, told.not_understood)
            self._log.info(
                "quotas",
                target=quotas.target,
                accelerators=now,
                not_understood=some_of(told.not_understood) or None,
            )

    def reloaded(self, reload: Reload) -> None:
        """Log what a reading of the policy files changed, and every file that is bad now."""
        self._log.info(
            "policies_reloaded",
            trigger=reload.trigger.value,
            result=reload.result.value,
            policies=len(reload.policies),
            added=some_of(reload.added),
            changed=some_of(reload.changed),
            removed=some_of(reload.removed),
            fleet_changed=reload.is_fleet_changed or None,
            bad_files=len(reload.bad),
        )
        for bad in reload.bad:
            self._log.warning(
                "policy_file_bad",
                file=bad.file,
                kept=bad.kept,
                codes=[one.code.id for one in bad.diagnostics],
                sentence=bad.sentence,
            )

    def circuit_changed(self, circuit: CircuitStatus) -> None:
        """Log when a dependency is left alone, and when it is asked again."""
        tell = self._log.warning if circuit.state is CircuitState.OPEN else self._log.info
        tell(
            "circuit",
            dependency=circuit.dependency,
            state=circuit.state.value,
            sentence=circuit.sentence or None,
        )

    def journal_changed(self, status: JournalStatus) -> None:
        """Log another mode of the journal; the sentence says what to do."""
        tell = self._log.info if status.mode in WRITABLE_MODES else self._log.warning
        tell("journal", mode=status.mode.value, sentence=status.sentence)

    def journal_troubled(self, trouble: str | None) -> None:
        """Log what makes writes slower, and that it is over."""
        if trouble is None:
            self._log.info("intention_log", sentence="the log of intentions works again")
        else:
            self._log.warning("intention_log", sentence=trouble)

    def primed(self, report: PrimingReport) -> None:
        """Log what rules begin with; of many at once not each."""
        since = report.since
        fields = {
            "source": report.source,
            "outcome": report.end.value,
            "since": None if since is None else datetime.fromtimestamp(since, tz=UTC).isoformat(),
            "values": report.values,
            "ambiguous": report.ambiguous or None,
        }
        if report.end is PrimingEnd.FAILED:
            deployments = dict.fromkeys(name for name, _ in report.rules)
            self._log.warning(
                "history_failed",
                **fields,
                deployments=some_of(tuple(deployments)),
                error_kind=report.error_kind,
                sentence=f"{report.trouble}; {len(report.rules)} rules learn from what comes instead",
            )
            return
        for name, rule in report.rules:
            if self._noticed.spend(report.at, "history"):
                self._log.info("history", **fields, deployment=name, rule=rule)

    def recalled(self, recollection: Recollection, out_of_reach: tuple[str, ...]) -> None:
        """Log what the journal had kept."""
        until = recollection.until
        self._log.info(
            "journal_opened",
            deployments=len(recollection.memory.deployments),
            unfinished=some_of([order.deployment for order in recollection.unfinished]),
            until=None if until is None else datetime.fromtimestamp(until, tz=UTC).isoformat(),
        )
        if out_of_reach:
            self._log.warning(
                "deployments_out_of_reach",
                deployments=some_of(out_of_reach),
                count=len(out_of_reach),
                sentence="remembered, but no account in the settings reaches them; they are neither "
                "written to nor forgotten",
            )

    def overridden(self, change: OverrideChange) -> None:
        """Log what a person ordered or lifted, one line for each order."""
        now = change.at
        if change.given is not None:
            self._tell_override("override_given", change.given, change.given.sentence(now))
        for one in change.replaced:
            self._tell_override("override_replaced", one, f"no longer {one.text}: ordered anew")
        for one in change.lifted:
            why = f": {change.reason}" if change.reason else ""
            sentence = f"no longer {one.text}, lifted by {change.by}{why}"
            self._tell_override("override_lifted", one, sentence)

    def _tell_override(self, event: str, one: Override, sentence: str) -> None:
        self._log.info(
            event,
            deployment=one.deployment or EVERY_DEPLOYMENT,
            override=one.id,
            kind=one.kind.value,
            author=one.author,
            peer=one.peer or None,
            until=datetime.fromtimestamp(one.until, tz=UTC).isoformat(timespec="seconds"),
            sentence=sentence,
        )

    def task_ended(self, task: str, problem: Exception | None, pause_seconds: float) -> None:
        """Log a task that should not have ended, with where it failed."""
        self._log.error(
            "task_ended",
            task=task,
            error="it returned" if problem is None else f"{type(problem).__name__}: {problem}",
            restart_in_seconds=round(pause_seconds, 1),
            exc_info=problem,
        )

    def _tell_event(self, event: Event, at: float) -> None:
        if self._noticed.spend(at, event.kind.value):
            self._log.info(
                event.kind.value,
                deployment=event.deployment,
                before=event.before or None,
                after=event.after or None,
                sentence=event.sentence,
            )
        if event.kind == "gone":
            self._told.pop(event.deployment, None)
            self._told_withheld.pop(event.deployment, None)

    def _tell_decision(self, decision: Decision) -> None:
        verdict = decision.verdict
        is_hold = isinstance(verdict, Hold)
        key: tuple[object, ...] = (str(verdict), verdict.reason, decision.mode)
        if not is_hold:
            key += (decision.current, decision.desired)
        if self._told.get(decision.deployment) == key:
            return
        self._told[decision.deployment] = key
        tell, budget = self._log.info, self._noticed
        if verdict.reason is Reason.INVARIANT:
            tell = self._log.error
        elif verdict.reason in ALARMING:
            tell, budget = self._log.warning, self._warned
        is_limited = is_hold and verdict.reason is not Reason.INVARIANT
        if is_limited and not budget.spend(decision.at, f"hold {verdict.reason.value}"):
            return
        tell(
            "hold" if is_hold else "decision",
            deployment=decision.deployment,
            policy=decision.policy,
            mode=decision.mode.value,
            verdict=str(verdict),
            reason=verdict.reason.value,
            current=decision.current,
            desired=decision.desired,
            wanted=decision.wanted,
            actual=decision.actual,
            sentence=decision.sentence,
        )

    def _tell_withheld(self, withholding: Withholding, at: float) -> None:
        order = withholding.order
        key = (withholding.reason.value, withholding.sentence)
        if self._told_withheld.get(order.deployment) == key:
            return
        self._told_withheld[order.deployment] = key
        if not self._warned.spend(at, f"order_withheld {withholding.reason.value}"):
            return
        self._log.warning(
            "order_withheld",
            deployment=order.deployment,
            policy=order.policy,
            to_replicas=order.to_replicas,
            reason=withholding.reason.value,
            sentence=withholding.sentence,
        )

    def _tell_left_out(self, at: float) -> None:
        for budget, tell in ((self._noticed, self._log.info), (self._warned, self._log.warning)):
            left_out = budget.take_left_out(at)
            if left_out:
                tell(
                    "lines_left_out",
                    count=sum(left_out.values()),
                    of=dict(sorted(left_out.items())),
                    sentence="more changed at once than is told one by one; `trimtab journal` has all",
                )

    def _tell_trouble(
        self,
        what: str,
        key: str,
        trouble: str | None,
        kind: str | None,
        fields: Mapping[str, object],
    ) -> None:
        """Log once per change of state; the kind of failure is the state, its wording is not."""
        before = self._told_trouble.get(key)
        if trouble is None:
            if self._told_trouble.pop(key, None) is not None:
                self._log.info(f"{what}_recovered", **fields)
        elif before != kind:
            self._told_trouble[key] = kind or ""
            self._log.warning(f"{what}_failed", **fields, error_kind=kind, sentence=trouble)
