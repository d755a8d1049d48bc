"""Redis, PostgreSQL, RabbitMQ and NATS: what the real servers hold, and how they can fail."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import nats
import pytest
import redis.asyncio
from tests.contract.sources.conftest import Answering
from tests.servers.prometheus import CHAT, CODE

from trimtab.clock import ManualClock
from trimtab.core.signals import Sample, SignalSpec
from trimtab.errors import ErrorKind, SourceError
from trimtab.sources.http import Access, HttpReader
from trimtab.sources.nats_jetstream import NatsReader
from trimtab.sources.polled import PolledSource, Reader
from trimtab.sources.port import PartialAnswerError
from trimtab.sources.postgresql import PostgresqlReader
from trimtab.sources.rabbitmq import RabbitmqReader
from trimtab.sources.redis_lengths import RedisReader

NOW = 1_767_225_600.0
Make = Callable[[Reader], PolledSource]


def spec(query: str, name: str = "load") -> SignalSpec:
    return SignalSpec(name=name, source="queue", query=query, max_age_seconds=60)


async def heard(source: PolledSource, *queries: str) -> list[float]:
    """The values of queries that are about one deployment, in their order."""
    specs = [spec(query, f"s{number}") for number, query in enumerate(queries)]
    samples = await source.poll({CHAT: specs})
    return [sample.value for sample in sorted(samples, key=lambda one: one.signal)]


@pytest.fixture
async def polled() -> AsyncIterator[Make]:
    made: list[PolledSource] = []

    def make(reader: Reader) -> PolledSource:
        made.append(PolledSource(ManualClock(NOW), name="queue", reader=reader, interval_seconds=5))
        return made[-1]

    yield make
    for one in made:
        await one.close()


# --- Redis


@pytest.fixture
async def stored(redis_url: str) -> AsyncIterator[Any]:
    client = redis.asyncio.Redis.from_url(redis_url, password="made-up-password")
    await client.flushall()
    yield client
    await client.aclose()


@pytest.fixture
def password(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text("made-up-password\n")
    return file


@pytest.fixture
def in_redis(polled: Make, redis_url: str, password: Path) -> PolledSource:
    return polled(RedisReader(redis_url, timeout_seconds=2, password_file=password))


async def test_redis_tells_the_lengths_of_what_it_holds(
    in_redis: PolledSource, stored: Any
) -> None:
    await stored.rpush("jobs", "a", "b", "c")
    await stored.zadd("due", {"x": 10, "y": 20, "z": 30})
    await stored.sadd("members", "a", "b")
    for number in range(5):
        await stored.xadd("events", {"n": number})
    queries = ["LLEN jobs", "ZCARD due", "ZCOUNT due 15 +inf", "SCARD members", "XLEN events"]
    assert await heard(in_redis, *queries) == [3.0, 3.0, 2.0, 2.0, 5.0]


@pytest.mark.usefixtures("stored")
async def test_redis_keeps_no_empty_list_so_a_missing_one_is_empty(
    in_redis: PolledSource,
) -> None:
    assert await heard(in_redis, "LLEN nothing") == [0.0]


async def test_redis_tells_what_a_group_has_yet_to_read_and_to_acknowledge(
    in_redis: PolledSource, stored: Any
) -> None:
    await stored.xgroup_create("events", "workers", id="0", mkstream=True)
    for number in range(5):
        await stored.xadd("events", {"n": number})
    await stored.xreadgroup("workers", "one", {"events": ">"}, count=2)
    queries = ["XPENDING events workers", "XLAG events workers", "XBACKLOG events workers"]
    assert await heard(in_redis, *queries) == [2.0, 3.0, 5.0]


async def test_a_lag_that_redis_cannot_tell_is_not_known(
    in_redis: PolledSource, stored: Any
) -> None:
    ids = [await stored.xadd("events", {"n": number}) for number in range(5)]
    await stored.xgroup_create("events", "workers", id=ids[1])
    await stored.xdel("events", ids[3])
    assert await heard(in_redis, "XLAG events workers") == []


async def test_one_query_with_a_place_for_the_name_asks_for_every_deployment(
    in_redis: PolledSource, stored: Any
) -> None:
    await stored.rpush("jobs:chat", "a")
    await stored.rpush("jobs:code", "a", "b")
    wanted = [spec("LLEN jobs:{deployment_id}")]
    assert await in_redis.poll({CHAT: wanted, CODE: wanted}) == [
        Sample(CHAT, "load", NOW, 1.0),
        Sample(CODE, "load", NOW, 2.0),
    ]
    with pytest.raises(SourceError, match=r"one number for 2 deployments; put \{deployment_id\}"):
        await in_redis.poll({CHAT: [spec("LLEN jobs")], CODE: [spec("LLEN jobs")]})


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("LLEN word", "WRONGTYPE"),
        ("FLUSHALL", "is none; write one of `LLEN key`"),
        ("ZCOUNT due 1", "is none"),
        ("XLAG nothing workers", "no such key"),
        ("XLAG events nobody", "has no group nobody"),
    ],
)
async def test_a_redis_query_that_fails_takes_no_other_down(
    in_redis: PolledSource, stored: Any, query: str, words: str
) -> None:
    await stored.set("word", "hello")
    await stored.xgroup_create("events", "workers", id="0", mkstream=True)
    with pytest.raises(PartialAnswerError, match=words) as caught:
        await heard(in_redis, "LLEN jobs", query)
    assert [one.value for one in caught.value.samples] == [0.0]


async def test_redis_that_lets_nobody_in_or_is_gone_is_one_sentence(
    polled: Make, redis_url: str, password: Path
) -> None:
    password.write_text("wrong")  # noqa: ASYNC240  a word
    source = polled(RedisReader(redis_url, timeout_seconds=1, password_file=password))
    with pytest.raises(SourceError, match="check username and password_file") as caught:
        await heard(source, "LLEN jobs")
    assert caught.value.kind is ErrorKind.UNAUTHENTICATED
    password.write_text("made-up-password")  # noqa: ASYNC240  the same; a renewed one is read
    assert await heard(source, "LLEN nothing") == [0.0]
    gone = polled(RedisReader("redis://u@127.0.0.1:1/3", timeout_seconds=1))
    with pytest.raises(SourceError, match=r"redis://127\.0\.0\.1:1/3 cannot be asked") as caught:
        await heard(gone, "LLEN jobs")
    assert caught.value.kind is ErrorKind.UNAVAILABLE


# --- PostgreSQL

QUERIES = {
    "depth": "SELECT deployment, count(*) FROM jobs GROUP BY deployment",
    "timed": "SELECT 'chat', 4.5, to_timestamp(1767225000)",
    "epoch": "SELECT 'chat', 4, extract(epoch FROM to_timestamp(1767225000))",
    "unknown": "SELECT 'chat', NULL::int",
    "write": "INSERT INTO jobs VALUES ('chat') RETURNING deployment, 1",
    "call": "SELECT 'chat', set_config('a.b', '1', false)",
    "slow": "SELECT 'chat', 1 FROM pg_sleep(20)",
    "wrong": "SELECT nothing FROM nowhere",
    "two": "SELECT 'chat', 1 FROM generate_series(1, 2)",
    "many": "SELECT 'chat', 1 FROM generate_series(1, 1000000)",
    "naive": "SELECT 'chat', 1, now()::timestamp",
}


@pytest.fixture
async def jobs(postgresql_url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(postgresql_url)
    await connection.execute("DROP TABLE IF EXISTS jobs; CREATE TABLE jobs (deployment text)")
    yield connection
    await connection.close()


@pytest.fixture
def in_postgresql(polled: Make, postgresql_url: str, jobs: Any) -> PolledSource:
    del jobs  # the table is there
    return polled(PostgresqlReader(postgresql_url, QUERIES, timeout_seconds=5))


async def test_one_postgresql_query_serves_every_deployment(
    in_postgresql: PolledSource, jobs: Any
) -> None:
    await jobs.execute("INSERT INTO jobs VALUES ('chat'), ($1), ('elsewhere'), ('chat')", CODE)
    wanted = [spec("depth")]
    samples = await in_postgresql.poll({CHAT: wanted, CODE: wanted})
    assert {(one.deployment, one.value) for one in samples} == {(CHAT, 2.0), (CODE, 1.0)}
    await jobs.execute("INSERT INTO jobs VALUES ('chat')")  # nothing is remembered of a snapshot
    assert await heard(in_postgresql, "depth") == [3.0]


@pytest.mark.parametrize("query", ["timed", "epoch"])
async def test_a_row_of_postgresql_may_have_its_own_time(
    in_postgresql: PolledSource, query: str
) -> None:
    [sample] = await in_postgresql.poll({CHAT: [spec(query)]})
    assert sample.time == 1_767_225_000.0


async def test_null_is_not_known_rather_than_zero(in_postgresql: PolledSource) -> None:
    assert await heard(in_postgresql, "unknown") == []


@pytest.mark.parametrize(
    ("query", "kind", "words"),
    [
        ("write", ErrorKind.REJECTED, "refused the query 'write'"),
        ("call", ErrorKind.BAD_RESPONSE, "rows that are not a deployment's name, a number"),
        ("wrong", ErrorKind.REJECTED, "nowhere"),
        ("two", ErrorKind.BAD_RESPONSE, "gives 2 values for"),
        ("many", ErrorKind.BAD_RESPONSE, "more than 100000 rows"),
        ("naive", ErrorKind.BAD_RESPONSE, "neither UTC seconds nor RFC 3339"),
        ("absent", ErrorKind.NOT_FOUND, "have no query 'absent'; there is call, depth"),
    ],
)
async def test_a_postgresql_query_that_fails_takes_no_other_down(
    in_postgresql: PolledSource, jobs: Any, query: str, kind: ErrorKind, words: str
) -> None:
    with pytest.raises(PartialAnswerError, match=words) as caught:
        await heard(in_postgresql, query, "timed")
    assert caught.value.kind is kind
    assert [one.value for one in caught.value.samples] == [4.5]
    assert await jobs.fetchval("SELECT count(*) FROM jobs") == 0  # nothing was written
    assert await heard(in_postgresql, "timed") == [4.5]  # the connection still serves


async def test_a_slow_postgresql_query_is_ended_by_the_server(
    polled: Make, postgresql_url: str
) -> None:
    source = polled(PostgresqlReader(postgresql_url, QUERIES, timeout_seconds=0.5))
    with pytest.raises(PartialAnswerError, match=r"within 0\.5 s") as caught:
        await heard(source, "slow", "timed")
    assert caught.value.kind is ErrorKind.TIMEOUT


async def test_a_lost_postgresql_connection_is_opened_again(
    in_postgresql: PolledSource, jobs: Any
) -> None:
    assert await heard(in_postgresql, "timed") == [4.5]
    await jobs.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'trimtab'"
    )
    with contextlib.suppress(SourceError):  # unless the driver has noticed by itself
        await heard(in_postgresql, "timed")
    assert await heard(in_postgresql, "timed") == [4.5]


async def test_postgresql_that_is_gone_is_one_sentence(polled: Make) -> None:
    source = polled(PostgresqlReader("postgresql://me@127.0.0.1:1/db", QUERIES, timeout_seconds=1))
    with pytest.raises(
        SourceError, match=r"postgresql://127\.0\.0\.1:1/db cannot be asked"
    ) as caught:
        await heard(source, "timed")
    assert caught.value.kind is ErrorKind.UNAVAILABLE


# --- RabbitMQ


@pytest.fixture
async def rabbit(rabbitmq_url: str) -> AsyncIterator[Callable[..., Any]]:
    async with aiohttp.ClientSession(
        headers={"Authorization": "Basic Z3Vlc3Q6Z3Vlc3Q="}
    ) as session:

        async def call(method: str, path: str, body: Any = None) -> Any:
            async with session.request(method, f"{rabbitmq_url}/api/{path}", json=body) as answer:
                assert answer.status < 300, await answer.text()
                return await answer.text()

        yield call


async def until(
    values: Callable[[], Awaitable[list[float]]], expected: list[float] | None = None
) -> None:
    """Ask until the values are as expected, or until both are known."""
    while (found := await values()) != expected and (expected or len(found) < 2):  # noqa: ASYNC110  a server's state
        await asyncio.sleep(0.2)


async def test_rabbitmq_tells_what_waits_in_its_queues(
    polled: Make, rabbitmq_url: str, rabbit: Callable[..., Any]
) -> None:
    for name, count in (("jobs-chat", 3), ("jobs%20of%20code", 1)):
        await rabbit("PUT", f"queues/%2F/{name}", {})
        for _ in range(count):
            message = {"properties": {}, "payload": "x", "payload_encoding": "string"}
            message["routing_key"] = name.replace("%20", " ")
            await rabbit("POST", "exchanges/%2F/amq.default/publish", message)
    http = HttpReader(rabbitmq_url, access=Access(username="guest", password="guest"))
    source = polled(RabbitmqReader(http))
    queries = ["messages jobs-{deployment_id}", "messages_ready jobs of code"]
    async with asyncio.timeout(20):  # the plug-in gathers once a second
        await until(lambda: heard(source, *queries), [3.0, 1.0])
        await until(lambda: heard(source, "publish_rate jobs-chat", "messages jobs-chat"))
    assert await heard(source, "ack_rate jobs-chat") == []  # nobody ever acknowledged
    with pytest.raises(PartialAnswerError, match="has no queue 'absent'") as caught:
        await heard(source, "messages absent", "messages jobs-chat")
    assert [one.value for one in caught.value.samples] == [3.0]
    with pytest.raises(SourceError, match="is none; write one of `messages queue`"):
        await heard(source, "depth jobs-chat")


async def test_rabbitmq_that_lets_nobody_in_is_told(polled: Make, rabbitmq_url: str) -> None:
    http = HttpReader(rabbitmq_url, access=Access(username="guest", password="wrong"))
    with pytest.raises(SourceError, match="check its credentials") as caught:
        await heard(polled(RabbitmqReader(http)), "messages jobs")
    assert caught.value.kind is ErrorKind.UNAUTHENTICATED
    http = HttpReader(rabbitmq_url, access=Access(username="guest", password="guest"))
    with pytest.raises(SourceError) as caught:
        await heard(polled(RabbitmqReader(http, vhost="absent")), "messages jobs")
    assert caught.value.kind is ErrorKind.NOT_FOUND


@pytest.mark.parametrize("text", ["{}", '"x"', "null"])
async def test_what_is_no_list_of_queues_is_told(
    polled: Make, answering: Answering, text: str
) -> None:
    answering.text = text
    with pytest.raises(SourceError, match="no list of queues"):
        await heard(polled(RabbitmqReader(HttpReader(answering.url))), "messages jobs")


# --- NATS JetStream


async def test_nats_tells_what_a_consumer_has_yet_to_do(
    polled: Make, nats_urls: tuple[str, str]
) -> None:
    client = await nats.connect(nats_urls[0])
    stream = client.jetstream()
    await stream.add_stream(name="JOBS", subjects=["jobs.*"])
    subscription = await stream.pull_subscribe("jobs.chat", durable="chat")
    for number in range(5):
        await stream.publish("jobs.chat", f"{number}".encode())
    await subscription.fetch(2)
    source = polled(NatsReader([HttpReader(nats_urls[1])]))
    queries = [
        "pending JOBS {deployment_id}",
        "ack_pending JOBS chat",
        "backlog JOBS chat",
        "messages JOBS",
    ]
    assert await heard(source, *queries) == [3.0, 2.0, 5.0, 5.0]
    with pytest.raises(PartialAnswerError, match="no stream JOBS and consumer absent") as caught:
        await heard(source, "pending JOBS absent", "messages JOBS")
    assert [one.value for one in caught.value.samples] == [5.0]
    await stream.delete_stream("JOBS")
    await client.close()


async def test_of_a_nats_cluster_only_leaders_are_believed(
    polled: Make, answering: Answering
) -> None:
    def told(server: str, pending: int) -> str:
        cluster = '"cluster": {"name": "C", "leader": "two"}'
        consumer = f'{{"name": "c", "num_pending": {pending}, {cluster}}}'
        streams = f'[{{"name": "S", "state": {{"messages": 9}}, "consumer_detail": [{consumer}]}}]'
        accounts = f'[{{"name": "$G", "stream_detail": {streams}}}]'
        return f'{{"server_name": "{server}", "account_details": {accounts}}}'

    async def reply(request: aiohttp.web.Request) -> aiohttp.web.Response:
        server = request.path.split("/")[1]
        if server == "three":
            return aiohttp.web.Response(status=503)
        return aiohttp.web.Response(text=told(server, {"one": 99, "two": 7}[server]))

    answering.reply = reply

    def cluster(*servers: str) -> PolledSource:
        return polled(NatsReader([HttpReader(f"{answering.url}/{name}") for name in servers]))

    assert await heard(cluster("two", "one"), "pending S c") == [7.0]
    with pytest.raises(SourceError, match="whose leader answered"):
        await heard(cluster("one"), "pending S c")
    with pytest.raises(PartialAnswerError) as caught:  # what the third leads is not known
        await heard(cluster("one", "two", "three"), "pending S c", "pending S other")
    assert [one.value for one in caught.value.samples] == [7.0]


@pytest.mark.parametrize("text", ["{}", "[]", '{"server_name": "a", "account_details": [3]}'])
async def test_what_no_nats_server_says_is_told(
    polled: Make, answering: Answering, text: str
) -> None:
    answering.text = text
    with pytest.raises(SourceError, match="is it the monitoring port"):
        await heard(polled(NatsReader([HttpReader(answering.url)])), "messages S")
