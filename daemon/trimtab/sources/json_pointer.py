"""JSON pointers (RFC 6901): a text such as ``/queues/0/depth``, and what it leads to in a document."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

MISSING = object()


class PointerError(ValueError):
    """A text is no JSON pointer."""


@lru_cache(maxsize=4096)
def split_pointer(text: str) -> tuple[str, ...]:
    """Return the steps of a JSON pointer (RFC 6901). Raises ``PointerError``."""
    if text and not text.startswith("/"):
        raise PointerError("is no JSON pointer; begin it with /")
    steps = text.split("/")[1:]
    for step in steps:
        if "~" in step.replace("~0", "").replace("~1", ""):
            raise PointerError("is no JSON pointer; write ~ as ~0 and / as ~1")
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in steps)


def resolve(document: Any, steps: tuple[str, ...]) -> Any:
    """Follow a pointer; ``MISSING`` where it leads nowhere."""
    for step in steps:
        if isinstance(document, dict):
            document = document.get(step, MISSING)
        elif isinstance(document, list):
            is_index = step.isascii() and step.isdigit() and (step == "0" or step[0] != "0")
            is_there = is_index and len(step) < 10 and int(step) < len(document)
            document = document[int(step)] if is_there else MISSING
        else:
            return MISSING
    return document
