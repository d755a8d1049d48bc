"""Orders carried out: what is sent, what is read back, and the honest outcome."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from trimtab.core.decision import Order, Reason, WriteStatus
from trimtab.core.fleet_policy import Pool, Quota, QuotaSource
from trimtab.core.policy import Actuation
from trimtab.errors import ErrorKind
from trimtab.targets.fireworks import FireworksTarget

D1 = "accounts/acct/deployments/d1"
PATH = f"/v1/{D1}"
QUOTA_TEXT = "global--h200-count for account acct, in use: 14, quota: 16, requesting: 4"


def row(low: int, high: int, **fields: Any) -> dict[str, Any]:
    bounds = {"minReplicaCount": low, "maxReplicaCount": high}
    return {"name": D1, "state": "READY", "baseModel": "m", **bounds, **fields}


def order(low: int, high: int, **changes: Any) -> Order:
    pin = Order(
        deployment=D1,
        policy="chat",
        at=1_790_000_000.0,
        actuation=Actuation.PIN,
        from_replicas=1,
        to_replicas=low,
        min_replicas=low,
        max_replicas=high,
        expected_state="READY",
        expected_min_replicas=1,
        expected_max_replicas=1,
        lower=0,
        upper=9,
        user_min_replicas=0,
        user_max_replicas=4,
        reason=Reason.DEMAND,
        sentence="",
    )
    return replace(pin, **changes)


NOTES = {"trimtab.dev/user-bounds": "0-4", "trimtab.dev/written-bounds": "3-3"}


@pytest.fixture
async def known(target: FireworksTarget, server: Any) -> FireworksTarget:
    """A target that has just read d1, at 1-1 with somebody's annotation."""
    server.on("GET", PATH, row(1, 1, annotations={"team": "chat"}))
    await target.read(D1)
    server.seen.clear()
    return target


async def test_a_pin_is_one_patch_of_both_bounds_and_then_a_look(known: Any, server: Any) -> None:
    server.on("PATCH", PATH, row(3, 3))
    server.on("GET", PATH, row(3, 3, annotations=NOTES))
    result = await known.write(order(3, 3))
    assert (result.status, result.error_kind) == (WriteStatus.APPLIED, None)
    assert result.deployment.is_pinned
    assert server.calls() == [f"PATCH {PATH}", f"GET {PATH}"]
    patch = server.seen[0]
    assert patch.query["updateMask"] == "min_replica_count,max_replica_count,annotations"
    assert patch.body == {
        "minReplicaCount": 3,
        "maxReplicaCount": 3,
        "baseModel": "m",
        "annotations": {"team": "chat", **NOTES},
    }


async def test_what_was_seen_before_a_write_never_passes_for_what_was_seen_after_it(
    target: Any, server: Any, clock: Any, reply: Any
) -> None:
    listing = {"deployments": [row(1, 1)]}
    server.on("GET", "/v1/accounts/acct/deployments", listing, listing)
    before = (await target.read_fleet())[D1]
    server.on("PATCH", PATH, reply(fault="reset"))
    server.on("GET", PATH, reply({"code": 7, "message": "no"}, status=403))
    assert (await target.write(order(3, 3))).status is WriteStatus.UNKNOWN
    clock.advance(30)
    after = (await target.read_fleet())[D1]
    assert after.min_replicas == before.min_replicas
    assert after.observed_at == clock.now()


async def test_a_pin_at_zero_says_zero_twice(known: Any, server: Any) -> None:
    server.on("PATCH", PATH, row(0, 0))
    server.on("GET", PATH, {"name": D1, "state": "READY"})  # zeros are left out of answers
    result = await known.write(order(0, 0))
    assert result.status is WriteStatus.APPLIED
    assert server.seen[0].body["minReplicaCount"] == 0
    assert server.seen[0].body["maxReplicaCount"] == 0


async def test_a_pin_that_hands_the_range_back_writes_two_different_ends(
    known: Any, server: Any
) -> None:
    server.on("PATCH", PATH, row(0, 4))
    server.on("GET", PATH, row(0, 4))
    assert (await known.write(order(0, 4))).status is WriteStatus.APPLIED


