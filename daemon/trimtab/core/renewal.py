"""A decision whose rules are asked anew and wish the same: it stands, and what they remember is new.

A rule that learns has to hear every sample, and so nothing that is heard leaves its decisions alone. Mostly it
learns something and goes on to wish what it wished. Where nothing else can make a difference, there is no
more to such a decision than that: the other stages would come to what they came to before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.policy import NO_DAMPING, Mode
from trimtab.core.proposals import View
from trimtab.core.signals import read
from trimtab.core.stages.propose import kept, recalled
from trimtab.core.strategies.interface import unsaid

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from trimtab.core.footing import Footing
    from trimtab.core.lead_time import LeadTimes
    from trimtab.core.memories import Memories
    from trimtab.core.memory import DeploymentMemory
    from trimtab.core.policy import Policy
    from trimtab.core.proposals import JsonValue
    from trimtab.core.signals import Latest, Sample


def is_renewable(policy: Policy) -> bool:
    """Whether what ``policy`` decides follows from its rules' wishes, which signals can be used, and time.

    Not so with conditions, windows of single rules, a wake from zero, or a shadow that moves by itself.
    """
    return (
        policy.mode is Mode.ENFORCE
        and policy.scale_to_zero is None
        and not policy.holds
        and all(rule.up is NO_DAMPING and rule.down is NO_DAMPING for rule in policy.rules)
    )


def renew(
    footing: Footing,
    memories: Memories,
    lead_times: LeadTimes,
    now: float,
    samples: Collection[Sample],
) -> bool:
    """Hear ``samples`` and keep what the rules learn, if the decision that ``footing`` is of stands."""
    deployment = footing.view.deployment
    name = deployment.name
    memory = memories.by_name[name]
    latest = memories.heard(now, samples).get(name, memory.latest)
    lead_time = lead_times.of(deployment, footing.policy.lead_time_seconds)
    learned = renewed(footing, memory, latest, now, lead_time.p90_seconds)
    if learned is None:
        memories.hear(now, samples)
        return False
    memories.keep(name, memory._replace(latest=latest, rules=learned))
    return True


def renewed(
    footing: Footing,
    memory: DeploymentMemory,
    latest: Mapping[str, Latest],
    now: float,
    lead_time_seconds: float,
) -> dict[str, JsonValue] | None:
    """Return what rules remember once each was asked at ``now``; ``None`` where one wishes otherwise.

    ``footing`` is of the last decision under a renewable policy, ``latest`` the newest samples. ``None`` as
    well where another signal can be used than could then, and where a strategy fails: the full decision says why.
    """
    policy, seen = footing.policy, footing.view
    before = seen.readings
    readings = {}
    for spec in policy.signals:
        reading = readings[spec.name] = read(spec, latest.get(spec.name), now)
        if reading.freshness is not before[spec.name].freshness:
            return None
    view = View(
        now, seen.deployment, seen.current, readings, lead_time_seconds, seen.fleet, seen.bounds
    )
    remembered: dict[str, JsonValue] = {}
    for rule, wished in zip(policy.rules, footing.proposals, strict=True):
        try:
            wish = unsaid(rule.strategy, view, recalled(rule, memory))
        except Exception:  # noqa: BLE001  the decision that follows isolates it, and tells of it
            return None
        is_same = wish.replicas == wished.replicas and wish.at_most == wished.at_most
        if not is_same or wish.is_abstaining is not wished.is_abstaining:
            return None
        if wish.memory is not None:
            remembered[rule.name] = kept(rule.strategy, wish.memory)
    return remembered
