"""When time alone may change a decision, so that whoever evaluates sleeps until then and polls nothing.

An edge is the earliest moment at which a decision could come out differently although nothing new is
heard: a signal becomes stale, a schedule opens, a window lets go, an order of people ends. It may be too
early, and then the decision taken at it is the one before; it is never too late. What happens to other
deployments is heard of, and no edge of this one.

Sentences tell ages and change with every second; that is no difference here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.adoption import echo_ends_at
from trimtab.core.capacity import FORGET_SECONDS
from trimtab.core.expressions import edges_of
from trimtab.core.pipeline import WAITING_STATES, stuck_after_seconds, waiting_since
from trimtab.core.policy import NO_DAMPING
from trimtab.core.stages.propose import recalled
from trimtab.core.strategies.interface import Foreseeing
from trimtab.core.windows import leaving_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from trimtab.core.deployment import Deployment
    from trimtab.core.expressions import Program
    from trimtab.core.lead_time import LeadTime
    from trimtab.core.memory import DeploymentMemory
    from trimtab.core.overrides import Standing
    from trimtab.core.policy import MoveRules, Policy, Rule
    from trimtab.core.stages.relief import Appeals
    from trimtab.core.watched import Watched

CERTAINTY_SECONDS = 1e-3
"""An edge is told this much after its moment, so that every comparison of times has changed sides."""


class Outlook(NamedTuple):
    """What of a policy can change with time: worked out once for each policy.

    ``ages`` are the signals that anything depends on, each with how old it may become; ``foreseeing``
    the rules whose strategies know their own edges, ``damped`` those with windows of their own.
    ``follows`` are the deployments that its strategies look at besides their own.
    """

    ages: tuple[tuple[str, float], ...]
    foreseeing: tuple[tuple[Rule, Foreseeing], ...]
    damped: tuple[Rule, ...]
    conditions: tuple[Program, ...]
    follows: tuple[str, ...]


def outlook_of(policy: Policy) -> Outlook:
    """Work out what of ``policy`` can change with time."""
    used = {name for rule in policy.rules for name in rule.strategy.signals}
    used.update(name for hold in policy.holds for name in hold.condition.signals)
    if policy.scale_to_zero is not None:
        used.update(policy.scale_to_zero.wake_on)
    return Outlook(
        ages=tuple((one.name, one.max_age_seconds) for one in policy.signals if one.name in used),
        foreseeing=tuple(
            (rule, rule.strategy) for rule in policy.rules if isinstance(rule.strategy, Foreseeing)
        ),
        damped=tuple(
            rule
            for rule in policy.rules
            if rule.up is not NO_DAMPING or rule.down is not NO_DAMPING
        ),
        conditions=tuple(hold.condition for hold in policy.holds),
        follows=tuple(
            leader for rule in policy.rules for leader in getattr(rule.strategy, "follows", ())
        ),
    )


class Outlooks:
    """The outlook of each policy in force, worked out when it is first asked for."""

    def __init__(self) -> None:
        self._known: dict[int, Outlook] = {}

    def of(self, policy: Policy) -> Outlook:
        """Return that of ``policy``, which is in force: it is alive, and so its id is its own."""
        outlook = self._known.get(id(policy))
        if outlook is None:
            outlook = self._known[id(policy)] = outlook_of(policy)
        return outlook


class Prospect(NamedTuple):
    """Of which deployment to tell the next edge, as it stands after its last decision.

    ``others`` are edges of those who are asked for help beside it: when they may be able to.
    """

    deployment: Deployment
    policy: Policy
    outlook: Outlook
    memory: DeploymentMemory
    standing: Standing
    lead_time: LeadTime
    others: tuple[float, ...] = ()


def next_edge(now: float, prospect: Prospect, *, is_renewed: bool = False) -> float | None:
    """Return the earliest edge after ``now`` (UTC seconds); ``None``: time alone changes nothing.

    ``is_renewed``: its rules are asked all the time, with what can be used then (``core/renewal.py``), so
    that the edges of rules and signals come by themselves.
    """
    edges = list(prospect.others)
    if not is_renewed:
        _signals(prospect, edges)
        _rules(now, prospect, edges)
    _demand(prospect, edges)
    _moves(now, prospect, edges)
    _life(now, prospect, edges)
    edges += [one.until for one in prospect.standing if one is not None]
    return earliest(now, edges)


def earliest(now: float, edges: Iterable[float]) -> float | None:
    """Return the first of ``edges`` that lies ahead, told when it is certainly over."""
    passed = now - CERTAINTY_SECONDS
    ahead = [edge for edge in edges if edge > passed]
    return min(ahead) + CERTAINTY_SECONDS if ahead else None


def edges_of_helpers(
    appeals: Appeals,
    name: str,
    seen: Mapping[str, Deployment],
    memories: Mapping[str, DeploymentMemory],
    policy_of: Callable[[Deployment], Policy | None],
) -> tuple[float, ...]:
    """Return when those who are asked for help beside ``name``, or it itself, may cease to be able to."""
    asked = {helper for stuck in appeals.to(name) for helper in appeals.of(stuck)}
    edges: list[float] = []
    for helper in asked:
        deployment, memory = seen.get(helper), memories.get(helper)
        policy = None if deployment is None else policy_of(deployment)
        if deployment is not None and memory is not None and policy is not None:
            edges += _health(deployment, policy, memory.watched)
    return tuple(edges)


def _health(deployment: Deployment, policy: Policy, watched: Watched) -> tuple[float, ...]:
    """Return when a deployment may begin or cease to be able to help others."""
    expires, changed = deployment.expires_at, watched.changed_at
    return (
        *(() if expires is None else (expires,)),
        *(() if changed is None else (changed + policy.out_of_band_grace_seconds,)),
    )


def _signals(prospect: Prospect, edges: list[float]) -> None:
    latest = prospect.memory.latest
    for name, seconds in prospect.outlook.ages:
        sample = latest.get(name)
        if sample is not None:
            edges.append(sample.time + seconds)


def _rules(now: float, prospect: Prospect, edges: list[float]) -> None:
    """When a strategy answers otherwise, a condition may turn, or a rule's own damping lets go."""
    memory = prospect.memory
    for rule, strategy in prospect.outlook.foreseeing:
        edges += strategy.edges(now, recalled(rule, memory))
    for condition in prospect.outlook.conditions:
        edges += edges_of(condition, now)
    for rule in prospect.outlook.damped:
        damped = memory.damped.get(rule.name)
        if damped is None:
            continue
        if damped.moved is not None:
            edges.append(damped.moved.time + rule.up.cooldown_seconds)
            edges.append(damped.moved.time + rule.down.cooldown_seconds)
        lows, highs = damped.lows, damped.highs
        held = (
            leaving_at(lows, rule.up.stabilization_seconds, now, highs[-1].replicas),
            leaving_at(highs, rule.down.stabilization_seconds, now, lows[-1].replicas),
        )
        edges += [edge for edge in held if edge is not None]


