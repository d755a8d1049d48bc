"""Every attack on every protocol, over HTTP: the right status, one log line, and the daemon goes on."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Self

import pytest
from protocols import GZIP, PROTOCOLS, Protocol, message, sample, snappy, varint
from pushed_world import POLICY, TOKEN, World, pushed
from structlog.testing import capture_logs

from trimtab.sources.push.points import Fate
from trimtab.web.push_access import SIGNATURE, TIMESTAMP, sign

MIB = 1024 * 1024
KEY = "signing-key-0123456789abcdef"
TIMES = 3
"""How often each attack comes: told is only the first."""

EACH = pytest.mark.parametrize("protocol", PROTOCOLS.values(), ids=list(PROTOCOLS))
VALUES = [one for one in PROTOCOLS.values() if one.has_values]


class Attack(NamedTuple):
    what: str
    body: bytes
    headers: Mapping[str, str]
    status: int
    kind: str


def seconds() -> float:
    return time.time()  # noqa: TID251  as a sender would


def attacks(protocol: Protocol) -> Iterator[Attack]:
    """Every body that must be refused, with the status and the kind it is counted as."""
    good, headers = protocol.sent(protocol.good(1.0, seconds()))
    plain = protocol.good(1.0, seconds())
    for wrong in protocol.wrong:
        yield Attack("wrong types", *protocol.sent(wrong), 400, "malformed")
    for cut in (1, len(plain) // 2, len(plain) - 1):
        yield Attack(f"cut at {cut}", *protocol.sent(plain[:cut]), 400, "malformed")
    yield Attack("too long", b"x" * (5 * MIB), headers, 413, "too_large")
    yield Attack(
        "of another type", good, {**headers, "Content_Type": "text/plain"}, 415, "unsupported"
    )
    yield Attack("of no type", good, {**headers, "Content_Type": ""}, 415, "unsupported")
    for encoding in ("br", "gzip, gzip", "zstd", "deflate"):
        strange = {**headers, "Content_Encoding": encoding}
        yield Attack(f"encoded as {encoding}", good, strange, 415, "unsupported")
    for empty in protocol.empty:
        body, sent = protocol.sent(empty)
        yield Attack("of nothing", body, sent, 0, "")
    if protocol.is_json:
        yield Attack("nested deeply", b"[" * 100_000, headers, 400, "malformed")
        yield Attack("nested deeply", b'{"a":' * 100_000, headers, 400, "malformed")
        yield Attack("not UTF-8", b'"\xff\xfe"', headers, 400, "malformed")
        yield Attack("digits", b"9" * 5_000, headers, 400, "malformed")
    else:
        deep = b""
        for _ in range(2_000):
            deep = message(1, deep)
        yield Attack("nested deeply", *protocol.sent(deep), 0, "")
        yield Attack("groups", *protocol.sent(b"\x0b\x0c"), 400, "malformed")
        yield Attack("an endless number", *protocol.sent(b"\xff" * 20), 400, "malformed")
    if protocol.is_snappy:
        yield Attack("a bomb", snappy(b"\0" * (64 * MIB)), headers, 413, "too_large")
        yield Attack("a claim", varint(1 << 40) + b"\0", headers, 413, "too_large")
        yield Attack("a lie", varint(8 * MIB) + b"\0a", headers, 400, "malformed")
        yield Attack("framed", b"\xff\x06\0\0sNaPpY" + good, headers, 400, "malformed")
        yield Attack("not compressed", plain, headers, 400, "malformed")
    else:
        zipped = {**headers, **GZIP}
        yield Attack("a bomb", gzip.compress(b" " * (64 * MIB)), zipped, 413, "too_large")
        yield Attack("bombs", gzip.compress(b" " * MIB) * 64, zipped, 413, "too_large")
        yield Attack("members", gzip.compress(b"") * 10_000, zipped, 400, "malformed")
        yield Attack("not zipped", good, zipped, 400, "malformed")
        yield Attack("cut zip", gzip.compress(good)[:-5], zipped, 400, "malformed")


@asynccontextmanager
async def target(protocol: Protocol, **more: object) -> AsyncIterator[World]:
    policy = POLICY.replace("QUERY", "load")
    settings = {**protocol.settings, "requests_per_second": 10_000, "age_max": "1h", **more}
    async with pushed(policy, gateway=settings) as world:
        yield world


async def good_push(world: World, protocol: Protocol, value: float = 1.0) -> None:
    """The daemon lives, and takes a push."""
    async with world.http.get(f"{world.url}/livez") as response:
        assert response.status == 200
    before = world.daemon.desks[0].status.samples[Fate.ACCEPTED]
    body, headers = protocol.sent(protocol.good(value, seconds()))
    assert (await world.post("/v1/push/gateway", body, **headers))[0] == protocol.taken
    assert world.daemon.desks[0].status.samples[Fate.ACCEPTED] == before + 1


@EACH
async def test_each_attack_is_refused_with_its_status_and_each_kind_told_once(
    protocol: Protocol,
) -> None:
    async with target(protocol) as world:
        (desk,) = world.daemon.desks
        with capture_logs() as logs:
            for attack in attacks(protocol):
                for _ in range(TIMES):
                    before = desk.status.requests
                    got, text = await world.post("/v1/push/gateway", attack.body, **attack.headers)
                    after = desk.status.requests
                    kinds = {kind for kind in after if after[kind] != before.get(kind)}
                    where = (attack.what, attack.body[:60], got, text)
                    if attack.kind:
                        assert (got, kinds) == (attack.status, {attack.kind}), where
                    else:
                        assert got in (protocol.taken, 400, 413), where
                        assert kinds <= {"ok", "malformed", "too_large", "too_many_samples"}, where
        told = [one["kind"] for one in logs if one["event"] == "push_refused"]
        assert len(told) == len(set(told)), "a kind is told once a minute"
        assert set(told) == set(desk.status.requests) - {"ok"}
        assert desk.status.samples[Fate.ACCEPTED] == 0
        assert world.plane.patches == []
        await good_push(world, protocol)


@contextmanager
def memory_within(most: int) -> Iterator[None]:
    """What the whole process holds more than before, sender included, at its end."""
    before = resident_bytes()
    yield
    assert resident_bytes() - before < most


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


@EACH
async def test_a_body_that_never_says_how_long_it_is_is_cut_off_at_the_limit(
    protocol: Protocol,
) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1_000):
            yield b"x" * 65_536

    async with target(protocol) as world:
        (desk,) = world.daemon.desks
        with suppress(OSError):  # the connection may be closed before the answer is read
            async with world.http.post(
                f"{world.url}/v1/push/gateway",
                data=endless(),
                headers={"Authorization": f"Bearer {TOKEN}"},
            ) as response:
                assert response.status == 413
        assert desk.status.requests == {"ok": 0, "too_large": 1}
        await good_push(world, protocol)


@pytest.mark.parametrize("protocol", VALUES, ids=[one.name for one in VALUES])
@pytest.mark.parametrize(
    ("value", "offset", "fate"),
    [
        (float("nan"), 0.0, Fate.NOT_A_LOAD),
        (float("inf"), 0.0, Fate.NOT_A_LOAD),
        (float("-inf"), 0.0, Fate.NOT_A_LOAD),
        (-1.0, 0.0, Fate.NOT_A_LOAD),
        (1.0, 3600.0, Fate.FROM_THE_FUTURE),
        (1.0, 7e9, Fate.FROM_THE_FUTURE),
        (1.0, -7200.0, Fate.TOO_OLD),
        (1.0, -1.7e9, Fate.TOO_OLD),
    ],
)
async def test_a_sample_that_cannot_be_is_acknowledged_counted_and_never_load(
    protocol: Protocol, value: float, offset: float, fate: Fate
) -> None:
    async with target(protocol) as world:
        (desk,) = world.daemon.desks
        with capture_logs() as logs:
            for _ in range(TIMES):
                body, headers = protocol.sent(protocol.good(value, seconds() + offset))
                assert (await world.post("/v1/push/gateway", body, **headers))[0] == protocol.taken
        assert desk.status.samples[fate] == TIMES
        assert desk.status.samples[Fate.ACCEPTED] == desk.status.series == 0
        told = [one for one in logs if one["event"] == "push_samples_refused"]
        assert [(one["kind"], one["count"]) for one in told] == [(fate, 1)]


@EACH
async def test_a_signature_counts_once_whatever_it_signs(protocol: Protocol) -> None:
    async with target(protocol, signing_key=KEY) as world:
        now = f"{seconds():.0f}"
        body, headers = protocol.sent(protocol.good(1.0, seconds()))
        signed = {**headers, TIMESTAMP: now, SIGNATURE: sign(KEY, now, body), "Authorization": ""}
        with capture_logs() as logs:
            statuses = [
                (await world.post("/v1/push/gateway", body, **signed))[0] for _ in range(TIMES)
            ]
        assert statuses == [protocol.taken, 401, 401]
        told = [one["kind"] for one in logs if one["event"] == "push_refused"]
        assert told == ["unauthenticated"]
        other = {**signed, "Content_Type": "text/plain"}
        assert (await world.post("/v1/push/gateway", body, **other))[0] == 401


class Raw:
    """A connection whose every byte the test decides on."""

    def __init__(self, world: World) -> None:
        host, port = world.url.removeprefix("http://").split(":")
        self._address = (host, int(port))
        self.socket = socket.socket()

    async def __aenter__(self) -> Self:
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.setblocking(False)
        await asyncio.get_running_loop().sock_connect(self.socket, self._address)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.socket.close()

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.socket, data)

    async def answer(self) -> bytes:
        async with asyncio.timeout(10):
            return await asyncio.get_running_loop().sock_recv(self.socket, 4096)


def head(body: bytes, headers: Mapping[str, str], *lines: str) -> bytes:
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    stated = [f"{name}: {value}" for name, value in said.items()]
    stated += [f"Content-Length: {len(body)}", *lines]
    request = ["POST /v1/push/gateway HTTP/1.1", "Host: localhost", *stated, "", ""]
    return "\r\n".join(request).encode()


BEARER = f"Authorization: Bearer {TOKEN}"


@EACH
async def test_a_client_that_sends_slowly_is_given_up_on_and_others_are_served(
    protocol: Protocol,
) -> None:
    async with target(protocol, body_timeout="300ms", requests_in_flight_max=2) as world:
        body, headers = protocol.sent(protocol.good(1.0, seconds()))
        async with Raw(world) as slow, Raw(world) as silent:
            await slow.send(head(body, headers, BEARER) + body[:1])
            await silent.send(b"POST /v1/push/gateway HT")  # and no more of its headers
            await good_push(world, protocol)
            assert (await slow.answer()).startswith(b"HTTP/1.1 408 ")
        assert world.daemon.desks[0].status.requests["too_slow"] == 1


@EACH
async def test_a_client_that_never_reads_its_answers_holds_up_nobody_else(
    protocol: Protocol,
) -> None:
    async with target(protocol, requests_in_flight_max=1) as world:
        body, headers = protocol.sent(protocol.good(1.0, seconds()))
        async with Raw(world) as deaf:
            whole = head(body, headers, BEARER) + body
            sending = asyncio.create_task(deaf.send(whole * 20_000))
            await asyncio.wait([sending], timeout=0.3)
            await world.until(lambda: not world.daemon.desks[0]._turn.locked(), "a place")
            statuses = set()
            for _ in range(50):
                sent, more = protocol.sent(protocol.good(2.0, seconds()))
                statuses.add((await world.post("/v1/push/gateway", sent, **more))[0])
            assert protocol.taken in statuses
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
        await world.until(
            lambda: world.daemon.desks[0].status.requests["ok"] > 1, "more than one is taken"
        )
        await good_push(world, protocol, 3.0)


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (["Authorization: Bearer wrong", BEARER], 401),
        ([BEARER, "Origin: https://evil.example"], 401),
        ([BEARER, "Content-Length: 1"], 400),
        ([BEARER, "Transfer-Encoding: chunked"], 400),
    ],
)
@EACH
async def test_headers_that_contradict_each_other_let_nobody_in(
    protocol: Protocol, lines: list[str], status: int
) -> None:
    async with target(protocol) as world:
        body, headers = protocol.sent(protocol.good(1.0, seconds()))
        async with Raw(world) as raw:
            await raw.send(head(body, headers, *lines) + body)
            assert (await raw.answer()).split()[1] == b"%d" % status
        assert world.daemon.desks[0].status.samples[Fate.ACCEPTED] == 0
        await good_push(world, protocol)


@pytest.mark.slow
@pytest.mark.parametrize("name", [b"load", b"else"])
async def test_a_million_label_sets_leave_no_trace_in_memory(name: bytes) -> None:
    """Half a million series of a signal, and half a million that nobody asks for."""
    place = b"#########"
    labels = ((b"__name__", name), (b"deployment", b"chat"), (b"id", place))
    pairs = (message(1, message(1, key) + message(2, word)) for key, word in labels)
    begin, end = message(1, b"".join(pairs) + message(2, sample(1.0, seconds()))).split(place)
    protocol = PROTOCOLS["write1"]
    numbers = itertools.count()

    async def push(world: World) -> None:
        body = b"".join(begin + b"%09d" % next(numbers) + end for _ in range(20_000))
        sent, headers = protocol.sent(body)
        assert (await world.post("/v1/push/gateway", sent, **headers))[0] == 204

    async with target(protocol, samples_per_second=10_000_000) as world:
        await push(world)
        with memory_within(80 * MIB):
            for _ in range(24):
                await push(world)
        (desk,) = world.daemon.desks
        assert sum(desk.status.samples.values()) == 500_000
        assert desk.status.series == (1_000 if name == b"load" else 0)
        assert world.plane.patches == [], "a signal with too many series is not known"
        async with world.http.get(f"{world.url}/livez") as response:
            assert response.status == 200
