"""What a push endpoint does with requests that nobody should send: the right status, one log line."""

from __future__ import annotations

import asyncio
import gzip
import json
import struct
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import cramjam
import pytest
from pushed_world import CHAT, POLICY, TOKEN, World, pushed
from structlog.testing import capture_logs

from trimtab.sources.push.points import Fate
from trimtab.web.push_access import SIGNATURE, TIMESTAMP, sign

KEY = "signing-key-0123456789abcdef"
MIB = 1024 * 1024

SOURCES: dict[str, dict[str, Any]] = {
    "gateway": {"type": "remote_write"},
    "otel": {"type": "otlp"},
    "plain": {"type": "json"},
    "alerts": {"type": "alertmanager"},
    "hook": {
        "type": "webhook",
        "deployment": "/d",
        "value": "/v",
        "signal_name": "load",
        "items": "/items",
    },
    "signed": {"type": "json", "signing_key": KEY},
    "local": {"type": "json", "loopback": True},
    "narrow": {
        "type": "json",
        "body_timeout": "200ms",
        "requests_in_flight_max": 1,
        "requests_per_second": 5,
        "body_max": "64KiB",
        "samples_per_request_max": 600,
    },
}

WRITE = {
    "Content_Type": "application/x-protobuf",
    "Content_Encoding": "snappy",
    "X_Prometheus_Remote_Write_Version": "0.1.0",
}
JSON = {"Content_Type": "application/json"}


@asynccontextmanager
async def target(source: str = "gateway") -> AsyncIterator[World]:
    policy = POLICY.replace("QUERY", "load").replace("gateway", source)
    async with pushed(policy, **SOURCES) as world:
        yield world


def status_of(world: World, source: str) -> Any:
    return next(one.status for one in world.daemon.desks if one.source.name == source)


def remote_write(
    count: int, *, name: str = "load", value: float = 1.0, time: float, first: int = 0
) -> bytes:
    """``count`` series of one sample each, all different."""
    body = bytearray()
    for i in range(first, first + count):
        pairs = ((b"__name__", name.encode()), (b"deployment", b"chat"), (b"id", b"%09d" % i))
        labels = b"".join(_field(1, _field(1, key) + _field(2, word)) for key, word in pairs)
        sample = b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(int(time * 1000))
        body += _field(1, labels + _field(2, sample))
    return bytes(cramjam.snappy.compress_raw(bytes(body)))


def _field(tag: int, content: bytes) -> bytes:
    return bytes([tag << 3 | 2]) + _varint(len(content)) + content


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


BOMB = bytes(cramjam.snappy.compress_raw(b"\0" * (64 * MIB)))
GZIP_BOMB = gzip.compress(b" " * (64 * MIB))
DEEP = b"[" * 100_000

CASES: list[tuple[str, bytes, dict[str, str], int, str]] = [
    ("gateway", BOMB, WRITE, 413, "too_large"),
    ("gateway", b"x" * (5 * MIB), WRITE, 413, "too_large"),
    ("gateway", b"garbage", WRITE, 400, "malformed"),
    ("gateway", b"{}", JSON, 415, "unsupported"),
    ("gateway", b"", {**WRITE, "Content_Encoding": "gzip"}, 415, "unsupported"),
    ("gateway", b"", {**WRITE, "Content_Type": "application/x-protobuf;proto=x.Y"}, 415, "unsupported"),
    ("otel", GZIP_BOMB, {**JSON, "Content_Encoding": "gzip"}, 413, "too_large"),
    ("otel", b"\xff\xff\xff", {"Content_Type": "application/x-protobuf"}, 400, "malformed"),
    ("otel", b'{"resourceMetrics": 7}', JSON, 400, "malformed"),
    ("otel", b"", {"Content_Type": "text/plain"}, 415, "unsupported"),
    ("plain", DEEP, JSON, 400, "malformed"),
    ("plain", GZIP_BOMB, {**JSON, "Content_Encoding": "gzip"}, 413, "too_large"),
    ("plain", b"[{}]", JSON, 400, "malformed"),
    ("plain", b'{"deployment": "chat", "signal": "load", "value": "1"}', JSON, 400, "malformed"),
    ("plain", b'{"deployment": "chat", "signal": "load", "value": true}', JSON, 400, "malformed"),
    ("plain", b'{"deployment": "chat", "signal": "load", "valeu": 1}', JSON, 400, "malformed"),
    ("plain", b'{"deployment":"chat","signal":"load","value":1,"time":1767225600000}', JSON, 400, "malformed"),
    ("plain", b'{"deployment":"chat","signal":"load","value":1,"time":"2026-01-01T00:00"}', JSON, 400, "malformed"),
    ("plain", b"\xff\xfe", JSON, 400, "malformed"),
    ("plain", b"[]", {"Content_Type": "text/plain"}, 415, "unsupported"),
    ("alerts", b'{"version": "3", "alerts": []}', JSON, 400, "malformed"),
    ("alerts", b'{"version": "4", "alerts": [{"status": "firing", "labels": {}}]}', JSON, 400, "malformed"),
    ("alerts", b'{"version": "4", "alerts": {"a": 1}}', JSON, 400, "malformed"),
    ("hook", b'{"items": [{"d": "chat"}]}', JSON, 400, "malformed"),
    ("hook", b'{"items": 5}', JSON, 400, "malformed"),
    ("hook", b'{"items": [{"d": ["chat"], "v": 1}]}', JSON, 400, "malformed"),
]  # fmt: skip


