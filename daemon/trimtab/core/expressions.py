"""The port behind which expressions are evaluated; the core knows no expression language.

``trimtab/policy`` compiles what SREs write into a ``Program``; a ``hold`` rule asks it for a truth, the
``expression`` strategy for a number.
"""

from __future__ import annotations

from dataclasses import dataclass
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
