"""One replica serving requests by continuous batching, iteration by iteration but not one at a time.

Every iteration decodes one token for each sequence in the batch and spends the rest of its token
budget on prompts, first come, first served (chunked prefill). It takes what ``ServingModel`` says,
``T = overhead + max(weight_read, ms_per_token * n_tok) + ms_per_thousand_kv_tokens * K``. A request
is taken when a sequence is free and its whole KV need (prompt and answer) can be reserved; its
prompt begins with the next iteration.

Between two events (an arrival, the end of a prompt, the end of an answer) every iteration computes
the same number of tokens and K grows by the same amount each time. So the times of k iterations
are an arithmetic series: the replica plans the whole run of iterations up to the next event and
adds it up in closed form. Nothing is approximated: with constants that binary fractions represent
exactly, the results equal those of the plain loop bit by bit (the tests hold them against it).
"""

from __future__ import annotations

import math
from collections import deque
from copy import copy
from dataclasses import replace
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.plant.requests.request import Request
    from trimtab.plant.serving_model import ServingModel

NEVER = math.inf
_NONE: Sequence[Request] = ()


class PromptLedger(Protocol):
    """Who is told of prompts; ``Ledger`` says what these mean."""

    def prompts_began(self, count: int, began_ms: float, now_ms: float) -> None:
        """Book that prompts began."""
        ...

    def first_token(self, request: Request) -> None:
        """Book that a prompt is done."""
        ...


class _NoLedger:
    """For what is only played through."""

    def prompts_began(self, count: int, began_ms: float, now_ms: float) -> None:
        pass

    def first_token(self, request: Request) -> None:
        pass


