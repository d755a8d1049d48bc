"""Who is there: deployments that come under a policy, are looked at again, and vanish."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.adoption import adopt
from trimtab.core.appealing import hear_appeal
from trimtab.core.decision import EventKind
from trimtab.core.maximum import range_words
from trimtab.core.memory import At
from trimtab.core.orders import asked_for
from trimtab.core.set_back import set_rules_back
from trimtab.core.watching import Look, first_look, watch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from trimtab.core.buckets import Holding
    from trimtab.core.deployment import Deployment
    from trimtab.core.footing import Footing
    from trimtab.core.memories import Memories
    from trimtab.core.memory import Pair
    from trimtab.core.policy import Policy
    from trimtab.core.ties import Ties


class Sight(NamedTuple):
    """What an engine looks with in one step. What is not in ``holding`` is seen, and not remembered."""

    look: Look
    policies_for: Callable[[Deployment], tuple[Policy, ...]]
    memories: Memories
    in_flight: Mapping[str, Pair]
    ties: Ties
    holding: Holding | None

    def take_in(
        self,
        names: Iterable[str],
        fleet: Mapping[str, Deployment],
        absent: Iterable[str],
        seen: dict[str, Deployment],
        footings: dict[str, Footing],
    ) -> None:
        """Take in what is new of ``names``, and that ``absent`` certainly exist no more."""
        look = self.look
        for name in names:
            deployment = fleet.get(name)
            if deployment is None:
                continue
            seen[name] = deployment
            if self.holding is not None and not self.holding.has(name):
                continue
            in_flight = self.in_flight.get(name)
            look_at(look, deployment, self.memories, self.policies_for, in_flight=in_flight)
            if name in self.memories.stuck or name in self.ties.appeals:
                hear_appeal(self.ties, self.memories, deployment, look.policy_of)
        for name in absent:
            lose(look, name, self.memories)
            self.ties.ask(name, ())
            footings.pop(name, None)
            if seen.pop(name, None) is not None:  # the first time that it is said
                self.ties.stir([name])


def look_at(
    look: Look,
    deployment: Deployment,
    memories: Memories,
    policies_for: Callable[[Deployment], tuple[Policy, ...]],
    *,
    in_flight: Pair | None,
) -> None:
    """Take in what is new of ``deployment``; begin to remember it when a policy matches."""
    memory = memories.get(deployment.name)
    if memory is None or memory.created_at != deployment.created_at:
        policies = policies_for(deployment)
        if policies:
            _begin(look, deployment, memories, policies[0], is_known=memory is not None)
        return
    if memory.rules_ahead_seconds and (policy := look.policy_of(deployment)) is not None:
        memory = set_rules_back(memory, policy.rules)
    memories.keep(deployment.name, watch(look, memory, deployment, in_flight=in_flight))


def lose(look: Look, name: str, memories: Memories) -> None:
    """Take in that ``name`` certainly exists no more. Saying so again changes nothing."""
    memory = memories.get(name)
    if memory is None or memory.gone_at is not None:
        return
    memories.keep(name, memory._replace(gone_at=look.now))
    sentence = "no longer there: trimtab stops for good and recreates nothing"
    look.tell(name, EventKind.GONE, sentence, before=memory.state.value)


def _begin(
    look: Look, deployment: Deployment, memories: Memories, policy: Policy, *, is_known: bool
) -> None:
    current = At(look.now, asked_for(deployment, policy, look.now))
    memory = adopt(deployment, look.now)
    # The count found counts as a first wish, so that a restart shrinks nothing at once.
    memory = memory._replace(lows=(current,), highs=(current,))
    user = memory.user
    sentence = (
        f"adopted under policy {policy.name}; the user's range is "
        f"{range_words(user.min_replicas, user.max_replicas)} ({user.origin})"
    )
    kind = EventKind.ADOPTED
    if is_known:
        kind, sentence = EventKind.RECREATED, f"created anew under the same name; {sentence}"
    look.tell(deployment.name, kind, sentence, after=deployment.state.value)
    memories.keep(deployment.name, first_look(look, memory, deployment))
