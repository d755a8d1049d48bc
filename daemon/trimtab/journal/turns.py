"""One ``Engine.step`` as a difference: what the engine was told since the step before, and a digest.

A fleet is written as what changed in it, found by identity first, and equal changes of several
deployments once (all of an account carry the same ``observed_at``). The digest tells whether a
replay came to exactly the same decisions, orders and events.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, TypeAlias

from trimtab.core.decision import Event, Order
from trimtab.core.deployment import Deployment
from trimtab.core.signals import Sample
from trimtab.journal.codec import decode, encode, hints_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from trimtab.core.decision import Decision, Tick
    from trimtab.journal.entries import Evaluated

Document: TypeAlias = dict[str, Any]

_FIELDS = tuple(one.name for one in fields(Deployment))
_HINTS = hints_of(Deployment)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The arguments of one ``Engine.step``, and the digest of what came of it."""

    at: float
    fleet: Mapping[str, Deployment]
    samples: tuple[Sample, ...]
    due: tuple[str, ...] | None
    absent: tuple[str, ...]
    digest: str


def turn_as_document(entry: Evaluated, fleet_before: Mapping[str, Deployment]) -> Document:
    """Return what must be kept of ``entry``, given the fleet of the turn before."""
    index = {name: number for number, name in enumerate(entry.fleet)}
    due = None if entry.due is None else _as_runs(entry.due, index)
    return {
        "at": entry.at,
        "fleet": fleet_difference(fleet_before, entry.fleet),
        "samples": [
            [index.get(name, name), *rest]
            if rest[-1] is not None
            else [index.get(name, name), *rest[:-1]]
            for name, *rest in entry.samples
        ],
        "due": due,
        "absent": list(entry.absent),
        "digest": digest_of(entry.tick),
    }


def turn_from_document(document: Document, fleet_before: Mapping[str, Deployment]) -> Turn:
    """Restore a turn. Raises ``ValueError`` when the document is not one."""
    fleet = fleet_after(fleet_before, document["fleet"])
    names = list(fleet)
    due = document["due"]
    return Turn(
        at=document["at"],
        fleet=fleet,
        samples=tuple(
            Sample(names[name] if isinstance(name, int) else name, *rest)
            for name, *rest in document["samples"]
        ),
        due=None if due is None else tuple(_from_runs(due, names)),
        absent=tuple(document["absent"]),
        digest=document["digest"],
    )


def fleet_difference(before: Mapping[str, Deployment], after: Mapping[str, Deployment]) -> Document:
    """Return how ``after`` differs, with every equal change once and the deployments it is of."""
    names = list(after)
    new: dict[str, Any] = {}
    changed: dict[str, tuple[Document, list[int]]] = {}
    for number, (name, now) in enumerate(after.items()):
        then = before.get(name)
        if then is now:
            continue
        if then is None:
            new[name] = encode(Deployment, now)
            continue
        change = _change(then, now)
        if change:
            key = json.dumps(change, sort_keys=True)
            changed.setdefault(key, (change, []))[1].append(number)
    difference: Document = {}
    if names != list(before):
        difference["names"] = names
    if new:
        difference["new"] = new
    if changed:
        difference["changed"] = [[change, _runs(numbers)] for change, numbers in changed.values()]
    return difference


def fleet_after(before: Mapping[str, Deployment], difference: Document) -> dict[str, Deployment]:
    """Apply what ``fleet_difference`` gave; unchanged deployments stay the same objects."""
    new = {name: decode(Deployment, one) for name, one in difference.get("new", {}).items()}
    names = difference.get("names")
    fleet = dict(before) if names is None else {n: new[n] if n in new else before[n] for n in names}
    listed = list(fleet)
    for change, runs in difference.get("changed", []):
        values = {name: decode(_HINTS[name], one) for name, one in change.items()}
        for name in _from_runs(runs, listed):
            fleet[name] = replace(fleet[name], **values)
    return fleet


def digest_of(tick: Tick) -> str:
    """Return 128 bits over every field of every decision, order and event, in their order."""
    # Named tuples and string enumerations are written by the C encoder as they are.
    told = [
        tick.at,
        [_told(decision) for decision in tick.decisions],
        [encode(Order, order) for order in tick.orders],
        [encode(Event, event) for event in tick.events],
    ]
    return blake2b(json.dumps(told).encode("ascii"), digest_size=16).hexdigest()


def _told(one: Decision) -> list[Any]:
    ends = one.bounds
    return [
        one.deployment,
        one.policy,
        one.mode,
        one.at,
        type(one.verdict).__name__,
        one.verdict.reason,
        one.current,
        one.desired,
        one.wanted,
        None
        if ends is None
        else [ends.lower.replicas, ends.lower.set_by, ends.upper.replicas, ends.upper.set_by],
        one.sentence,
        one.trail,
        one.rule,
        [
            [p.rule, p.role, p.replicas, p.sentence, p.at_most, p.is_abstaining, p.blocks]
            for p in one.proposals
        ],
        [
            [r.spec.name, r.freshness, r.value, r.age_seconds, r.replicas, r.time]
            for r in one.readings
        ],
    ]


def _change(then: Deployment, now: Deployment) -> Document:
    change = {}
    for name in _FIELDS:
        was, value = getattr(then, name), getattr(now, name)
        if was is not value and (was != value or type(was) is not type(value)):
            change[name] = encode(_HINTS[name], value)
    return change


def _as_runs(names: Iterable[str], index: Mapping[str, int]) -> list[Any]:
    """Positions in the fleet as [start, length] of consecutive ones; a stranger by its name."""
    runs: list[Any] = []
    for name in names:
        number = index.get(name)
        if number is None:
            runs.append(name)
        elif runs and isinstance(runs[-1], list) and sum(runs[-1]) == number:
            runs[-1][1] += 1
        else:
            runs.append([number, 1])
    return runs


def _runs(numbers: Iterable[int]) -> list[Any]:
    runs: list[Any] = []
    for number in numbers:
        if runs and sum(runs[-1]) == number:
            runs[-1][1] += 1
        else:
            runs.append([number, 1])
    return runs


def _from_runs(runs: Sequence[Any], names: Sequence[str]) -> Iterable[str]:
    for run in runs:
        if isinstance(run, str):
            yield run
        else:
            start, length = run
            yield from names[start : start + length]
