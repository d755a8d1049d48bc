"""Read proto3 JSON, field by field, into values that can be trusted.

The rules of the format (https://protobuf.dev/programming-guides/json/): a zero, an empty text and
an unspecified enum value are left out, so *absent means zero*; ``null`` means absent; 64-bit
integers travel as strings; timestamps are RFC 3339 with 0 to 9 digits of fraction; durations are
seconds with an ``s``. A known field of a wrong type raises ``FireworksError`` of kind
``bad_response`` that names the field and the value; an unknown field never does.
"""

from __future__ import annotations

import json
import math
import re
import struct
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NoReturn

from trimtab.errors import ErrorKind, excerpt
from trimtab.targets.fireworks.errors import FireworksError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

VALUE_CHARACTERS_MAX = 80
INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1
FLOAT32_MAX = (2.0 - 2.0**-23) * 2.0**127
DURATION_SECONDS_MAX = 315_576_000_000
"""10,000 years, the range of ``google.protobuf.Duration``."""

_INTEGER = re.compile(r"-?[0-9]{1,19}\Z")
_DECIMAL = re.compile(r"-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][+-]?[0-9]{1,3})?\Z")
_DURATION = re.compile(r"(-?)([0-9]{1,12})(\.[0-9]{1,9})?s\Z")
_TIMESTAMP = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]{1,9})?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-9]{2}))\Z"
)
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def load_json(text: str) -> object:
    """Parse JSON as the standard has it: no ``NaN``, and no depth that would end the interpreter.

    Raises ``ValueError`` with a reason.
    """
    try:
        parsed: object = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return parsed


def seconds_of_timestamp(text: str) -> float | None:
    """Return UTC seconds since the epoch for an RFC 3339 timestamp, or ``None`` if it is none.

    Offsets are honoured and a leap second (``:60``) is the second after; digits beyond what a
    float holds (about a quarter of a microsecond today) are lost.
    """
    match = _TIMESTAMP.match(text)
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in match.group(1, 2, 3, 4, 5, 6))
    if second > 60:
        return None
    try:
        whole = datetime(year, month, day, hour, minute, min(second, 59), tzinfo=UTC).timestamp()
    except ValueError:
        return None
    if second == 60:
        whole += 1
    if match.group(8) is not None:
        hours, minutes = int(match.group(9)), int(match.group(10))
        if hours > 23 or minutes > 59:
            return None
        offset_seconds = hours * 3600 + minutes * 60
        whole += offset_seconds if match.group(8) == "-" else -offset_seconds
    return whole + float(match.group(7) or 0)


def seconds_of_duration(text: str) -> float | None:
    """Return the seconds in ``"300s"`` or ``"0.5s"``, or ``None``: ``"10m"`` is CLI syntax only."""
    match = _DURATION.match(text)
    if match is None:
        return None
    seconds = float(match.group(2) + (match.group(3) or ""))
    if seconds > DURATION_SECONDS_MAX:
        return None
    return -seconds if match.group(1) else seconds


def without_float32_noise(number: float) -> float:
    """Return the shortest decimal that is the same float32: 0.800000012 becomes 0.8 again.

    Raises ``OverflowError`` for a number that no float32 holds.
    """
    packed = struct.pack("<f", number)
    for digits in range(1, 9):
        shorter = float(f"{number:.{digits}g}")
        # Rounding up may leave the range of float32 altogether.
        if abs(shorter) <= FLOAT32_MAX and struct.pack("<f", shorter) == packed:
            return shorter
    return float(f"{struct.unpack('<f', packed)[0]:.9g}")


