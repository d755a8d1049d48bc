"""The Prometheus source against a real Prometheus, and against answers that it could give."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from tests.contract.sources.conftest import Answering
from tests.servers.prometheus import CHAT, CODE, STOPPED_SECONDS_AGO, PrometheusServer

from trimtab.clock import ManualClock
from trimtab.core.signals import Sample, SignalSpec
from trimtab.errors import ErrorKind, SourceError
from trimtab.sources.http import Access, HttpReader
from trimtab.sources.polled import PolledSource
from trimtab.sources.port import PartialAnswerError
from trimtab.sources.prometheus import PrometheusReader, is_selector
from trimtab.sources.prometheus_api import PrometheusApi

Make = Callable[..., PolledSource]
NOW = 1_767_225_600.0


def spec(query: str, name: str = "load", max_age: float = 300) -> SignalSpec:
    return SignalSpec(name=name, source="prom", query=query, max_age_seconds=max_age)


@pytest.fixture
async def source() -> AsyncIterator[Make]:
    made: list[PolledSource] = []

    def make(
        url: str,
        *,
        now: float = NOW,
        access: Access | None = None,
        timeout: float = 5.0,
        **more: Any,
    ) -> PolledSource:
        reader = HttpReader(url, access=access)
        api = PrometheusApi(reader, timeout_seconds=timeout)
        asked = PrometheusReader(api, close=reader.close, **more)
        made.append(PolledSource(ManualClock(now), name="prom", reader=asked, interval_seconds=15))
        return made[-1]

    yield make
    for one in made:
        await one.close()


@asynccontextmanager
async def an_api(url: str) -> AsyncIterator[PrometheusApi]:
    reader = HttpReader(url)
    try:
        yield PrometheusApi(reader, timeout_seconds=5.0)
    finally:
        await reader.close()


@pytest.fixture
def real(source: Make, prometheus: PrometheusServer) -> PolledSource:
    return source(prometheus.url, now=prometheus.started_at)


async def test_one_query_serves_deployments_by_full_name_and_by_id(real: PolledSource) -> None:
    samples = await real.poll({CHAT: [spec("queue_length")], CODE: [spec("queue_length")]})
    assert {(one.deployment, one.value) for one in samples} == {(CHAT, 7.0), (CODE, 3.0)}


async def test_a_plain_selector_has_the_time_of_its_own_samples(
    real: PolledSource, prometheus: PrometheusServer
) -> None:
    [sample] = await real.poll({CHAT: [spec('stopped{deployment="chat"}')]})
    age = prometheus.started_at - sample.time
    assert STOPPED_SECONDS_AGO <= age <= STOPPED_SECONDS_AGO + 16
    assert sample.value == 5.0


async def test_a_selector_that_is_older_than_any_policy_allows_has_no_sample(
    real: PolledSource,
) -> None:
    assert await real.poll({CHAT: [spec("stopped", max_age=60)]}) == []


async def test_a_computed_value_has_the_time_of_its_evaluation_which_hides_the_age_within(
    real: PolledSource, prometheus: PrometheusServer
) -> None:
    # The reason why the documentation recommends plain selectors, or rate() over a short window.
    [sample] = await real.poll({CHAT: [spec("sum by (deployment) (stopped)")]})
    assert sample.time == pytest.approx(prometheus.started_at, abs=0.002)
    assert await real.poll({CHAT: [spec("sum by (deployment) (rate(stopped[1m]))")]}) == []


async def test_rates_sums_and_quantiles_are_the_servers_business(real: PolledSource) -> None:
    [rate] = await real.poll({CHAT: [spec("sum by (deployment) (rate(work_total[2m]))")]})
    assert rate.value == pytest.approx(2.0)
    slow = "histogram_quantile(0.5, sum by (deployment, le) (rate(wait_bucket[2m])))"
    [median] = await real.poll({CHAT: [spec(slow)]})
    assert 0.5 < median.value < 1.0


async def test_values_that_are_no_load_have_no_sample(real: PolledSource) -> None:
    assert await real.poll({CHAT: [spec("odd")], CODE: [spec("odd")]}) == []
    assert await real.poll({CHAT: [spec("0 - queue_length")]}) == []


async def test_nothing_found_is_no_sample_and_no_failure(real: PolledSource) -> None:
    assert await real.poll({CHAT: [spec("no_such_series")]}) == []


async def test_two_series_of_one_deployment_are_a_mistake_that_is_told(real: PolledSource) -> None:
    with pytest.raises(
        PartialAnswerError, match="gives 2 values for accounts/acme/deployments/chat"
    ):
        await real.poll({CHAT: [spec("by_pod")]})


async def test_a_query_for_each_deployment_may_have_no_label(real: PolledSource) -> None:
    wanted = [spec('scalar(queue_length{deployment="{deployment}"})')]
    [sample] = await real.poll({CHAT: wanted})
    assert sample.value == 7.0
    [sample] = await real.poll({CODE: [spec('sum(queue_length{deployment="{deployment_id}"})')]})
    assert sample.value == 3.0


async def test_a_value_that_names_no_deployment_is_told(real: PolledSource) -> None:
    with pytest.raises(SourceError, match="names no deployment; keep the label"):
        await real.poll({CHAT: [spec("sum(queue_length)")], CODE: [spec("sum(queue_length)")]})


async def test_a_refused_query_takes_no_other_down(real: PolledSource) -> None:
    with pytest.raises(PartialAnswerError) as caught:
        await real.poll({CHAT: [spec("queue_length"), spec("rate(", "broken")]})
    assert [(one.signal, one.value) for one in caught.value.samples] == [("load", 7.0)]
    assert caught.value.kind is ErrorKind.REJECTED
    assert str(caught.value).startswith("1 of 2 questions failed: the query `rate(` was refused")
    assert "parse error" in str(caught.value)


async def test_history_is_read_in_as_many_requests_as_it_takes(
    prometheus: PrometheusServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trimtab.sources.prometheus_api.POINTS_MAX", 7)
    end = prometheus.started_at
    async with an_api(prometheus.url) as api:
        [series] = await api.fetch_range('queue_length{deployment="code"}', end - 300, end, 15)
    assert series.labels["deployment"] == "code"
    assert [value for _, value in series.points] == [3.0] * 21
    steps = {round(b[0] - a[0], 3) for a, b in zip(series.points, series.points[1:], strict=False)}
    assert steps == {15.0}


def body(result: Any, kind: str = "vector", **more: Any) -> str:
    data = {"resultType": kind, "result": result}
    return json.dumps({"status": "success", "data": data, **more})


def one(value: str, deployment: str = "chat") -> dict[str, Any]:
    return {"metric": {"deployment": deployment}, "value": [NOW, value]}


async def test_a_query_of_many_policies_is_asked_once_with_the_longest_look_back(
    source: Make, answering: Answering
) -> None:
    answering.text = body([one("4"), one("5", "code")])
    prom = source(answering.url + "/prefix")
    query = "sum by (deployment) (x)"
    samples = await prom.poll(
        {CHAT: [spec(query), spec(query, "again", max_age=600)], CODE: [spec(query)]}
    )
    assert samples == [
        Sample(CHAT, "load", NOW, 4.0),
        Sample(CHAT, "again", NOW, 4.0),
        Sample(CODE, "load", NOW, 5.0),
    ]
    [(method, path, _, form)] = answering.seen
    assert (method, path) == ("POST", "/prefix/api/v1/query")
    assert form == {
        "query": query,
        "time": "1767225600.000",
        "timeout": "5s",
        "lookback_delta": "600s",
    }


@pytest.mark.parametrize("accepts", [False, True])
async def test_an_incomplete_answer_counts_only_where_that_is_wanted_and_is_told_either_way(
    source: Make, answering: Answering, *, accepts: bool
) -> None:
    answering.text = body([one("4")], warnings=["store 2 did not answer"])
    with pytest.raises(PartialAnswerError, match="may be incomplete: store 2") as caught:
        await source(answering.url, accepts_warnings=accepts).poll({CHAT: [spec("sum(x)")]})
    assert len(caught.value.samples) == accepts


async def test_history_that_may_have_holes_is_refused(answering: Answering) -> None:
    answering.text = body([], "matrix", warnings=["store 2 did not answer"])
    with pytest.raises(SourceError, match="may have left something out"):
        async with an_api(answering.url) as api:
            await api.fetch_range("x", 0, 10, 1)


@pytest.mark.parametrize(
    ("access", "name", "expected"),
    [
        (Access(bearer="made-up"), "Authorization", "Bearer made-up"),
        (Access(username="me", password="pw"), "Authorization", "Basic bWU6cHc="),
        (Access(headers={"X-Scope-OrgID": "team"}), "X-Scope-OrgID", "team"),
    ],
)
async def test_credentials_are_sent(
    source: Make, answering: Answering, access: Access, name: str, expected: str
) -> None:
    answering.text = body([])
    await source(answering.url, access=access).poll({CHAT: [spec("x")]})
    assert answering.seen[0][2][name] == expected
    assert expected.rpartition(" ")[2] not in repr(access)


async def test_a_token_in_a_file_is_read_again(
    source: Make, answering: Answering, tmp_path: Any
) -> None:
    answering.text = body([])
    token = tmp_path / "token"
    token.write_text("first\n")
    prom = source(answering.url, access=Access(bearer_file=token))
    await prom.poll({CHAT: [spec("x")]})
    token.write_text("second\n")
    await prom.poll({CHAT: [spec("x")]})
    sent = [headers["Authorization"] for _, _, headers, _ in answering.seen]
    assert sent == ["Bearer first", "Bearer second"]


@pytest.mark.parametrize("kind", ["bearer", "password"])
@pytest.mark.parametrize("is_in_a_file", [True, False])
async def test_a_server_that_quotes_a_secret_does_not_bring_it_into_the_log(
    source: Make, answering: Answering, kind: str, *, is_in_a_file: bool, tmp_path: Any
) -> None:
    answering.text, answering.status = "who is whispered-secret?", 401
    (tmp_path / "file").write_text("whispered-secret\n")
    given: dict[str, Any] = (
        {f"{kind}_file": tmp_path / "file"} if is_in_a_file else {kind: "whispered-secret"}
    )
    prom = source(answering.url, access=Access(username="me", **given))
    with pytest.raises(SourceError, match=r"who is \[secret\]") as caught:
        await prom.poll({CHAT: [spec("x")]})
    assert "whispered-secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "text", "kind", "words"),
    [
        (401, "no", ErrorKind.UNAUTHENTICATED, "check its credentials"),
        (403, "no", ErrorKind.FORBIDDEN, "do not allow"),
        (404, "no", ErrorKind.NOT_FOUND, "check its url"),
        (302, "", ErrorKind.BAD_RESPONSE, "redirects are not followed"),
        (429, "slow down", ErrorKind.RATE_LIMITED, "slow down"),
        (503, "query timed out", ErrorKind.UNAVAILABLE, "query timed out"),
        (200, "<html>", ErrorKind.BAD_RESPONSE, "not JSON"),
        (200, "[" * 100_000, ErrorKind.BAD_RESPONSE, "not JSON"),
        (200, "[]", ErrorKind.BAD_RESPONSE, "no answer of the query API"),
        (200, '{"status": "success"}', ErrorKind.BAD_RESPONSE, "without data"),
        (200, body([{"metric": 1, "value": [0, "1"]}]), ErrorKind.BAD_RESPONSE, "is no vector"),
        (200, body([{"value": [0, "1"]}]), ErrorKind.BAD_RESPONSE, "is no vector"),
        (200, body([{"metric": {}, "value": [0, 1]}]), ErrorKind.BAD_RESPONSE, "is no vector"),
        (200, body([{"metric": {}, "value": [0]}]), ErrorKind.BAD_RESPONSE, "is no vector"),
        (200, body([0, "text"], "string"), ErrorKind.BAD_RESPONSE, "'string', which holds no load"),
        (200, body([{"metric": {}, "histogram": []}]), ErrorKind.REJECTED, "gives histograms"),
    ],
)
async def test_whatever_is_answered_is_one_sentence_of_the_right_kind(
    source: Make, answering: Answering, status: int, text: str, kind: ErrorKind, words: str
) -> None:
    answering.status, answering.text = status, text
    answering.headers = {"Retry-After": "7", "Location": "https://elsewhere.test"}
    with pytest.raises(SourceError) as caught:
        await source(answering.url).poll({CHAT: [spec("x")]})
    assert caught.value.kind is kind
    assert words in str(caught.value)
    assert len(str(caught.value)) < 400
    assert answering.url in str(caught.value) or kind is ErrorKind.REJECTED
    if status == 429:
        assert caught.value.retry_after_seconds == 7.0


async def test_a_server_that_is_slow_or_gone_is_one_sentence(
    source: Make, answering: Answering
) -> None:
    answering.delay_seconds = 5.0
    with pytest.raises(SourceError, match=r"did not answer within 1\.05 s") as caught:
        await source(answering.url, timeout=0.05).poll({CHAT: [spec("x")]})
    assert caught.value.kind is ErrorKind.TIMEOUT
    with pytest.raises(SourceError, match="cannot be reached") as caught:
        await source("http://127.0.0.1:1").poll({CHAT: [spec("x")]})
    assert caught.value.kind is ErrorKind.UNAVAILABLE


async def test_an_answer_without_end_is_cut(answering: Answering) -> None:
    answering.text = body([]) + " " * 100_000
    reader = HttpReader(answering.url, answer_bytes_max=1000)
    api = PrometheusApi(reader)
    with pytest.raises(SourceError, match="more than 1000 bytes; ask for less"):
        await api.fetch_instant("x", NOW)
    await reader.close()


@pytest.mark.parametrize(
    "query",
    ["up", " a:b ", 'x{a="}"}', '{__name__="x"}', "x{a='b', c=~`d`}", 'x{a="\\"}"} '],
)
def test_plain_selectors_are_recognised(query: str) -> None:
    assert is_selector(query)


@pytest.mark.parametrize(
    "query", ["1", "NaN", "Inf", "up + 1", "sum(up)", "up[5m]", "x{} offset 5m", "a{} b{}", "-up"]
)
def test_whatever_computes_is_no_plain_selector(query: str) -> None:
    assert not is_selector(query)
