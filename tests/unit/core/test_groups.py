"""Groups in the engine: two kinds of hardware, one traffic, which a router shares by what serves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.worlds.grouped_town import CHEAP, DEAR, START, TEXT, Town, a_deployment

from trimtab.core.decision import Reason
from trimtab.core.deployment import Shape, State
from trimtab.core.engine import Engine
from trimtab.core.memory import Memory
from trimtab.core.overrides import Override, OverrideKind
from trimtab.core.roles import Blocks
from trimtab.core.stages.combine import combine
from trimtab.core.stages.draft import Case, Draft
from trimtab.core.stages.freshness import freshness
from trimtab.core.stages.group import Mates, group
from trimtab.core.stages.propose import propose
from trimtab.core.stages.relief import Relief
from trimtab.policy import read_policy_texts

OTHER = "accounts/acme/deployments/code"


def test_the_demand_goes_to_the_cheapest_mix_and_nothing_is_missed_on_the_way() -> None:
    town = Town(load=90.0)
    town.serve(DEAR, 9)
    missed = []
    for _ in range(120):
        town.tick()
        missed.append(town.missed)
    assert town.counts() == (2, 1)  # 80 + 10 requests/s for 68 dollars an hour, in place of 108
    assert max(missed) == 0.0


def test_the_decision_says_what_the_group_does_and_why() -> None:
    town = Town(load=90.0)
    town.serve(DEAR, 9)
    town.live(2)
    cheap = town.said[CHEAP]
    assert cheap.verdict.reason is Reason.GROUP
    assert "group chat: 90 requests/s by 2 chat-cheap and 1 chat-dear for $68.00 an hour" in (
        cheap.sentence
    )
    assert "until those serve" in " ".join(step.sentence for step in town.said[DEAR].trail)


def test_what_one_is_refused_the_other_makes_up_for_until_it_can_be_had() -> None:
    is_short = True
    town = Town(load=80.0, refuses=lambda name: is_short and name == CHEAP)
    town.serve(CHEAP, 1)
    town.serve(DEAR, 1)
    town.live(60)
    assert town.counts() == (1, 4)
    assert town.missed == 0.0
    is_short = False
    town.live(600)
    assert town.counts()[0] == 2
    assert town.missed == 0.0


def worths_of_the_cheap(town: Town) -> list[float]:
    """What its two replicas are worth to it, of which it goes on asking for both."""
    memory = town.engine.remembered(CHEAP)
    assert memory is not None
    assert memory.claimed is not None
    assert memory.claimed.wanted == 2
    return memory.claimed.need.shares(1, 2)


def test_what_others_make_up_for_is_worth_next_to_nothing_to_the_one_that_goes_on_asking() -> None:
    """Its claim on accelerators that strangers want, too, is what the others leave; it has no other name."""
    town = Town(load=80.0, refuses=lambda name: name == CHEAP)
    town.serve(CHEAP, 1)
    town.tick()
    town.tick()
    assert worths_of_the_cheap(town) == [1.0, 1.0]
    town.live(60)
    assert town.counts() == (1, 4)
    first, second = worths_of_the_cheap(town)
    assert first == 1.0
    assert second < 0.001


def test_who_makes_up_for_another_is_woken_for_it() -> None:
    town = Town(load=40.0, refuses=lambda name: name == CHEAP)
    town.serve(CHEAP, 1)
    town.live(10)
    town.is_waking, town.load = True, 80.0
    town.live(60)
    assert town.counts() == (1, 4)


def test_growing_load_is_met_by_the_mix() -> None:
    town = Town(load=20.0)
    town.serve(CHEAP, 1)
    town.live(40)
    for load in (60.0, 130.0, 210.0):
        town.load = load
        town.live(80)
        cheap, dear = town.counts()
        assert town.missed == 0.0
        assert 28 * cheap + 12 * dear <= 28 * (load // 40 + 1)


def test_it_settles_and_nobody_is_decided_on_again_for_nothing() -> None:
    town = Town(load=90.0)
    town.serve(DEAR, 9)
    town.live(120)
    before = town.counts()
    for _ in range(40):
        town.tick()
        assert not town.stirred
    assert town.counts() == before


@pytest.mark.parametrize(
    ("before", "after"), [(", requestsPerSecond: 10", ""), (", usdPerHour: 12", "")]
)
def test_a_member_of_which_too_little_is_known_decides_for_itself(before: str, after: str) -> None:
    text = TEXT.replace(before, after)
    town = Town(load=90.0, text=text)
    town.fleet[DEAR] = replace(a_deployment(DEAR, 9), shape=Shape())
    town.live(20)
    assert town.counts() == (0, 9)
    trail = " ".join(step.sentence for step in town.said[DEAR].trail)
    assert "group chat: decides for itself, as it is not known what one replica" in trail


def test_a_restart_in_the_middle_of_a_switch_goes_on_with_it() -> None:
    town, other = Town(load=90.0), Town(load=90.0)
    for one in (town, other):
        one.serve(DEAR, 9)
        one.live(10)
    report = read_policy_texts([("chat.yaml", TEXT)])
    memory = Memory.from_json(town.engine.memory.to_json())
    assert memory == town.engine.memory
    town.engine = Engine(report.policies, memory, fleet=report.fleet)
    for _ in range(60):
        one, two = town.tick(), other.tick()
        assert [d.sentence for d in one.decisions] == [d.sentence for d in two.decisions]


def test_a_pin_of_one_member_is_kept_and_the_other_does_the_rest() -> None:
    town = Town(
        load=90.0, text=TEXT.replace("bounds: {min: 0, max: 20}", "bounds: {min: 1, max: 1}", 1)
    )
    town.serve(CHEAP, 1)
    town.serve(DEAR, 1)
    town.live(60)
    assert town.counts() == (1, 5)


def a_case(town: Town, reliefs: tuple[Relief, ...]) -> tuple[Case, Draft, Mates]:
    """Return the cheap one's decision as it stands after stage 3."""
    deployment, memory = town.fleet[CHEAP], town.engine.remembered(CHEAP)
    assert memory is not None
    policy = town.engine.policies_for(deployment)[0]
    case = Case(
        now=town.now,
        deployment=deployment,
        policy=policy,
        current=2,
        lead_time=town.engine.lead_time_of(deployment),
        fleet=town.fleet,
        reliefs=reliefs,
    )
    draft = Draft(memory=memory, replicas=2)
    for stage in (freshness, propose, combine):
        stage(case, draft)
    of = town.engine.fleet_policy.groups[0]
    return case, draft, Mates(of, 0, 28.0, ())


