"""Values out of JSON: JSON pointers (RFC 6901), and what a found value says of which deployment."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from trimtab.errors import ErrorKind, SourceError, excerpt
from trimtab.sources.asking import Row
from trimtab.sources.json_pointer import MISSING, PointerError, resolve, split_pointer

if TYPE_CHECKING:
    from collections.abc import Iterator


def follow_pointer(document: Any, pointer: str) -> Any:
    """Return what ``pointer`` leads to, ``None`` if that is not there. Raises ``SourceError``."""
    try:
        found = resolve(document, split_pointer(pointer))
    except PointerError as error:
        raise SourceError(
            f"the query `{excerpt(pointer, 80)}` {error}", kind=ErrorKind.REJECTED
        ) from None
    return None if found is MISSING else found


class Fields:
    """Where in an object the name of a deployment, its value and the value's time are."""

    def __init__(self, deployment: str, value: str, time: str) -> None:
        self._deployment = deployment
        self._value = value
        self._time = time

    def rows(self, found: Any, at: float, *, subject: str | None) -> Iterator[Row]:
        """Yield what ``found`` says. ``subject`` is the deployment, if it is about one alone.

        A number, or an object with a value, is about the subject. Otherwise an object maps names of
        deployments to either, and a list holds objects that say their deployment. ``null`` says
        nothing. Raises ``SourceError`` for everything else.
        """
        if found is None:
            return
        if subject is not None or not isinstance(found, dict | list):
            yield from self._row(subject, found, at)
        elif isinstance(found, dict):
            for name, one in found.items():
                yield from self._row(name, one, at)
        else:
            for one in found:
                name = one.get(self._deployment) if isinstance(one, dict) else None
                if not isinstance(name, str):
                    raise _odd(f"an item of the list has no `{self._deployment}`", one)
                yield from self._row(name, one, at)

    def _row(self, name: str | None, found: Any, at: float) -> Iterator[Row]:
        value, time = found, at
        if isinstance(found, dict):
            value = found.get(self._value)
            if self._time in found:
                time = seconds(found[self._time])
        if isinstance(value, bool) or not isinstance(value, int | float | None):
            raise _odd("the value is no number", value)
        if value is not None:
            yield Row(name, time, float(value))


def seconds(time: Any) -> float:
    """Return UTC seconds of a number of them or an RFC 3339 text. Raises ``SourceError``."""
    if isinstance(time, int | float) and not isinstance(time, bool):
        return float(time)
    try:
        moment = datetime.fromisoformat(time)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        raise _odd("the time is neither UTC seconds nor RFC 3339 with a zone", time)
    return moment.timestamp()


def _odd(what: str, found: Any) -> SourceError:
    return SourceError(f"{what}, but {excerpt(repr(found), 60)}", kind=ErrorKind.BAD_RESPONSE)
