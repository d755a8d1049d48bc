"""Turns and fleets as files of earlier versions hold them: read, never written.

There a fleet was a list of names, and everything else referred to positions in it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from trimtab.core.deployment import Deployment
from trimtab.core.signals import Sample
from trimtab.journal.codec import decode, hints_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_HINTS = hints_of(Deployment)


def take_in_fleet(fleet: dict[str, Deployment], difference: dict[str, Any]) -> None:
    """Carry out what a turn says of the fleet; unchanged deployments stay the same objects."""
    new = {name: decode(Deployment, one) for name, one in difference.get("new", {}).items()}
    names = difference.get("names")
    if names is not None:
        after = {name: new[name] if name in new else fleet[name] for name in names}
        fleet.clear()
        fleet.update(after)
    listed = list(fleet)
    for change, runs in difference.get("changed", []):
        values = {name: decode(_HINTS[name], one) for name, one in change.items()}
        for name in _from_runs(runs, listed):
            fleet[name] = replace(fleet[name], **values)


def samples_of(document: dict[str, Any], fleet: Iterable[str]) -> tuple[Sample, ...]:
    """The samples of a turn."""
    names = list(fleet)
    return tuple(
        Sample(names[name] if isinstance(name, int) else name, *rest)
        for name, *rest in document["samples"]
    )


def due_of(document: dict[str, Any], fleet: Iterable[str]) -> tuple[str, ...] | None:
    """Who was due in a turn."""
    due = document["due"]
    return None if due is None else tuple(_from_runs(due, list(fleet)))


def _from_runs(runs: Sequence[Any], names: Sequence[str]) -> Iterable[str]:
    for run in runs:
        if isinstance(run, str):
            yield run
        else:
            start, length = run
            yield from names[start : start + length]
