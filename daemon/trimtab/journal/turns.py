"""One ``Engine.step`` as a difference: what the engine was told since the step before, and a digest.

A turn names the deployments that it is about once, and refers to them by number. Equal changes of
several deployments are written once (all of an account may carry the same ``observed_at``). Samples, the
bulk, are columns: written by the C encoder in one go, and alike enough to be deflated well.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeAlias

from trimtab.core.deployment import Deployment
from trimtab.core.signals import Sample
from trimtab.journal.codec import decode, encode, hints_of
from trimtab.journal.digest import digest_of
from trimtab.journal.first_turns import due_of, samples_of, take_in_fleet
from trimtab.journal.standing import put_in_order

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trimtab.journal.entries import Evaluated

Document: TypeAlias = dict[str, Any]

_FIELDS = tuple(one.name for one in fields(Deployment))
_HINTS = hints_of(Deployment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The arguments of one ``Engine.step``, and the digest of what came of it.

    ``fleet`` is one mapping for all turns of a reading: it changes when the next one is read.
    """

    at: float
    fleet: Mapping[str, Deployment]
    samples: tuple[Sample, ...]
    due: tuple[str, ...] | None
    changed: tuple[str, ...] | None
    absent: tuple[str, ...]
    digest: str
    upheld: Mapping[str, float]
    unread: tuple[str, ...] = ()


def turn_as_document(entry: Evaluated, fleet_before: Mapping[str, Deployment]) -> Document:
    """Return what must be kept of ``entry``, given the fleet of the turn before."""
    names = {name: number for number, name in enumerate(dict.fromkeys(entry.due or ()))}
    document: Document = {
        "at": entry.at,
        "due": None if entry.due is None else _numbers(entry.due, names),
        "changed": None if entry.changed is None else _numbers(entry.changed, names),
        "samples": _columns(entry.samples, names),
        "digest": digest_of(entry.tick),
    }
    if entry.upheld:
        document["upheld"] = [_numbers(tuple(entry.upheld), names), list(entry.upheld.values())]
    if entry.absent:
        document["absent"] = entry.absent
    if entry.unread:
        document["unread"] = entry.unread
    if entry.fleet_changes or entry.fleet_order is not None:
        document["fleet"] = _fleet_difference(entry, fleet_before, names)
    document["names"] = list(names)
    return document


def read_turn(document: Document, fleet: dict[str, Deployment]) -> Turn:
    """Restore a turn, of whichever form; ``fleet`` becomes the fleet of this turn.

    Raises ``ValueError`` when the document is not one.
    """
    if "names" not in document:
        return _read_first_form(document, fleet)
    names, due, changed = document["names"], document["due"], document["changed"]
    _take_in_fleet(fleet, document.get("fleet", {}), names)
    return Turn(
        at=document["at"],
        fleet=fleet,
        samples=_samples(document["samples"], names),
        due=None if due is None else _named(due, names),
        changed=None if changed is None else _named(changed, names),
        absent=tuple(document.get("absent", ())),
        digest=document["digest"],
        upheld=_upheld(document.get("upheld"), names),
        unread=tuple(document.get("unread", ())),
    )


def _read_first_form(document: Document, fleet: dict[str, Deployment]) -> Turn:
    take_in_fleet(fleet, document["fleet"])
    return Turn(
        at=document["at"],
        fleet=fleet,
        samples=samples_of(document, fleet),
        due=due_of(document, fleet),
        changed=None,
        absent=tuple(document["absent"]),
        digest=document["digest"],
        upheld={},
    )


# -- names by number ------------------------------------------------------------------------------


def _numbers(asked: Sequence[str], names: dict[str, int]) -> list[int] | int:
    """The numbers of ``asked``; those that are numbered from 0 on are told by how many they are."""
    numbers = [names.setdefault(name, len(names)) for name in asked]
    return len(numbers) if numbers == list(range(len(numbers))) else numbers


def _named(numbers: list[int] | int, names: Sequence[str]) -> tuple[str, ...]:
    if isinstance(numbers, int):
        return tuple(names[:numbers])
    return tuple(names[number] for number in numbers)


def _upheld(columns: list[Any] | None, names: Sequence[str]) -> dict[str, float]:
    if columns is None:
        return {}
    numbers, times = columns
    return dict(zip(_named(numbers, names), times, strict=True))


# -- samples --------------------------------------------------------------------------------------


def _columns(samples: Sequence[Sample], names: dict[str, int]) -> list[Any]:
    if not samples:
        return []
    deployments, signals, times, values, replicas = zip(*samples, strict=True)
    known = {signal: number for number, signal in enumerate(dict.fromkeys(signals))}
    return [
        [names.setdefault(name, len(names)) for name in deployments],
        list(known),
        [known[signal] for signal in signals],
        times,
        values,
        None if replicas.count(None) == len(replicas) else replicas,
    ]


def _samples(columns: list[Any], names: Sequence[str]) -> tuple[Sample, ...]:
    if not columns:
        return ()
    deployments, known, signals, times, values, replicas = columns
    return tuple(
        Sample(names[name], known[signal], time, value, count)
        for name, signal, time, value, count in zip(
            deployments, signals, times, values, replicas or [None] * len(times), strict=True
        )
    )


# -- the fleet ------------------------------------------------------------------------------------


def _fleet_difference(
    entry: Evaluated, before: Mapping[str, Deployment], names: dict[str, int]
) -> Document:
    """What differs, with every equal change once and the deployments it is of."""
    difference: Document = {}
    new: list[Any] = []
    changed: dict[str, tuple[Document, list[int]]] = {}
    gone: list[int] = []
    for name, now in entry.fleet_changes.items():
        number = names.setdefault(name, len(names))
        then = before.get(name)
        if now is None:
            gone.append(number)
        elif then is None:
            new.append([number, encode(Deployment, now)])
        elif change := _change(then, now):
            key = json.dumps(change, sort_keys=True)
            changed.setdefault(key, (change, []))[1].append(number)
    if gone:
        difference["gone"] = gone
    if new:
        difference["new"] = new
    if changed:
        difference["changed"] = list(changed.values())
    if entry.fleet_order is not None:
        difference["order"] = entry.fleet_order
    return difference


def _change(then: Deployment, now: Deployment) -> Document:
    change = {}
    for name in _FIELDS:
        was, value = getattr(then, name), getattr(now, name)
        if was is not value and (was != value or type(was) is not type(value)):
            change[name] = encode(_HINTS[name], value)
    return change


def _take_in_fleet(
    fleet: dict[str, Deployment], difference: Document, names: Sequence[str]
) -> None:
    """Carry out a difference; unchanged deployments stay the same objects."""
    for number in difference.get("gone", ()):
        fleet.pop(names[number], None)
    for number, one in difference.get("new", ()):
        fleet[names[number]] = decode(Deployment, one)
    for change, numbers in difference.get("changed", ()):
        values = {name: decode(_HINTS[name], one) for name, one in change.items()}
        for number in numbers:
            fleet[names[number]] = replace(fleet[names[number]], **values)
    if "order" in difference:
        put_in_order(fleet, difference["order"])
