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

from trimtab.sources.push.points import Decoder, Kind, Point, Refused, malformed
from trimtab.sources.push.wire import (
    BYTES,
    DOUBLE,
    FIELDS_MAX,
    FIXED64,
    MANY_FIELDS_MAX,
    VARINT,
    field_at,
    fields,
    signed,
    text,
    varint,
)

if TYPE_CHECKING:
    from collections.abc import Container, Hashable, Iterator, Mapping

STALE = b"\x02\x00\x00\x00\x00\x00\xf0\x7f"
"""The one NaN that means "this series has ended" (0x7ff0000000000002, little endian)."""

LABELS_MAX = 64

_SERIES_TAG = _NAME_TAG = 1 << 3 | BYTES
_VALUE_TAG = 2 << 3 | BYTES
_USUAL = Struct("<3sd7s")
_USUAL_HEAD = bytes((2 << 3 | BYTES, 16, 1 << 3 | FIXED64))
"""How the last field of a series begins that is one sample of a number and a time of this age."""

_LABEL, _SAMPLE, _HISTOGRAM = 1, 2, 4  # of a 1.0 TimeSeries
_REFS, _SAMPLE_2, _HISTOGRAM_2 = 1, 2, 3  # of a 2.0 TimeSeries

SAMPLE_BYTES_MAX = 64
"""A sample takes 31 at most; of more, all but the last of each field would count for nothing."""


def points(body: bytes, known: Container[Hashable] = ()) -> Iterator[Point | None]:
    """Yield the points of a 1.0 message, in its order. Raises ``Refused``.

    Where all that stands before a usual last sample is the labels of a ``known`` series, the sample is the
    only one, and its labels need not be read: they were when the series became known.
    """
    at, end = 0, len(body)
    moments: dict[bytes, float] = {}  # most samples of a message are of the same time
    while at < end:
        if at + _USUAL.size < end and body[at] == _SERIES_TAG:
            size, start = body[at + 1], at + 2
            if size >= 0x80:
                is_of_two = body[start] < 0x80  # one of three bytes is not usual
                size, start = size & 0x7F | body[start] << 7 if is_of_two else 0, start + 1
            stop = start + size
            cut = stop - _USUAL.size
            if start < cut and stop <= end and (key := body[start:cut]) in known:
                head, value, stamp = _USUAL.unpack_from(body, cut)
                if head == _USUAL_HEAD and value == value:  # noqa: PLR0124  no NaN
                    time = moments.get(stamp)
                    if time is None:
                        time = moments[stamp] = _seconds(stamp)
                    if time:
                        yield Point(key, time, value)
                        at = stop
                        continue
        field = field_at(body, at, end)
        at = field.end
        if field.tag != 1:
            yield None
            continue
        if field.wire_type != BYTES:
            raise malformed("the message's series are no messages")
        yield from _series(body, field.start, field.end)


def _seconds(stamp: bytes) -> float:
    """Return the time that a usual sample ends with; 0: it is no usual one."""
    try:
        milliseconds, end = varint(stamp, 1, len(stamp))
    except Refused:
        return 0.0
    is_usual = stamp[0] == 2 << 3 | VARINT and end == len(stamp)
    return milliseconds / 1000 if is_usual else 0.0


def _series(body: bytes, start: int, end: int) -> Iterator[Point | None]:
    """Yield the points of one series; where the bytes of its labels lie is found on the way."""
    key, labels_end, at = b"", start, start
    is_empty = True
    labels = others = 0
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
            if labels_end != at or labels >= LABELS_MAX:
                raise malformed(f"a series has labels elsewhere than first, or over {LABELS_MAX}")
            labels += 1
            labels_end = begin + size
        elif number in (_SAMPLE, _HISTOGRAM):
            key = key or body[start:labels_end]
            is_sample = number == _SAMPLE
            yield _sample(body, begin, begin + size, key) if is_sample else _unsupported(key)
            is_empty = False
        else:
            others += 1
            if others > FIELDS_MAX:
                raise malformed(f"a series has more than {FIELDS_MAX} other fields")
        at = begin + size
    if is_empty:
        yield None


def _unsupported(key: Hashable) -> Point:
    return Point(key, None, nan, Kind.UNSUPPORTED)


def _sample(body: bytes, start: int, end: int, key: Hashable) -> Point:
    """Read a Sample (both versions have it: value = 1, timestamp = 2, and 2.0 a start = 3)."""
    if end - start > SAMPLE_BYTES_MAX:
        raise malformed(f"a sample is longer than {SAMPLE_BYTES_MAX} bytes at byte {start}")
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
    found = _usual_labels(series)
    return _labels(series) if found is None else found


def _usual_labels(series: bytes) -> dict[str, str] | None:
    """Read labels as all senders write them, a name and a value of up to 127 bytes; else ``None``."""
    found: dict[str, str] = {}
    at, end, count = 0, len(series), 0
    while at < end:
        # Label: tag, length, name: tag, length, …, value: tag, length, …
        try:
            size, name_size = series[at + 1], series[at + 3]
            middle = at + 4 + name_size
            value_size = series[middle + 1]
        except IndexError:
            return None
        is_usual = (
            series[at] == series[at + 2] == _NAME_TAG
            and series[middle] == _VALUE_TAG
            and size == name_size + value_size + 4 < 0x80
            and at + 2 + size <= end
        )
        if not is_usual:
            return None
        try:
            name = series[at + 4 : middle].decode()
            found[name] = series[middle + 2 : at + 2 + size].decode()
        except UnicodeDecodeError:
            return None
        at += 2 + size
        count += 1
    return found if count == len(found) <= LABELS_MAX else None  # else one is given twice


def _labels(series: bytes) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for label in fields(series, 0, len(series), LABELS_MAX + 1):
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


def points_2(body: bytes) -> Iterator[Point | None]:
    """Yield the points of a 2.0 message, in its order. Raises ``Refused``."""
    symbols: list[str] = []
    series: list[tuple[int, int]] = []
    for field in fields(body, 0, len(body), MANY_FIELDS_MAX):
        if field.tag == 4:
            symbols.append(text(body, field))
        elif field.tag == 5 and field.wire_type == BYTES:
            series.append((field.start, field.end))
    if symbols and symbols[0]:
        raise malformed("the message's first symbol is not the empty string")
    for start, end in series:
        yield from _series_2(body, start, end, symbols)


def _series_2(body: bytes, start: int, end: int, symbols: list[str]) -> Iterator[Point | None]:
    key: tuple[str, ...] = ()
    is_empty = True
    lists = 0
    for field in fields(body, start, end, MANY_FIELDS_MAX):
        if field.tag == _REFS:
            lists += 1
            if not is_empty or max(lists, len(key)) > 2 * LABELS_MAX:
                raise malformed(f"a series has labels elsewhere than first, or over {LABELS_MAX}")
            key += _referred(body, field.start, field.end, symbols)
        elif field.tag in (_SAMPLE_2, _HISTOGRAM_2):
            is_sample = field.tag == _SAMPLE_2
            yield _sample(body, field.start, field.end, key) if is_sample else _unsupported(key)
            is_empty = False
    if is_empty:
        yield None


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


VERSION_1 = Decoder(points, labels, shortcut=points)
VERSION_2 = Decoder(points_2, labels_2)

MESSAGES: Mapping[str, Decoder] = {
    "prometheus.WriteRequest": VERSION_1,
    "io.prometheus.write.v2.Request": VERSION_2,
}
"""By the ``proto`` parameter of the Content-Type, whose absence means 1.0."""
