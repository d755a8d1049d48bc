"""OpenAPI documents taken at their word: what an object does not list it does not have."""

from __future__ import annotations

from typing import Any


def close(node: Any) -> None:
    """Forbid further properties on every object that lists its own."""
    if isinstance(node, dict):
        if node.get("type") == "object" and "properties" in node:
            node.setdefault("additionalProperties", False)
        for item in node.values():
            close(item)
    elif isinstance(node, list):
        for item in node:
            close(item)