async def test_a_floor_leaves_the_maximum_alone_unless_it_has_to_rise(
    target: Any, server: Any
) -> None:
    server.on("GET", PATH, row(1, 4), row(3, 4), row(6, 6))
    server.on("PATCH", PATH, row(3, 4), row(6, 6))
    await target.read(D1)
    floor = order(3, 4, actuation=Actuation.FLOOR, expected_max_replicas=4)
    assert (await target.write(floor)).status is WriteStatus.APPLIED
    raised = order(6, 6, actuation=Actuation.FLOOR, expected_max_replicas=4)
    assert (await target.write(raised)).status is WriteStatus.APPLIED
    first, second = (seen for seen in server.seen if seen.method == "PATCH")
    assert first.query["updateMask"] == "min_replica_count,annotations"
    assert (first.body["minReplicaCount"], first.body["maxReplicaCount"]) == (3, 4)
    assert second.query["updateMask"] == "min_replica_count,max_replica_count,annotations"


async def test_scale_uses_the_verb_and_compares_what_is_asked_for_then(
    known: Any, server: Any
) -> None:
    server.on("PATCH", f"{PATH}:scale", {})
    server.on("GET", PATH, row(1, 4, desiredReplicaCount=3))
    scale = order(1, 4, actuation=Actuation.SCALE, to_replicas=3)
    assert (await known.write(scale)).status is WriteStatus.APPLIED
    assert server.seen[0].body == {"replicaCount": 3}


async def test_a_scale_that_the_platform_clamps_is_not_applied(known: Any, server: Any) -> None:
    server.on("PATCH", f"{PATH}:scale", {})
    server.on("GET", PATH, *(row(1, 2, desiredReplicaCount=2) for _ in range(3)))
    scale = order(1, 2, actuation=Actuation.SCALE, to_replicas=3)
    result = await known.write(scale)
    assert (result.status, result.error_kind) == (WriteStatus.NOT_APPLIED, ErrorKind.CONFLICT)
    assert result.deployment.desired_replicas == 2
    assert "shows 2 replicas asked for, not 3 replicas" in result.sentence


async def test_a_deployment_never_read_is_read_before_it_is_written(
    target: Any, server: Any
) -> None:
    server.on("GET", PATH, row(1, 1, annotations={"a": "b"}), row(3, 3))
    server.on("PATCH", PATH, row(3, 3))
    await target.write(order(3, 3))
    assert server.calls() == [f"GET {PATH}", f"PATCH {PATH}", f"GET {PATH}"]
    assert server.seen[1].body["annotations"]["a"] == "b"


async def test_annotations_that_the_server_does_not_know_are_left_out_from_then_on(
    known: Any, server: Any, reply: Any
) -> None:
    text = 'proto: (line 1:57): unknown field "annotations"'
    server.on("PATCH", PATH, reply({"code": 3, "message": text}, status=400), row(3, 3), row(4, 4))
    server.on("GET", PATH, row(3, 3), row(4, 4))
    assert known.annotates
    assert (await known.write(order(3, 3))).status is WriteStatus.APPLIED
    assert not known.annotates
    assert (await known.write(order(4, 4))).status is WriteStatus.APPLIED
    patches = [seen for seen in server.seen if seen.method == "PATCH"]
    assert ["annotations" in seen.body for seen in patches] == [True, False, False]
    assert patches[2].query["updateMask"] == "min_replica_count,max_replica_count"


async def test_a_target_told_not_to_annotate_never_does(
    account: Any, clock: Any, server: Any
) -> None:
    target = FireworksTarget(account, clock, annotate=False)
    server.on("GET", PATH, row(1, 1), row(3, 3))
    server.on("PATCH", PATH, row(3, 3))
    await target.write(order(3, 3))
    await target.close()
    assert "annotations" not in server.seen[1].body


@pytest.mark.parametrize("how", ["reset", "truncate", "500", "504"])
async def test_a_write_that_was_applied_although_its_answer_was_lost_is_applied(
    known: Any, server: Any, reply: Any, how: str
) -> None:
    lost = reply({}, status=int(how)) if how.isdigit() else reply({}, fault=how)
    server.on("PATCH", PATH, lost)
    server.on("GET", PATH, row(3, 3))
    result = await known.write(order(3, 3))
    assert result.status is WriteStatus.APPLIED
    assert "although the answer was lost" in result.sentence
    assert server.calls() == [f"PATCH {PATH}", f"GET {PATH}"]


