"""Prometheus remote-write, 1.0 and 2.0: samples out of the protobuf message.

In 1.0 the bytes of a series' labels are its identity, and are not read again once it is known: that
makes a push of known series cheap. Senders write labels sorted, so equal labels are equal bytes; from
one that does not, a series would merely be two.

Formats: https://prometheus.io/docs/specs/prw/remote_write_spec/ (``prometheus.WriteRequest``) and
https://prometheus.io/docs/specs/prw/remote_write_spec_2_0/ (``io.prometheus.write.v2.Request``).
"""

from __future__ import annotations

from math import nan
from struct import Struct
from typing import TYPE_CHECKING

from trimtab.sources.push.points import Decoder, Kind, Point, malformed
from trimtab.sources.push.wire import (
    BYTES,
    DOUBLE,
    FIXED64,
    VARINT,
    fields,
    signed,
    text,
    varint,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Mapping

STALE = b"\x02\x00\x00\x00\x00\x00\xf0\x7f"
"""The one NaN that means "this series has ended" (0x7ff0000000000002, little endian)."""

LABELS_MAX = 64
SYMBOLS_MAX = 500_000

_USUAL = Struct("<BdBHHH")
_MORE, _FIVE_MORE = 0x8080_8080_8080, 0x0080_8080_8080

_LABEL, _SAMPLE, _HISTOGRAM = 1, 2, 4  # of a 1.0 TimeSeries
_REFS, _SAMPLE_2, _HISTOGRAM_2 = 1, 2, 3  # of a 2.0 TimeSeries


def points(body: bytes) -> Iterator[Point]:
    """Yield the points of a 1.0 message, in its order. Raises ``Refused``."""
    for field in fields(body, 0, len(body)):
        if field.tag == 1:
            if field.wire_type != BYTES:
                raise malformed("the message's series are no messages")
            yield from _series(body, field.start, field.end)


def _series(body: bytes, start: int, end: int) -> Iterator[Point]:
    """Yield the points of one series; where the bytes of its labels lie is found on the way."""
    labels_start, labels_end, at = start, start, start
    found: list[tuple[int, int]] = []
    histograms = 0
    while at < end:
        tag = body[at]
        if at + 1 < end and body[at + 1] < 0x80:  # nearly always: a length of one byte
            size, begin = body[at + 1], at + 2
        else:
            size, begin = varint(body, at + 1, end)
        if tag & 7 != BYTES or begin + size > end:
            raise malformed(f"a series is cut short or broken at byte {at}")
        number = tag >> 3
        if number == _LABEL:
            if labels_end != at:
                raise malformed("a series has labels that do not stand together")
            labels_end = begin + size
        elif number == _SAMPLE:
            found.append((begin, begin + size))
        elif number == _HISTOGRAM:
            histograms += 1
        at = begin + size
    key = body[labels_start:labels_end]
    for begin, stop in found:
        yield _usual_sample(body, begin, stop, key) or _sample(body, begin, stop, key)
    for _ in range(histograms):
        yield Point(key, None, nan, Kind.UNSUPPORTED)


def _usual_sample(body: bytes, start: int, end: int, key: Hashable) -> Point | None:
    """Read a Sample as all senders write it, a number and a time of this age; else ``None``.

    Only a short cut: whatever it declines is read field by field.
    """
    if end - start != _USUAL.size:
        return None
    tag, value, time_tag, low, middle, high = _USUAL.unpack_from(body, start)
    # Six bytes of a varint, the seven bits of each; the last has no more behind it.
    six = low | middle << 16 | high << 32
    is_usual = tag == 1 << 3 | FIXED64 and time_tag == 2 << 3 | VARINT
    if not is_usual or six & _MORE != _FIVE_MORE or value != value:  # noqa: PLR0124  a NaN
        return None
    milliseconds = (
        six & 0x7F
        | six >> 1 & 0x3F80
        | six >> 2 & 0x1F_C000
        | six >> 3 & 0xFE0_0000
        | six >> 4 & 0x7_F000_0000
        | six >> 5 & 0x3F8_0000_0000
    )
    return Point(key, milliseconds / 1000, value)


def _sample(body: bytes, start: int, end: int, key: Hashable) -> Point:
    """Read a Sample (both versions have it: value = 1, timestamp = 2, and 2.0 a start = 3)."""
    value, milliseconds, begun = 0.0, 0, 0
    is_stale = False
    at = start
    while at < end:
        tag = body[at]
        at += 1
        if tag == 1 << 3 | FIXED64:
            if at + 8 > end:
                raise malformed(f"a sample is cut short at byte {at}")
            value = DOUBLE.unpack_from(body, at)[0]
            # != tells a NaN; which NaN, only its bytes do
            is_stale = value != value and body[at : at + 8] == STALE  # noqa: PLR0124  see above
            at += 8
        elif tag == 2 << 3 | VARINT:
            milliseconds, at = varint(body, at, end)
        elif tag == 3 << 3 | VARINT:
            begun, at = varint(body, at, end)
        else:
            raise malformed(f"a sample has an unknown field at byte {at - 1}")
    kind = Kind.GONE if is_stale else Kind.VALUE
    since = signed(begun) / 1000 if begun else None
    return Point(key, signed(milliseconds) / 1000, value, kind, since)


def labels(series: Hashable) -> Mapping[str, str]:
    """Spell out the labels of a 1.0 series."""
    assert isinstance(series, bytes)  # noqa: S101  that is what ``points`` gives
    found: dict[str, str] = {}
    for label in fields(series, 0, len(series)):
        name = value = ""
        for part in fields(series, label.start, label.end):
            if part.tag == 1:
                name = text(series, part)
            elif part.tag == 2:
                value = text(series, part)
        if name in found or len(found) >= LABELS_MAX:
            raise malformed(f"a series has a label twice, or more than {LABELS_MAX}")
        found[name] = value
    return found


def points_2(body: bytes) -> Iterator[Point]:
    """Yield the points of a 2.0 message, in its order. Raises ``Refused``."""
    symbols: list[str] = []
    series: list[tuple[int, int]] = []
    for field in fields(body, 0, len(body)):
        if field.tag == 4:
            symbols.append(text(body, field))
            if len(symbols) > SYMBOLS_MAX:
                raise malformed(f"the message has more than {SYMBOLS_MAX} symbols")
        elif field.tag == 5 and field.wire_type == BYTES:
            series.append((field.start, field.end))
    if symbols and symbols[0]:
        raise malformed("the message's first symbol is not the empty string")
    for start, end in series:
        yield from _series_2(body, start, end, symbols)


def _series_2(body: bytes, start: int, end: int, symbols: list[str]) -> Iterator[Point]:
    key: tuple[str, ...] = ()
    found: list[tuple[int, int]] = []
    histograms = 0
    for field in fields(body, start, end):
        if field.tag == _REFS:
            key += _referred(body, field.start, field.end, symbols)
        elif field.tag == _SAMPLE_2:
            found.append((field.start, field.end))
        elif field.tag == _HISTOGRAM_2:
            histograms += 1
    for begin, stop in found:
        yield _sample(body, begin, stop, key)
    for _ in range(histograms):
        yield Point(key, None, nan, Kind.UNSUPPORTED)


def _referred(body: bytes, start: int, end: int, symbols: list[str]) -> tuple[str, ...]:
    found: list[str] = []
    at = start
    while at < end:
        reference, at = varint(body, at, end)
        if reference >= len(symbols) or len(found) >= 2 * LABELS_MAX:
            raise malformed(f"a series refers to symbol {reference}, which the message has not")
        found.append(symbols[reference])
    if len(found) % 2:
        raise malformed("a series has a label without a value")
    return tuple(found)


def labels_2(series: Hashable) -> Mapping[str, str]:
    """Spell out the labels of a 2.0 series."""
    assert isinstance(series, tuple)  # noqa: S101  that is what ``points_2`` gives
    return dict(zip(series[::2], series[1::2], strict=True))


VERSION_1 = Decoder(points, labels)
VERSION_2 = Decoder(points_2, labels_2)

MESSAGES: Mapping[str, Decoder] = {
    "prometheus.WriteRequest": VERSION_1,
    "io.prometheus.write.v2.Request": VERSION_2,
}
"""By the ``proto`` parameter of the Content-Type, whose absence means 1.0."""
