"""What a strategy may ask of the time before it began, and how it is answered: plain values."""

from __future__ import annotations

from typing import NamedTuple


class PastValue(NamedTuple):
    """What a signal was: ``value`` held for ``held_seconds`` until ``time`` (UTC seconds).

    What lies between two of them and is held by neither is not known.
    """

    time: float
    value: float
    held_seconds: float


class Span(NamedTuple):
    """From so many seconds ago until the next span, or now, with a value every ``step_seconds``."""

    seconds: float
    step_seconds: float


class PastWanted(NamedTuple):
    """The signals that a strategy would like to hear of, over ``spans``, the longest first.

    No signals: it cannot say yet which would be of use.
    """

    signals: tuple[str, ...]
    spans: tuple[Span, ...]
