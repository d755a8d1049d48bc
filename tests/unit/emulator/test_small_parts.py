"""Rate limits, hardware, catalogue, server: the parts that need no world around them."""

from __future__ import annotations

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.clock import ManualClock, ScaledClock, SystemClock
from trimtab.emulator import Emulation, EmulatorServer, catalog, hardware, schema
from trimtab.emulator.events import EVENTS_MAX, EventLog
from trimtab.emulator.ratelimit import TokenBucket
from trimtab.errors import SettingsError


@given(st.lists(st.floats(0, 30), max_size=80), st.sampled_from([6.0, 60.0, 6000.0]))
def test_no_minute_lets_more_through_than_a_full_bucket_and_its_refill(
    pauses: list[float], per_minute: float
) -> None:
    bucket = TokenBucket(per_minute)
    now, passed = 0.0, []
    for pause in pauses:
        now += pause
        if bucket.take(now) is None:
            passed.append(now)

    for start in passed:
        assert sum(start <= at <= start + 60 for at in passed) <= 2 * per_minute + 1


@given(st.floats(0, 1e9), st.sampled_from([6.0, 7.0, 6000.0]))
def test_waiting_as_long_as_told_is_enough(start: float, per_minute: float) -> None:
    bucket = TokenBucket(per_minute)
    while (wait := bucket.take(start)) is None:
        pass

    assert wait >= 1
    assert bucket.take(start + wait) is None


def test_a_long_silence_does_not_fill_the_bucket_beyond_its_size() -> None:
    bucket = TokenBucket(6)
    bucket.take(0.0)

    assert sum(bucket.take(1e6) is None for _ in range(20)) == 6


@pytest.mark.parametrize("row", catalog.SHAPES, ids=lambda row: row.id)
def test_every_shape_of_the_catalogue_can_serve(row: catalog.ShapeRow) -> None:
    model = next(model for model in catalog.MODELS if model.id == row.model)
    serving = hardware.serving_model_for(
        model.billions,
        model.active_billions,
        row.accelerator_type,
        row.accelerator_count,
        row.precision,
    )

    assert row.accelerator_type in schema.ACCELERATORS
    assert row.precision in schema.PRECISIONS
    assert row.preset in schema.PRESETS
    assert serving.kv_capacity_tokens > 10_000
    assert 0.5 < serving.iteration_ms(1, 1000) < 60


@pytest.mark.parametrize(
    ("billions", "kind", "count", "name"),
    [
        (8, "NVIDIA_H100_80GB", 1, "8b-h100"),
        (8, "NVIDIA_A100_80GB", 1, "8b-a100"),
        (70, "NVIDIA_H100_80GB", 4, "70b-4xh100"),
        (70, "NVIDIA_A100_80GB", 4, "70b-4xa100"),
    ],
)
def test_measured_presets_are_used_and_derived_models_come_close(
    billions: float, kind: str, count: int, name: str
) -> None:
    preset = hardware.serving_model_for(billions, billions, kind, count, "BF16")
    # A hair off the preset's size, the same hardware is derived from data sheets instead.
    derived = hardware.serving_model_for(billions + 0.6, billions + 0.6, kind, count, "BF16")

    assert preset.name == name
    assert derived.name != name
    assert derived.weight_read_ms == pytest.approx(preset.weight_read_ms, rel=0.35)
    assert derived.kv_capacity_tokens == pytest.approx(preset.kv_capacity_tokens, rel=0.35)


def test_regions_follow_hardware_and_scope() -> None:
    assert catalog.regions_for("NVIDIA_H200_141GB", "EUROPE") == ("EU_ICELAND_1", "EU_ICELAND_2")
    assert catalog.regions_for("NVIDIA_A100_80GB", "APAC") == ()
    assert all(
        region in schema.REGIONS
        for regions in catalog.REGIONS_BY_ACCELERATOR.values()
        for region in regions
    )


def test_the_event_log_is_bounded_and_numbers_go_on() -> None:
    log = EventLog()
    for index in range(EVENTS_MAX + 10):
        log.add(float(index), "tick", "x")

    assert len(log.since()) == EVENTS_MAX
    assert log.since()[-1].sequence == EVENTS_MAX + 10


async def test_the_server_picks_a_free_port_and_lives_on_a_scaled_clock() -> None:
    emulation = Emulation(ScaledClock(speed=1000.0, start=0.0), account="acct")
    deployment = emulation.add_deployment("acct", "d1", shape="llama-8b-minimal", min=1)
    async with EmulatorServer(emulation) as server, aiohttp.ClientSession() as session:
        url = f"{server.base_url}/v1/accounts/acct/deployments/d1"
        seen = {}
        for _ in range(400):
            async with session.get(url, headers={"X-Api-Key": "k"}) as response:
                seen = await response.json()
            if seen["state"] == "READY":
                break
            await emulation.clock.sleep(20)

    assert seen["replicaStats"] == {"readyReplicaCount": 1}
    assert deployment.plant.now > 60


async def test_time_passes_while_nobody_asks() -> None:
    clock = ManualClock(0.0)
    emulation = Emulation(clock, account="acct")
    deployment = emulation.add_deployment("acct", "d1", shape="llama-8b-minimal", min=1)
    async with EmulatorServer(emulation):
        import asyncio

        for _ in range(200):
            await asyncio.sleep(0)
            clock.advance(10)

    assert deployment.state == "READY"


async def test_a_port_that_is_taken_is_an_os_error() -> None:
    async with EmulatorServer(Emulation(ManualClock())) as first:
        port = int(first.base_url.rsplit(":", 1)[1])
        with pytest.raises(OSError, match="in use"):
            async with EmulatorServer(Emulation(ManualClock()), port=port):
                pass


def test_only_a_clock_that_can_jump_is_moved() -> None:
    emulation = Emulation(SystemClock())

    with pytest.raises(SettingsError, match="cannot be moved by hand"):
        emulation.jump(10)


def test_an_account_is_opened_once() -> None:
    emulation = Emulation(ManualClock(), account="acct")

    with pytest.raises(SettingsError, match="already has an account"):
        emulation.add_account("acct")