def test_who_is_stuck_elsewhere_is_helped_by_the_group_and_a_stuck_mate_by_the_mix_alone() -> None:
    for stuck, cheap in ((OTHER, 3), (DEAR, 2)):
        town = Town(load=80.0)
        town.serve(CHEAP, 2)
        town.live(20)
        case, draft, mates = a_case(town, (Relief(stuck, 1),))
        group(case._replace(mates=mates), draft)
        assert draft.memory.grouped is not None
        assert draft.memory.grouped.replicas == cheap


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param({"expires_at": START + 1800.0}, id="whose time is over"),
        pytest.param({"expires_at": START + 2400.0}, id="that expires too soon"),
        pytest.param({"state": State.UPDATING}, id="that is being rolled out"),
        pytest.param({"state": State.FAILED}, id="that failed"),
        pytest.param({"other_scaler": "HorizontalPodAutoscaler chat"}, id="that another scales"),
        pytest.param({"deleted_at": START + 7200.0}, id="that is to be deleted"),
    ],
)
def test_what_one_may_not_ask_for_the_others_do_not_count_on(kept: dict[str, Any]) -> None:
    """Seen to catch: load that nobody serves, because the cheapest mix has it on a member that may not grow."""
    town = Town(load=40.0, now=START + 1200.0)
    town.serve(CHEAP, 1)
    town.live(30)
    town.is_waking = True
    town.fleet[CHEAP] = replace(town.fleet[CHEAP], **kept)
    town.live(3)
    town.load = 120.0
    town.live(60)
    assert town.counts() == (1, 8)
    assert town.missed == 0.0


def test_when_it_may_be_asked_for_again_the_mix_rests_on_it_again() -> None:
    town = Town(load=40.0)
    town.serve(CHEAP, 1)
    town.live(30)
    town.fleet[CHEAP] = replace(town.fleet[CHEAP], state=State.UPDATING)
    town.load = 120.0
    town.live(60)
    assert town.counts() == (1, 8)
    town.fleet[CHEAP] = replace(town.fleet[CHEAP], state=State.READY)
    town.live(60)
    assert town.counts()[0] == 3
    assert town.missed == 0.0


def test_one_that_drains_at_its_end_leaves_all_of_its_load_to_the_others() -> None:
    drained = TEXT.replace("bounds: {min", "expiry: {atExpiry: drain}\n  bounds: {min", 1)
    town = Town(load=120.0, text=drained)
    town.serve(CHEAP, 3)
    town.live(30)
    town.fleet[CHEAP] = replace(town.fleet[CHEAP], expires_at=town.now + 60.0)
    town.live(60)
    assert town.counts() == (0, 12)
    assert town.missed == 0.0


def test_noise_of_one_that_may_not_move_wakes_nobody() -> None:
    town = Town(load=55.0)
    town.serve(CHEAP, 1)
    town.serve(DEAR, 2)
    town.live(10)
    town.fleet[CHEAP] = replace(town.fleet[CHEAP], state=State.UPDATING)
    town.live(20)
    for load in (55.1, 55.0) * 5:
        town.load = load
        town.tick()
        assert not town.stirred


@pytest.mark.parametrize(
    ("kind", "replicas", "blocks"),
    [
        pytest.param(OverrideKind.PAUSE, None, None, id="paused"),
        pytest.param(OverrideKind.PIN, 1, None, id="pinned"),
        pytest.param(OverrideKind.BLOCK, None, Blocks.UP, id="kept from growing"),
    ],
)
def test_the_load_of_one_that_a_person_keeps_where_it_is_goes_to_the_others(
    kind: OverrideKind, replicas: int | None, blocks: Blocks | None
) -> None:
    """Seen to catch: a paused member that is taken to have as much load as it can carry, whatever comes to it."""
    town = Town(load=40.0)
    town.serve(CHEAP, 1)
    town.live(30)
    town.engine.give(
        Override(
            id="o1", kind=kind, deployment=CHEAP, author="ana", reason="migration", since=town.now,
            until=town.now + 3600.0, replicas=replicas, blocks=blocks,
        )
    )  # fmt: skip
    town.load = 120.0
    town.live(60)
    assert town.counts() == (1, 8)
    assert town.missed == 0.0
