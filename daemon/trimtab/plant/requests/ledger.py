"""What became of every request, kept as sums: totals since the start, and means between two looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trimtab.plant.requests.request import JUDGED_TOKENS_MIN
from trimtab.plant.serving import Totals

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.plant.requests.request import Request
    from trimtab.plant.serving_model import Slo


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


class Ledger:
    """The books of one deployment; times in milliseconds since it began.

    ``told`` is called with each request once its fate is known: finished or refused. ``waiting``
    counts accepted requests whose prompt has not begun: in front of the replicas or inside one.
    """

    __slots__ = (
        "_first_tokens", "_in_flight_ms", "_offered", "_output_tokens", "_paced", "_prompt_tokens",
        "_seen_to_ms", "_since_ms", "_slo_tpot_ms", "_slo_ttft_ms", "_tpot_ms", "_ttft_ms",
        "_waiting_ms", "in_flight", "told", "totals", "waiting",
    )  # fmt: skip

    def __init__(self, slo: Slo, told: Callable[[Request], None] | None = None) -> None:
        self.totals = Totals()
        self.in_flight = 0
        self.waiting = 0
        self.told = told
        self._slo_ttft_ms = slo.ttft_seconds * 1000.0
        self._slo_tpot_ms = slo.tpot_seconds * 1000.0
        self._seen_to_ms = 0.0
        self._begin(0.0)

    # -- what happens ------------------------------------------------------------------------

    def arrived(self, request: Request) -> None:
        """Book a request that arrived just now."""
        self._accrue(request.arrived_ms)
        self.totals.offered += 1.0
        self.in_flight += 1
        self.waiting += 1
        self._offered += 1
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
            self._tpot_ms += (finished_ms - first_ms) / (request.output_tokens - 1)
            self._paced += 1
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

    def take_means(self, now_ms: float, kv_share: float | None) -> Means:
        """Return the means since this was called last, and begin anew."""
        self._accrue(now_ms)
        lasted_ms = now_ms - self._since_ms
        if lasted_ms <= 0.0:
            raise ValueError("means over no time at all; let time pass between two looks")
        means = Means(
            self._offered * 1000.0 / lasted_ms,
            self._prompt_tokens * 1000.0 / lasted_ms,
            self._output_tokens * 1000.0 / lasted_ms,
            self._in_flight_ms / lasted_ms,
            max(0.0, self._waiting_ms / lasted_ms),
            kv_share,
            self._ttft_ms / 1000.0 / self._first_tokens if self._first_tokens else None,
            self._tpot_ms / 1000.0 / self._paced if self._paced else None,
        )
        self._begin(now_ms)
        return means

    def _begin(self, now_ms: float) -> None:
        self._since_ms = now_ms
        self._offered = self._prompt_tokens = self._output_tokens = 0
        self._first_tokens = self._paced = 0
        self._in_flight_ms = self._waiting_ms = self._ttft_ms = self._tpot_ms = 0.0

    def _accrue(self, until_ms: float) -> None:
        lasted_ms = until_ms - self._seen_to_ms
        if lasted_ms > 0.0:
            self._seen_to_ms = until_ms
            self._in_flight_ms += lasted_ms * self.in_flight
            self._waiting_ms += lasted_ms * self.waiting
