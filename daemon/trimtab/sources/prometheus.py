"""Load from a Prometheus server: one query for all deployments, told apart by a label.

``query`` in a policy is PromQL. A query shared by many policies is asked once, so the cost of a poll
is the number of different queries. A plain selector (``queue_length{zone="a"}``) is asked for with its
own timestamps, so that a series that stopped grows old before our eyes. Anything computed has the time
of its evaluation: there the server hides for how long its inputs have been silent (5 minutes, or the
signal's ``maxAge`` where the server lets us say so).
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from trimtab.errors import ErrorKind, SourceError
from trimtab.sources.asking import Row, ask_all, samples_of, shown
from trimtab.sources.port import PartialAnswerError
from trimtab.sources.prometheus_api import POINTS_MAX
from trimtab.sources.prometheus_past import only_of, recounted

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from trimtab.core.signals import Sample
    from trimtab.sources.asking import Question
    from trimtab.sources.port import Recount
    from trimtab.sources.prometheus_api import Points, PrometheusApi, Result

DEPLOYMENT_LABEL = "deployment"
QUERIES_AT_ONCE_MAX = 4
ANSWER_POINTS = 20_000
"""Of an answer about the past: some 30 ms of reading, in which nothing else happens."""

_TEXT = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`"
_MATCHERS = rf"\{{(?:[^\"'`{{}}]|{_TEXT})*\}}"
_SELECTOR = re.compile(
    rf"\s*(?!(?i:inf|nan)\s*\Z)(?:[a-zA-Z_:][\w:]*\s*(?:{_MATCHERS})?|{_MATCHERS})\s*"
)


class PrometheusReader:
    """Asks one server, however many policies name it. ``deployment_label`` tells series apart.

    ``accepts_warnings``: whether values count that the server itself calls incomplete (Thanos, when a
    store does not answer). A sum without a part looks like less load, so by default they do not.
    """

    def __init__(
        self,
        api: PrometheusApi,
        *,
        close: Callable[[], Awaitable[None]],
        deployment_label: str = DEPLOYMENT_LABEL,
        accepts_warnings: bool = False,
    ) -> None:
        self._api = api
        self._close = close
        self._label = deployment_label
        self._accepts_warnings = accepts_warnings
        self._series_seen: dict[str, int] = {}

    @property
    def endpoint(self) -> str:
        """The server's URL, without secrets."""
        return self._api.endpoint

    async def answer(self, asked: Sequence[Question], at: float) -> Sequence[Sample]:
        """Ask all queries at one instant. Raises ``SourceError``, as ``Source.poll`` does."""

        async def ask(question: Question) -> Sequence[Sample]:
            return await self._ask(question, at)

        return await ask_all(asked, ask, at_once_max=QUERIES_AT_ONCE_MAX)

    async def recount(
        self, question: Question, start: float, end: float, step_seconds: float
    ) -> Recount:
        """Ask a query over a range, for as many steps as make an answer of a bearable size.

        As in ``answer``, no value is older than the signal's ``maxAge``, computed ones on servers that let
        us say so: a series that stopped has none after that. See ``Recounting.recount``.
        """
        series_expected = self._series_seen.get(question.text, len(question.signals))
        steps = min(POINTS_MAX, max(1, ANSWER_POINTS // max(1, series_expected)))
        until = min(end, start + (steps - 1) * step_seconds)
        text = question.text
        if is_selector(text):
            text = f"last_over_time({text.strip()}[{math.ceil(question.max_age_seconds)}s])"
        found = await self._api.fetch_range(
            only_of(question, text, self._label),
            start,
            until,
            step_seconds,
            lookback_seconds=question.max_age_seconds,
            accepts_warnings=self._accepts_warnings,
        )
        self._series_seen[question.text] = len(found)
        return recounted(question, self._label, found, until)

    async def close(self) -> None:
        """Release the connections."""
        await self._close()

    async def _ask(self, question: Question, at: float) -> Sequence[Sample]:
        query, age_seconds = question.text, question.max_age_seconds
        if is_selector(query):
            raw = f"{query.strip()}[{math.ceil(age_seconds)}s]"
            result = await self._api.fetch_instant(raw, at)
        else:
            result = await self._api.fetch_instant(query, at, lookback_seconds=age_seconds)
        if result.has_histograms and not result.series:
            raise SourceError(
                f"the query {shown(query)} gives histograms; use histogram_quantile or histogram_count",
                kind=ErrorKind.REJECTED,
            )
        return self._samples(question, result)

    def _samples(self, question: Question, result: Result) -> Sequence[Sample]:
        samples: Sequence[Sample] = ()
        if self._accepts_warnings or not result.warnings:
            samples = samples_of(question, map(self._row_for(question), result.series))
        if result.warnings:
            raise PartialAnswerError(
                f"the answer to {shown(question.text)} may be incomplete: {result.warnings[0]}",
                kind=ErrorKind.BAD_RESPONSE,
                samples=samples,
            )
        return samples

    def _row_for(self, question: Question) -> Callable[[Points], Row]:
        is_shared = question.deployment is None

        def row(series: Points) -> Row:
            time, value = series.points[-1]
            return Row(series.labels.get(self._label) if is_shared else None, time, value)

        return row


def is_selector(query: str) -> bool:
    """Whether ``query`` names series as they are stored, and computes nothing."""
    return _SELECTOR.fullmatch(query) is not None
