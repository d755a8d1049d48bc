"""A step of today as earlier versions would have told it, so that their digests still recognise it.

They had a number for a maximum that nobody states, in orders and in sentences.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from trimtab.core.maximum import FORMER_NO_MAXIMUM, range_words

if TYPE_CHECKING:
    from trimtab.core.decision import Decision, Event, Order, Tick

_OPEN_RANGE = re.compile(r"\b(\d+) or more\b")


def in_former_words(tick: Tick) -> Tick:
    """Return ``tick`` with 1,000,000 wherever it says that no maximum is stated."""
    return replace(
        tick,
        decisions=tuple(_decision(one) for one in tick.decisions),
        orders=tuple(_order(one) for one in tick.orders),
        events=tuple(_event(one) for one in tick.events),
    )


def _decision(one: Decision) -> Decision:
    trail = tuple(step._replace(sentence=_sentence(step.sentence)) for step in one.trail)
    return one._replace(sentence=_sentence(one.sentence), trail=trail)


def _order(one: Order) -> Order:
    return replace(
        one,
        max_replicas=_maximum(one.max_replicas),
        expected_max_replicas=_maximum(one.expected_max_replicas),
        user_max_replicas=_maximum(one.user_max_replicas),
        sentence=_sentence(one.sentence),
    )


def _event(one: Event) -> Event:
    return replace(
        one,
        sentence=_sentence(one.sentence),
        before=_sentence(one.before),
        after=_sentence(one.after),
    )


def _maximum(maximum: int | None) -> int:
    return FORMER_NO_MAXIMUM if maximum is None else maximum


def _sentence(text: str) -> str:
    return _OPEN_RANGE.sub(lambda found: range_words(int(found[1]), FORMER_NO_MAXIMUM), text)
