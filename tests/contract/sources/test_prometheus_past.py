"""What the Prometheus source says of the past: a real server, and answers that it could give."""

from __future__ import annotations

import json
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from tests.contract.sources.conftest import Answering
from tests.servers.prometheus import (
    CHAT,
    CODE,
    STOPPED_SECONDS_AGO,
    PrometheusServer,
)

from trimtab.core.signals import SignalSpec
from trimtab.errors import SourceError
from trimtab.sources.asking import Question, questions
from trimtab.sources.http import HttpReader
from trimtab.sources.port import Recount
from trimtab.sources.prometheus import ANSWER_POINTS, PrometheusReader
from trimtab.sources.prometheus_api import PrometheusApi
from trimtab.sources.prometheus_past import FEW, only_of

Make = Callable[..., PrometheusReader]


def asked(query: str, *deployments: str, max_age: float = 60.0) -> Question:
    spec = SignalSpec(name="load", source="prom", query=query, max_age_seconds=max_age)
    (question,) = questions({name: [spec] for name in deployments})
    return question


def by_name(told: Recount) -> dict[str, dict[float, float]]:
    return {one.deployment: dict(one.points) for one in told.series}


@pytest.fixture
async def reader() -> AsyncIterator[Make]:
    made: list[PrometheusReader] = []

    def make(url: str, *, accepts_warnings: bool = False) -> PrometheusReader:
        http = HttpReader(url)
        api = PrometheusApi(http, timeout_seconds=5.0)
        made.append(PrometheusReader(api, close=http.close, accepts_warnings=accepts_warnings))
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def test_one_question_tells_of_each_deployment_by_full_name_or_id(
    prometheus: PrometheusServer, reader: Make
) -> None:
    end = math.floor(prometheus.started_at / 60.0) * 60.0
    told = await reader(prometheus.url).recount(
        asked("queue_length", CHAT, CODE), end - 600.0, end, 60.0
    )
    assert told.until == end
    values = by_name(told)
    assert set(values) == {CHAT, CODE}, "of the third nobody asked"
    assert set(values[CHAT].values()) == {7.0}
    assert list(values[CODE]) == [end - 600.0 + 60.0 * step for step in range(11)]


async def test_of_few_deployments_the_server_sends_nothing_else(
    prometheus: PrometheusServer,
) -> None:
    async with _api(prometheus.url) as api:
        end = prometheus.started_at
        query = only_of(asked("queue_length", CODE), "queue_length", "deployment")
        assert len(await api.fetch_range("queue_length", end, end, 15.0)) == 3
        (series,) = await api.fetch_range(query, end, end, 15.0)
        assert series.labels["deployment"] == "code"


def test_of_many_deployments_everything_is_asked_for() -> None:
    many = asked("x", *(f"accounts/acme/deployments/d{number}" for number in range(FEW + 1)))
    assert only_of(many, "x", "deployment") == "x"


async def test_a_query_with_a_comment_can_still_be_narrowed(
    prometheus: PrometheusServer, reader: Make
) -> None:
    end = math.floor(prometheus.started_at)
    told = await reader(prometheus.url).recount(
        asked("queue_length * 2 # twice", CHAT), end, end, 15.0
    )
    assert by_name(told) == {CHAT: {end: 14.0}}


async def test_a_series_that_stopped_has_no_values_after_its_max_age(
    prometheus: PrometheusServer, reader: Make
) -> None:
    start = prometheus.started_at - 300.0
    told = await reader(prometheus.url).recount(
        asked("stopped", CHAT, max_age=30.0), start, prometheus.started_at, 15.0
    )
    last = max(by_name(told)[CHAT])
    assert last <= prometheus.started_at - STOPPED_SECONDS_AGO + 30.0


async def test_values_that_are_no_load_are_missing_and_not_zero(
    prometheus: PrometheusServer, reader: Make
) -> None:
    end = prometheus.started_at
    told = await reader(prometheus.url).recount(asked("odd", CHAT, CODE), end - 60.0, end, 15.0)
    assert all(not values for values in by_name(told).values())


async def test_two_values_at_a_time_are_none(prometheus: PrometheusServer, reader: Make) -> None:
    end = prometheus.started_at
    told = await reader(prometheus.url).recount(asked("by_pod", CHAT), end - 60.0, end, 15.0)
    assert by_name(told) == {CHAT: {}}
    assert told.ambiguous == 5


async def test_where_nothing_was_recorded_nothing_is_told(
    prometheus: PrometheusServer, reader: Make
) -> None:
    start = prometheus.started_at - 86_400.0
    told = await reader(prometheus.url).recount(
        asked("queue_length", CHAT), start, start + 600.0, 60.0
    )
    assert by_name(told) == {}


