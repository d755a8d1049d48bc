"""How a policy moves where it writes nothing: by the format's defaults, or as its strategies need it.

A strategy that decides by itself when to let go has looked at what holding longer costs and saves. The
usual window behind it would hold a second time what was held already: paid for, and of no use. So where
every rule that follows load damps itself, the window is none by default. What is written always counts.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from trimtab.core.policy import DEFAULT_DOWN
from trimtab.core.roles import Role
from trimtab.policy.strategies.fixed import FixedConfig
from trimtab.policy.strategies.schedule import ScheduleConfig

if TYPE_CHECKING:
    from trimtab.core.policy import MoveRules
    from trimtab.policy.document import Spec

_CALM = (FixedConfig, ScheduleConfig)
"""What people ordered in advance: it follows no load, and no window has to calm it."""

_UNDAMPED = replace(DEFAULT_DOWN, stabilization_seconds=0.0)


def damped_by(spec: Spec) -> str | None:
    """Return the strategies that damp the policy themselves, as text; ``None`` where one does not.

    Ceilings and holds do not count: they raise nothing that a window could have to keep.
    """
    following = {
        rule.strategy.type: rule.strategy.damps_itself
        for _, rule in spec.strategy_rules()
        if rule.role in (Role.DEMAND, Role.FLOOR) and not isinstance(rule.strategy, _CALM)
    }
    if not following or not all(following.values()):
        return None
    return ", ".join(following)


def default_down(spec: Spec) -> MoveRules:
    """Return how the count falls where ``spec.behavior.scaleDown`` leaves something out."""
    return DEFAULT_DOWN if damped_by(spec) is None else _UNDAMPED
