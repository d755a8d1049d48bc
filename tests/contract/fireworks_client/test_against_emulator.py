"""Client and target against the emulated control plane: both sides of one contract, by one order."""

from __future__ import annotations

import asyncio
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.clock import ManualClock
from trimtab.core.decision import Order, Reason, WriteStatus
from trimtab.core.deployment import State
from trimtab.core.fleet_policy import Pool, Quota, QuotaSource
from trimtab.core.policy import Actuation
from trimtab.emulator.emulation import Emulation
from trimtab.emulator.faults import Fault, FaultKind
from trimtab.emulator.hardware import ACCELERATORS
from trimtab.emulator.server import EmulatorServer
from trimtab.emulator.switches import Switches
from trimtab.errors import ErrorKind
from trimtab.targets.fireworks import (
    FireworksAccount,
    FireworksClient,
    FireworksError,
    FireworksTarget,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from trimtab.core.deployment import Deployment

KEY = "fw_emulated_key"
D1 = "accounts/acct/deployments/d1"
SHAPE = "gpt-oss-120b-throughput"
MODEL = "accounts/fireworks/models/gpt-oss-120b"


class JumpingClock(ManualClock):
    """Time that passes by sleeping, at once."""

    def __init__(self) -> None:
        super().__init__(1_790_000_000.0)

    async def sleep(self, seconds: float) -> None:
        self.advance(seconds)
        await asyncio.sleep(0)


class SharedClock:
    """The client's clock as the emulator sees it: time passes when the client sleeps, not else."""

    def __init__(self, clients: Any) -> None:
        self.now = clients.now
        self.monotonic = clients.monotonic

    async def sleep(self, seconds: float) -> None:
        await asyncio.Event().wait()  # its requests bring the emulator up to date


@pytest.fixture
async def emulation(clock: Any) -> Emulation:
    emulated = Emulation(SharedClock(clock), account="acct", api_key=KEY, accelerator_quota=24)
    emulated.add_deployment("acct", "d1", shape=SHAPE, min=1, max=4, replicas_ready=1)
    return emulated


@pytest.fixture
async def emulator(emulation: Emulation) -> AsyncIterator[EmulatorServer]:
    async with EmulatorServer(emulation) as listening:
        yield listening


@pytest.fixture
def emulated_account(emulator: EmulatorServer) -> FireworksAccount:
    return FireworksAccount(account_id="acct", api_key=KEY, base_url=emulator.base_url)


@pytest.fixture
async def api(emulated_account: FireworksAccount, clock: Any) -> AsyncIterator[FireworksClient]:
    async with FireworksClient(emulated_account, clock, rng=Random(7)) as opened:
        yield opened


@pytest.fixture
async def fleet_target(
    emulated_account: FireworksAccount, clock: Any
) -> AsyncIterator[FireworksTarget]:
    opened = FireworksTarget(emulated_account, clock, rng=Random(7))
    yield opened
    await opened.close()


def order(seen: Deployment, low: int, high: int, actuation: Actuation = Actuation.PIN) -> Order:
    return Order(
        deployment=D1,
        policy="chat",
        at=1_790_000_000.0,
        actuation=actuation,
        from_replicas=seen.desired_replicas,
        to_replicas=low,
        min_replicas=low,
        max_replicas=high,
        expected_state=seen.state_text,
        expected_min_replicas=seen.min_replicas,
        expected_max_replicas=seen.max_replicas,
        lower=0,
        upper=4,
        user_min_replicas=1,
        user_max_replicas=4,
        reason=Reason.DEMAND,
        sentence="",
    )


async def test_the_fleet_is_read_with_its_hardware(fleet_target: FireworksTarget) -> None:
    fleet = await fleet_target.read_fleet()
    deployment = fleet[D1]
    assert deployment.state is State.READY
    assert (deployment.min_replicas, deployment.max_replicas) == (1, 4)
    assert deployment.pipeline.ready == 1
    assert deployment.shape.accelerators_per_replica == 4
    assert deployment.shape.accelerator_type == "NVIDIA_H100_80GB"
    assert deployment.shape.preset == "THROUGHPUT"
    assert deployment.shape.name == f"accounts/fireworks/deploymentShapes/{SHAPE}"


@pytest.mark.parametrize(
    ("actuation", "low", "high"),
    [
        (Actuation.PIN, 3, 3),
        (Actuation.PIN, 0, 0),
        (Actuation.FLOOR, 2, 4),
        (Actuation.FLOOR, 5, 5),
    ],
)
async def test_orders_on_bounds_are_carried_out(
    fleet_target: FireworksTarget,
    actuation: Actuation,
    low: int,
    high: int,
) -> None:
    seen = (await fleet_target.read_fleet())[D1]
    result = await fleet_target.write(order(seen, low, high, actuation))
    assert result.status is WriteStatus.APPLIED, result.sentence
    assert result.deployment is not None
    assert (result.deployment.min_replicas, result.deployment.max_replicas) == (low, high)
    assert result.deployment.annotations["trimtab.dev/user-bounds"] == "1-4"


async def test_a_quota_that_is_used_up_is_told_apart_and_changes_nothing(
    fleet_target: FireworksTarget,
) -> None:
    seen = (await fleet_target.read_fleet())[D1]
    result = await fleet_target.write(order(seen, 9, 9))
    assert (result.status, result.error_kind) == (
        WriteStatus.NOT_APPLIED,
        ErrorKind.QUOTA_EXCEEDED,
    )
    assert (await fleet_target.read_fleet())[D1].min_replicas == 1
    told = Quota(Pool("NVIDIA_H100_80GB"), 24, QuotaSource.REFUSAL)
    assert result.quota is not None
    assert (result.quota.quota, result.quota.used) == (told, 4.0)


async def test_a_refusal_and_the_quotas_themselves_say_the_same_of_what_is_in_use(
    fleet_target: FireworksTarget, emulation: Emulation
) -> None:
    seen = (await fleet_target.read_fleet())[D1]
    emulation.account.quotas["global--h100-count"].usage = 12  # they train
    refused = (await fleet_target.write(order(seen, 9, 9))).quota
    told = {one.quota.pool: one for one in (await fleet_target.read_quotas()).readings}
    assert refused is not None
    reading = told[refused.quota.pool]
    assert (reading.quota.accelerators, reading.used) == (24, 16.0)
    assert (refused.quota.accelerators, refused.used) == (24, 16.0)


async def test_every_accelerator_quota_of_an_account_is_understood(
    fleet_target: FireworksTarget,
) -> None:
    told = await fleet_target.read_quotas()
    assert {one.quota.pool for one in told.readings} == {Pool(kind) for kind in ACCELERATORS}
    assert told.not_understood == ()


async def test_a_scale_order_is_carried_out(fleet_target: FireworksTarget) -> None:
    seen = (await fleet_target.read_fleet())[D1]
    result = await fleet_target.write(order(seen, 3, 4, Actuation.SCALE))
    assert result.status is WriteStatus.APPLIED, result.sentence


async def test_bounds_survive_a_server_that_replaces_what_no_mask_names(
    fleet_target: FireworksTarget, emulation: Emulation
) -> None:
    emulation.switches = Switches(mask_absent="replace", require_base_model_on_patch=True)
    before = (await fleet_target.read_fleet())[D1]
    result = await fleet_target.write(order(before, 2, 2))
    assert result.status is WriteStatus.APPLIED, result.sentence
    assert result.deployment is not None
    assert result.deployment.shape == before.shape
    assert result.deployment.base_model == before.base_model


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.APPLIED_ERROR,
        FaultKind.APPLIED_RESET,
        FaultKind.ERROR,
        FaultKind.RESET,
        FaultKind.TRUNCATED_JSON,
        FaultKind.EMPTY_BODY,
        FaultKind.WRONG_TYPE,
    ],
)
async def test_a_write_arrives_once_through_every_single_fault(
    fleet_target: FireworksTarget, emulation: Emulation, kind: FaultKind
) -> None:
    seen = (await fleet_target.read_fleet())[D1]
    emulation.faults.add(Fault(kind, operation="UpdateDeployment", count=1))
    result = await fleet_target.write(order(seen, 3, 3))
    assert emulation.faults.armed() == [] or all(f.count == 0 for f in emulation.faults.armed())
    assert result.status is WriteStatus.APPLIED, result.sentence
    found = (await fleet_target.read_fleet())[D1]
    assert (found.min_replicas, found.max_replicas) == (3, 3)