class BatchingReplica:
    """One replica and the requests in it.

    ``number`` is that of the replica in its ``ReplicaSet``. ``run_ends_ms`` is when the run of
    iterations that is under way will be over, infinity when there is nothing to do; whoever drives
    it calls ``finish_run`` at that time. ``in_flight`` counts the requests taken and not finished.
    """

    __slots__ = (
        "_answers", "_budget", "_decoding", "_floor_ms", "_iteration", "_kv_max", "_kv_ms",
        "_kv_reserved", "_kv_tokens", "_ledger", "_prompts", "_run_began_ms", "_run_iterations",
        "_run_tokens", "_sequences_max", "_token_ms", "_weights_ms", "in_flight", "number",
        "run_ends_ms",
    )  # fmt: skip

    def __init__(self, model: ServingModel, number: int, ledger: PromptLedger) -> None:
        self.number = number
        self.in_flight = 0
        self.run_ends_ms = NEVER
        self._ledger = ledger
        self._floor_ms = model.overhead_ms
        self._weights_ms = model.weight_read_ms
        self._token_ms = model.ms_per_token
        self._kv_ms = model.ms_per_thousand_kv_tokens / 1000.0
        self._kv_max = model.kv_capacity_tokens
        self._sequences_max = model.sequences_max
        self._budget = model.prefill_chunk_tokens
        self._iteration = 0  # how many are over
        self._kv_tokens = 0
        self._kv_reserved = 0
        self._prompts: deque[Request] = deque()  # not computed yet; only the first may have begun
        self._decoding: list[tuple[int, int, Request]] = []  # a heap by the last iteration
        self._answers = 0  # how many began, so that equals in the heap have an order
        self._run_began_ms = 0.0
        self._run_iterations = 0
        self._run_tokens = 0  # of prompts, in each iteration of the run

    # -- what is seen ------------------------------------------------------------------------

    @property
    def requests(self) -> list[Request]:
        """Every request in it."""
        return [*self._prompts, *(request for _, _, request in self._decoding)]

    def kv_tokens(self, at_ms: float) -> float:
        """Return the KV tokens in use at this moment of the run under way."""
        if not self._run_iterations:
            return float(self._kv_tokens)
        grown = self._run_iterations * (self._run_tokens + len(self._decoding))
        lasted = self.run_ends_ms - self._run_began_ms
        return self._kv_tokens + grown * min(1.0, (at_ms - self._run_began_ms) / lasted)

    def fits(self, request: Request) -> bool:
        """Whether it has room for this request now. An empty replica takes any, however long."""
        if not self.in_flight:
            return True
        needed = self._kv_reserved + request.prompt_tokens + request.output_tokens
        return self.in_flight < self._sequences_max and needed <= self._kv_max

    # -- what happens ------------------------------------------------------------------------

    def take(self, request: Request, at_ms: float) -> None:
        """Take a request that ``fits``; its prompt waits for the next iteration that has room."""
        self.in_flight += 1
        self._kv_reserved += request.prompt_tokens + request.output_tokens
        self._prompts.append(request)
        if not self._run_iterations:
            self._run_began_ms = at_ms
            self._plan()
        elif at_ms <= self._run_began_ms:
            self._plan()  # the run has just been planned and this one belongs into it
        elif not self._run_tokens and len(self._prompts) == 1:
            self._cut_short(at_ms)
        # Else prompts are being computed: it is behind them, and the run ends before its turn.

    def finish_run(self) -> Sequence[Request]:
        """Let the run of iterations be over, plan the next, and return the requests that finished."""
        now = self.run_ends_ms
        iterations = self._run_iterations
        decoding = self._decoding
        self._iteration = iteration = self._iteration + iterations
        tokens = self._run_tokens * iterations
        self._kv_tokens += tokens + iterations * len(decoding)
        if tokens:
            self._compute_prompts(tokens, now)
        finished: Sequence[Request] = _NONE
        if decoding and decoding[0][0] <= iteration:
            finished = self._finish_answers(now)
        self._run_began_ms = now
        self._plan()
        return finished

    def drains_at_ms(self, now_ms: float) -> float:
        """Return when it will have finished what is in it, if it takes nothing more.

        Nothing from outside reaches it then, so the rest is played through, on copies.
        """
        ahead = copy(self)
        ahead._ledger = _NoLedger()  # noqa: SLF001  its own copy
        ahead._prompts = deque(map(replace, self._prompts))  # noqa: SLF001  its own copy
        ahead._decoding = [  # noqa: SLF001  its own copy
            (last, order, replace(request)) for last, order, request in self._decoding
        ]
        while ahead.run_ends_ms != NEVER:
            now_ms = ahead.run_ends_ms
            ahead.finish_run()
        return now_ms

    # -- how it happens ----------------------------------------------------------------------

    def _compute_prompts(self, tokens: int, now: float) -> None:
        """Give prompts the tokens that the run computed; those that are done begin to answer."""
        prompts = self._prompts
        ledger = self._ledger
        begun = 0
        while tokens:
            request = prompts[0]
            left = request.prompt_left
            begun += left == request.prompt_to_compute
            if left > tokens:
                request.prompt_left = left - tokens
                break
            tokens -= left
            request.prompt_left = 0
            prompts.popleft()
            self._kv_tokens += request.prompt_tokens - request.prompt_to_compute  # was cached
            self._answers += 1
            heappush(
                self._decoding,
                (self._iteration + request.output_tokens - 1, self._answers, request),
            )
            request.first_token_ms = now
            ledger.first_token(request)
        if begun:
            ledger.prompts_began(begun, self._run_began_ms, now)

    def _finish_answers(self, now: float) -> list[Request]:
        decoding = self._decoding
        iteration = self._iteration
        finished: list[Request] = []
        while decoding and decoding[0][0] <= iteration:
            request = heappop(decoding)[2]
            request.finished_ms = now
            held = request.prompt_tokens + request.output_tokens
            self._kv_reserved -= held
            self._kv_tokens -= held - 1  # the last token was never read
            finished.append(request)
        self.in_flight -= len(finished)
        return finished

    def _plan(self) -> None:
        """Plan as many iterations as are alike: until a prompt is all but computed or one ends."""
        decoding = self._decoding
        prompts = self._prompts
        tokens = 0
        if prompts:
            room = self._budget - len(decoding)
            left = prompts[0].prompt_left
            iterations = 1
            if left > room:
                tokens = room
                iterations = (left - 1) // room
                if iterations > 1 and decoding:
                    iterations = min(iterations, decoding[0][0] - self._iteration)
            elif len(prompts) == 1:
                tokens = left
            else:
                for request in prompts:
                    tokens += request.prompt_left
                    if tokens >= room:
                        tokens = room
                        break
        elif decoding:
            iterations = decoding[0][0] - self._iteration
        else:
            self._run_iterations = 0
            self.run_ends_ms = NEVER
            return
        self._run_tokens = tokens
        self._run_iterations = iterations
        self.run_ends_ms = self._run_began_ms + self._lasting_ms(iterations)

    def _lasting_ms(self, iterations: int) -> float:
        """Return how long the first iterations of the run take, all together."""
        batch = len(self._decoding)
        tokens = self._run_tokens
        compute = self._token_ms * (batch + tokens)
        if compute < self._weights_ms:  # noqa: PLR1730  a third of the cost of max()
            compute = self._weights_ms
        # The n-th iteration reads what was there, n chunks of prompts, and n - 1 tokens a sequence.
        kv_tokens = iterations * self._kv_tokens + (
            iterations * (tokens * (iterations + 1) + batch * (iterations - 1)) // 2
        )
        return iterations * (self._floor_ms + compute) + self._kv_ms * kv_tokens

    def _cut_short(self, at_ms: float) -> None:
        """End a run of decoding with the first iteration that is over at ``at_ms`` or later."""
        lasting_ms = at_ms - self._run_began_ms
        growth = 0.5 * self._kv_ms * len(self._decoding)
        first = self._lasting_ms(1) - growth
        # The positive root of growth k^2 + first k = lasting, in the form that bears growth 0; rounding
        # may put it an iteration off, which the exact sums below correct.
        root = 2.0 * lasting_ms / (first + math.sqrt(first * first + 4.0 * growth * lasting_ms))
        began_ms = self._run_began_ms
        iterations = max(1, math.ceil(root))
        while began_ms + self._lasting_ms(iterations) < at_ms:
            iterations += 1
        while iterations > 1 and began_ms + self._lasting_ms(iterations - 1) >= at_ms:
            iterations -= 1
        if iterations < self._run_iterations:
            self._run_iterations = iterations
            self.run_ends_ms = began_ms + self._lasting_ms(iterations)