def _demand(prospect: Prospect, edges: list[float]) -> None:
    """When demand has been unknown for long enough to fall back, or absent to let the last one go."""
    memory, policy = prospect.memory, prospect.policy
    if policy.fallback is not None and memory.demand_unknown_since is not None:
        edges.append(memory.demand_unknown_since + policy.fallback.after_seconds)
    if policy.scale_to_zero is not None and memory.idle_since is not None:
        edges.append(memory.idle_since + policy.scale_to_zero.after_seconds)


def _moves(now: float, prospect: Prospect, edges: list[float]) -> None:
    """When a cooldown, a window or a limit lets a move go further, if one may be wanted.

    The newest entry of each window is the last wish, or a stronger one of the same second: so the two
    of them embrace it. A wish without data is in no window, and goes up only; nor is a person's pin.
    """
    memory, policy, pin = prospect.memory, prospect.policy, prospect.standing.pin
    current, lows, highs = memory.counted, memory.lows, memory.highs
    is_known = memory.demand_unknown_since is None
    least = lows[-1].replicas if is_known and lows else None
    most = highs[-1].replicas if is_known and highs else None
    if pin is not None or current is None or most is None or most > current:
        held = leaving_at(lows, policy.up.stabilization_seconds, now, most)
        edges += () if held is None else (held,)
        _limits(policy.up, memory, edges)
    if pin is not None or current is None or (least is not None and least < current):
        held = leaving_at(highs, policy.down.stabilization_seconds, now, least)
        edges += () if held is None else (held,)
        _limits(policy.down, memory, edges)


def _limits(rules: MoveRules, memory: DeploymentMemory, edges: list[float]) -> None:
    for moves in (memory.moves, memory.doubtful_moves):
        if moves:
            edges.append(moves[-1].time + rules.cooldown_seconds)
            edges += [move.time + limit.period_seconds for move in moves for limit in rules.limits]


def _life(now: float, prospect: Prospect, edges: list[float]) -> None:
    """When its end comes near or has come, a pause is over, or replicas are waited for too long."""
    deployment, policy, memory = prospect.deployment, prospect.policy, prospect.memory
    watched = memory.watched
    if deployment.expires_at is not None:
        useful = prospect.lead_time.p90_seconds + policy.minimum_useful_seconds
        edges += (deployment.expires_at - useful, deployment.expires_at)
    for floor in deployment.schedule_floors:
        edge = floor.next_edge(now)
        if edge is not None:
            edges.append(edge)
    if watched.changed_at is not None:
        edges.append(watched.changed_at + policy.out_of_band_grace_seconds)
    if watched.refusal is not None:
        edges += (watched.refusal.until, watched.refusal.until + FORGET_SECONDS)
    if watched.asks and watched.stuck_at is None and deployment.state in WAITING_STATES:
        since = waiting_since(watched)
        if since is not None:
            edges.append(since + stuck_after_seconds(policy, prospect.lead_time))
    echo = echo_ends_at(memory, deployment)
    if echo is not None:
        edges.append(echo)
