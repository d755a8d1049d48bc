"""What the configuration of every strategy can say about itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.policy.parts import Part

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.policy.yaml_nodes import Path


class StrategyConfig(Part):
    """The ``strategy`` section of a rule. Every subclass narrows ``type`` to its own word."""

    type: str

    def reads(self) -> Iterable[tuple[Path, str]]:
        """Each signal it reads, with the way to the key that names it, for diagnostics."""
        return ()
