"""What policies leave out and a Fleet says for all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.policy.yaml_nodes import Node, Path

SECTION: Path = ("spec", "defaults")
"""Where a Fleet has them."""


@dataclass(frozen=True, slots=True)
class Inherited:
    """The ``defaults`` of one Fleet. Equal where they say the same, wherever that stands."""

    data: Mapping[str, Any]
    file: str = field(compare=False)
    root: Node = field(compare=False, repr=False)

    def at(self, path: Path) -> object:
        """What they say at ``path`` of a policy, as written; ``None``: nothing."""
        _, value, depth = self.root.find((*SECTION, *path[1:]))
        return value.data if depth == len(path) + 1 else None

    def line(self, path: Path) -> str | None:
        """The file and line of what they say at ``path`` of a policy; ``None``: nothing."""
        key, _, depth = self.root.find((*SECTION, *path[1:]))
        return f"{self.file}:{key.span.line}" if depth == len(path) + 1 else None


def with_defaults(policy: dict[str, Any], inherited: Inherited | None) -> dict[str, Any]:
    """Return a policy's data with what it leaves out. Sections are taken together, lists are not."""
    spec = policy.get("spec")
    if inherited is None or not isinstance(spec, dict):
        return policy
    return policy | {"spec": _under(inherited.data, spec)}


def _under(defaults: Mapping[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    both = {
        key: _under(value, own[key])
        for key, value in defaults.items()
        if isinstance(value, dict) and isinstance(own.get(key), dict)
    }
    return {**defaults, **own, **both}
