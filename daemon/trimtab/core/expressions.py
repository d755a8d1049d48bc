"""The port behind which expressions are evaluated; the core knows no expression language.

``trimtab/policy`` compiles what SREs write into a ``Program``; a ``hold`` rule asks it for a truth, the
``expression`` strategy for a number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from trimtab.core.proposals import View


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an expression came to: a value, or ``None`` and the sentence why it has none.

    A signal that cannot be used makes an expression that reads it unknown, not false and not zero.
    """

    value: bool | float | None
    sentence: str


class Program(Protocol):
    """A compiled expression over ``signals``, ``deployment`` and ``time``. Never raises."""

    @property
    def text(self) -> str:
        """The expression as written."""
        ...

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the policy's signals that it reads."""
        ...

    def evaluate(self, view: View) -> Answer:
        """Evaluate it on what is known now."""
        ...


_STEPS = {"minute": 60.0, "hour": 900.0, "weekday": 900.0, "day": 900.0, "month": 900.0}
"""After how many seconds a value of the time may change, in any zone: their offsets are quarters of an hour."""

_TIME = re.compile(r"\btime\b(?:\s*\.\s*(\w+))?")


def edges_of(program: Program, now: float) -> tuple[float, ...]:
    """Return when a value of the time that ``program`` mentions may change next (UTC seconds)."""
    seconds = _step_seconds(program.text)
    return () if seconds is None else ((now // seconds + 1.0) * seconds,)


@lru_cache(maxsize=4096)
def _step_seconds(text: str) -> float | None:
    """Every second, for ``time.unix`` and for what cannot be told from the text."""
    found = _TIME.findall(text)
    return min((_STEPS.get(name, 1.0) for name in found), default=None)
