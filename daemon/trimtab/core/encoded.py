"""What a strategy remembers when its JSON form is dear: a frozen value that is encoded when it is written.

A decision has some microseconds, and a strategy that learns has some ten thousand numbers. Making JSON
of them at every decision would take longer than deciding. So such a memory is handed on as the value
that it is, and whoever writes it down (the journal, a checkpoint, a test) asks for its JSON form then.
After a restart the strategy gets that form, and makes the value of it once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

    from trimtab.core.proposals import JsonValue


class Encoded(ABC):
    """A value that stands for its JSON form. It never changes: whoever holds it may encode it later.

    It equals every value with the same form, encoded or not, so that a memory that was restored
    equals the one that was written.
    """

    __slots__ = ("_form",)

    def as_json(self) -> JsonValue:
        """Return plain JSON values from which an equal value can be made, bit for bit."""
        try:
            form: JsonValue = self._form
        except AttributeError:
            form = self._encode()
            self._form: JsonValue = form
        return form

    @abstractmethod
    def _encode(self) -> JsonValue:
        """Make the JSON form; asked for once."""

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return self.as_json() == (other.as_json() if isinstance(other, Encoded) else other)

    __hash__ = None  # type: ignore[assignment]  # equal to dicts and lists, which have none

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self


def as_plain(value: object) -> JsonValue:
    """Return the JSON form of an encoded value: the ``default`` of ``json.dumps``.

    Raises ``TypeError`` for anything else, as ``json`` wants it.
    """
    if isinstance(value, Encoded):
        return value.as_json()
    raise TypeError(f"a memory holds a {type(value).__name__}; give JSON values or an Encoded")


def plain(value: JsonValue) -> JsonValue:
    """Return ``value`` with everything encoded in it as JSON values; what is plain stays itself."""
    if isinstance(value, Encoded):
        return value.as_json()
    if isinstance(value, list):
        return [plain(one) for one in value]
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    return value
