"""Load out of JSON, in whatever shape a gateway answers."""

from __future__ import annotations

import json
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from aiohttp import web
from tests.contract.sources.conftest import Answering
from tests.servers.prometheus import CHAT, CODE

from trimtab.clock import ManualClock
from trimtab.core.signals import Sample, SignalSpec
from trimtab.errors import ErrorKind, SettingsError, SourceError
from trimtab.sources.http import HttpReader
from trimtab.sources.http_json import JsonReader, jmespath_finder
from trimtab.sources.json_values import Fields, follow_pointer
from trimtab.sources.polled import PolledSource
from trimtab.sources.port import PartialAnswerError

NOW = 1_767_225_600.0
FIELDS = Fields("deployment", "value", "time")
Make = Callable[..., PolledSource]


def spec(query: str, name: str = "load") -> SignalSpec:
    return SignalSpec(name=name, source="gateway", query=query, max_age_seconds=60)


@pytest.fixture
async def gateway(answering: Answering) -> AsyncIterator[Make]:
    made: list[PolledSource] = []

    def make(document: Any = None, *, path: str = "/load", **more: Any) -> PolledSource:
        answering.text = json.dumps(document)
        http = HttpReader(answering.url)
        reader = JsonReader(http, answering.url + path, **{"fields": FIELDS, **more})
        clock = ManualClock(NOW)
        made.append(PolledSource(clock, name="gateway", reader=reader, interval_seconds=5))
        return made[-1]

    yield make
    for one in made:
        await one.close()


async def poll(source: PolledSource, query: str) -> list[tuple[str, float, float]]:
    samples = await source.poll({CHAT: [spec(query)], CODE: [spec(query)]})
    return [(one.deployment, one.value, one.time) for one in samples]


@pytest.mark.parametrize(
    "document",
    [
        {"q": {"chat": 3, CODE: 4.5, "elsewhere": 9}},
        {"q": {"chat": {"value": 3}, "code": {"value": 4.5, "more": 1}}},
        {"q": [{"deployment": CHAT, "value": 3}, {"deployment": "code", "value": 4.5}]},
    ],
)
async def test_one_answer_serves_every_deployment_as_a_mapping_or_a_list(
    gateway: Make, answering: Answering, document: Any
) -> None:
    assert await poll(gateway(document), "/q") == [(CHAT, 3.0, NOW), (CODE, 4.5, NOW)]
    assert len(answering.seen) == 1


@pytest.mark.parametrize("time", [1767225590, 1767225590.0, "2025-12-31T23:59:50Z"])
async def test_a_value_may_have_its_own_time(gateway: Make, time: Any) -> None:
    document = {"chat": {"value": 3, "time": time}}
    assert await poll(gateway(document), "") == [(CHAT, 3.0, 1_767_225_590.0)]


async def test_what_is_null_or_not_there_is_not_known(gateway: Make) -> None:
    document = {"q": {"chat": None}, "r": None}
    for query in ("/q", "/r", "/absent", "/q/chat/deeper", "/q/0"):
        assert await poll(gateway(document), query) == []


async def test_a_query_may_name_the_deployment(gateway: Make) -> None:
    document = {"by": {"chat": {"depth": 3}, "code": {"depth": 4}}}
    found = await poll(gateway(document), "/by/{deployment_id}/depth")
    assert found == [(CHAT, 3.0, NOW), (CODE, 4.0, NOW)]


async def test_a_url_with_a_place_for_the_name_is_asked_for_each_deployment_once(
    gateway: Make, answering: Answering
) -> None:
    source = gateway({"depth": 3, "rate": 5}, path="/of/{deployment_id}?key=made-up")
    wanted = [spec("/depth", "depth"), spec("/rate", "rate")]
    samples = await source.poll({CHAT: wanted, CODE: wanted})
    assert [(one.deployment, one.signal, one.value) for one in samples] == [
        (CHAT, "depth", 3.0),
        (CHAT, "rate", 5.0),
        (CODE, "depth", 3.0),
        (CODE, "rate", 5.0),
    ]
    assert sorted(path for _, path, _, _ in answering.seen) == [
        "/of/chat?key=made-up",
        "/of/code?key=made-up",
    ]
    assert source.endpoint.endswith("/of/{deployment_id}")


async def test_an_endpoint_of_one_deployment_that_fails_takes_no_other_down(
    gateway: Make, answering: Answering
) -> None:
    source = gateway(path="/{deployment_id}")

    async def reply(request: web.Request) -> web.Response:
        return web.Response(text="3", status=200 if request.path == "/chat" else 500)

    answering.reply = reply
    with pytest.raises(PartialAnswerError, match="/code answered 500") as caught:
        await poll(source, "")
    assert caught.value.samples == (Sample(CHAT, "load", NOW, 3.0),)


async def test_jmespath_shapes_an_answer_that_is_not_made_for_us(gateway: Make) -> None:
    document = {"queues": [{"model": "chat", "n": 3, "zone": "a"}, {"model": "code", "n": 4}]}
    source = gateway(document, find=jmespath_finder())
    query = "queues[].{deployment: model, value: n}"
    assert await poll(source, query) == [(CHAT, 3.0, NOW), (CODE, 4.0, NOW)]
    with pytest.raises(SourceError, match="cannot be used") as caught:
        await poll(source, "queues[")
    assert caught.value.kind is ErrorKind.REJECTED
    with pytest.raises(SourceError, match="cannot be used"):
        await poll(source, "sum(queues)")


async def test_a_driver_that_is_missing_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "jmespath", None)
    with pytest.raises(SettingsError, match=r"install trimtab\[jmespath\]"):
        jmespath_finder()


@pytest.mark.parametrize(
    ("document", "query", "words"),
    [
        ({"chat": "3"}, "", "the value is no number, but '3'"),
        ({"chat": True}, "", "the value is no number, but True"),
        ({"chat": [3]}, "", "the value is no number"),
        ([{"value": 3}], "", "an item of the list has no `deployment`"),
        ([3], "", "an item of the list has no `deployment`"),
        (3, "", "names no deployment"),
        ({"chat": {"value": 3, "time": "now"}}, "", "neither UTC seconds nor RFC 3339"),
        ({"chat": {"value": 3, "time": "2025-12-31T23:59:50"}}, "", "with a zone"),
        ({"chat": 3}, "chat", "no JSON pointer; begin it with /"),
        ([{"deployment": "chat", "value": 1}] * 2, "", "gives 2 values"),
    ],
)
async def test_an_answer_that_makes_no_sense_is_one_sentence(
    gateway: Make, document: Any, query: str, words: str
) -> None:
    with pytest.raises(SourceError) as caught:
        await poll(gateway(document), query)
    assert words in str(caught.value)
    assert "the query" in str(caught.value)


async def test_values_that_are_no_load_are_not_heard(gateway: Make, answering: Answering) -> None:
    source = gateway()
    answering.text = '{"chat": NaN, "code": -3}'
    assert await poll(source, "") == []
    answering.text = '{"chat": 1e999, "code": 3}'
    assert await poll(source, "") == [(CODE, 3.0, NOW)]


RFC_6901 = {"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, " ": 7, "m~n": 8, "~1": 9}


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        ("", RFC_6901),
        ("/foo/0", "bar"),
        ("/foo/00", None),
        ("/foo/2", None),
        ("/foo/-", None),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/ ", 7),
        ("/m~0n", 8),
        ("/~01", 9),
    ],
)
def test_pointers_lead_where_the_standard_says(pointer: str, expected: Any) -> None:
    assert follow_pointer(RFC_6901, pointer) == expected
