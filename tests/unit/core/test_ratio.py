"""``ratio``: the replicas of another deployment decide."""

from __future__ import annotations

from typing import Any

import pytest

from trimtab.core.deployment import Deployment, Pipeline, State
from trimtab.core.proposals import View
from trimtab.core.strategies.ratio import Counted, Ratio
from trimtab.testing import a_view

LEADER = "accounts/acme/deployments/leader"


def beside(**leader: Any) -> View:
    fields: dict[str, Any] = {
        "min_replicas": 1,
        "max_replicas": 10,
        "desired_replicas": 6,
        "pipeline": Pipeline(ready=4, initializing=2),
    }
    view = a_view()
    other = Deployment(name=LEADER, **(fields | leader))
    return view._replace(fleet={**view.fleet, LEADER: other})


@pytest.mark.parametrize(
    ("ratio", "offset", "by", "wanted"),
    [
        (1.0, 0, Counted.ASKED, 6),
        (1.0, 0, Counted.READY, 4),
        (0.5, 0, Counted.ASKED, 3),
        (0.4, 0, Counted.ASKED, 3),  # 2.4, rounded up
        (0.1, 0, Counted.ASKED, 1),  # 0.6000000000000001
        (2.0, 1, Counted.ASKED, 13),
        (1.0, -2, Counted.ASKED, 4),
        (0.5, -9, Counted.ASKED, 0),
    ],
)
def test_so_many_for_each_replica_of_the_other_and_a_constant(
    ratio: float, offset: int, by: Counted, wanted: int
) -> None:
    strategy = Ratio(of=LEADER, ratio=ratio, offset=offset, by=by)
    assert strategy.propose(beside(), None).replicas == wanted


def test_the_sentence_shows_the_sum() -> None:
    strategy = Ratio(of=LEADER, ratio=0.5, offset=-1)
    assert strategy.propose(beside(), None).sentence == f"6 asked of {LEADER} x 0.5 - 1: wants 2"


def test_of_a_pinned_deployment_the_pin_is_what_is_asked_for() -> None:
    pinned = beside(min_replicas=8, max_replicas=8, desired_replicas=6)
    assert Ratio(of=LEADER, ratio=1.0).propose(pinned, None).replicas == 8


def test_a_leader_at_zero_takes_its_follower_along() -> None:
    parked = beside(min_replicas=0, max_replicas=0, desired_replicas=0, pipeline=Pipeline())
    assert Ratio(of=LEADER, ratio=2.0).propose(parked, None).replicas == 0


def test_without_the_other_it_cannot_tell() -> None:
    wish = Ratio(of=LEADER, ratio=1.0).propose(a_view(), None)
    assert (wish.replicas, wish.is_abstaining) == (None, False)
    assert LEADER in wish.sentence


@pytest.mark.parametrize("state", [State.DELETING, State.DELETED, State.UNKNOWN])
def test_the_count_of_a_deployment_that_goes_away_says_nothing(state: State) -> None:
    wish = Ratio(of=LEADER, ratio=1.0).propose(beside(state=state), None)
    assert wish.replicas is None
    assert state.value in wish.sentence


def test_a_deployment_that_a_pattern_brought_to_follow_itself_does_not() -> None:
    view = a_view()
    wish = Ratio(of=view.deployment.name, ratio=2.0).propose(view, None)
    assert (wish.replicas, wish.sentence) == (None, f"{view.deployment.name} cannot follow itself")
