"""A deliberately broken daemon. Imports nothing of the daemon: it is broken as it is imported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """In ``module``, ``old`` becomes ``new``; ``old`` stands there exactly once."""

    module: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """A broken daemon, what is wrong with it, and within how many small worlds it is caught.

    ``emphasis`` is what the worlds have more of than their seeds say: what is broken must be used.
    ``is_of_members``: the worlds are of several daemons.
    """

    name: str
    what: str
    changes: tuple[Change, ...]
    seeds: int = 40
    emphasis: Mapping[str, Any] = field(default_factory=dict)
    is_of_members: bool = False


def mutant_of(
    name: str, what: str, *changes: tuple[str, str, str], seeds: int = 40, **emphasis: Any
) -> Mutant:
    """Return a broken daemon by what is changed: the module below ``trimtab``, its text, and the text instead."""
    found = tuple(Change(f"trimtab.{module}", old, new) for module, old, new in changes)
    return Mutant(name, what, found, seeds, emphasis)
