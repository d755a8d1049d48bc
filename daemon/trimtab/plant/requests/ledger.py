"""What became of every request, kept as sums: totals since the start, and means between two looks."""

from __future__ import annotations

from operator import sub
from typing import TYPE_CHECKING, NamedTuple

from trimtab.plant.requests.request import JUDGED_TOKENS_MIN
from trimtab.plant.totals import Totals

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.plant.requests.request import Request
    from trimtab.plant.serving_model import Slo

TPOT_WEIGHT = 0.05
"""Of one request in the mean of the last ones: it remembers about twenty."""


class Means(NamedTuple):
    """What was measured over one stretch of time; rates per second, times in seconds.

    ``requests_per_second`` and ``prompt_tokens_per_second`` count all that arrived, refused ones
    included; ``output_tokens_per_second`` the answers that finished. ``in_flight`` and ``waiting``
    are means over time; ``kv_share`` (0 to 1, of the replicas that serve) is what the end of the
    stretch shows, as a scrape does. ``None`` where no replica served or no request told a time.
    """

    requests_per_second: float
    prompt_tokens_per_second: float
    output_tokens_per_second: float
    in_flight: float
    waiting: float
    kv_share: float | None
    ttft_seconds: float | None
    tpot_seconds: float | None


class Sums(NamedTuple):
    """Running sums since the start, up to ``at_ms``; times in milliseconds.

    ``ttft_ms`` is summed over ``first_tokens`` requests, ``tpot_ms`` over ``paced`` ones (finished,
    with more than one token). ``in_flight_ms`` and ``waiting_ms`` are integrals over time.
    """

    at_ms: float
    offered: float
    prompt_tokens: int
    output_tokens: int
    first_tokens: int
    ttft_ms: float
    paced: int
    tpot_ms: float
    in_flight_ms: float
    waiting_ms: float


