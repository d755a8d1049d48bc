"""The official SDK, unmodified and blocking, against the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import fireworks
import pytest
from emulator_thread import emulator_in_thread
from fireworks import Fireworks

from trimtab.clock import ManualClock
from trimtab.emulator import Emulation, Fault, FaultKind, Switches

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MODEL = "accounts/fireworks/models/gpt-oss-120b"
SHAPE = "accounts/fireworks/deploymentShapes/gpt-oss-120b-minimal"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_767_225_600.0)


@pytest.fixture
def emulation(clock: ManualClock) -> Emulation:
    return Emulation(clock, account="acct", api_key="right", accelerator_quota=64)


@pytest.fixture
def base_url(emulation: Emulation) -> Iterator[str]:
    with emulator_in_thread(emulation) as server:
        yield server.base_url


@pytest.fixture
def client(base_url: str) -> Iterator[Fireworks]:
    with Fireworks(api_key="right", account_id="acct", base_url=base_url, max_retries=0) as client:
        yield client


def create(client: Fireworks, deployment_id: str, **fields: object) -> None:
    client.deployments.create(
        base_model=MODEL, deployment_id=deployment_id, deployment_shape=SHAPE, **fields
    )


def test_a_created_deployment_starts_and_becomes_ready(
    client: Fireworks, clock: ManualClock
) -> None:
    made = client.deployments.create(
        base_model=MODEL,
        deployment_id="chat",
        deployment_shape=SHAPE,
        display_name="Chat",
        min_replica_count=1,
        max_replica_count=4,
        autoscaling_policy={"scale_down_window": "600s", "load_targets": {"default": 0.8}},
    )
    clock.advance(1800)
    later = client.deployments.get("chat")

    assert made.state == "CREATING"
    assert made.deployment_shape == f"{SHAPE}/versions/etmdyl20"
    assert made.accelerator_type == "NVIDIA_H200_141GB"
    assert made.autoscaling_policy is not None
    assert made.autoscaling_policy.load_targets == {"default": 0.8}
    assert later.state == "READY"
    assert later.replica_stats is not None
    assert later.replica_stats.ready_replica_count == 1


def test_a_deployment_without_an_id_gets_a_random_one(client: Fireworks) -> None:
    made = client.deployments.create(base_model=MODEL, deployment_shape="default")

    assert made.name is not None
    assert len(made.name.rsplit("/", 1)[-1]) == 8


def test_validate_only_stores_nothing(client: Fireworks) -> None:
    made = client.deployments.create(
        base_model=MODEL, deployment_id="ghost", deployment_shape=SHAPE, validate_only=True
    )

    assert made.name == "accounts/acct/deployments/ghost"
    with pytest.raises(fireworks.NotFoundError):
        client.deployments.get("ghost")


def test_a_list_of_three_pages_is_walked_to_its_end(client: Fireworks, clock: ManualClock) -> None:
    for index in range(7):
        create(client, f"d{index}")
        clock.advance(1)

    first = client.deployments.list(page_size=3)
    second = first.get_next_page()
    third = second.get_next_page()

    assert [len(page.deployments) for page in (first, second, third)] == [3, 3, 1]
    assert not third.has_next_page()
    assert [d.name for d in client.deployments.list(page_size=3)] == [
        f"accounts/acct/deployments/d{index}" for index in range(7)
    ]


def test_a_list_is_filtered_ordered_and_masked(client: Fireworks, clock: ManualClock) -> None:
    for index in range(3):
        create(client, f"d{index}", max_replica_count=index + 1)
        clock.advance(1)

    listed = client.deployments.list(
        filter='max_replica_count > 1 AND state="CREATING"',
        order_by="create_time desc",
        read_mask="name,max_replica_count",
    )

    assert [(d.name, d.max_replica_count, d.state) for d in listed] == [
        ("accounts/acct/deployments/d2", 3, None),
        ("accounts/acct/deployments/d1", 2, None),
    ]


def test_an_update_changes_what_it_names_and_nothing_else(client: Fireworks) -> None:
    create(client, "chat", display_name="Chat", max_replica_count=4)

    client.deployments.update("chat", base_model=MODEL, min_replica_count=2, max_replica_count=2)
    after = client.deployments.get("chat")

    assert (after.min_replica_count, after.max_replica_count) == (2, 2)
    assert after.desired_replica_count == 2
    assert after.display_name == "Chat"


def test_an_update_with_a_mask_resets_what_the_body_leaves_out(client: Fireworks) -> None:
    create(client, "chat", display_name="Chat", max_replica_count=4)

    client.deployments.update(
        "chat",
        base_model=MODEL,
        max_replica_count=3,
        extra_query={"updateMask": "max_replica_count,display_name"},
    )
    after = client.deployments.get("chat")

    assert after.max_replica_count == 3
    assert after.display_name is None


def test_scaling_moves_the_desired_count(client: Fireworks) -> None:
    create(client, "chat", max_replica_count=4)

    answer = client.deployments.scale("chat", replica_count=3)

    assert answer == {}
    assert client.deployments.get("chat").desired_replica_count == 3


def test_scaling_without_a_count_scales_to_zero(client: Fireworks) -> None:
    create(client, "chat", max_replica_count=4)

    client.deployments.scale("chat")

    # Zero is left out of the answer; absent means zero.
    assert client.deployments.get("chat").desired_replica_count is None


def test_a_deleted_deployment_can_be_undeleted(client: Fireworks, clock: ManualClock) -> None:
    create(client, "chat")

    client.deployments.delete("chat")
    during = client.deployments.get("chat").state
    clock.advance(60)
    after = client.deployments.get("chat")
    hidden = [d.name for d in client.deployments.list()]
    shown = [d.name for d in client.deployments.list(show_deleted=True)]
    back = client.deployments.undelete("chat", body={})

    assert (during, after.state, back.state) == ("DELETING", "DELETED", "CREATING")
    assert after.delete_time is not None
    assert after.purge_time is not None
    assert after.purge_time > after.delete_time
    assert (hidden, shown) == ([], ["accounts/acct/deployments/chat"])


def test_a_hard_deleted_deployment_is_gone_at_once(client: Fireworks) -> None:
    create(client, "chat")

    client.deployments.delete("chat", hard=True, ignore_checks=True)

    with pytest.raises(fireworks.NotFoundError):
        client.deployments.get("chat")


def test_shapes_of_the_public_account_are_read(client: Fireworks) -> None:
    shapes = list(client.deployment_shapes.list(account_id="fireworks", page_size=5))
    shape = client.deployment_shapes.get("llama-70b-throughput", account_id="fireworks")

    assert len(shapes) > 10
    assert (shape.accelerator_type, shape.accelerator_count) == ("NVIDIA_H100_80GB", 4)
    assert shape.parameter_count == "70000000000"


def test_versions_are_read_across_all_accounts(client: Fireworks) -> None:
    versions = list(
        client.deployment_shape_versions.list(
            "-", account_id="-", filter=f'latest_validated=true AND snapshot.base_model="{MODEL}"'
        )
    )
    one = client.deployment_shape_versions.get(
        "etmdyl20", deployment_shape_id="gpt-oss-120b-minimal", account_id="fireworks"
    )

    assert len(versions) == 6
    assert one.latest_validated is True
    assert one.snapshot is not None
    assert one.snapshot.preset_type == "MINIMAL"


def test_a_model_is_matched_to_its_shapes(client: Fireworks) -> None:
    found = client.deployment_shape_versions.match_for_model(MODEL)
    with_addons = client.deployment_shape_versions.match_for_model(MODEL, enable_addons=True)

    assert found.deployment_shape_versions is not None
    assert {v.snapshot.base_model for v in found.deployment_shape_versions if v.snapshot} == {MODEL}
    assert not with_addons.deployment_shape_versions


def test_the_account_is_found_by_listing(client: Fireworks) -> None:
    accounts = list(client.accounts.list(page_size=2))

    assert [account.name for account in accounts] == ["accounts/acct"]


@pytest.mark.parametrize(
    ("trigger", "error", "code"),
    [
        (lambda c: create(c, "x", max_replica_count=-1), fireworks.BadRequestError, 3),
        (lambda c: create(c, "x", extra_body={"loadTargets": {}}), fireworks.BadRequestError, 3),
        (
            lambda c: c.with_options(api_key="wrong").deployments.list(),
            fireworks.AuthenticationError,
            16,
        ),
        (lambda c: c.deployments.list(account_id="other"), fireworks.PermissionDeniedError, 7),
        (lambda c: c.deployments.get("missing"), fireworks.NotFoundError, 5),
        (lambda c: create(c, "taken"), fireworks.ConflictError, 6),
        (
            lambda c: create(c, "x", min_replica_count=99, max_replica_count=99),
            fireworks.RateLimitError,
            8,
        ),
        (lambda c: c.deployments.undelete("taken", body={}), fireworks.BadRequestError, 9),
    ],
)
def test_each_refusal_raises_the_right_class(
    client: Fireworks,
    trigger: Callable[[Fireworks], Any],
    error: type[fireworks.APIStatusError],
    code: int,
) -> None:
    create(client, "taken")

    with pytest.raises(error) as raised:
        trigger(client)

    body: Any = raised.value.body
    assert (body["code"], body["details"]) == (code, [])


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (409, fireworks.ConflictError),
        (429, fireworks.RateLimitError),
        (500, fireworks.InternalServerError),
        (503, fireworks.InternalServerError),
        (504, fireworks.InternalServerError),
    ],
)
def test_an_injected_failure_raises_the_right_class(
    client: Fireworks, emulation: Emulation, status: int, error: type[fireworks.APIStatusError]
) -> None:
    emulation.faults.add(Fault(FaultKind.ERROR, "ListDeployments", status=status))

    with pytest.raises(error) as raised:
        list(client.deployments.list())

    assert raised.value.status_code == status


def test_the_sdk_retries_through_a_short_outage(base_url: str, emulation: Emulation) -> None:
    emulation.faults.add(
        Fault(FaultKind.ERROR, count=2, status=503, retry_after_seconds=0, message="try again")
    )
    with Fireworks(api_key="right", account_id="acct", base_url=base_url, max_retries=2) as client:
        assert list(client.deployments.list()) == []


def test_a_create_whose_answer_was_lost_shows_as_a_conflict(
    client: Fireworks, emulation: Emulation
) -> None:
    emulation.faults.add(Fault(FaultKind.APPLIED_RESET, "CreateDeployment", count=1))

    with pytest.raises(fireworks.APIConnectionError):
        create(client, "chat")
    with pytest.raises(fireworks.ConflictError):
        create(client, "chat")

    assert client.deployments.get("chat").state == "CREATING"


def test_a_full_resource_name_as_id_is_not_found_unless_tolerated(
    client: Fireworks, emulation: Emulation
) -> None:
    create(client, "chat")
    name = "accounts/acct/deployments/chat"

    with pytest.raises(fireworks.NotFoundError):
        client.deployments.get(name)

    emulation.switches = Switches(full_name_ids="tolerate")
    assert client.deployments.get(name).name == name


def test_every_switch_of_rendering_keeps_the_sdk_working(
    client: Fireworks, emulation: Emulation
) -> None:
    create(client, "chat", autoscaling_policy={"load_targets": {"default": 0.8}})

    emulation.switches = Switches(
        emit_defaults=True, echo_policy_defaults=True, healthy_status=True, float32_noise=True
    )
    seen = client.deployments.get("chat")

    assert seen.enable_addons is False
    assert seen.autoscaling_policy is not None
    assert seen.autoscaling_policy.scale_down_window == "600s"
    assert seen.autoscaling_policy.load_targets == {"default": pytest.approx(0.8)}
    assert seen.status is not None
    assert seen.status.code == "OK"
