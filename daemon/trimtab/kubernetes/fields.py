"""Look into objects that anybody may have written: what is missing or of another type is not there.

Nothing here raises, whatever JSON it is given.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

WHOLE_MAX = 2**31 - 1
"""The greatest count that the API has a field for (int32)."""


def part(of: Any, *path: str) -> Mapping[str, Any]:
    """Return the object at ``path``; an empty one where there is none."""
    found = _at(of, path)
    return found if isinstance(found, dict) else {}


def items(of: Any, *path: str) -> list[Any]:
    """Return the list at ``path``; an empty one where there is none."""
    found = _at(of, path)
    return found if isinstance(found, list) else []


def text(of: Any, *path: str) -> str:
    """Return the text at ``path``; ``""`` where there is none."""
    found = _at(of, path)
    return found if isinstance(found, str) else ""


def whole(of: Any, *path: str) -> int | None:
    """Return the count at ``path``, 0 or more; ``None`` where there is none."""
    found = _at(of, path)
    if isinstance(found, bool) or not isinstance(found, int):
        return None
    return found if 0 <= found <= WHOLE_MAX else None


def is_true(of: Any, *path: str) -> bool:
    """Whether ``true`` itself stands at ``path``."""
    return _at(of, path) is True


def texts(of: Any, *path: str) -> dict[str, str]:
    """Return those members of the object at ``path`` that are texts: labels, annotations, selectors."""
    return {key: value for key, value in part(of, *path).items() if isinstance(value, str)}


def moment(of: Any, *path: str) -> float | None:
    """Return the RFC 3339 time at ``path`` as UTC seconds; ``None`` where there is none."""
    written = text(of, *path)
    try:
        found = datetime.fromisoformat(written)
        return found.timestamp() if found.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def pointed(of: Any, pointer: str) -> Any:
    """Return what stands at a path such as ``.spec.replicas``; ``None`` where nothing does."""
    return _at(of, tuple(step for step in pointer.split(".") if step))


def _at(of: Any, path: tuple[str, ...]) -> Any:
    for step in path:
        if not isinstance(of, dict):
            return None
        of = of.get(step)
    return of
