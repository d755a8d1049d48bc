"""What came of a study, in a few sentences: the first thing that a reader wants to know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.simulation.report.figures import Form, written
from trimtab.simulation.report.study import Role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.simulation.report.study import Group, Study


def headline(study: Study) -> str:
    """Say how the first policy did, and against whom.

    Over several traces the table says more than a sentence could; then only their number is told.
    A study that has a headline of its own says that.
    """
    if study.headline:
        return study.headline
    if len(study.traces) > 1:
        return (
            f"{_counted(len(study.policies), 'policy', 'policies')} on {len(study.traces)} traces "
            f"with {_counted(len(study.seeds), 'seed')} each, asked for "
            f"{study.asked_attainment * 100:g} % within the SLO."
        )
    groups = study.groups
    first = next((one for one in groups if one.role is Role.POLICY), groups[0])
    peers = [one for one in groups if one.role is Role.PEER and one is not first]
    sentence = _how_it_did(first)
    compared = _compared(first, peers)
    return f"{sentence} {compared}" if compared else sentence


def _how_it_did(group: Group) -> str:
    attainment = group.spread("attainment")
    if attainment is None:
        return f"{group.policy}: no requests were offered, so no service level can be told."
    hours = group.spread("replica_hours")
    sentence = (
        f"{group.policy} met the SLO for {written(attainment.mean, Form.PERCENT)} % of requests"
    )
    if hours is not None:
        sentence += f" with {written(hours.mean, Form.HOURS)} replica-hours"
    ratio = group.spread("ratio_to_optimum")
    if ratio is not None:
        sentence += f", {ratio.mean:.2f} times the clairvoyant optimum"
    return f"{sentence}."


def _compared(first: Group, peers: Sequence[Group]) -> str:
    """Hold a policy against the cheapest peer that attained at least as much."""
    attained, hours = first.spread("attainment"), first.spread("replica_hours")
    if attained is None or hours is None or not peers:
        return ""
    equals = [
        (spent.mean, one.policy)
        for one in peers
        if (share := one.spread("attainment")) is not None
        and share.mean >= attained.mean
        and (spent := one.spread("replica_hours")) is not None
    ]
    if not equals:
        return "No peer attained as much."
    cost, name = min(equals)
    if cost <= 0.0:
        return ""
    difference = hours.mean / cost - 1.0
    compared = f"{abs(difference) * 100:.1f} % {'fewer' if difference < 0.0 else 'more'}"
    if abs(difference) < 0.0005:
        compared = "as many"
    linked = "than" if compared != "as many" else "as"
    return (
        f"That is {compared} {linked} {name}, the cheapest of the peers that attained at least as "
        "much."
    )


def _counted(count: int, one: str, many: str | None = None) -> str:
    return f"{count} {one if count == 1 else many or one + 's'}"