async def test_a_lost_write_is_sent_once_more_only_after_the_old_bounds_were_seen(
    known: Any, server: Any, reply: Any
) -> None:
    server.on("PATCH", PATH, reply({}, status=503), row(3, 3))
    server.on("GET", PATH, row(1, 1), row(1, 1), row(1, 1), row(3, 3))
    assert (await known.write(order(3, 3))).status is WriteStatus.APPLIED
    assert server.calls() == [
        f"PATCH {PATH}",
        *[f"GET {PATH}"] * 3,
        f"PATCH {PATH}",
        f"GET {PATH}",
    ]


async def test_a_write_that_is_lost_twice_is_left_to_the_next_decision(
    known: Any, server: Any, reply: Any
) -> None:
    server.on("PATCH", PATH, reply({}, status=503), reply({}, status=503))
    server.on("GET", PATH, *(row(1, 1) for _ in range(6)))
    result = await known.write(order(3, 3))
    assert (result.status, result.error_kind) == (
        WriteStatus.NOT_APPLIED,
        ErrorKind.UNAVAILABLE,
    )
    assert result.deployment.min_replicas == 1


async def test_a_lost_write_is_not_resent_over_somebody_elses(
    known: Any, server: Any, reply: Any
) -> None:
    server.on("PATCH", PATH, reply({}, status=503))
    server.on("GET", PATH, *(row(2, 8) for _ in range(3)))
    result = await known.write(order(3, 3))
    assert result.status is WriteStatus.NOT_APPLIED
    assert "shows bounds 2-8, not bounds 3-3" in result.sentence
    assert (result.deployment.min_replicas, result.deployment.max_replicas) == (2, 8)


async def test_a_lost_pin_is_not_resent_where_the_platform_has_moved_the_count_meanwhile(
    known: Any, server: Any, reply: Any
) -> None:
    server.on("PATCH", PATH, reply({}, status=503))
    server.on("GET", PATH, *(row(1, 9, desiredReplicaCount=1) for _ in range(3)))
    eight_to_nine = order(9, 9, from_replicas=8, expected_max_replicas=9)
    result = await known.write(eight_to_nine)
    assert result.status is WriteStatus.NOT_APPLIED
    assert result.deployment.desired_replicas == 1
    assert server.calls().count(f"PATCH {PATH}") == 1


async def test_a_lost_write_that_cannot_be_read_back_is_unknown(
    known: Any, server: Any, reply: Any
) -> None:
    server.on("PATCH", PATH, reply({}, fault="reset"))
    server.on("GET", PATH, *(reply({}, status=503) for _ in range(4)))
    result = await known.write(order(3, 3))
    assert (result.status, result.deployment) == (WriteStatus.UNKNOWN, None)
    assert "may have been applied" in result.sentence


async def test_an_accepted_write_whose_reading_back_fails_is_applied_by_its_own_answer(
    known: Any, server: Any, reply: Any
) -> None:
    server.on("PATCH", PATH, row(3, 3))
    server.on("GET", PATH, *(reply({}, status=503) for _ in range(4)))
    result = await known.write(order(3, 3))
    assert result.status is WriteStatus.APPLIED
    assert result.deployment.min_replicas == 3


async def test_an_accepted_scale_that_cannot_be_read_back_is_unknown(
    known: Any, server: Any, reply: Any
) -> None:
    server.on("PATCH", f"{PATH}:scale", {})
    server.on("GET", PATH, reply({"code": 7, "message": "no"}, status=403))
    result = await known.write(order(1, 4, actuation=Actuation.SCALE, to_replicas=3))
    assert (result.status, result.error_kind) == (WriteStatus.UNKNOWN, ErrorKind.FORBIDDEN)


async def test_a_read_that_lags_behind_the_write_is_repeated(
    known: Any, server: Any, clock: Any
) -> None:
    server.on("PATCH", PATH, row(3, 3))
    server.on("GET", PATH, row(1, 1), row(3, 3))
    assert (await known.write(order(3, 3))).status is WriteStatus.APPLIED
    assert clock.slept == [1.0]