class Ledger:
    """The books of one deployment; times in milliseconds since it began.

    ``told`` is called with each request once its fate is known: finished or refused. ``waiting``
    counts accepted requests whose prompt has not begun: in front of the replicas or inside one.
    ``tpot_now_ms`` and ``tpot_variance_now`` are of the requests that finished last.
    """

    __slots__ = (
        "_first_tokens", "_in_flight_ms", "_output_tokens", "_paced", "_prompt_tokens",
        "_seen_to_ms", "_slo_tpot_ms", "_slo_ttft_ms", "_taken", "_tpot_ms", "_ttft_ms",
        "_waiting_ms", "in_flight", "told", "totals", "tpot_now_ms", "tpot_variance_now",
        "waiting",
    )  # fmt: skip

    def __init__(self, slo: Slo, told: Callable[[Request], None] | None = None) -> None:
        self.totals = Totals()
        self.in_flight = 0
        self.waiting = 0
        self.told = told
        self.tpot_now_ms = 0.0
        self.tpot_variance_now = 0.0
        self._slo_ttft_ms = slo.ttft_seconds * 1000.0
        self._slo_tpot_ms = slo.tpot_seconds * 1000.0
        self._seen_to_ms = 0.0
        self._prompt_tokens = self._output_tokens = self._first_tokens = self._paced = 0
        self._ttft_ms = self._tpot_ms = self._in_flight_ms = self._waiting_ms = 0.0
        self._taken = self.sums(0.0)

    # -- what happens ------------------------------------------------------------------------

    def arrived(self, request: Request) -> None:
        """Book a request that arrived just now."""
        self._accrue(request.arrived_ms)
        self.totals.offered += 1.0
        self.in_flight += 1
        self.waiting += 1
        self._prompt_tokens += request.prompt_tokens

    def prompts_began(self, count: int, began_ms: float, now_ms: float) -> None:
        """Book that prompts began with an iteration which is known to have happened only now."""
        self._accrue(now_ms)
        self.waiting -= count
        self._waiting_ms -= count * (now_ms - began_ms)

    def first_token(self, request: Request) -> None:
        """Book a request whose first token just came."""
        assert request.first_token_ms is not None  # noqa: S101  for the types: it has just been set
        self._ttft_ms += request.first_token_ms - request.arrived_ms
        self._first_tokens += 1

    def finished(self, request: Request) -> None:
        """Book a request that was answered to the end, and judge it."""
        first_ms, finished_ms = request.first_token_ms, request.finished_ms
        assert first_ms is not None and finished_ms is not None  # noqa: S101, PT018  for the types
        self._accrue(finished_ms)
        self.in_flight -= 1
        totals = self.totals
        totals.finished += 1.0
        self._output_tokens += request.output_tokens
        totals.met_slo += self.meets_slo(request)
        if request.output_tokens > 1:
            self._pace((finished_ms - first_ms) / (request.output_tokens - 1))
        if self.told is not None:
            self.told(request)

    def refused(self, request: Request, status: int, now_ms: float) -> None:
        """Book a request that got an error instead of an answer (429, 503, or 500 in a crash)."""
        self._accrue(now_ms)
        self.in_flight -= 1
        self.waiting -= request.prompt_left == request.prompt_to_compute
        self.totals.refused_by_code[status] += 1.0
        request.refused_with = status
        if self.told is not None:
            self.told(request)

    def meets_slo(self, request: Request) -> bool:
        """Whether a request was answered in time: first token, and mean time per token if long."""
        first_ms, finished_ms = request.first_token_ms, request.finished_ms
        if first_ms is None or finished_ms is None:
            return False
        if first_ms - request.arrived_ms > self._slo_ttft_ms:
            return False
        tokens = request.output_tokens
        return tokens < JUDGED_TOKENS_MIN or (
            finished_ms - first_ms <= self._slo_tpot_ms * (tokens - 1)
        )

    # -- what is measured --------------------------------------------------------------------

    def sums(self, now_ms: float) -> Sums:
        """Return the running sums as of now."""
        self._accrue(now_ms)
        return Sums(
            now_ms, self.totals.offered, self._prompt_tokens, self._output_tokens,
            self._first_tokens, self._ttft_ms, self._paced, self._tpot_ms,
            self._in_flight_ms, self._waiting_ms,
        )  # fmt: skip

    def take_means(self, now_ms: float, kv_share: float | None) -> Means:
        """Return the means since this was called last, and begin anew."""
        sums = self.sums(now_ms)
        lasted_ms = now_ms - self._taken.at_ms
        if lasted_ms <= 0.0:
            raise ValueError("means over no time at all; let time pass between two looks")
        since = Sums(*map(sub, sums, self._taken))
        self._taken = sums
        return Means(
            since.offered * 1000.0 / lasted_ms,
            since.prompt_tokens * 1000.0 / lasted_ms,
            since.output_tokens * 1000.0 / lasted_ms,
            since.in_flight_ms / lasted_ms,
            max(0.0, since.waiting_ms / lasted_ms),
            kv_share,
            since.ttft_ms / 1000.0 / since.first_tokens if since.first_tokens else None,
            since.tpot_ms / 1000.0 / since.paced if since.paced else None,
        )

    def _pace(self, tpot_ms: float) -> None:
        self._paced += 1
        self._tpot_ms += tpot_ms
        off = tpot_ms - self.tpot_now_ms
        weight = max(1.0 / self._paced, TPOT_WEIGHT)
        self.tpot_now_ms += weight * off
        self.tpot_variance_now += weight * ((1.0 - weight) * off * off - self.tpot_variance_now)

    def _accrue(self, until_ms: float) -> None:
        lasted_ms = until_ms - self._seen_to_ms
        if lasted_ms > 0.0:
            self._seen_to_ms = until_ms
            self._in_flight_ms += lasted_ms * self.in_flight
            self._waiting_ms += lasted_ms * self.waiting
