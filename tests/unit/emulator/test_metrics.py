"""The account metrics endpoint: text, freshness, limits, gaps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from trimtab.emulator import Emulation, Fault, FaultKind, Switches
from trimtab.plant import ConstantWorkload, Load

if TYPE_CHECKING:
    from conftest import Api
    from trimtab.clock import ManualClock

NAMES = {
    "request_counter_total:sum_by_deployment",
    "tokens_cached_prompt_total:sum_by_deployment",
    "tokens_prompt_total:sum_by_deployment",
    "latency_generation_per_token_ms_bucket:sum_by_deployment",
    "latency_generation_queue_ms_bucket:sum_by_deployment",
    "latency_overall_ms_bucket:sum_by_deployment",
    "latency_to_first_token_ms_bucket:sum_by_deployment",
    "latency_prefill_ms_bucket:sum_by_deployment",
    "latency_prefill_queue_ms_bucket:sum_by_deployment",
    "tokens_generated_per_request_bucket:sum_by_deployment",
    "tokens_prompt_per_request_bucket:sum_by_deployment",
    "generator_kv_blocks_fraction:avg_by_deployment",
    "generator_kv_slots_fraction:avg_by_deployment",
    "generator_model_forward_time:avg_by_deployment",
    "requests_coordinator_concurrent_count:avg_by_deployment",
    "prefiller_prompt_cache_ttl:avg_by_deployment",
}

Series = dict[str, list[tuple[dict[str, str], float]]]


def parse(text: str) -> Series:
    series: Series = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            series.setdefault(sample.name, []).append((sample.labels, sample.value))
    return series


async def scrape(api: Api) -> Series:
    answer = await api.get("metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    return parse(answer.text)


def seeded(emulation: Emulation, rate: float = 10.0, replicas: int = 2) -> None:
    emulation.add_deployment(
        "acct",
        "d1",
        shape="llama-8b-minimal",
        workload=ConstantWorkload(Load(rate, 512, 128)),
        min=replicas,
        max=replicas,
        replicas_ready=replicas,
    )


async def test_every_documented_series_is_there_with_its_labels(
    api: Api, emulation: Emulation, clock: ManualClock
) -> None:
    seeded(emulation)
    clock.advance(300)

    series = await scrape(api)

    assert set(series) == NAMES
    labels, rate = series["request_counter_total:sum_by_deployment"][0]
    assert rate == pytest.approx(10.0, rel=0.3)
    assert labels == {
        "base_model": "accounts/fireworks/models/llama-v3p1-8b-instruct",
        "deployment": "accounts/acct/deployments/d1",
        "deployment_account": "acct",
        "deployment_id": "d1",
    }


async def test_histograms_are_cumulative_and_end_in_infinity(
    api: Api, emulation: Emulation, clock: ManualClock
) -> None:
    seeded(emulation)
    clock.advance(300)

    series = await scrape(api)
    rate = series["request_counter_total:sum_by_deployment"][0][1]

    for name in (name for name in NAMES if "_bucket" in name):
        counts = [value for _, value in series[name]]
        assert series[name][-1][0]["le"] == "+Inf"
        assert counts == sorted(counts)
        assert counts[-1] == pytest.approx(rate, rel=0.3)


async def test_buckets_count_requests_if_the_switch_says_so(
    api: Api, emulation: Emulation, clock: ManualClock
) -> None:
    emulation.switches = Switches(bucket_values="count")
    seeded(emulation)
    clock.advance(300)

    series = await scrape(api)

    assert series["latency_overall_ms_bucket:sum_by_deployment"][-1][1] == pytest.approx(
        600, rel=0.3
    )


async def test_values_change_every_thirty_seconds_and_not_between(
    api: Api, emulation: Emulation, clock: ManualClock
) -> None:
    seeded(emulation)
    clock.advance(120)
    texts = []
    for seconds in (0, 29, 2, 28):
        clock.advance(seconds)
        texts.append((await api.get("metrics")).text)

    assert texts[0] == texts[1]
    assert texts[1] != texts[2]
    assert texts[2] == texts[3]


async def test_the_first_scrape_after_a_long_pause_is_as_of_now(
    api: Api, emulation: Emulation, clock: ManualClock
) -> None:
    seeded(emulation, rate=2.0)
    clock.advance(60)
    await api.get("metrics")
    deployment = emulation.deployments["accounts/acct/deployments/d1"]
    deployment.set_workload(ConstantWorkload(Load(20.0, 512, 128)))
    clock.advance(3611)

    rate = (await scrape(api))["request_counter_total:sum_by_deployment"][0][1]

    assert rate == pytest.approx(20.0, rel=0.3)


async def test_the_seventh_scrape_in_a_minute_is_refused(api: Api, clock: ManualClock) -> None:
    statuses = [(await api.get("metrics")).status for _ in range(6)]
    refused = await api.get("metrics")
    clock.advance(int(refused.headers["Retry-After"]))

    assert statuses == [200] * 6
    assert (refused.status, refused.json["code"]) == (429, 8)
    assert (await api.get("metrics")).status == 200


@pytest.mark.parametrize(("scope", "factor"), [("replica", 1.0), ("total", 2.0)])
async def test_concurrency_is_per_replica_or_total(
    api: Api, emulation: Emulation, clock: ManualClock, scope: str, factor: float
) -> None:
    emulation.switches = Switches(concurrency_scope=scope)
    seeded(emulation)
    clock.advance(600)
    shown = (await scrape(api))["requests_coordinator_concurrent_count:avg_by_deployment"][0][1]
    per_replica = emulation.deployments["accounts/acct/deployments/d1"].plant.window(clock.now())

    assert per_replica.concurrent_requests_per_replica is not None
    assert shown == pytest.approx(per_replica.concurrent_requests_per_replica * factor)


async def test_refused_requests_show_by_status(
    api: Api, emulation: Emulation, clock: ManualClock
) -> None:
    seeded(emulation, rate=400.0, replicas=1)
    clock.advance(1800)

    errors = (await scrape(api))["requests_error_total:sum_by_deployment"]

    assert [labels["http_code"] for labels, _ in errors] == ["429"]
    assert errors[0][1] > 100


async def test_a_deployment_at_zero_has_no_series_unless_the_switch_says_so(
    api: Api, emulation: Emulation, clock: ManualClock
) -> None:
    emulation.add_deployment("acct", "zero", shape="llama-8b-minimal", min=0, max=0)
    clock.advance(60)
    absent = await scrape(api)
    emulation.switches = Switches(series_at_zero=True)
    clock.advance(60)
    shown = await scrape(api)

    assert absent == {}
    assert shown["request_counter_total:sum_by_deployment"][0][1] == 0.0
    # No replica has no occupancy; that is not an occupancy of zero.
    assert "generator_kv_blocks_fraction:avg_by_deployment" not in shown


async def test_a_gap_hides_one_deployment_for_a_while(
    api: Api, emulation: Emulation, clock: ManualClock
) -> None:
    seeded(emulation)
    emulation.faults.add(Fault(FaultKind.METRICS_GAP, target="*/d1", until=clock.now() + 100))
    clock.advance(60)
    during = await scrape(api)
    clock.advance(90)
    after = await scrape(api)

    assert during == {}
    assert set(after) == NAMES


async def test_type_lines_can_be_left_out(
    api: Api, emulation: Emulation, clock: ManualClock
) -> None:
    seeded(emulation)
    emulation.switches = Switches(metrics_type_lines=False)
    clock.advance(60)

    assert "#" not in (await api.get("metrics")).text
