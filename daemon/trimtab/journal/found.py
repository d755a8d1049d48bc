"""What a log of intentions adds to what the journal's file remembers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from trimtab.core.decision import Outcome, WriteStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.core.decision import Order
    from trimtab.core.memory import DeploymentMemory
    from trimtab.journal.entries import Intended
    from trimtab.journal.port import Recollection


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundAtStart:
    """What is to be written into the file.

    ``intended`` are missing there, in the order noted. ``overtaken`` are the ends of orders that a later one
    of the same deployment followed: they had ended, and how can only be told from that later one.
    """

    intended: tuple[Intended, ...] = ()
    overtaken: tuple[Outcome, ...] = ()


_LOST = (
    "how it ended was lost when trimtab was stopped; a later write of the same deployment was begun"
)
SEEN = f"{_LOST} from its result"
OVERTAKEN = f"{_LOST}, so it had ended"

NOTHING_FOUND = FoundAtStart()


def completed(kept: Recollection, missing: Iterable[Intended]) -> tuple[Recollection, FoundAtStart]:
    """Return ``kept`` with what the file lacks, and what is to be written into it.

    What is missing is newer than all that is kept, as the file holds a beginning of what happened. What
    strategies remember is not in the log, and is taken as the file has it.
    """
    intended = tuple(missing)
    if not intended:
        return kept, NOTHING_FOUND
    deployments = dict(kept.memory.deployments)
    newest: dict[str, Order] = {}
    overtaken: list[Outcome] = []
    for order in (*kept.unfinished, *(one.order for one in intended)):
        if (earlier := newest.pop(order.deployment, None)) is not None:
            overtaken.append(_end_of(earlier, order))
        newest[order.deployment] = order
    for one in intended:
        if one.memory is not None:
            name = one.order.deployment
            deployments[name] = _with_rules_of(deployments.get(name), one.memory)
    latest = intended[-1]
    recollection = replace(
        kept,
        memory=replace(kept.memory, deployments=deployments),
        unfinished=tuple(newest.values()),
        until=latest.at if kept.until is None else max(kept.until, latest.at),
        last_intention=max(kept.last_intention, latest.number),
    )
    return recollection, FoundAtStart(intended=intended, overtaken=tuple(overtaken))


def _end_of(order: Order, later: Order) -> Outcome:
    """Tell how ``order`` had ended from the bounds that the next one of its deployment was decided on."""
    found = (later.expected_min_replicas, later.expected_max_replicas)
    was_seen = found == (order.min_replicas, order.max_replicas)
    return Outcome(
        order=order,
        at=later.at,
        status=WriteStatus.APPLIED if was_seen else WriteStatus.UNKNOWN,
        sentence=SEEN if was_seen else OVERTAKEN,
    )


def _with_rules_of(kept: DeploymentMemory | None, memory: DeploymentMemory) -> DeploymentMemory:
    return memory if kept is None else memory._replace(rules=kept.rules)
