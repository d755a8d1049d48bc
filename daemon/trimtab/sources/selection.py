"""Queries of sources that read exposition text themselves: ``quantile(0.95, name{label="value"})``.

Beside quantiles of histograms it is the language of the push sources: ``sum``, ``avg`` or ``max`` of a
metric or of its ``rate``, each part optional.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from trimtab.errors import ErrorKind, SourceError
from trimtab.sources.series_query import Combine, QueryError, parse_query

if TYPE_CHECKING:
    from trimtab.sources.series_query import Query

_QUANTILE = re.compile(r"\s*quantile\s*\(\s*([0-9.]+)\s*,\s*(.*)\)\s*", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Selection:
    """What is wanted of the series that ``query`` selects. ``quantile`` is set for histograms."""

    query: Query
    quantile: float | None = None

    @property
    def metric(self) -> str:
        """The metric to look for: of a histogram, that of its buckets."""
        name = self.query.name
        return name if self.quantile is None or "_bucket" in name else f"{name}_bucket"

    @property
    def combine(self) -> Combine:
        """What several series are together; a sum where nothing is said."""
        return self.query.combine or Combine.SUM


@lru_cache(maxsize=4096)
def parse_selection(text: str) -> Selection:
    """Read a query. Raises ``SourceError`` (rejected)."""
    found = _QUANTILE.fullmatch(text)
    try:
        if found is None:
            return Selection(parse_query(text))
        q = _share(found[1])
        query = parse_query(found[2])
    except QueryError as error:
        raise SourceError(f"the query `{text}` {error}", kind=ErrorKind.REJECTED) from error
    if query.is_rate or query.combine is not None:
        raise SourceError(
            f"the query `{text}` has a function within quantile, which takes the rates and the sum of "
            "buckets by itself; name only the metric",
            kind=ErrorKind.REJECTED,
        )
    return Selection(query, q)


def _share(text: str) -> float:
    try:
        q = float(text)
    except ValueError:
        q = -1.0
    if not 0.0 <= q <= 1.0:
        raise QueryError(f"asks for the quantile {text}; use one from 0 to 1")
    return q