async def test_each_bad_body_is_refused_with_its_status_and_told_once_a_minute() -> None:
    async with target() as world:
        for source, body, headers, status, kind in CASES:
            before = status_of(world, source).requests.get(kind, 0)
            with capture_logs() as logs:
                for _ in range(3):
                    got, text = await world.post(f"/v1/push/{source}", body, **headers)
                    assert got == status, (source, body[:60], text)
            assert status_of(world, source).requests[kind] == before + 3
            told = [one for one in logs if one["event"] == "push_refused"]
            assert len(told) == (0 if before else 1), (source, kind, told)
        assert (await world.post("/v1/push/plain", b"[]", **JSON))[0] == 202, "it still serves"


async def test_bombs_cost_no_memory() -> None:
    async with target() as world:
        tracemalloc.start()
        for source, body, headers in (
            ("gateway", BOMB, WRITE),
            ("plain", GZIP_BOMB, {**JSON, "Content_Encoding": "gzip"}),
            ("otel", GZIP_BOMB, {**JSON, "Content_Encoding": "gzip"}),
        ):
            await world.post(f"/v1/push/{source}", body, **headers)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 48 * MIB


@pytest.mark.parametrize(("name", "most"), [("load", 1_000), ("other", 0)])
async def test_ten_thousand_label_sets_are_acknowledged_and_not_remembered_beyond_the_limit(
    name: str, most: int
) -> None:
    async with target() as world:
        now = time.time()  # noqa: TID251  as a sender would
        for n in range(5):
            body = remote_write(2_000, name=name, time=now, first=2_000 * n)
            assert (await world.post("/v1/push/gateway", body, **WRITE))[0] == 204
        assert status_of(world, "gateway").series <= most
        assert world.plane.patches == [], "a signal with too many series is not known"


async def test_more_samples_than_a_request_may_hold_are_refused_before_any_counts() -> None:
    async with target() as world:
        items = [{"deployment": "chat", "signal": "load", "value": 99.0}] * 1_000
        status, body = await world.post("/v1/push/narrow", document=items)
        assert status == 413
        assert "600 samples" in body["detail"]
        assert sum(status_of(world, "narrow").samples.values()) == 0


@pytest.mark.parametrize(
    ("value", "offset", "fate"),
    [
        (float("nan"), 0, Fate.NOT_A_LOAD),
        (float("inf"), 0, Fate.NOT_A_LOAD),
        (-1.0, 0, Fate.NOT_A_LOAD),
        (1.0, 3600, Fate.FROM_THE_FUTURE),
        (1.0, -7200, Fate.TOO_OLD),
    ],
)
async def test_a_sample_that_cannot_be_is_counted_told_and_never_load(
    value: float, offset: float, fate: Fate
) -> None:
    async with target() as world:
        now = time.time() + offset  # noqa: TID251  as a sender would
        with capture_logs() as logs:
            for _ in range(3):
                body = remote_write(5, value=value, time=now)
                assert (await world.post("/v1/push/gateway", body, **WRITE))[0] == 204
        assert status_of(world, "gateway").samples[fate] == 15
        told = [one for one in logs if one["event"] == "push_samples_refused"]
        assert [(one["kind"], one["count"]) for one in told] == [(fate, 5)]
        assert status_of(world, "gateway").series == 0