STRIKES = st.lists(
    st.tuples(
        st.sampled_from(
            [
                FaultKind.ERROR,
                FaultKind.APPLIED_ERROR,
                FaultKind.RESET,
                FaultKind.APPLIED_RESET,
                FaultKind.HTML,
                FaultKind.TRUNCATED_JSON,
                FaultKind.EMPTY_BODY,
                FaultKind.WRONG_TYPE,
            ]
        ),
        st.sampled_from(["UpdateDeployment", "GetDeployment"]),
        st.integers(1, 3),
        st.sampled_from([400, 403, 409, 429, 500, 503, 504]),
    ),
    max_size=4,
)


@settings(max_examples=60, deadline=None)
@given(
    strikes=STRIKES,
    low=st.sampled_from([0, 2, 3, 4]),
    more=st.integers(0, 2),
    is_floor=st.booleans(),
)
def test_whatever_strikes_the_outcome_is_never_claimed_wrongly(
    strikes: list[tuple[FaultKind, str, int, int]], low: int, more: int, is_floor: bool
) -> None:
    """Applied means that the control plane has it, not applied that it has not; never an exception.

    ``unknown`` may be either, but only after a failure.
    """

    async def one_write() -> None:
        clock = JumpingClock()
        emulation = Emulation(SharedClock(clock), account="acct", api_key=KEY, accelerator_quota=99)
        real = emulation.add_deployment("acct", "d1", shape=SHAPE, min=1, max=4, replicas_ready=1)
        async with EmulatorServer(emulation) as listening:
            account = FireworksAccount(account_id="acct", api_key=KEY, base_url=listening.base_url)
            target = FireworksTarget(account, clock, rng=Random(7))
            seen = (await target.read_fleet())[D1]
            for kind, operation, count, drawn_status in strikes:
                # A refusal is believed: a server that says 4xx and does it all the same is a liar.
                status = 503 if kind is FaultKind.APPLIED_ERROR else drawn_status
                emulation.faults.add(Fault(kind, operation=operation, count=count, status=status))
            wish = (
                order(seen, low, max(low, 4), Actuation.FLOOR)
                if is_floor
                else order(seen, low, low + more)
            )
            result = await target.write(wish)
            await target.close()
        has_it = (real.minimum, real.maximum) == (wish.min_replicas, wish.max_replicas)
        match result.status:
            case WriteStatus.APPLIED:
                assert has_it, result.sentence
            case WriteStatus.NOT_APPLIED:
                assert not has_it, result.sentence
            case _:
                assert strikes
                assert result.error_kind is not None
        assert result.sentence.startswith(D1)
        assert KEY not in result.sentence

    asyncio.run(one_write())


