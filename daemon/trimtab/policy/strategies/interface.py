"""What the configuration of every strategy can say about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from trimtab.policy.parts import Part

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.policy.yaml_nodes import Path


class StrategyConfig(Part):
    """The ``strategy`` section of a rule. Every subclass narrows ``type`` to its own word."""

    damps_itself: ClassVar[bool] = False
    """Whether it decides by itself when to let go, so that no window of the policy's is needed behind it."""

    type: str

    def reads(self) -> Iterable[tuple[Path, str]]:
        """Each signal it reads, with the way to the key that names it, for diagnostics."""
        return ()
