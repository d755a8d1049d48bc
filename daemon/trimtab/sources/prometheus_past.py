"""What a range of a Prometheus server says of each deployment's signals, and asking for few of them alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from trimtab.core.signals import is_believable
from trimtab.sources.asking import full_names, short_name
from trimtab.sources.port import PastSeries, Recount

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.sources.asking import Question
    from trimtab.sources.prometheus_api import Points

FEW = 16
"""Deployments that are named in the query; of more, everything is asked for and some of it left."""


MILLISECOND_SECONDS = 0.001
"""As exactly as a server tells times: the last one may lie so much behind the end that was asked for."""


def only_of(question: Question, text: str, label: str) -> str:
    """Return ``text``, which asks ``question``, for its deployments alone where these are few.

    A query that answers for ten thousand would else say all of them each time that one is new. PromQL
    selects labels of a result by matching it with a vector that has them.
    """
    if question.deployment is not None or len(question.signals) > FEW:
        return text
    names = {one: None for name in question.signals for one in (name, short_name(name))}
    vectors = " or ".join(
        f'label_replace(vector(1), "{label}", {_quoted(name)}, "", "")' for name in names
    )
    return f"({text}\n) and on ({label}) ({vectors})"


def _quoted(name: str) -> str:
    """As PromQL reads it; ``$`` would name a group of the (empty) pattern."""
    return json.dumps(name.replace("$", "$$"))


def recounted(question: Question, label: str, found: Iterable[Points], until: float) -> Recount:
    """Return the points of each signal that ``question`` is for.

    Values that are no load are left out, and where a deployment has two at one time, both: which of them
    is meant, nobody can tell. Series of the same deployment that follow each other are one.
    """
    names = full_names(question.signals)
    values: dict[str, dict[float, float | None]] = {}
    ambiguous = 0
    for series in found:
        told = series.labels.get(label)
        name = question.deployment or (None if told is None else names.get(told))
        if name is None:
            continue
        known = values.setdefault(name, {})
        for time, value in series.points:
            if time > until + MILLISECOND_SECONDS or not is_believable(value):
                continue
            if time in known:
                ambiguous += 1
                known[time] = None
            else:
                known[time] = value
    return Recount(
        tuple(
            PastSeries(name, signal, points)
            for name, known in values.items()
            for points in [tuple((at, one) for at, one in sorted(known.items()) if one is not None)]
            for signal in question.signals.get(name, ())
        ),
        until,
        ambiguous,
    )