async def test_an_accepted_write_that_does_not_show_is_not_applied(known: Any, server: Any) -> None:
    server.on("PATCH", PATH, row(3, 3))
    server.on("GET", PATH, *(row(1, 1) for _ in range(3)))
    result = await known.write(order(3, 3))
    assert (result.status, result.error_kind) == (WriteStatus.NOT_APPLIED, ErrorKind.CONFLICT)


@pytest.mark.parametrize(
    ("status", "code", "text", "kind"),
    [
        (400, 3, "min above max", ErrorKind.REJECTED),
        (401, 16, "bad key", ErrorKind.UNAUTHENTICATED),
        (403, 7, "not yours", ErrorKind.FORBIDDEN),
        (404, 5, "not found", ErrorKind.NOT_FOUND),
        (429, 8, QUOTA_TEXT, ErrorKind.QUOTA_EXCEEDED),
    ],
)
async def test_a_refused_write_is_not_applied_and_nothing_more_is_sent(
    known: Any, server: Any, reply: Any, status: int, code: int, text: str, kind: ErrorKind
) -> None:
    server.on("PATCH", PATH, reply({"code": code, "message": text}, status=status))
    result = await known.write(order(3, 3))
    assert (result.status, result.error_kind) == (WriteStatus.NOT_APPLIED, kind)
    assert text in result.sentence
    assert len(server.seen) == 1


async def test_a_refusal_for_a_quota_says_which_and_how_much_of_it_is_in_use(
    known: Any, server: Any, reply: Any, clock: Any
) -> None:
    server.on("PATCH", PATH, reply({"code": 8, "message": QUOTA_TEXT}, status=429))
    result = await known.write(order(3, 3))
    assert result.quota.quota == Quota(Pool("NVIDIA_H200_141GB"), 16, QuotaSource.REFUSAL)
    assert (result.quota.used, result.quota.at) == (14.0, clock.now())


async def test_a_refusal_for_something_else_teaches_no_quota_whatever_its_text(
    known: Any, server: Any, reply: Any
) -> None:
    server.on("PATCH", PATH, reply({"code": 3, "message": QUOTA_TEXT}, status=400))
    assert (await known.write(order(3, 3))).quota is None


async def test_a_shape_that_changed_while_it_was_written_is_read(known: Any, server: Any) -> None:
    version = "accounts/acct/deploymentShapes/s/versions/v2"
    server.on("PATCH", PATH, row(3, 3))
    server.on("GET", PATH, row(3, 3, deploymentShape=version))
    server.on("GET", f"/v1/{version}", {"name": version, "snapshot": {"acceleratorCount": 4}})
    result = await known.write(order(3, 3))
    assert result.deployment.shape.accelerators_per_replica == 4


async def test_a_deployment_that_goes_while_it_is_written_is_reported_gone(
    known: Any, server: Any, reply: Any
) -> None:
    server.on("PATCH", PATH, reply({}, status=503))
    server.on("GET", PATH, reply({"code": 5, "message": "not found"}, status=404))
    result = await known.write(order(3, 3))
    assert (result.status, result.error_kind) == (WriteStatus.NOT_APPLIED, ErrorKind.NOT_FOUND)


async def test_an_order_that_crosses_its_bounds_is_refused_unsent(known: Any, server: Any) -> None:
    result = await known.write(order(3, 2))
    assert (result.status, result.error_kind) == (WriteStatus.NOT_APPLIED, ErrorKind.REJECTED)
    assert server.seen == []


async def test_a_list_that_began_before_a_write_does_not_undo_what_was_read_back(
    known: Any, server: Any, reply: Any, clock: Any
) -> None:
    server.on("PATCH", PATH, row(3, 3))
    server.on("GET", PATH, row(3, 3))
    old = {"deployments": [row(1, 1)], "nextPageToken": "t1"}
    listing = reply(old, before=lambda: clock.advance(1))
    server.on("GET", "/v1/accounts/acct/deployments", listing)
    pages = known.client.list_deployments

    async def list_then_write(**options: Any) -> Any:
        async for resource in pages(**options):
            yield resource
            server.on("GET", "/v1/accounts/acct/deployments", {"deployments": []})
            await known.write(order(3, 3))

    known.client.list_deployments = list_then_write
    assert (await known.read_fleet())[D1].min_replicas == 3
