"""proto3-JSON scalars: what each field type accepts, how it is stored and how it is rendered.

A stored value is canonical: integers are ``int`` (64-bit ones too), timestamps UTC seconds,
durations seconds, enums their names. Parsing follows the protobuf JSON mapping
(https://protobuf.dev/programming-guides/json): numbers may come as strings, enums as numbers.
"""

from __future__ import annotations

import math
import re
import struct
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trimtab.emulator.messages import Message


class Kind(Enum):
    """The wire type of a field; the value is its name in error texts."""

    STRING = "string"
    BOOL = "bool"
    INT32 = "int32"
    INT64 = "int64"
    FLOAT = "float"
    DOUBLE = "double"
    TIMESTAMP = "google.protobuf.Timestamp"
    DURATION = "google.protobuf.Duration"
    ENUM = "enum"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message. ``is_repeated`` and ``is_map`` exclude each other.

    ``is_required``: the API's document promises it in every answer, so it is shown at zero as well.
    """

    name: str
    kind: Kind
    is_read_only: bool = False
    is_repeated: bool = False
    is_map: bool = False
    is_required: bool = False
    values: tuple[str, ...] = ()
    message: Message | None = None

    @property
    def snake_name(self) -> str:
        """The name as field paths spell it."""
        return snake(self.name)


class WrongValueError(ValueError):
    """The JSON value does not fit the field."""


_INTEGER_TEXT = re.compile(r"-?(0|[1-9][0-9]*)\Z")
_NUMBER_TEXT = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?\Z")
_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)\Z", re.ASCII
)
_DURATION = re.compile(r"(-?)(\d{1,12})(?:\.(\d{1,9}))?s\Z", re.ASCII)
_RANGES = {Kind.INT32: 2**31, Kind.INT64: 2**63}
_DURATION_SECONDS_MAX = 315_576_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FLOAT32_MAX = 3.4028234663852886e38


def snake(name: str) -> str:
    """``minReplicaCount`` → ``min_replica_count``."""
    return re.sub(r"[A-Z]", lambda hit: "_" + hit.group().lower(), name)


def camel(name: str) -> str:
    """``min_replica_count`` → ``minReplicaCount``."""
    return re.sub(r"_([a-z0-9])", lambda hit: hit.group(1).upper(), name)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise WrongValueError
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise WrongValueError from None
    return value


def _integer(value: object, kind: Kind) -> int:
    if isinstance(value, str) and _INTEGER_TEXT.match(value) and len(value) < 21:
        number = int(value)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongValueError
    elif isinstance(value, float):
        if not value.is_integer():
            raise WrongValueError
        number = int(value)
    else:
        number = value
    if not -_RANGES[kind] <= number < _RANGES[kind]:
        raise WrongValueError
    return number


def _number(value: object, kind: Kind) -> float:
    if isinstance(value, str) and value in {"NaN", "Infinity", "-Infinity"}:
        return float(value)
    if isinstance(value, str) and _NUMBER_TEXT.match(value) and len(value) < 400:
        number = float(value)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise WrongValueError
    else:
        try:
            number = float(value)
        except OverflowError:
            raise WrongValueError from None
    if math.isinf(number) or (kind is Kind.FLOAT and abs(number) > _FLOAT32_MAX):
        raise WrongValueError
    return float32(number) if kind is Kind.FLOAT else number


def parse_timestamp(text: str) -> float:
    """RFC 3339 → UTC seconds, to the microsecond; years 1 to 9999."""
    hit = _TIMESTAMP.match(text)
    if hit is None:
        raise WrongValueError
    year, month, day, hour, minute, second = (int(part) for part in hit.groups()[:6])
    fraction, zone = hit.group(7) or "", hit.group(8)
    offset = timedelta()
    if zone != "Z":
        hours, minutes = int(zone[1:3]), int(zone[4:6])
        if hours > 23 or minutes > 59:
            raise WrongValueError
        offset = timedelta(hours=hours, minutes=minutes) * (-1 if zone[0] == "-" else 1)
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC) - offset
    except (ValueError, OverflowError):
        raise WrongValueError from None
    microseconds = int(fraction.ljust(9, "0")[:6])
    return (moment - _EPOCH).total_seconds() + microseconds / 1e6


def render_timestamp(seconds: float) -> str:
    """UTC seconds → RFC 3339 in UTC with 0, 3 or 6 fractional digits, as protojson does."""
    moment = _EPOCH + timedelta(microseconds=round(seconds * 1e6))
    whole = moment.strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    return f"{whole}{_fraction(moment.microsecond)}Z"


def parse_duration(text: str) -> float:
    """``"300s"`` or ``"0.5s"`` → seconds. ``"10m"`` is command line syntax and is refused."""
    hit = _DURATION.match(text)
    if hit is None:
        raise WrongValueError
    seconds = int(hit.group(2)) + int((hit.group(3) or "").ljust(9, "0")) / 1e9
    if seconds > _DURATION_SECONDS_MAX:
        raise WrongValueError
    return -seconds if hit.group(1) else seconds


def render_duration(seconds: float) -> str:
    """Seconds → ``"300s"``, with 0, 3 or 6 fractional digits."""
    whole, microseconds = divmod(round(abs(seconds) * 1e6), 1_000_000)
    sign = "-" if seconds < 0 else ""
    return f"{sign}{whole}{_fraction(microseconds)}s"


def _fraction(microseconds: int) -> str:
    if microseconds == 0:
        return ""
    if microseconds % 1000 == 0:
        return f".{microseconds // 1000:03d}"
    return f".{microseconds:06d}"


def float32(number: float) -> float:
    """Round to the nearest 32-bit float."""
    widened: float = struct.unpack("<f", struct.pack("<f", number))[0]
    return widened


def shortest_float32(number: float) -> float:
    """Return the shortest decimal that names the same 32-bit float: 0.800000012 → 0.8."""
    for digits in range(1, 10):
        candidate = float(f"{number:.{digits}g}")
        if abs(candidate) <= _FLOAT32_MAX and float32(candidate) == number:
            return candidate
    return number


def _enum(value: object, values: tuple[str, ...], *, is_strict: bool) -> str:
    if isinstance(value, str):
        if value in values:
            return value
    elif isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(values):
        return values[value]
    if is_strict or isinstance(value, bool) or not isinstance(value, str | int):
        raise WrongValueError
    return values[0]


def parse_scalar(  # noqa: PLR0911  one answer per kind
    field: Field, value: object, *, is_enum_strict: bool = True
) -> Any:
    """Return the canonical value of one JSON scalar, or raise ``WrongValueError``."""
    match field.kind:
        case Kind.STRING:
            return _text(value)
        case Kind.BOOL:
            if not isinstance(value, bool):
                raise WrongValueError
            return value
        case Kind.INT32 | Kind.INT64:
            return _integer(value, field.kind)
        case Kind.FLOAT | Kind.DOUBLE:
            return _number(value, field.kind)
        case Kind.TIMESTAMP:
            return parse_timestamp(_text(value))
        case Kind.DURATION:
            return parse_duration(_text(value))
        case Kind.ENUM:
            return _enum(value, field.values, is_strict=is_enum_strict)
        case Kind.MESSAGE:  # pragma: no cover  messages are parsed by their own table
            raise WrongValueError


def render_scalar(field: Field, value: Any, *, has_float32_noise: bool = False) -> Any:
    """Return the JSON value of one canonical scalar."""
    match field.kind:
        case Kind.INT64:
            return str(value)
        case Kind.TIMESTAMP:
            return render_timestamp(value)
        case Kind.DURATION:
            return render_duration(value)
        case Kind.FLOAT | Kind.DOUBLE if not math.isfinite(value):
            return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case Kind.FLOAT:
            return value if has_float32_noise else shortest_float32(value)
        case _:
            return value


def default_of(field: Field) -> Any:  # noqa: PLR0911  one answer per kind
    """Return the value that absence stands for; ``None`` where absence is itself a fact."""
    if field.is_repeated:
        return []
    if field.is_map:
        return {}
    match field.kind:
        case Kind.STRING:
            return ""
        case Kind.BOOL:
            return False
        case Kind.INT32 | Kind.INT64:
            return 0
        case Kind.FLOAT | Kind.DOUBLE:
            return 0.0
        case Kind.ENUM:
            return field.values[0]
        case _:
            return None
