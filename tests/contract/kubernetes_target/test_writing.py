"""How a count is written: on the version that was seen, and never over somebody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.contract.kubernetes_target.cluster_world import order_for
from tests.servers.kubernetes_api.faults import Fault, What, of

from trimtab.core.decision import WriteStatus
from trimtab.core.deployment import State
from trimtab.core.policy import Actuation
from trimtab.errors import ErrorKind

if TYPE_CHECKING:
    from tests.contract.kubernetes_target.cluster_world import World

    from trimtab.core.deployment import Deployment
    from trimtab.targets.kubernetes.adapter import KubernetesTarget

SCALE = "deployments/scale"


async def begun(world: World, name: str, **settings: Any) -> tuple[KubernetesTarget, Deployment]:
    """A target that has just read the workload again, as the actuator does before each write."""
    target = world.target(**settings)
    await target.read_fleet()
    found = await target.read(name)
    assert found is not None
    return target, found


async def test_the_count_is_set_and_read_back(world: World, name: str) -> None:
    world.workload(replicas=2)
    target, found = await begun(world, name)
    result = await target.write(order_for(found, 5))
    assert result.status is WriteStatus.APPLIED
    assert result.deployment is not None
    assert result.deployment.desired_replicas == world.replicas() == 5
    assert world.server.service.count()["patch deployments/scale"] == 1
    assert not any(
        one.is_write and one.attempt.resource == "deployments" for one in world.server.service.audit
    ), "nothing but the count is ever written to a workload"


async def test_who_changed_the_workload_first_is_not_overwritten(world: World, name: str) -> None:
    world.workload(replicas=2)
    target, found = await begun(world, name)
    world.scale_by_hand(7)
    result = await target.write(order_for(found, 5))
    assert (result.status, result.error_kind) == (WriteStatus.VOID, ErrorKind.CONFLICT)
    assert "the platform went from 2 to 7 replicas meanwhile" in result.sentence
    assert result.deployment is not None
    assert result.deployment.desired_replicas == world.replicas() == 7


async def test_a_change_that_does_not_touch_the_order_is_written_over_at_once(
    world: World, name: str
) -> None:
    world.workload(replicas=2)
    target, found = await begun(world, name)
    world.set("deployments", "chat", lambda one: one["metadata"]["annotations"].update(a="b"))
    result = await target.write(order_for(found, 5))
    assert result.status is WriteStatus.APPLIED
    assert world.replicas() == 5
    assert world.server.service.count()["patch deployments/scale"] == 2


async def test_bounds_that_somebody_changed_meanwhile_void_the_order(
    world: World, name: str
) -> None:
    world.workload(replicas=2, max_replicas="8")
    target, found = await begun(world, name)
    key = "trimtab.dev/max-replicas"
    world.set("deployments", "chat", lambda one: one["metadata"]["annotations"].update({key: "3"}))
    result = await target.write(order_for(found, 5))
    assert result.error_kind is ErrorKind.CONFLICT
    assert "its bounds went from 0-8 to 0-3" in result.sentence
    assert world.replicas() == 2


async def test_a_workload_created_anew_under_the_name_does_not_get_the_order(
    world: World, name: str
) -> None:
    world.workload(replicas=2)
    target, found = await begun(world, name)
    kind = world.api.kinds.stored("apps", "deployments")
    world.api.objects.delete(kind, ("llm", "chat"), {})
    world.workload(replicas=2)
    result = await target.write(order_for(found, 5))
    assert (result.status, result.error_kind) == (WriteStatus.VOID, ErrorKind.CONFLICT)
    assert "it was created anew" in result.sentence
    assert world.replicas() == 2


async def test_an_endless_race_is_given_up(world: World, name: str) -> None:
    world.workload(replicas=2)
    target, found = await begun(world, name)
    turns = iter(range(1000))

    def annotate(attempt: Any) -> bool:
        """Let the workload change between each look at it and the write after it."""
        if attempt.resource == SCALE:
            key = str(next(turns))
            world.set("deployments", "chat", lambda one: one["metadata"]["labels"].update(n=key))
        return False

    world.faults.add(Fault(what=What.DELAY, when=annotate))
    result = await target.write(order_for(found, 5))
    assert (result.status, result.error_kind) == (WriteStatus.VOID, ErrorKind.CONFLICT)
    assert world.replicas() == 2


@pytest.mark.parametrize("what", [What.CUT, What.TIME_OUT, What.GARBAGE])
async def test_a_write_whose_answer_is_lost_is_read_back_and_not_doubled(
    world: World, name: str, what: What
) -> None:
    world.workload(replicas=2)
    target, found = await begun(world, name)
    world.faults.add(Fault(what=what, when=of(SCALE, "patch"), times=1))
    result = await target.write(order_for(found, 5))
    assert result.status is WriteStatus.APPLIED
    assert "although the answer was lost" in result.sentence
    assert world.server.service.count()["patch deployments/scale"] == 1


@pytest.mark.parametrize("what", [What.REFUSE, What.FAIL_INTERNAL])
async def test_a_write_that_did_not_arrive_is_sent_again(
    world: World, name: str, what: What
) -> None:
    world.workload(replicas=2)
    target, found = await begun(world, name)
    world.faults.add(Fault(what=what, when=of(SCALE, "patch"), times=1))
    result = await target.write(order_for(found, 5))
    assert result.status is WriteStatus.APPLIED
    assert world.replicas() == 5


async def test_a_write_of_unknown_fate_says_so(world: World, name: str) -> None:
    world.workload(replicas=2)
    target, found = await begun(world, name)
    world.faults.add(Fault(what=What.CUT, when=of(SCALE, "patch")))
    world.faults.add(Fault(what=What.FAIL, when=of("deployments", "get")))
    result = await target.write(order_for(found, 5))
    assert result.status is WriteStatus.UNKNOWN
    assert result.deployment is None


async def test_throttling_is_no_refusal_for_good(world: World, name: str) -> None:
    world.workload(replicas=2)
    target, found = await begun(world, name)
    world.faults.add(Fault(what=What.THROTTLE, when=of(SCALE, "patch"), times=1, seconds=7))
    result = await target.write(order_for(found, 5))
    assert (result.status, result.error_kind) == (WriteStatus.NOT_APPLIED, ErrorKind.RATE_LIMITED)
    assert result.retry_after_seconds == 7.0
    assert world.replicas() == 2


async def test_a_workload_that_is_gone_takes_no_order(world: World, name: str) -> None:
    world.workload(replicas=2)
    target, found = await begun(world, name)
    kind = world.api.kinds.stored("apps", "deployments")
    world.api.objects.delete(kind, ("llm", "chat"), {})
    result = await target.write(order_for(found, 5))
    assert (result.status, result.error_kind) == (WriteStatus.NOT_APPLIED, ErrorKind.NOT_FOUND)


@pytest.mark.parametrize("actuation", [Actuation.PIN, Actuation.FLOOR])
async def test_bounds_cannot_be_written(world: World, name: str, actuation: Actuation) -> None:
    world.workload(replicas=2)
    target, found = await begun(world, name)
    result = await target.write(order_for(found, 5, actuation=actuation))
    assert (result.status, result.error_kind) == (WriteStatus.NOT_APPLIED, ErrorKind.REJECTED)
    assert world.replicas() == 2


async def test_a_workload_that_we_put_to_sleep_is_not_parked_and_one_that_somebody_did_is(
    world: World, name: str
) -> None:
    world.workload(replicas=1, max_replicas="4")
    target, found = await begun(world, name)
    result = await target.write(order_for(found, 0))
    assert result.status is WriteStatus.APPLIED
    assert result.deployment is not None
    assert (result.deployment.max_replicas, result.deployment.is_parked) == (4, False)
    fleet = await world.until(target, lambda fleet: fleet[name].desired_replicas == 0)
    assert not fleet[name].is_parked

    woken = await target.write(order_for(result.deployment, 1))
    assert woken.status is WriteStatus.APPLIED
    world.scale_by_hand(0)
    fleet = await world.until(target, lambda fleet: fleet[name].desired_replicas == 0)
    assert fleet[name].is_parked
    assert fleet[name].state is State.READY


async def test_what_was_done_stands_on_the_workload_as_events(world: World, name: str) -> None:
    world.workload(replicas=2)
    target, found = await begun(world, name)
    up = await target.write(order_for(found, 5))
    assert up.deployment is not None
    await target.write(order_for(up.deployment, -1))
    await target.close()
    events = sorted(world.events(), key=lambda one: str(one["reason"]), reverse=True)
    said = [(one["reason"], one["type"], one["involvedObject"]["kind"]) for one in events]
    assert said == [("ScaledUp", "Normal", "Deployment"), ("ScaleRefused", "Warning", "Deployment")]
    first = events[0]
    assert first["message"] == "scale from 2 to 5: load"
    assert first["involvedObject"]["name"] == "chat"
    assert (first["source"], first["count"]) == ({"component": "trimtab"}, 1)


async def test_events_that_may_not_be_written_hold_nothing_up(world: World, name: str) -> None:
    world.workload(replicas=2)
    token = world.grant(
        {"apiGroups": ["apps"], "resources": ["*"], "verbs": ["*"]},
        {"apiGroups": ["autoscaling"], "resources": ["*"], "verbs": ["*"]},
    )
    target, found = await begun(world, name, token=token)
    result = await target.write(order_for(found, 5))
    assert result.status is WriteStatus.APPLIED
    await target.close()
    assert world.events() == []
    assert "Events cannot be written" in target.remarks[0]
