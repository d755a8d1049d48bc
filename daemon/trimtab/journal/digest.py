"""128 bits over everything that a turn came to: whether a replay decides exactly the same.

Every field of every decision, order and event counts, in their order. Two forms: what is written now
begins with ``2:``; files of earlier versions hold the first, which encodes the same as JSON. They also hold
digests of what was said in other words (``former_words.py``).
"""

from __future__ import annotations

import json
import struct
from hashlib import blake2b
from itertools import chain
from math import nan
from typing import TYPE_CHECKING, Any

from trimtab.core.decision import Event, Order
from trimtab.journal.codec import encode
from trimtab.journal.former_words import in_former_words

if TYPE_CHECKING:
    from trimtab.core.decision import Decision, Tick

_FORM = "2:"


def digest_of(tick: Tick) -> str:
    """Return the digest of what one step came to.

    Texts are joined, and their lengths stand among the numbers, so that no two ticks look alike.
    Numbers are doubles: counts stay below 2**31 and times are floats, so that each is told exactly;
    ``None`` is NaN, which nothing believable is.
    """
    texts: list[str] = []
    numbers: list[float | None] = [tick.at, len(tick.decisions)]
    for decision in tick.decisions:
        _tell(decision, texts, numbers)
    texts += [json.dumps(encode(Order, order)) for order in tick.orders]
    texts += [json.dumps(encode(Event, event)) for event in tick.events]
    numbers += (len(tick.orders), len(tick.events))
    numbers += map(len, texts)
    doubles = [nan if one is None else one for one in numbers]
    digest = blake2b(struct.pack(f"<{len(doubles)}d", *doubles), digest_size=16)
    digest.update("".join(texts).encode("utf-8", "surrogatepass"))
    return _FORM + digest.hexdigest()


def is_digest_of(digest: str, tick: Tick) -> bool:
    """Whether ``digest``, of whichever form and in whichever version's words, is that of ``tick``."""
    of = digest_of if digest.startswith(_FORM) else _first_form
    return digest == of(tick) or digest == of(in_former_words(tick))


def _tell(one: Decision, texts: list[str], numbers: list[float | None]) -> None:
    verdict, bounds, trail = one.verdict, one.bounds, one.trail
    proposals, readings = one.proposals, one.readings
    texts += (
        one.deployment,
        one.policy,
        one.mode,
        type(verdict).__name__,
        verdict.reason,
        one.sentence,
        one.rule,
    )
    numbers += (one.at, one.current, one.desired, one.wanted, one.actual)
    numbers += (bounds is not None, len(trail), len(proposals), len(readings))
    if bounds is not None:
        lower, upper = bounds.lower, bounds.upper
        texts += (lower.set_by, upper.set_by)
        numbers += (lower.replicas, upper.replicas)
    if trail:
        stages, before, after, reasons, sentences = zip(*trail, strict=True)
        texts += chain(stages, sentences, [reason or "" for reason in reasons])
        numbers += before + after
    for proposal in proposals:
        texts += (proposal.rule, proposal.role, proposal.sentence, proposal.blocks or "")
        numbers += (proposal.replicas, proposal.at_most, proposal.is_abstaining)
        if (
            proposal.facts is not None
        ):  # earlier versions had none: their digests stay what they were
            texts.append("facts")
            numbers += proposal.facts
    for reading in readings:
        texts += (reading.spec.name, reading.freshness)
        numbers += (reading.value, reading.age_seconds, reading.replicas, reading.time)


def _first_form(tick: Tick) -> str:
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
