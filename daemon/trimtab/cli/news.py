"""Server-sent events, as the daemon writes them: lines in, news out.

https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

EVENT_STREAM = "text/event-stream"


class Heard(NamedTuple):
    """One piece of news. ``kind`` is ``decision``, ``write``, ``state`` or ``resync``."""

    number: int | None
    """Counts from the daemon's start; ``None``: it had none that could be read."""

    kind: str
    data: dict[str, Any]


def heard(lines: Iterable[bytes]) -> Iterator[Heard | None]:
    """Yield news of the lines of a stream; ``None`` for a comment, which shows that it is alive.

    What is not JSON of an object is left out: a newer daemon may tell what is not known here.
    """
    number: int | None = None
    kind = "message"
    data: list[str] = []
    for raw in lines:
        line = raw.decode("utf-8", "replace").rstrip("\r\n")
        if line.startswith(":"):
            yield None
        elif line:
            field, _, value = line.partition(":")
            value = value.removeprefix(" ")
            match field:
                case "id":
                    number = int(value) if value.isascii() and value.isdigit() else None
                case "event":
                    kind = value
                case "data":
                    data.append(value)
        else:
            found = _object("\n".join(data))
            if found is not None:
                yield Heard(number, kind, found)
            kind, data = "message", []


def _object(text: str) -> dict[str, Any] | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