class Fields:
    """One JSON object being read; ``where`` says whose fields they are, for the error's sentence.

    Names are lowerCamelCase; the snake_case name is understood as well, as proto3 parsers do.
    """

    __slots__ = ("_has_snake_case", "_object", "_read", "where")

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise _bad(where, value, "a JSON object")
        self._object: dict[str, object] = value
        self._read: set[str] = set()
        self._has_snake_case = any("_" in name for name in self._object)
        self.where = where

    def text(self, name: str, default: str = "") -> str:
        """Return a text; a lone surrogate, which nothing could print, becomes "?"."""
        value = self._get(name)
        if value is None:
            return default
        if not isinstance(value, str):
            self._wrong(name, value, "a text")
        return _printable(value)

    def word(self, name: str, unspecified: str) -> str:
        """Return the name of an enum value, known or not; ``unspecified`` when absent."""
        return self.text(name) or unspecified

    def flag(self, name: str) -> bool:
        """Return a boolean; absent means false."""
        value = self._get(name)
        if value is None:
            return False
        if not isinstance(value, bool):
            self._wrong(name, value, "true or false")
        return value

    def count(self, name: str) -> int:
        """Return a number of things (int32, 0 or more); absent means 0."""
        count = self._integer(name, INT32_MAX)
        if count < 0:
            self._wrong(name, count, "a count of 0 or more")
        return count

    def integer(self, name: str) -> int:
        """Return an int64, which travels as a string; absent means 0."""
        return self._integer(name, INT64_MAX)

    def number(self, name: str) -> float:
        """Return a finite number; absent means 0."""
        return self._number(name, self._get(name))

    def instant(self, name: str) -> float | None:
        """Return a timestamp as UTC seconds; absent means never, ``None``."""
        text = self.text(name)
        if not text:
            return None
        seconds = seconds_of_timestamp(text)
        if seconds is None:
            self._wrong(name, text, "an RFC 3339 timestamp")
        return seconds

    def duration(self, name: str) -> float | None:
        """Return a duration in seconds; absent means that the platform's default holds, ``None``."""
        text = self.text(name)
        if not text:
            return None
        seconds = seconds_of_duration(text)
        if seconds is None:
            self._wrong(name, text, 'a duration in seconds such as "300s"')
        return seconds

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts."""
        items = self._list(name)
        for item in items:
            if not isinstance(item, str):
                self._wrong(name, item, "a text")
        return tuple(_printable(str(item)) for item in items)

    def text_map(self, name: str) -> dict[str, str]:
        """Return a map from text to text."""
        entries = self._map(name)
        for key, value in entries.items():
            if not isinstance(value, str):
                self._wrong(f"{name}.{_printable(key)}", value, "a text")
        return {_printable(key): _printable(str(value)) for key, value in entries.items()}

    def float32_map(self, name: str) -> dict[str, float]:
        """Return a map from text to float32, freed of the noise of its width."""
        numbers: dict[str, float] = {}
        for key, value in self._map(name).items():
            key_text = _printable(key)
            number = self._number(f"{name}.{key_text}", value)
            try:
                numbers[key_text] = without_float32_noise(number)
            except OverflowError:
                self._wrong(f"{name}.{key_text}", value, "a float32")
        return numbers

    def child(self, name: str) -> Fields | None:
        """Return a nested message, or ``None`` when it is absent."""
        value = self._get(name)
        return None if value is None else Fields(value, f"{self.where}: {name}")

    def children(self, name: str) -> Iterator[Fields]:
        """Yield the messages of a list."""
        for index, item in enumerate(self._list(name)):
            yield Fields(item, f"{self.where}: {name}[{index}]")

    def named_children(self, name: str) -> Iterator[tuple[str, Fields]]:
        """Yield the messages of a map, each with its key."""
        for key, value in self._map(name).items():
            yield _printable(key), Fields(value, f"{self.where}: {name}.{_printable(key)}")

    def items(self, name: str) -> list[object]:
        """Return a list as it is, for a caller that reads each item on its own."""
        return self._list(name)

    def unknown(self) -> Mapping[str, str]:
        """Return the fields that nothing has asked for, each as JSON text cut to 80 characters."""
        return {
            _printable(name): _shown(value)
            for name, value in self._object.items()
            if name not in self._read
        }

    def _get(self, name: str) -> object:
        self._read.add(name)
        value = self._object.get(name)
        if value is None and self._has_snake_case:
            snake = snake_case(name)
            self._read.add(snake)
            value = self._object.get(snake)
        return value

    def _integer(self, name: str, maximum: int) -> int:
        value = self._get(name)
        number: int | None = None
        if value is None:
            return 0
        if isinstance(value, str) and _INTEGER.match(value):
            number = int(value)
        elif isinstance(value, int) and not isinstance(value, bool):
            number = value
        elif isinstance(value, float) and value.is_integer():
            number = int(value)
        if number is None or not -maximum - 1 <= number <= maximum:
            self._wrong(name, value, "a whole number")
        return number

    def _number(self, name: str, value: object) -> float:
        if value is None:
            return 0.0
        number = math.nan
        if isinstance(value, str) and _DECIMAL.match(value):
            number = float(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            try:
                number = float(value)
            except OverflowError:
                number = math.inf
        if not math.isfinite(number):
            self._wrong(name, value, "a finite number")
        return number

    def _list(self, name: str) -> list[object]:
        value = self._get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            self._wrong(name, value, "a list")
        return value

    def _map(self, name: str) -> dict[str, object]:
        value = self._get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self._wrong(name, value, "a map")
        return value

    def _wrong(self, name: str, value: object, expected: str) -> NoReturn:
        raise _bad(f"{self.where}: {name}", value, expected)


@lru_cache(maxsize=1024)
def snake_case(name: str) -> str:
    """Return ``min_replica_count`` for ``minReplicaCount``: how masks and filters spell fields."""
    return _HUMP.sub("_", name).lower()


def _bad(where: str, value: object, expected: str) -> FireworksError:
    return FireworksError(
        f"{excerpt(_printable(where))} is {_shown(value)}, which is not {expected}; "
        f"check that the base URL is a Fireworks control plane.",
        kind=ErrorKind.BAD_RESPONSE,
    )


def _shown(value: object) -> str:
    try:
        return excerpt(json.dumps(value), VALUE_CHARACTERS_MAX)
    except (RecursionError, TypeError, ValueError):
        return "something that cannot be shown"


def _printable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
