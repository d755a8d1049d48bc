"""What the format describes and this version cannot honour. Refused by name, never ignored.

An entry leaves this file together with the change that honours it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trimtab.policy.yaml_nodes import Path

STRATEGIES = frozenset({"spend"})
KEYS = frozenset({"spec.rules.*.signals"})


def is_key_not_yet(path: Path) -> bool:
    """Whether the key at ``path`` belongs to the format, though not to this version."""
    return ".".join("*" if isinstance(step, int) else step for step in path) in KEYS
