"""A cold start that knows the past: rules that begin with no memory, and what history makes of them.

Whoever runs the engine asks which rules are cold, fetches what their signals were, lets the strategy live
through it beside the decisions, a millisecond at a time, and tells the engine what that led to. The
engine joins it with what was lived meanwhile. Decisions never wait for any of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.core.effective_bounds import effective_bounds
from trimtab.core.orders import asked_for
from trimtab.core.proposals import View
from trimtab.core.signals import Per
from trimtab.core.stages.propose import kept, recalled
from trimtab.core.strategies.interface import Primeable

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping, Sequence

    from trimtab.core.deployment import Deployment
    from trimtab.core.lead_time import LeadTime
    from trimtab.core.memory import DeploymentMemory
    from trimtab.core.past import PastValue, PastWanted
    from trimtab.core.policy import Policy
    from trimtab.core.proposals import JsonValue
    from trimtab.core.signals import SignalSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Priming:
    """A rule that knows little, with all that living through its past needs. A value: nothing follows it.

    ``specs`` are the signals that it would like to hear of; none: it cannot say yet.
    """

    deployment: str
    policy: str
    rule: str
    strategy: Primeable
    wanted: PastWanted
    specs: tuple[SignalSpec, ...]
    view: View
    memory: JsonValue

    def live_through(
        self, past: Mapping[str, Sequence[PastValue]]
    ) -> Generator[None, None, JsonValue]:
        """Return what ``past``, by signal, leads to (``None``: to nothing of use), in small pieces.

        What lies ahead of the view's now is left out: nobody could have known it.
        """
        known = {
            name: [one for one in values if one.time <= self.view.now]
            for name, values in past.items()
        }
        return self.strategy.primed(known, self.view, self.memory)


def cold_rules(
    now: float,
    deployment: Deployment,
    policy: Policy,
    memory: DeploymentMemory,
    lead_time: LeadTime,
) -> tuple[Priming, ...]:
    """Return which rules of ``policy`` would like to hear of the past of ``deployment``.

    A signal counted over each replica is none of which the past can be told: how many served then is not.
    """
    specs = {spec.name: spec for spec in policy.signals}
    found: list[Priming] = []
    view: View | None = None
    for rule in policy.rules:
        strategy = rule.strategy
        if not isinstance(strategy, Primeable):
            continue
        remembered = recalled(rule, memory)
        wanted = strategy.past_wanted(remembered)
        if wanted is None or any(specs[name].per is Per.REPLICA for name in wanted.signals):
            continue
        view = view or _view(now, deployment, policy, memory, lead_time)
        found.append(
            Priming(
                deployment=deployment.name,
                policy=policy.name,
                rule=rule.name,
                strategy=strategy,
                wanted=wanted,
                specs=tuple(specs[name] for name in wanted.signals),
                view=view,
                memory=remembered,
            )
        )
    return tuple(found)


def joined_memory(priming: Priming, primed: JsonValue) -> JsonValue:
    """Return what the rule is to remember, of ``primed`` and of what it has lived, as memories keep it.

    ``priming`` is as things stand now. ``None`` where what was lived is worth more, or newer.
    """
    joined = priming.strategy.joined(primed, priming.memory, priming.view)
    return None if joined is None else kept(priming.strategy, joined)


def _view(
    now: float,
    deployment: Deployment,
    policy: Policy,
    memory: DeploymentMemory,
    lead_time: LeadTime,
) -> View:
    current = (
        asked_for(deployment, policy, now) if memory.shadow is None else memory.shadow.replicas
    )
    return View(
        now=now,
        deployment=deployment,
        current=current,
        readings={},
        lead_time_seconds=lead_time.p90_seconds,
        bounds=effective_bounds(
            deployment, policy, memory.user, current=current, now=now, is_emptied=False
        ),
    )
