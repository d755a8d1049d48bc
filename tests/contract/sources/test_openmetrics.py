"""Engines over real sockets: what several endpoints say, put together."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.contract.sources.conftest import Answering
from tests.servers.prometheus import CHAT, CODE, PrometheusServer

from trimtab.clock import ManualClock
from trimtab.core.signals import Sample, SignalSpec
from trimtab.errors import ErrorKind, SourceError
from trimtab.sources.endpoints import Endpoints, Place
from trimtab.sources.histograms import quantile
from trimtab.sources.http import HttpReader
from trimtab.sources.openmetrics import OpenMetrics
from trimtab.sources.port import PartialAnswerError
from trimtab.sources.prometheus_api import PrometheusApi

NOW = 1_767_225_600.0


def spec(query: str, name: str = "load") -> SignalSpec:
    return SignalSpec(name=name, source="engines", query=query, max_age_seconds=60)


class Engines:
    """Four endpoints, by number; ``None`` does not answer."""

    def __init__(self, answering: Answering) -> None:
        self.clock = ManualClock(NOW)
        self.texts: list[str | None] = [None] * 4
        self.is_openmetrics = False
        self.url = answering.url
        self.made: list[OpenMetrics] = []
        answering.reply = self.reply

    async def reply(self, request: web.Request) -> web.StreamResponse:
        text = self.texts[int(request.path.rpartition("/")[2])]
        if text is None:
            return web.Response(status=503, text="starting")
        if self.is_openmetrics:
            kind = "application/openmetrics-text; version=1.0.0; charset=utf-8"
            return web.Response(body=text.encode(), headers={"Content-Type": kind})
        return web.Response(text=text)

    def source(
        self, endpoints: int = 4, *, places: Endpoints | None = None, **more: Any
    ) -> OpenMetrics:
        urls = tuple(f"{self.url}/{number}" for number in range(endpoints))
        one = OpenMetrics(
            self.clock,
            name="engines",
            endpoints=places or Endpoints({CHAT: Place(urls=urls)}),
            reader=HttpReader(self.url),
            **{"engine": "vllm", **more},
        )
        self.made.append(one)
        return one


@pytest.fixture
async def engines(answering: Answering) -> AsyncIterator[Engines]:
    engines = Engines(answering)
    yield engines
    for one in engines.made:
        await one.close()


def vllm(waiting: float, kv_use: float = 0.5) -> str:
    name = '{engine="0",model_name="m"}'
    return f"vllm:num_requests_waiting{name} {waiting}\nvllm:kv_cache_usage_perc{name} {kv_use}\n"


async def test_gauges_of_all_endpoints_are_added_or_averaged(engines: Engines) -> None:
    engines.texts = [vllm(1, 0.1), vllm(2, 0.2), vllm(3, 0.3), vllm(4, 0.4)]
    samples = await engines.source().poll({CHAT: [spec("waiting", "w"), spec("kv_use", "kv")]})
    assert samples == [
        Sample(CHAT, "w", NOW, 10.0),
        Sample(CHAT, "kv", NOW, pytest.approx(0.25), replicas=4),
    ]


async def test_each_endpoint_is_scraped_once_for_all_signals(
    engines: Engines, answering: Answering
) -> None:
    engines.texts = [vllm(1)] * 4
    await engines.source().poll(
        {CHAT: [spec("waiting"), spec("max(waiting)", "m"), spec("kv_use", "k")]}
    )
    assert len(answering.seen) == 4


async def test_an_average_over_some_endpoints_says_over_how_many_and_a_sum_is_unknown(
    engines: Engines,
) -> None:
    engines.texts = [vllm(1, 0.3), vllm(2, 0.3), vllm(3, 0.6), None]
    wanted = [spec("waiting", "w"), spec("max(waiting)", "m"), spec("kv_use", "kv")]
    with pytest.raises(PartialAnswerError) as caught:
        await engines.source().poll({CHAT: wanted})
    assert caught.value.samples == (Sample(CHAT, "kv", NOW, pytest.approx(0.4), replicas=3),)
    assert f"3 of 4 endpoints of {CHAT} answered" in str(caught.value)
    assert "/3 answered 503: starting" in str(caught.value)


async def test_a_sum_may_be_scaled_up_by_those_that_are_missing(engines: Engines) -> None:
    engines.texts = [vllm(1), vllm(2), vllm(3), None]
    with pytest.raises(PartialAnswerError) as caught:
        await engines.source(scales_up=True).poll({CHAT: [spec("waiting")]})
    assert [one.value for one in caught.value.samples] == [8.0]


async def test_an_endpoint_without_the_metric_is_missing_not_zero(engines: Engines) -> None:
    engines.texts = [vllm(1, 0.5), "other 1\n"]
    wanted = {CHAT: [spec("waiting", "w"), spec("kv_use", "kv")]}
    assert await engines.source(2).poll(wanted) == [Sample(CHAT, "kv", NOW, 0.5, replicas=1)]


async def test_metrics_that_were_renamed_are_found_under_either_name(engines: Engines) -> None:
    engines.texts = ["vllm:gpu_cache_usage_perc 0.75\n", "vllm:kv_cache_usage_perc 0.25\n"]
    [sample] = await engines.source(2).poll({CHAT: [spec("kv_use")]})
    assert (sample.value, sample.replicas) == (0.5, 2)


def tokens(*counts: float) -> list[str | None]:
    return [f"vllm:generation_tokens_total {count}\n" for count in counts]


async def test_counters_are_rates_that_survive_the_restart_of_an_engine(engines: Engines) -> None:
    source, wanted = engines.source(2), {CHAT: [spec("generated_tokens")]}
    engines.texts = tokens(1000, 5000)
    assert await source.poll(wanted) == []  # one scrape tells no rate
    engines.clock.advance(10)
    engines.texts = tokens(1100, 5300)
    [sample] = await source.poll(wanted)
    assert sample.value == pytest.approx(40.0)
    engines.clock.advance(10)
    engines.texts = tokens(50, 5600)  # the first began again from 0
    [sample] = await source.poll(wanted)
    assert sample.value == pytest.approx((150 + 600) / 20)


async def test_a_series_that_appears_at_an_engine_counts_from_zero(engines: Engines) -> None:
    source, wanted = engines.source(1), {CHAT: [spec("rate(done_total)")]}
    engines.texts = ['done_total{how="stop"} 10\n']
    await source.poll(wanted)
    engines.clock.advance(10)
    engines.texts = ['done_total{how="stop"} 20\ndone_total{how="length"} 30\n']
    [sample] = await source.poll(wanted)
    assert sample.value == pytest.approx(4.0)


async def test_nothing_is_remembered_of_what_is_gone(engines: Engines) -> None:
    source, wanted = engines.source(1), {CHAT: [spec("rate(done_total)")]}
    for number in range(50):
        engines.texts = ["".join(f'done_total{{id="{number}-{i}"}} 1\n' for i in range(20))]
        await source.poll(wanted)
        engines.clock.advance(5)
    [endpoint] = source._known.values()
    assert len(endpoint._counters) == 20


def ttft(*counts: float) -> str:
    bounds = ("0.1", "0.5", "1", "+Inf")
    name = "vllm:time_to_first_token_seconds_bucket"
    pairs = zip(bounds, counts, strict=True)
    return "".join(f'{name}{{le="{le}"}} {count}\n' for le, count in pairs)


async def test_quantiles_are_of_what_was_counted_lately_over_all_endpoints(
    engines: Engines,
) -> None:
    source, wanted = engines.source(2), {CHAT: [spec("quantile(0.5, time_to_first_token)")]}
    engines.texts = [ttft(100, 100, 100, 100), ttft(0, 0, 0, 900)]
    assert await source.poll(wanted) == []
    engines.clock.advance(10)
    engines.texts = [ttft(100, 120, 120, 120), ttft(0, 0, 20, 920)]
    [sample] = await source.poll(wanted)
    assert sample == Sample(CHAT, "load", NOW + 10, pytest.approx(0.5), replicas=2)


async def test_openmetrics_text_is_read_as_such(engines: Engines) -> None:
    engines.is_openmetrics = True
    engines.texts = ['waiting_now 3 # {a="b"} 1\n# EOF\n', "waiting_now 4\n"]
    [sample] = await engines.source(1).poll({CHAT: [spec("waiting_now")]})
    assert sample.value == 3.0
    with pytest.raises(PartialAnswerError, match=r"1 of 2 endpoints .* does not end in '# EOF'"):
        await engines.source(2).poll({CHAT: [spec("waiting_now")]})


@pytest.mark.parametrize("text", ["<html>\n", "a" * 100_000, '{"a": 1}'])
async def test_what_is_no_exposition_is_no_load(engines: Engines, text: str) -> None:
    engines.texts = [text]
    with pytest.raises(SourceError, match="0 of 1 endpoints") as caught:
        await engines.source(1).poll({CHAT: [spec("waiting")]})
    assert caught.value.kind is ErrorKind.BAD_RESPONSE


async def test_an_endpoint_with_too_many_series_is_refused(
    engines: Engines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trimtab.sources.scraped.SERIES_MAX", 10)
    engines.texts = ["".join(f'x{{i="{i}"}} 1\n' for i in range(11))]
    with pytest.raises(SourceError, match="more than 10 series"):
        await engines.source(1).poll({CHAT: [spec("x")]})


def groups(url: str, *numbers: int, deployment: str = "chat") -> str:
    target = url.removeprefix("http://")
    return json.dumps(
        [
            {"targets": [target], "labels": {"deployment": deployment, "__metrics_path__": f"/{n}"}}
            for n in numbers
        ]
    )


async def test_a_file_of_targets_is_followed_and_its_last_good_state_kept(
    engines: Engines, tmp_path: Path
) -> None:
    engines.texts = [vllm(1), vllm(2), vllm(4), vllm(8)]
    file = tmp_path / "targets.json"
    source = engines.source(places=Endpoints({}, file))
    wanted = {CHAT: [spec("waiting")], CODE: [spec("waiting")]}

    async def heard(text: str, *, again_at: int) -> tuple[list[float], str]:
        file.write_text(text)
        os.utime(file, (again_at, again_at))
        try:
            return [one.value for one in await source.poll(wanted)], ""
        except PartialAnswerError as error:
            return [one.value for one in error.samples], str(error)

    values, told = await heard(groups(engines.url, 0, 1), again_at=1)
    assert values == [3.0]
    assert f"no endpoint of {CODE} is known" in told
    values, _ = await heard(groups(engines.url, 0, 1, 2), again_at=2)
    assert values == [7.0]
    for number, broken in enumerate(
        ["[", "{}", '[{"targets": 1}]', '[{"targets": [], "labels": {}}]']
    ):
        values, told = await heard(broken, again_at=3 + number)
        assert values == [7.0]
        assert "cannot be used" in told


async def test_a_name_stands_for_each_of_its_addresses(engines: Engines) -> None:
    engines.texts = [vllm(3)] * 4
    port = int(engines.url.rpartition(":")[2])
    source = engines.source(places=Endpoints({CHAT: Place(dns=f"127.0.0.1:{port}", path="/0")}))
    [sample] = await source.poll({CHAT: [spec("waiting")]})
    assert sample.value == 3.0


async def test_a_name_that_does_not_resolve_is_told(engines: Engines) -> None:
    source = engines.source(places=Endpoints({CHAT: Place(dns="no-such-name.invalid:80")}))
    with pytest.raises(SourceError, match=r"no-such-name\.invalid does not resolve"):
        await source.poll({CHAT: [spec("waiting")]})


async def test_only_deployments_with_endpoints_are_served(engines: Engines) -> None:
    source = engines.source()
    assert (source.serves(CHAT), source.serves(CODE)) == (True, False)
    assert (source.name, source.endpoint) == ("engines", "vllm")


@pytest.mark.parametrize("q", [0.0, 0.05, 0.3, 0.5, 0.8, 0.9, 0.95, 1.0])
async def test_our_quantile_is_that_of_a_real_prometheus(
    prometheus: PrometheusServer, q: float
) -> None:
    reader = HttpReader(prometheus.url)
    api, at = PrometheusApi(reader), prometheus.started_at
    buckets = await api.fetch_instant("rate(wait_bucket[2m])", at)
    theirs = await api.fetch_instant(f"histogram_quantile({q}, rate(wait_bucket[2m]))", at)
    await reader.close()
    ours = quantile(q, {float(one.labels["le"]): one.points[0][1] for one in buckets.series})
    assert ours == pytest.approx(theirs.series[0].points[0][1])
