"""What of the strategy ``capacity`` needs numpy, by name: imported by the first who asks for it.

A process without such a policy never does. To import within a function takes longer than most of what is
then called, at every decision.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.core.forecast.experience import Experience
    from trimtab.core.forecast.known import Known


class Numeric(NamedTuple):
    """``known`` is what is remembered, ``learned`` makes the next experience of one, ``sentence`` tells of it."""

    known: type[Known]
    learned: Callable[..., Experience]
    sentence: Callable[..., str]


@cache
def numeric() -> Numeric:
    """Return it, the same each time."""
    from trimtab.core.forecast.known import Known
    from trimtab.core.forecast.learning import learned
    from trimtab.core.forecast.sentence import sentence

    return Numeric(Known, learned, sentence)