async def test_a_stale_read_after_a_write_is_seen_through(
    fleet_target: FireworksTarget, emulation: Emulation
) -> None:
    seen = (await fleet_target.read_fleet())[D1]
    emulation.faults.add(Fault(FaultKind.STALE_READ, operation="GetDeployment", count=1))
    assert (await fleet_target.write(order(seen, 3, 3))).status is WriteStatus.APPLIED


@pytest.mark.parametrize("kind", [FaultKind.HTML, FaultKind.TRUNCATED_JSON, FaultKind.WRONG_TYPE])
async def test_a_fleet_that_cannot_be_read_is_an_error_and_never_an_empty_fleet(
    fleet_target: FireworksTarget, emulation: Emulation, kind: FaultKind
) -> None:
    await fleet_target.read_fleet()
    emulation.faults.add(Fault(kind, operation="ListDeployments"))
    with pytest.raises(FireworksError):
        await fleet_target.read_fleet()


async def test_every_rendering_of_the_same_deployment_reads_the_same(
    fleet_target: FireworksTarget, emulation: Emulation
) -> None:
    plain = (await fleet_target.read_fleet())[D1]
    emulation.switches = Switches(
        emit_defaults=True, echo_policy_defaults=True, healthy_status=True, float32_noise=True
    )
    assert (await fleet_target.read_fleet())[D1] == plain


