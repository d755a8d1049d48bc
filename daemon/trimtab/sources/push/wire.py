"""The protobuf wire format, as far as metrics need it: fields of a message, without a schema.

Reads out of one ``bytes`` by position and copies only what is asked for. Whatever is cut short or
runs over its message is refused, so that no length in a body can make us read or allocate more than
the body holds. Format: https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, NamedTuple

from trimtab.sources.push.points import malformed

if TYPE_CHECKING:
    from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

DOUBLE = Struct("<d")
UNSIGNED64 = Struct("<Q")
SIGNED64 = Struct("<q")

_VARINT_BYTES_MAX = 10

FIELDS_MAX = 1_000
"""Of one message, where nothing else is said. A field takes two bytes and a microsecond: a body of
nothing but fields would keep us busy for long."""

MANY_FIELDS_MAX = 50_000
"""Of a message that holds many others."""


class Field(NamedTuple):
    """One field: its number and wire type, and where its content lies.

    ``number`` holds the value of a varint; for all others the content is ``body[start:end]``.
    """

    tag: int
    wire_type: int
    start: int
    end: int
    number: int = 0


def varint(body: bytes, at: int, end: int) -> tuple[int, int]:
    """Return the unsigned number that begins at ``at``, and where it ends."""
    if at < end and body[at] < 0x80:  # nearly always
        return body[at], at + 1
    result = shift = 0
    for position in range(at, min(end, at + _VARINT_BYTES_MAX)):
        byte = body[position]
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result & 0xFFFF_FFFF_FFFF_FFFF, position + 1
        shift += 7
    raise malformed(f"the message is cut short or broken at byte {at}")


def signed(number: int) -> int:
    """Read an unsigned 64-bit number as the two's complement that int64 is sent as."""
    return number - (1 << 64) if number >> 63 else number


def field_at(body: bytes, at: int, end: int) -> Field:
    """Return the field that begins at ``at`` in a message that ends at ``end``."""
    key, at = varint(body, at, end)
    tag, wire_type = key >> 3, key & 7
    number, begin = 0, at
    if wire_type == BYTES:
        size, begin = varint(body, at, end)
        at = begin + size
    elif wire_type == VARINT:
        number, at = varint(body, at, end)
    elif wire_type == FIXED64:
        at += 8
    elif wire_type == FIXED32:
        at += 4
    else:
        raise malformed(f"the message has wire type {wire_type} at byte {at}; groups are none")
    if at > end or not tag:
        raise malformed(f"the message is cut short or broken at byte {begin}")
    return Field(tag, wire_type, begin, at, number)


def fields(body: bytes, start: int, end: int, fields_max: int = FIELDS_MAX) -> Iterator[Field]:
    """Yield the fields of the message at ``body[start:end]``, of which there may be so many."""
    at = start
    for _ in range(fields_max):
        if at >= end:
            return
        field = field_at(body, at, end)
        at = field.end
        yield field
    if at < end:
        raise malformed(f"the message at byte {start} has more than {fields_max} fields")


def text(body: bytes, field: Field) -> str:
    """Return a string field's content."""
    try:
        return body[field.start : field.end].decode()
    except UnicodeDecodeError:
        raise malformed(f"the text at byte {field.start} is not UTF-8") from None


def double(body: bytes, field: Field) -> float:
    """Return a double field's content."""
    if field.wire_type != FIXED64:
        raise malformed(f"the field at byte {field.start} should be a double")
    number: float = DOUBLE.unpack_from(body, field.start)[0]
    return number


def unsigned64(body: bytes, field: Field) -> int:
    """Return a fixed64 field's content."""
    if field.wire_type != FIXED64:
        raise malformed(f"the field at byte {field.start} should be a fixed 64-bit number")
    number: int = UNSIGNED64.unpack_from(body, field.start)[0]
    return number


# -- writing, for the few short answers that protocols ask for ----------------------------------
def write_varint(number: int) -> bytes:
    """Return ``number`` (not negative) as a varint."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def write_number(tag: int, number: int) -> bytes:
    """Return a varint field."""
    return write_varint(tag << 3 | VARINT) + write_varint(number)


def write_bytes(tag: int, content: bytes) -> bytes:
    """Return a field of bytes, a string, or a message."""
    return write_varint(tag << 3 | BYTES) + write_varint(len(content)) + content
