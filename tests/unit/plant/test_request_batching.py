"""Runs of iterations added up in closed form, held against the plain loop that takes them one by one."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.plant import SERVING_MODELS, ServingModel, Slo
from trimtab.plant.requests import Ledger, Request, Router

SLO = Slo(1.0, 0.050)

# Every one a small multiple of a power of two, so that sums and products of them are exact and the
# order of adding up makes no difference: then equal means equal, bit by bit.
binary_models = st.builds(
    ServingModel,
    name=st.just("binary"),
    overhead_ms=st.sampled_from([0.0, 0.5, 3.25]),
    weight_read_ms=st.sampled_from([0.25, 4.0, 16.0]),
    ms_per_token=st.sampled_from([0.0625, 0.5]),
    ms_per_thousand_kv_tokens=st.sampled_from([0.0, 1000.0 / 1024.0, 1000.0 / 16.0]),
    kv_capacity_tokens=st.sampled_from([60, 200, 5000]),
    sequences_max=st.sampled_from([1, 3, 16]),
    prefill_chunk_tokens=st.sampled_from([17, 32, 256]),
)
# Gaps in eighths of a millisecond meet the ends of iterations exactly, often.
arrivals = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 1, 8, 36, 100, 1000, 20_000]) | st.integers(0, 400),
        st.integers(1, 60) | st.integers(1, 900),
        st.integers(1, 10) | st.integers(1, 300),
        st.sampled_from([1.0, 1.0, 0.5, 0.1]),
    ),
    min_size=1,
    max_size=40,
)


@dataclass
class Loop:
    """A replica that takes its iterations one at a time, written from the formula alone."""

    model: ServingModel
    prompts: list[Request] = field(default_factory=list)
    answers: list[list] = field(default_factory=list)  # [request, tokens generated]
    spent: list[tuple[Request, int]] = field(default_factory=list)
    kv_tokens: int = 0
    ends_ms: float = math.inf

    @property
    def inside(self) -> list[Request]:
        return [*self.prompts, *(request for request, _ in self.answers)]

    def fits(self, request: Request) -> bool:
        reserved = sum(each.prompt_tokens + each.output_tokens for each in self.inside)
        needed = reserved + request.prompt_tokens + request.output_tokens
        return not self.inside or (
            len(self.inside) < self.model.sequences_max and needed <= self.model.kv_capacity_tokens
        )

    def begin(self, now: float) -> None:
        budget = self.model.prefill_chunk_tokens - len(self.answers)
        self.spent = []
        for request in self.prompts:
            tokens = min(budget, request.prompt_left)
            if tokens:
                self.spent.append((request, tokens))
                budget -= tokens
        tokens = sum(tokens for _, tokens in self.spent)
        self.kv_tokens += tokens
        self.ends_ms = now + self.model.iteration_ms(len(self.answers) + tokens, self.kv_tokens)

    def end(self) -> None:
        now = self.ends_ms
        self.kv_tokens += len(self.answers)
        for answer in self.answers:
            answer[1] += 1
        for request, tokens in self.spent:
            request.prompt_left -= tokens
            if not request.prompt_left:
                request.first_token_ms = now
                self.kv_tokens += request.prompt_tokens - request.prompt_to_compute
                self.prompts.remove(request)
                self.answers.append([request, 1])
        for answer in list(self.answers):
            request, generated = answer
            if generated == request.output_tokens:
                request.finished_ms = now
                self.kv_tokens -= request.prompt_tokens + request.output_tokens - 1
                self.answers.remove(answer)
        self.ends_ms = math.inf


def loop(model: ServingModel, replicas: int, requests: list[Request]) -> None:
    """Serve the requests: iterations end, requests arrive, iterations begin, in this order."""
    loops = [Loop(model) for _ in range(replicas)]
    given_one = loops[::-1]  # who waited longest for a request comes first
    waiting: deque[Request] = deque()
    coming = deque(requests)

    def admit() -> None:
        while waiting:
            fitting = [each for each in given_one if each.fits(waiting[0])]
            if not fitting:
                return
            chosen = min(fitting, key=lambda each: len(each.inside))
            given_one.remove(chosen)
            given_one.append(chosen)
            chosen.prompts.append(waiting.popleft())

    while coming or any(each.inside for each in loops):
        now = min(
            coming[0].arrived_ms if coming else math.inf,
            *(each.ends_ms for each in loops),
            math.inf,
        )
        for each in loops:
            if each.ends_ms == now:
                each.end()
                admit()
        while coming and coming[0].arrived_ms == now:
            waiting.append(coming.popleft())
            admit()
        for each in loops:
            if each.inside and each.ends_ms == math.inf:
                each.begin(now)


def jump(model: ServingModel, replicas: int, requests: list[Request]) -> Ledger:
    ledger = Ledger(SLO)
    router = Router(model, ledger, waiting_max_per_replica=10_000)
    for number in range(1, replicas + 1):
        router.open(number)
    for request in requests:
        router.advance(request.arrived_ms)
        router.offer(request)
    router.advance(1e12)
    return ledger


def made(coming: list[tuple[int, int, int, float]], unit_ms: float = 0.125) -> list[Request]:
    requests = []
    at = 0.0
    for number, (gap, prompt, output, computed_share) in enumerate(coming):
        at += gap * unit_ms
        computed = max(1, int(prompt * computed_share))
        requests.append(Request(number, at, prompt, output, computed, computed))
    return requests


def times(requests: list[Request]) -> list[tuple[float | None, float | None]]:
    return [(request.first_token_ms, request.finished_ms) for request in requests]


@settings(max_examples=150)
@given(model=binary_models, coming=arrivals, replicas=st.integers(1, 3))
def test_every_time_of_every_request_equals_that_of_the_plain_loop_bit_by_bit(
    model: ServingModel, coming: list[tuple[int, int, int, float]], replicas: int
) -> None:
    """Seen to catch: arrivals kept out of a run that was planned in the instant they came, the wrong
    KV growth within a run, runs of chunks not ended by an answer's end, KV freed by one token too many.
    """
    one_by_one, in_runs = made(coming), made(coming)

    loop(model, replicas, one_by_one)
    ledger = jump(model, replicas, in_runs)

    assert times(in_runs) == times(one_by_one)
    assert ledger.totals.finished == len(coming)
    assert (ledger.in_flight, ledger.waiting) == (0, 0)


@settings(max_examples=25)
@given(
    model=st.sampled_from(list(SERVING_MODELS.values())),
    coming=st.lists(
        st.tuples(st.integers(0, 40_000), st.integers(1, 6000), st.integers(1, 800), st.just(1.0)),
        min_size=1,
        max_size=60,
    ),
)
def test_with_the_constants_of_the_presets_they_agree_but_for_rounding(
    model: ServingModel, coming: list[tuple[int, int, int, float]]
) -> None:
    one_by_one, in_runs = made(coming, math.pi / 1000.0), made(coming, math.pi / 1000.0)

    loop(model, 1, one_by_one)
    jump(model, 1, in_runs)

    for mine, theirs in zip(times(in_runs), times(one_by_one), strict=True):
        assert mine == pytest.approx(theirs, abs=1e-6)
