"""``fixed``: always the same count. For floors, ceilings, and deployments that should not move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.core.proposals import Wish

if TYPE_CHECKING:
    from trimtab.core.proposals import JsonValue, View


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """Ask for ``replicas`` (0 or more), whatever the load is."""

    replicas: int

    @property
    def signals(self) -> tuple[str, ...]:
        """None: it looks at nothing."""
        return ()

    def propose(self, view: View, memory: JsonValue) -> Wish:  # noqa: ARG002  the interface
        """Ask for the same as ever."""
        return Wish(replicas=self.replicas, sentence=f"fixed at {self.replicas}")
