"""JSON of any form, read by JSON pointers (RFC 6901) that the settings give."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from trimtab.sources.json_pointer import MISSING, resolve
from trimtab.sources.push.documents import moment, number, parse, sequence, string
from trimtab.sources.push.points import Decoder, Point, malformed
from trimtab.sources.push.signals import labels

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """Where in a document things stand. ``items`` leads to a list, from whose items the rest lead.

    Without ``items`` the document is one item. Of ``signal`` (a pointer) and ``signal_name`` exactly
    one is set. ``time`` leads to a number of seconds times ``time_scale``, or to an RFC 3339 text.
    """

    deployment: tuple[str, ...]
    value: tuple[str, ...]
    signal: tuple[str, ...] | None = None
    signal_name: str | None = None
    items: tuple[str, ...] | None = None
    time: tuple[str, ...] | None = None
    time_scale: float = 1.0


def points(body: bytes, mapped: Mapped) -> Iterator[Point]:
    """Yield a point for each item. Raises ``Refused`` for the first that is not as mapped."""
    document = parse(body)
    items = [document]
    if mapped.items is not None:
        items = sequence(_at(document, mapped.items, "the list of items"), "the list of items")
    for index, item in enumerate(items):
        where = f"of item {index}"
        deployment = string(_at(item, mapped.deployment, where), f"the deployment {where}")
        signal = mapped.signal_name
        if mapped.signal is not None:
            signal = string(_at(item, mapped.signal, where), f"the signal {where}")
        value = number(_at(item, mapped.value, where), f"the value {where}")
        time = None
        if mapped.time is not None:
            stated = resolve(item, mapped.time)
            if isinstance(stated, int | float) and not isinstance(stated, bool):
                stated = number(stated, f"the time {where}") * mapped.time_scale
            time = moment(None if stated is MISSING else stated, f"the time {where}")
        yield Point((deployment, signal), time, value)


def _at(document: Any, steps: tuple[str, ...], where: str) -> Any:
    found = resolve(document, steps)
    if found is MISSING:
        raise malformed(f"nothing is at /{'/'.join(steps)} for {where}")
    return found


def webhook(mapped: Mapped) -> Decoder:
    """Return the decoder of documents that are as ``mapped`` says."""
    return Decoder(partial(points, mapped=mapped), labels)
