"""``type: expression``: a formula of one's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from trimtab.core.strategies.expression import Expression
from trimtab.policy.cel import Wanted, check_expression, program
from trimtab.policy.parts import Text
from trimtab.policy.strategies.interface import StrategyConfig
from trimtab.policy.times import TimeZone

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.policy.yaml_nodes import Path


class ExpressionConfig(StrategyConfig):
    """As many replicas as a formula comes to, rounded up; without a value it cannot tell."""

    type: Literal["expression"]
    expression: Text = Field(
        description="A number in CEL over `signals`, `deployment` and `time`.",
        examples=["signals.queued / 20.0 + signals.running / 24.0"],
    )
    timezone: TimeZone = Field(
        default="UTC", description="IANA zone that `time` in the expression is local to."
    )

    def reads(self) -> Iterable[tuple[Path, str]]:
        """Every signal that the expression mentions."""
        checked = check_expression(self.expression, Wanted.NUMBER, self.timezone)
        names = dict.fromkeys(one.name for one in checked.mentions)
        return tuple((("expression",), name) for name in names)

    def build(self) -> Expression:
        """The algorithm with this formula."""
        return Expression(program=program(self.expression, Wanted.NUMBER, self.timezone))
