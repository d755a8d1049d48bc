"""When the client asks again, how long it waits, and what it never exceeds."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.clock import ManualClock
from trimtab.errors import ErrorKind
from trimtab.targets.fireworks import FireworksAccount, FireworksClient, FireworksError, Limit
from trimtab.targets.fireworks.answers import Answer, Call
from trimtab.targets.fireworks.limits import TokenBucket
from trimtab.targets.fireworks.retries import RetryBudget

NAME = "accounts/acct/deployments/d1"
MASK = ["min_replica_count", "max_replica_count"]
BOUNDS = {"minReplicaCount": 2, "maxReplicaCount": 2}
QUOTA_TEXT = "global--h200-count for account acct, in use: 14, quota: 16, requesting: 4"


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
async def test_a_read_is_retried_after_a_passing_failure(
    client: Any, server: Any, reply: Any, clock: Any, status: int
) -> None:
    server.reply(reply({"code": 14, "message": "m"}, status=status), {"name": NAME})
    assert (await client.get_deployment("d1")).name == NAME
    (pause,) = (slept for slept in clock.slept if slept > 0)
    assert 0.25 <= pause <= 0.5


async def test_a_read_is_retried_after_a_lost_connection(
    client: Any, server: Any, reply: Any
) -> None:
    server.reply(reply({"name": NAME}, fault="truncate"), {"name": NAME})
    assert (await client.get_deployment("d1")).name == NAME


async def test_matching_shapes_is_a_post_that_changes_nothing_and_is_retried(
    client: Any, server: Any, reply: Any
) -> None:
    server.reply(reply({}, status=503), {})
    assert await client.match_shapes("m") == ()


async def test_waits_double_with_jitter_and_end_after_four_tries(
    client: Any, server: Any, reply: Any, clock: Any
) -> None:
    server.reply(*(reply({"code": 14, "message": "m"}, status=503) for _ in range(4)))
    with pytest.raises(FireworksError):
        await client.get_deployment("d1")
    first, second, third = (slept for slept in clock.slept if slept > 0)
    assert 0.25 <= first <= 0.5 <= second <= 1.0 <= third <= 2.0


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 412, 422, 501])
async def test_a_read_is_not_retried_after_an_answer_that_will_not_change(
    client: Any, server: Any, reply: Any, status: int
) -> None:
    server.reply(reply({"code": 3, "message": "m"}, status=status))
    with pytest.raises(FireworksError):
        await client.get_deployment("d1")
    assert len(server.seen) == 1


async def test_a_conflict_is_retried_only_if_it_was_aborted(
    client: Any, server: Any, reply: Any
) -> None:
    aborted = reply({"code": 10, "message": "try again"}, status=409)
    server.reply(aborted, {"name": NAME})
    await client.update_deployment("d1", BOUNDS, MASK)
    server.reply(reply({"code": 6, "message": "already exists"}, status=409))
    with pytest.raises(FireworksError) as caught:
        await client.create_deployment({"baseModel": "m"}, deployment="d1")
    assert (caught.value.kind, caught.value.grpc_name) == (ErrorKind.CONFLICT, "ALREADY_EXISTS")
    assert len(server.seen) == 3


async def test_retry_after_is_waited_for(client: Any, server: Any, reply: Any, clock: Any) -> None:
    limited = reply({"code": 8, "message": "rate"}, status=429, headers={"Retry-After": "7"})
    server.reply(limited, {"name": NAME})
    await client.get_deployment("d1")
    assert 7.0 <= sum(clock.slept) <= 8.0


async def test_a_retry_after_of_minutes_is_the_callers_to_wait_for(
    client: Any, server: Any, reply: Any, clock: Any
) -> None:
    server.reply(reply({"code": 14, "message": "m"}, status=503, headers={"Retry-After": "300"}))
    with pytest.raises(FireworksError) as caught:
        await client.get_deployment("d1")
    assert caught.value.retry_after_seconds == 300
    assert sum(clock.slept) == 0


async def test_the_accounts_limit_makes_every_other_request_wait_too(
    client: Any, server: Any, reply: Any, clock: Any
) -> None:
    limited = reply({"code": 8, "message": "rate"}, status=429, headers={"Retry-After": "120"})
    server.reply(limited)
    with pytest.raises(FireworksError):
        await client.get_deployment("d1")
    with pytest.raises(FireworksError, match="Nothing was sent: the limit on control") as caught:
        await client.get_account()
    assert caught.value.retry_after_seconds == pytest.approx(120)
    clock.advance(120)
    server.reply({"name": "accounts/acct"})
    await client.get_account()


async def test_a_quota_429_is_never_retried(client: Any, server: Any, reply: Any) -> None:
    server.reply(reply({"code": 8, "message": QUOTA_TEXT}, status=429))
    with pytest.raises(FireworksError) as caught:
        await client.update_deployment("d1", BOUNDS, MASK)
    assert caught.value.kind is ErrorKind.QUOTA_EXCEEDED
    assert not caught.value.retryable
    assert not caught.value.is_ambiguous
    assert len(server.seen) == 1


async def test_a_write_is_resent_when_the_limit_refused_it(
    client: Any, server: Any, reply: Any
) -> None:
    server.reply(reply({"code": 8, "message": "rate"}, status=429), {"name": NAME})
    await client.update_deployment("d1", BOUNDS, MASK)
    assert len(server.seen) == 2


WRITES: list[Any] = [
    lambda client: client.update_deployment("d1", BOUNDS, MASK),
    lambda client: client.scale_deployment("d1", 2),
    lambda client: client.create_deployment({"baseModel": "m"}, deployment="d1"),
    lambda client: client.delete_deployment("d1"),
    lambda client: client.undelete_deployment("d1"),
]


@pytest.mark.parametrize("write", WRITES)
@pytest.mark.parametrize("how", ["500", "503", "504", "408", "reset", "truncate", "html", "hang"])
async def test_a_write_whose_outcome_is_open_is_never_resent_and_says_so(
    account: Any, clock: Any, server: Any, reply: Any, write: Any, how: str
) -> None:
    if how.isdigit():
        server.reply(reply({"code": 14, "message": "m"}, status=int(how)))
    elif how == "html":
        server.reply(reply(text="<html>"))
    else:
        server.reply(reply({"name": NAME}, fault=how))
    # What hangs is given up soon; everything else answers, on a busy machine late.
    patient = replace(account, total_timeout_seconds=0.5 if how == "hang" else 30.0)
    async with FireworksClient(patient, clock) as client:
        with pytest.raises(FireworksError) as caught:
            await write(client)
    assert caught.value.is_ambiguous
    assert len(server.seen) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 501])
async def test_a_write_that_was_refused_is_not_ambiguous(
    client: Any, server: Any, reply: Any, status: int
) -> None:
    server.reply(reply({"code": 3, "message": "m"}, status=status))
    with pytest.raises(FireworksError) as caught:
        await client.update_deployment("d1", BOUNDS, MASK)
    assert not caught.value.is_ambiguous


async def test_a_read_is_never_ambiguous(client: Any, server: Any, reply: Any) -> None:
    server.reply(*(reply({}, status=503) for _ in range(4)))
    with pytest.raises(FireworksError) as caught:
        await client.get_deployment("d1")
    assert not caught.value.is_ambiguous


async def test_an_outage_is_not_met_with_four_times_the_load(
    client: Any, server: Any, reply: Any
) -> None:
    server.reply(*(reply({}, status=503) for _ in range(40)))
    for _ in range(20):
        with pytest.raises(FireworksError):
            await client.get_deployment("d1")
    assert 20 <= len(server.seen) < 2 * 20  # each call is still made once
    server.discard_the_rest()


def test_retries_return_when_requests_succeed_again() -> None:
    budget = RetryBudget()
    for _ in range(10):
        budget.failed()
    assert not budget.allows_retry
    for _ in range(51):
        budget.succeeded()
    assert budget.allows_retry


async def test_a_scrape_that_is_limited_is_not_retried(
    client: Any, server: Any, reply: Any
) -> None:
    server.reply(reply({"code": 8, "message": "m"}, status=429, headers={"Retry-After": "20"}))
    with pytest.raises(FireworksError) as caught:
        await client.scrape_metrics()
    assert (caught.value.limit, caught.value.retry_after_seconds) == (Limit.METRICS, 20.0)
    assert len(server.seen) == 1


async def test_six_scrapes_are_never_exceeded_in_any_minute_while_other_reads_go_on(
    client: Any, server: Any, reply: Any, clock: Any
) -> None:
    at: list[float] = []
    for _ in range(14):
        server.on(
            "GET",
            "/v1/accounts/acct/metrics",
            reply(text="m 1\n", before=lambda: at.append(clock.now())),
        )
    for _ in range(14):
        await client.scrape_metrics()
    assert max(sum(1 for t in at if start <= t <= start + 60) for start in at) == 6
    slept = sum(clock.slept)
    server.reply({"name": NAME})
    await client.get_deployment("d1")
    assert sum(clock.slept) == slept


@given(
    st.integers(1, 20),
    st.integers(1, 200),
    st.lists(st.floats(0, 20, allow_nan=False), min_size=1, max_size=120),
)
def test_a_bucket_never_lets_more_through_than_its_limit_in_any_minute(
    burst: int, more: int, gaps: list[float]
) -> None:
    class Jumping(ManualClock):
        async def sleep(self, seconds: float) -> None:
            self.advance(max(0.0, seconds))

    clock = Jumping(1_790_000_000.0)
    per_minute = burst + more
    bucket = TokenBucket(clock, name="test", per_minute=per_minute, burst=burst)
    passed: list[float] = []

    async def ask() -> None:
        for gap in gaps:
            clock.advance(gap)
            try:
                await bucket.acquire()
            except FireworksError:
                continue
            passed.append(clock.monotonic())

    asyncio.run(ask())
    for start in passed:
        # At the very end of the minute the next turn may fall due by a rounding error.
        assert sum(1 for t in passed if start <= t < start + 59.999) <= per_minute


async def test_turns_are_given_in_order_and_a_cancelled_one_is_not_handed_on() -> None:
    clock = ManualClock()
    bucket = TokenBucket(clock, name="metrics", per_minute=6, burst=1)
    await bucket.acquire()
    order: list[str] = []

    async def wait(name: str) -> None:
        await bucket.acquire()
        order.append(f"{name} at {clock.monotonic():.0f}")

    first, second = asyncio.create_task(wait("first")), asyncio.create_task(wait("second"))
    await asyncio.sleep(0)
    first.cancel()
    for _ in range(24):
        clock.advance(1)
        await asyncio.sleep(0)
    await second
    assert order == ["second at 24"]


async def test_the_patient_leave_half_of_the_burst_to_others_but_not_for_ever() -> None:
    clock = ManualClock()
    bucket = TokenBucket(clock, name="control", per_minute=120, burst=60)
    patient = [asyncio.create_task(bucket.acquire(is_patient=True)) for _ in range(40)]
    await asyncio.sleep(0)
    assert [task.done() for task in patient] == [True] * 30 + [False] * 10
    for _ in range(30):
        await asyncio.wait_for(bucket.acquire(), 30.0)  # at once: the clock stands still
    clock.advance(2.0)
    await asyncio.sleep(0)
    other = asyncio.create_task(bucket.acquire())
    for _ in range(12):
        clock.advance(1.0)
        for _ in range(3):
            await asyncio.sleep(0)
    assert all(task.done() for task in [*patient, other])


async def test_pages_are_patient_and_whatever_concerns_one_deployment_is_not(
    account: Any, clock: Any
) -> None:
    asked: list[tuple[str, bool]] = []

    class Noting:
        async def exchange(self, call: Call) -> Answer:
            asked.append((call.operation, call.is_patient))
            body = {"deployments": []} if call.is_patient else {"name": NAME}
            return Answer(status=200, headers={}, text=json.dumps(body))

        async def close(self) -> None:
            pass

    async with FireworksClient(account, clock, connection=Noting()) as client:
        assert [one async for one in client.list_deployments()] == []
        await client.get_deployment(NAME)
        await client.scale_deployment(NAME, 1)

    patience = [("list_deployments", True), ("get_deployment", False), ("scale_deployment", False)]
    assert asked == patience


async def test_who_waits_when_the_limit_is_closed_waits_on_to_its_end() -> None:
    clock = ManualClock()
    bucket = TokenBucket(clock, name="control", per_minute=6, burst=1)
    await bucket.acquire()
    waiting = asyncio.create_task(bucket.acquire())
    await asyncio.sleep(0)
    bucket.close_for(25)
    for _ in range(24):
        clock.advance(1)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not waiting.done()
    for _ in range(14):
        clock.advance(1)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    assert waiting.done()


async def test_a_cancelled_request_is_cancelled_and_not_retried(
    client: Any, server: Any, reply: Any
) -> None:
    arrived = asyncio.Event()
    server.reply(reply({}, fault="hang", before=arrived.set))
    request = asyncio.create_task(client.get_deployment("d1"))
    await arrived.wait()
    request.cancel()
    with pytest.raises(asyncio.CancelledError):
        await request
    assert len(server.seen) == 1


async def test_an_account_with_ten_requests_a_minute_is_served_within_them(
    account: FireworksAccount, server: Any, reply: Any, clock: Any
) -> None:
    at: list[float] = []
    server.reply(*(reply({"name": NAME}, before=lambda: at.append(clock.now())) for _ in range(25)))
    async with FireworksClient(replace(account, control_per_minute=10), clock) as unpaid:
        for _ in range(25):
            await unpaid.get_deployment("d1")
    busiest = max(sum(1 for t in at if start <= t < start + 60.001) for start in at)
    assert busiest == 10