async def test_nobody_pushes_without_the_token_and_the_body_is_not_even_read() -> None:
    async with target() as world:
        for header in ("", "Bearer", "Bearer wrong", f"Basic {TOKEN}", f"Bearer {TOKEN}x"):
            status, body = await world.post("/v1/push/plain", b"[]", **JSON, Authorization=header)
            assert (status, "token" in body["detail"]) == (401, True)
        status, _ = await world.post("/v1/push/plain", b"[]", **JSON, Origin="https://evil.example")
        assert status == 401
        assert (await world.post("/v1/push/plain", b"x" * (3 * MIB), Authorization=""))[0] == 401


async def test_a_signature_counts_once_for_its_body_and_its_time() -> None:
    async with target("signed") as world:
        now = time.time()  # noqa: TID251  as a sender would
        body = json.dumps([{"deployment": "chat", "signal": "load", "value": 5}]).encode()

        async def send(at: float, signature: str, sent: bytes = body) -> int:
            headers = {**JSON, TIMESTAMP: f"{at:.0f}", SIGNATURE: signature}
            status, _ = await world.post("/v1/push/signed", sent, **headers)
            return status

        good = sign(KEY, f"{now:.0f}", body)
        assert await send(now, good, body + b" ") == 401
        assert await send(now, sign("another key", f"{now:.0f}", body)) == 401
        assert await send(now + 400, sign(KEY, f"{now + 400:.0f}", body)) == 401
        assert await send(now - 400, sign(KEY, f"{now - 400:.0f}", body)) == 401
        assert await send(now + 1, good) == 401
        inbox = world.daemon._deciding.inbox
        room, inbox._pushed_max = inbox._pushed_max, 0
        assert await send(now, good) == 503, "not taken, so it may be sent again"
        inbox._pushed_max = room
        assert await send(now, f"sha256={good}") == 202
        assert await send(now, good) == 401, "a replay"


async def test_loopback_means_this_machine_and_no_proxy() -> None:
    async with target() as world:
        assert (await world.post("/v1/push/local", b"[]", **JSON))[0] == 202
        status, _ = await world.post("/v1/push/local", b"[]", **JSON, X_Forwarded_For="10.0.0.1")
        assert status == 401


async def test_a_slow_client_is_given_up_on_and_others_are_told_to_come_back() -> None:
    async with target() as world:
        host, port = world.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        head = "POST /v1/push/narrow HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
        writer.write(f"{head}Authorization: Bearer {TOKEN}\r\n\r\n[".encode())
        await asyncio.sleep(0.05)
        status, _ = await world.post("/v1/push/narrow", b"[]", **JSON)
        assert status == 503, "the only place is taken"
        answer = await asyncio.wait_for(reader.read(), 10)
        assert answer.startswith(b"HTTP/1.1 408 ")
        writer.close()
        assert (await world.post("/v1/push/narrow", b"[]", **JSON))[0] == 202


async def test_too_many_requests_are_told_when_to_come_back() -> None:
    async with target() as world:
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        statuses, waits = [], []
        for _ in range(15):
            async with world.http.post(
                f"{world.url}/v1/push/narrow", data=b"[]", headers=headers
            ) as response:
                statuses.append(response.status)
                waits.append(response.headers.get("Retry-After"))
    assert statuses[0] == 202
    assert statuses[-1] == 429
    assert waits[-1] == "1"


async def test_what_is_about_nobody_is_acknowledged_and_wakes_nobody() -> None:
    async with target() as world:
        ticks = len(world.ticks)
        item = {"deployment": "nobody", "signal": "load", "value": 99.0}
        status, body = await world.post("/v1/push/plain", document=item)
        assert (status, body) == (202, {"samples": {"unknown_deployment": 1}})
        await asyncio.sleep(0.2)
        assert [tick.decisions for tick in world.ticks[ticks:] if tick.decisions] == []


async def test_a_push_wakes_exactly_the_deployment_it_is_about() -> None:
    policy = POLICY.replace("QUERY", "load").replace("gateway", "plain")
    async with pushed(policy, plain={"type": "json"}) as world:
        item = {"deployment": "chat", "signal": "load", "value": 35.0}
        assert (await world.post("/v1/signals", document=item))[0] == 202
        await world.until(lambda: bool(world.plane.patches), "a PATCH")
        woken = world.ticks[1]
        assert [one.deployment for one in woken.decisions] == [CHAT]


async def test_an_unknown_source_is_not_found() -> None:
    async with target() as world:
        assert (await world.post("/v1/push/nobody", b"[]", **JSON))[0] == 404
        assert (await world.post("/v1/signals", b"[]", **JSON))[0] == 404, "four of type json"
