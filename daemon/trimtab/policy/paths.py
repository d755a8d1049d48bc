"""Ways through a policy file: from pydantic's ``loc``, and in the words of a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.errors import excerpt
from trimtab.policy.registry import STRATEGIES
from trimtab.policy.rules import RULE_TAGS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.policy.yaml_nodes import Path

KEY_MARK = "[key]"
"""How pydantic's ``loc`` says that a mapping's key is wrong and not its value."""

KEYS_BY_NAME = frozenset({"signals", "prices", "guaranteed", "borrow", "lend", "annotations"})
"""Mappings whose keys people choose."""


def show_path(path: Iterable[str | int]) -> str:
    """``spec.rules[0].strategy``, as the sentences write it."""
    shown = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return excerpt(shown.removeprefix("."), 120)


def is_about_a_key(loc: tuple[str | int, ...], kind: str) -> bool:
    """Whether ``loc`` ends in pydantic's mark for "the key itself", not in a key of that name."""
    return (
        len(loc) > len(("spec", "signals", "name"))
        and loc[-3] in KEYS_BY_NAME
        and loc[-1] == KEY_MARK
        and kind != "extra_forbidden"
    )


def path_of(loc: tuple[str | int, ...], kind: str = "") -> Path:
    """The way through the file for pydantic's ``loc``: without union tags and key marks.

    ``kind`` is the error's type, which tells a key mark from a key that looks like one.
    """
    steps = list(loc[:-1] if is_about_a_key(loc, kind) else loc)
    match steps:
        case ["spec", "rules", int(), str(tag), *_] if tag in RULE_TAGS:
            del steps[3]
    match steps:
        case ["spec", "rules", int(), "strategy", str(tag), *_] if tag in STRATEGIES:
            del steps[4]
    return tuple(steps)
