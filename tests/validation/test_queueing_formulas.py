"""The request-level model where queueing theory has the answer: M/M/c, M/D/c's like, M/G/1 and M/G/1-PS.

A replica with one sequence and a constant iteration is a server, several of them behind one queue
are M/G/c. A replica whose iteration grows with its batch, and nothing else, shares its processor.
Each mean is compared within four standard errors, taken from means over batches of requests, and
these must be small enough for a wrong formula to show.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from trimtab.plant import ConstantWorkload, Load, ServingModel, Slo, start_times_for
from trimtab.plant.requests import RecordedArrivals, Request, RequestDeployment

SERVER = ServingModel("server", 0.0, 1.0, 1e-9, 0.0, 1e12, 1, 10)
"""One sequence at a time, 1 ms a token: an answer of n tokens takes n ms, whatever else happens."""

SHARED = ServingModel("shared", 0.0, 1e-9, 1.0, 0.0, 1e12, 100_000, 1_000_000)
"""1 ms a token over all sequences: n of them get a token each in n ms."""

MEAN_TOKENS = 400.0
BATCHES = 40


def exponential(rng: random.Random) -> int:
    return math.ceil(rng.expovariate(1.0 / MEAN_TOKENS))


def always(_: random.Random) -> int:
    return int(MEAN_TOKENS)


def two_kinds(rng: random.Random) -> int:
    """Nine short ones for each long one: a squared coefficient of variation of 2.25."""
    return 200 if rng.random() < 0.9 else 2200


def served(
    model: ServingModel,
    tokens: Callable[[random.Random], int],
    *,
    servers: int,
    busy: float,
    requests: int,
    seed: int = 1,
) -> list[Request]:
    """Serve Poisson arrivals that keep the servers busy for this share of time, in order of arrival."""
    rng = random.Random(seed)
    rate = busy * servers / (MEAN_TOKENS / 1000.0)
    at = 0.0
    coming = []
    for _ in range(requests):
        at += rng.expovariate(rate)
        coming.append((at, 1, tokens(rng)))
    told: list[Request] = []
    plant = RequestDeployment(
        model=model,
        slo=Slo(1.0, 1.0),
        workload=ConstantWorkload(Load(rate, 1.0, MEAN_TOKENS)),
        start_times=start_times_for(8),
        rng=rng,
        started_at=0.0,
        replicas=servers,
        waiting_max_per_replica=10**9,
        arrivals=RecordedArrivals(coming),
        told=told.append,
    )
    plant.advance(at + 10_000.0)
    assert len(told) == requests
    return sorted(told, key=lambda request: request.number)[requests // 20 :]


def mean_and_error(values: list[float]) -> tuple[float, float]:
    size = len(values) // BATCHES
    means = [sum(values[i * size : (i + 1) * size]) / size for i in range(BATCHES)]
    mean = sum(means) / BATCHES
    variance = sum((each - mean) ** 2 for each in means) / (BATCHES - 1)
    return mean, math.sqrt(variance / BATCHES)


def assert_mean(values: list[float], expected: float, error_max: float) -> None:
    mean, error = mean_and_error(values)
    assert error < error_max * expected
    assert abs(mean - expected) < 4.0 * error + 0.005 * expected  # time goes in whole tokens


def waits_seconds(requests: list[Request]) -> list[float]:
    """Time in the queue: the first token comes one iteration after it."""
    return [(request.ttft_seconds or 0.0) - 0.001 for request in requests]


def sojourns_seconds(requests: list[Request]) -> list[float]:
    return [((request.finished_ms or 0.0) - request.arrived_ms) / 1000.0 for request in requests]


def erlang_c(servers: int, offered: float) -> float:
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = offered * blocked / (count + offered * blocked)
    return blocked / (1.0 - offered / servers * (1.0 - blocked))


@pytest.mark.parametrize(
    ("servers", "busy", "requests"), [(1, 0.7, 30_000), (3, 0.8, 30_000), (10, 0.85, 40_000)]
)
def test_replicas_of_one_sequence_are_servers_behind_one_queue_as_erlang_has_them(
    servers: int, busy: float, requests: int
) -> None:
    waits = waits_seconds(
        served(SERVER, exponential, servers=servers, busy=busy, requests=requests)
    )
    waiting = erlang_c(servers, busy * servers)
    mean_wait = waiting * MEAN_TOKENS / 1000.0 / (servers * (1.0 - busy))
    long = mean_wait / waiting  # of those who wait at all

    assert_mean(waits, mean_wait, error_max=0.1)
    assert_mean([float(wait > 1e-6) for wait in waits], waiting, error_max=0.05)
    assert_mean([float(wait > long) for wait in waits], waiting / math.e, error_max=0.1)


@pytest.mark.parametrize(
    ("tokens", "cv_squared"), [(always, 0.0), (two_kinds, 2.25), (exponential, 1.0)]
)
def test_one_server_waits_grow_with_the_spread_of_answers_as_pollaczek_and_khinchine_have_it(
    tokens: Callable[[random.Random], int], cv_squared: float
) -> None:
    busy = 0.6
    waits = waits_seconds(served(SERVER, tokens, servers=1, busy=busy, requests=30_000))

    expected = busy / (1.0 - busy) * (1.0 + cv_squared) / 2.0 * MEAN_TOKENS / 1000.0
    assert_mean(waits, expected, error_max=0.06)


@pytest.mark.parametrize("tokens", [always, exponential, two_kinds])
@pytest.mark.parametrize("busy", [0.3, 0.7])
def test_a_batch_that_shares_its_processor_is_insensitive_to_the_spread_of_answers(
    tokens: Callable[[random.Random], int], busy: float
) -> None:
    """M/G/1-PS: the mean time inside is E[S] / (1 - busy), whatever the distribution of S."""
    requests = served(SHARED, tokens, servers=1, busy=busy, requests=15_000)

    assert_mean(sojourns_seconds(requests), MEAN_TOKENS / 1000.0 / (1.0 - busy), error_max=0.05)


def test_who_shares_a_processor_stays_in_proportion_to_the_length_of_the_answer() -> None:
    """M/G/1-PS: of the requests of x ms, the mean time inside is x / (1 - busy), for every x."""
    busy = 0.5
    requests = served(SHARED, two_kinds, servers=1, busy=busy, requests=20_000)

    for tokens in (200, 2200):
        alike = [request for request in requests if request.output_tokens == tokens]
        assert_mean(sojourns_seconds(alike), tokens / 1000.0 / (1.0 - busy), error_max=0.05)