async def test_a_deployment_is_created_once_deleted_brought_back_and_gone(
    api: FireworksClient, clock: Any
) -> None:
    fields = {
        "baseModel": MODEL,
        "deploymentShape": f"accounts/fireworks/deploymentShapes/{SHAPE}",
        "minReplicaCount": 0,
        "maxReplicaCount": 1,
    }
    created = await api.create_deployment(fields, deployment="d2")
    assert (created.state, created.max_replica_count) == ("CREATING", 1)
    with pytest.raises(FireworksError) as caught:
        await api.create_deployment(fields, deployment="d2")
    assert (caught.value.kind, caught.value.grpc_name) == (ErrorKind.CONFLICT, "ALREADY_EXISTS")
    await api.delete_deployment("d2", ignore_checks=True)
    assert (await api.get_deployment("d2")).state in {"DELETING", "DELETED"}
    clock.advance(3600)
    assert (await api.get_deployment("d2")).state == "DELETED"
    assert (await api.undelete_deployment("d2")).state in {"CREATING", "UPDATING", "READY"}
    await api.delete_deployment("d2", hard=True, ignore_checks=True)
    clock.advance(3600)
    with pytest.raises(FireworksError) as caught:
        await api.get_deployment("d2")
    assert caught.value.kind is ErrorKind.NOT_FOUND


async def test_every_page_of_a_long_list_is_read(
    api: FireworksClient, emulation: Emulation
) -> None:
    for number in range(2, 9):
        emulation.add_deployment("acct", f"d{number}", shape=SHAPE)
    found = [d.name async for d in api.list_deployments(page_size=3)]
    assert sorted(found) == [f"accounts/acct/deployments/d{number}" for number in range(1, 9)]
    named = [d async for d in api.list_deployments(filter_text="min_replica_count=1")]
    assert [d.name for d in named] == [D1]


async def test_shapes_versions_quotas_and_the_account_are_read(api: FireworksClient) -> None:
    shape = await api.get_shape(f"accounts/fireworks/deploymentShapes/{SHAPE}")
    assert shape.accelerator_count == 4
    versions = [version async for version in api.list_shape_versions(shape.name)]
    (latest,) = (version for version in versions if version.is_latest_validated)
    assert (await api.get_shape_version(latest.name)).snapshot == latest.snapshot
    matched = await api.match_shapes(MODEL)
    assert latest.name in {version.name for version in matched}
    assert shape.name in {s.name async for s in api.list_shapes(account_id="fireworks")}
    quotas = [quota async for quota in api.list_quotas()]
    assert quotas
    assert await api.get_quota(quotas[0].name) == quotas[0]
    assert (await api.get_account()).name == "accounts/acct"
    assert [shard async for shard in api.list_shards("d1")]


async def test_reading_what_is_documented_leaves_nothing_unknown(api: FireworksClient) -> None:
    deployment = await api.get_deployment("d1")
    shape = await api.get_shape_version(deployment.deployment_shape)
    account = await api.get_account()
    assert deployment.unknown_fields == {}
    assert shape.unknown_fields == {}
    assert account.unknown_fields == {}


async def test_scrapes_stay_below_the_servers_own_limit(api: FireworksClient, clock: Any) -> None:
    for _ in range(8):
        assert "sum_by_deployment" in await api.scrape_metrics()
    assert sum(clock.slept) == pytest.approx(7 * 12.0, abs=0.1)


@pytest.mark.parametrize(
    ("key", "account_id", "kinds"),
    [
        ("wrong", "acct", {ErrorKind.UNAUTHENTICATED}),
        (KEY, "nobody", {ErrorKind.FORBIDDEN, ErrorKind.NOT_FOUND}),
    ],
)
async def test_a_wrong_key_or_account_is_said_in_a_sentence(
    emulator: EmulatorServer, clock: Any, key: str, account_id: str, kinds: set[ErrorKind]
) -> None:
    account = FireworksAccount(account_id=account_id, api_key=key, base_url=emulator.base_url)
    target = FireworksTarget(account, clock)
    with pytest.raises(FireworksError) as caught:
        await target.read_fleet()
    await target.close()
    assert caught.value.kind in kinds
    assert str(caught.value).startswith("Listing deployments of account")


async def test_two_accounts_are_two_targets_that_do_not_see_each_other(
    emulator: EmulatorServer,
    emulation: Emulation,
    fleet_target: FireworksTarget,
    clock: Any,
) -> None:
    emulation.add_account("second", api_key="fw_second")
    emulation.add_deployment("second", "d9", shape=SHAPE, min=1, max=1, replicas_ready=1)
    second = FireworksTarget(
        FireworksAccount(account_id="second", api_key="fw_second", base_url=emulator.base_url),
        clock,
    )
    first_fleet, second_fleet = await asyncio.gather(fleet_target.read_fleet(), second.read_fleet())
    await second.close()
    assert set(first_fleet) == {D1}
    assert set(second_fleet) == {"accounts/second/deployments/d9"}