async def test_servers_that_know_it_are_told_how_far_to_look_back(
    answering: Answering, reader: Make
) -> None:
    answering.text = _matrix([])
    await reader(answering.url).recount(asked("x * 1", CHAT, max_age=30.0), 0.0, 60.0, 60.0)
    (_, _, _, form) = answering.seen[0]
    assert form["lookback_delta"] == "30s"


async def test_a_counter_that_begins_anew_is_no_fall_of_its_rate(
    prometheus: PrometheusServer, reader: Make
) -> None:
    end = prometheus.started_at
    told = await reader(prometheus.url).recount(
        asked("rate(work_total[1m])", CHAT), end - 300.0, end, 60.0
    )
    assert list(by_name(told)[CHAT].values()) == pytest.approx([2.0] * 6)


async def test_the_last_value_counts_however_the_server_rounds_its_time(
    answering: Answering, reader: Make
) -> None:
    answering.text = _matrix([({"deployment": "chat"}, [[0.055, "6"], [60.055, "7"]])])
    told = await reader(answering.url).recount(asked("x", CHAT), 0.0546, 60.0546, 60.0)
    assert by_name(told) == {CHAT: {0.055: 6.0, 60.055: 7.0}}
    (_, _, _, form) = answering.seen[0]
    assert (form["start"], form["end"]) == ("0.055", "60.055")


async def test_an_answer_is_no_longer_than_can_be_read_in_a_moment(
    answering: Answering, reader: Make
) -> None:
    answering.text = _matrix([])
    many = asked("x", *(f"accounts/acme/deployments/d{number}" for number in range(5000)))
    told = await reader(answering.url).recount(many, 0.0, 86_400.0, 60.0)
    assert told.until == (ANSWER_POINTS // 5000 - 1) * 60.0
    (_, _, _, form) = answering.seen[0]
    assert float(form["end"]) == told.until


async def test_the_size_of_the_next_answer_follows_how_much_the_last_one_held(
    answering: Answering, reader: Make
) -> None:
    """A server may tell of far more than is asked for."""
    answering.text = _matrix([({"deployment": str(number)}, []) for number in range(2000)])
    question, asking = asked("x", CHAT), reader(answering.url)
    first = await asking.recount(question, 0.0, 864_000.0, 60.0)
    second = await asking.recount(question, 0.0, 864_000.0, 60.0)
    assert first.until > second.until
    assert second.until == (ANSWER_POINTS // 2000 - 1) * 60.0


@pytest.mark.parametrize("accepts", [False, True])
async def test_what_may_be_incomplete_counts_only_where_that_is_accepted(
    answering: Answering, reader: Make, accepts: bool
) -> None:
    answering.text = _matrix([({"deployment": "chat"}, [[60, "5"]])], warnings=["a store is away"])
    asking = reader(answering.url, accepts_warnings=accepts)
    if accepts:
        told = await asking.recount(asked("x", CHAT), 60.0, 60.0, 60.0)
        assert by_name(told) == {CHAT: {60.0: 5.0}}
    else:
        with pytest.raises(SourceError, match="a store is away"):
            await asking.recount(asked("x", CHAT), 60.0, 60.0, 60.0)


async def test_series_that_follow_each_other_are_one(answering: Answering, reader: Make) -> None:
    old = ({"deployment": "chat", "pod": "a"}, [[60, "5"], [120, "6"]])
    new = ({"deployment": "chat", "pod": "b"}, [[180, "7"]])
    answering.text = _matrix([new, old])
    told = await reader(answering.url).recount(asked("x", CHAT), 60.0, 180.0, 60.0)
    assert by_name(told) == {CHAT: {60.0: 5.0, 120.0: 6.0, 180.0: 7.0}}
    assert [at for at, _ in told.series[0].points] == [60.0, 120.0, 180.0]


async def test_what_lies_after_the_end_is_left_out(answering: Answering, reader: Make) -> None:
    answering.text = _matrix([({"deployment": "chat"}, [[60, "5"], [120, "6"]])])
    told = await reader(answering.url).recount(asked("x", CHAT), 60.0, 60.0, 60.0)
    assert by_name(told) == {CHAT: {60.0: 5.0}}


@asynccontextmanager
async def _api(url: str) -> AsyncIterator[PrometheusApi]:
    http = HttpReader(url)
    try:
        yield PrometheusApi(http, timeout_seconds=5.0)
    finally:
        await http.close()


def _matrix(
    series: list[tuple[dict[str, str], list[list[object]]]], warnings: list[str] | None = None
) -> str:
    result = [{"metric": labels, "values": points or [[0, "1"]]} for labels, points in series]
    answer = {"status": "success", "data": {"resultType": "matrix", "result": result}}
    return json.dumps(answer | ({"warnings": warnings} if warnings else {}))
