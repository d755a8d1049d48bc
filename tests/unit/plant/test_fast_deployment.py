"""The fast plant lives the same life as the plant of the emulator, bit for bit."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.plant import SERVING_MODELS, Load, PlantDeployment, Slo, StartTimes, SteppedWorkload
from trimtab.plant import deployment as slow_module
from trimtab.plant.fast_deployment import FastDeployment
from trimtab.plant.fast_queue import Arrivals

START = 1_767_225_600.0
SLO = Slo(ttft_seconds=1.0, tpot_seconds=0.05)
TIMES = StartTimes(5.0, 20.5, 9.25, ready_lag_seconds=3.0, cv=0.4, failure_probability=0.1)

Second = tuple[int, float, float]
"""Requests, and the mean lengths of prompt and answer."""


def slow_run(
    seconds: Sequence[Second], asks: dict[int, int], replicas: int, model: str, seed: int
) -> PlantDeployment:
    """The plant of the emulator, with its arrivals dictated."""
    script: Iterator[int] = iter([requests for requests, _, _ in seconds])
    plant = PlantDeployment(
        model=SERVING_MODELS[model],
        slo=SLO,
        workload=SteppedWorkload(
            [(1.0, Load(1.0, prompt, output)) for _, prompt, output in seconds]
        ),
        start_times=TIMES,
        rng=Random(seed),
        started_at=START,
        replicas=replicas,
    )
    drawn = slow_module.poisson
    slow_module.poisson = lambda _rng, _mean: next(script)  # type: ignore[assignment]  # names its arguments otherwise
    try:
        for second in range(len(seconds)):
            if second in asks:
                plant.ask(asks[second], START + second)
            plant.advance(START + second + 1)
    finally:
        slow_module.poisson = drawn
    return plant


def fast_run(
    seconds: Sequence[Second],
    asks: dict[int, int],
    replicas: int,
    model: str,
    seed: int,
    pieces: int = 15,
) -> FastDeployment:
    """The fast one, driven in pieces of some seconds."""
    plant = FastDeployment(
        model=SERVING_MODELS[model],
        slo=SLO,
        start_times=TIMES,
        rng=Random(seed),
        started_at=START,
        replicas=replicas,
    )
    arrivals = Arrivals(*(tuple(map(float, column)) for column in zip(*seconds, strict=True)))
    at = 0
    while at < len(seconds):
        if at in asks:
            plant.ask(asks[at])
        until = min([at + pieces, len(seconds), *(ask for ask in asks if ask > at)])
        plant.live(arrivals, at, until)
        at = until
    return plant


def state(plant: PlantDeployment | FastDeployment) -> dict[str, object]:
    queue = plant._queue if isinstance(plant, PlantDeployment) else plant.queue
    return {
        "offered": queue.totals.offered,
        "finished": queue.totals.finished,
        "met": queue.totals.met_slo,
        "refused": queue.totals.refused_by_code,
        "waiting": queue.waiting,
        "in service": queue.in_service,
        "draining": queue.draining,
        "lengths": (queue._prompt_tokens, queue._output_tokens),
        "pace": (queue._pace, queue._tpot_ms),
        "members": plant.replicas.members,
    }


def mixed_load(seed: int, count: int) -> list[Second]:
    """Silences, an easy load, a full one and overload, with lengths that jump."""
    rng = Random(seed)
    found: list[Second] = []
    while len(found) < count:
        level = rng.choice([0, 0, 3, 30, 60, 400])
        prompt, output = rng.choice([(1155.0, 211.0), (80.0, 900.0), (6000.0, 5.0), (300.5, 40.25)])
        for _ in range(rng.randrange(1, 90)):
            requests = max(0, round(rng.gauss(level, math.sqrt(level)))) if level else 0
            found.append((requests, prompt, output))
    return found[:count]


@given(
    seed=st.integers(0, 10_000),
    replicas=st.integers(0, 4),
    model=st.sampled_from(sorted(SERVING_MODELS)),
    asks=st.dictionaries(st.integers(0, 890), st.integers(0, 6), max_size=8),
    pieces=st.integers(1, 200),
)
@settings(max_examples=40, deadline=None)
def test_seconds_in_bulk_come_to_the_same_bits_as_seconds_one_by_one(
    seed: int, replicas: int, model: str, asks: dict[int, int], pieces: int
) -> None:
    # Seen to catch: a share met by division instead of by a factor, no look at the prefill budget.
    seconds = mixed_load(seed, 900)

    slow = slow_run(seconds, asks, replicas, model, seed)
    fast = fast_run(seconds, asks, replicas, model, seed, pieces)

    assert state(fast) == state(slow)
    assert fast.replicas.billed_replica_seconds == pytest.approx(
        slow.replicas.billed_replica_seconds, rel=1e-12
    )


def test_no_request_is_lost_or_invented_whatever_is_asked_for() -> None:
    seconds = mixed_load(7, 3600)
    asks = {second: (second // 200) % 5 for second in range(0, 3600, 200)}

    plant = fast_run(seconds, asks, 2, "8b-h100", seed=3)
    lived = plant.lived

    assert lived.offered == sum(requests for requests, _, _ in seconds)
    assert lived.finished + lived.refused + plant.in_flight == pytest.approx(
        lived.offered, abs=1e-5
    )
    assert 0.0 < lived.met < lived.finished


def test_replica_seconds_are_counted_by_what_the_replicas_do() -> None:
    plant = FastDeployment(
        model=SERVING_MODELS["8b-h100"],
        slo=SLO,
        start_times=StartTimes(10.0, 60.0, 30.0, cv=0.0, failure_probability=0.0),
        rng=Random(1),
        started_at=START,
        replicas=1,
    )
    idle = Arrivals((0.0,) * 200, (1000.0,) * 200, (100.0,) * 200)
    plant.ask(3)

    plant.live(idle, 0, 200)
    lived = plant.lived

    assert lived.asked_replica_seconds == 600.0
    # Two more serve in the second that ends when they are ready, as whole steps have it.
    assert lived.booting_replica_seconds == 2 * 99.0
    assert lived.ready_replica_seconds == 200.0 + 2 * 101.0
    assert lived.billed_replica_seconds == 200.0 + 2 * 190.0  # from allocation, after 10 s


def test_a_drain_is_paid_and_counted_until_its_requests_have_finished() -> None:
    plant = fast_run([(20, 1155.0, 211.0)] * 120, {}, 2, "8b-h100", seed=1)
    before = plant.lived
    plant.ask(1)

    plant.live(Arrivals((0.0,) * 120, (1155.0,) * 120, (211.0,) * 120), 0, 120)
    lived = plant.lived

    drained = lived.draining_replica_seconds - before.draining_replica_seconds
    assert 3.0 < drained < 60.0
    billed = lived.billed_replica_seconds - before.billed_replica_seconds
    assert billed == pytest.approx(120.0 + drained, abs=1.0)
    assert lived.finished == pytest.approx(lived.offered)


def test_what_is_told_of_a_minute_agrees_with_littles_law() -> None:
    plant = fast_run([(20, 1155.0, 211.0)] * 1200, {}, 2, "8b-h100", seed=1)
    first = plant.lived
    plant.live(Arrivals((20.0,) * 600, (1155.0,) * 600, (211.0,) * 600), 0, 600)
    last = plant.lived

    in_service = (last.in_service_request_seconds - first.in_service_request_seconds) / 600.0
    assert in_service == pytest.approx(20.0 * 211.0 * last.tpot_seconds, rel=0.01)
    assert last.generated_tokens - first.generated_tokens == pytest.approx(600 * 20 * 211, rel=0.01)
    assert last.prompt_tokens - first.prompt_tokens == 600 * 20 * 1155.0
    assert 0.0 < last.kv_share < 1.0
    assert last.wait_seconds == 0.0
