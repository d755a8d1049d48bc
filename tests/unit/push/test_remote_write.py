from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Container, Hashable, Iterator
from math import inf, isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from senders import message, sample, series, varint, write_request, write_request_2

from trimtab.sources.push import otlp, otlp_json, remote_write
from trimtab.sources.push.points import Kind, Point, Refused

LOAD = {"__name__": "requests", "deployment": "chat", "zone": "a"}
MANY = 100_000
STALE = b"\x02\x00\x00\x00\x00\x00\xf0\x7f"
QUIET_NAN = b"\x00\x00\x00\x00\x00\x00\xf8\x7f"


def read(body: bytes) -> list[Point]:
    return [one for one in remote_write.points(body) if one is not None]


def read_2(body: bytes) -> list[Point]:
    return [one for one in remote_write.points_2(body) if one is not None]


def test_each_sample_comes_with_its_series_time_and_value() -> None:
    body = write_request(series(LOAD, sample(3.5, 1000.25), sample(-1.0, 1001.0)))
    first, second = read(body)
    assert remote_write.labels(first.series) == LOAD
    assert (first.time, first.value, first.kind) == (1000.25, 3.5, Kind.VALUE)
    assert (second.series, second.time, second.value) == (first.series, 1001.0, -1.0)


def test_the_same_labels_are_the_same_series_in_every_request() -> None:
    one = read(write_request(series({"a": "b"}), series(LOAD, sample(1, 1))))
    other = read(write_request(series(LOAD, sample(2, 2))))
    assert one[0].series == other[0].series


def test_the_staleness_marker_is_an_end_and_any_other_nan_is_a_value() -> None:
    gone, nan = read(
        write_request(series(LOAD, sample(0, 1, bits=STALE), sample(0, 2, bits=QUIET_NAN)))
    )
    assert gone.kind is Kind.GONE
    assert nan.kind is Kind.VALUE
    assert isnan(nan.value)


def test_a_native_histogram_is_noticed_and_nothing_more() -> None:
    assert [one.kind for one in read(write_request(series(LOAD, histograms=2)))] == [
        Kind.UNSUPPORTED,
        Kind.UNSUPPORTED,
    ]


def test_metadata_and_fields_of_later_versions_are_passed_over() -> None:
    body = message(3, b"\x08\x01\x12\x01x") + write_request(series(LOAD, sample(1, 1)))
    assert len(read(body + message(9, b"later"))) == 1


def test_times_before_1970_and_infinities_are_read_as_they_are() -> None:
    (one,) = read(write_request(series(LOAD, sample(inf, -5.0))))
    assert (one.time, one.value) == (-5.0, inf)


@given(st.binary(max_size=300))
def test_whatever_bytes_come_they_are_points_or_refused(body: bytes) -> None:
    for decoder in (remote_write.VERSION_1, remote_write.VERSION_2):
        try:
            for point in decoder.points(body):
                if point is not None:
                    decoder.labels(point.series)
        except Refused:
            continue


@given(st.data())
def test_a_message_cut_anywhere_is_refused_or_shorter_and_never_wrong(data: st.DataObject) -> None:
    samples = [sample(value, value) for value in (1.0, 2.0, 3.0)]
    body = write_request(*(series(LOAD, one) for one in samples))
    whole = read(body)
    cut = data.draw(st.integers(min_value=0, max_value=len(body) - 1))
    try:
        found = read(body[:cut])
    except Refused:
        return
    assert found == whole[: len(found)]


@given(
    st.floats(allow_nan=False),
    st.one_of(
        st.integers(min_value=-(2**62), max_value=2**62),
        st.integers(min_value=2**34, max_value=2**43),
    ),
)
def test_every_value_and_every_time_comes_back(value: float, milliseconds: int) -> None:
    encoded = sample(value, 0.0)[:-1] + varint(milliseconds)
    (one,) = read(write_request(series(LOAD, encoded)))
    assert (one.value, one.time) == (value, milliseconds / 1000)


def test_labels_given_twice_are_refused() -> None:
    pair = message(1, message(1, b"a") + message(2, b"b"))
    (one,) = read(message(1, pair + pair + message(2, sample(1, 1))))
    with pytest.raises(Refused, match="twice"):
        remote_write.labels(one.series)


# Seen to fail when the length of a label is not compared with those of its parts.
@given(st.dictionaries(st.text(max_size=140), st.text(max_size=140), max_size=5), st.data())
def test_usual_labels_are_read_as_any_labels_are(
    labels: dict[str, str], data: st.DataObject
) -> None:
    pairs = [message(1, message(1, k.encode()) + message(2, v.encode())) for k, v in labels.items()]
    body = b"".join(
        [*pairs, *(data.draw(st.lists(st.sampled_from(pairs), max_size=1)) if pairs else ())]
    )
    if body and data.draw(st.booleans()):
        at = data.draw(st.integers(0, len(body) - 1))
        body = body[:at] + data.draw(st.binary(max_size=2)) + body[at + 1 :]
    elif data.draw(st.booleans()):  # a label may have more fields one day
        body += message(1, message(1, b"new") + message(2, b"value") + b"\x18\x01")
    usual = remote_write._usual_labels(body)
    if usual is not None:
        assert remote_write._labels(body) == usual
    elif body == b"".join(pairs):
        assert any(len(one) > 129 for one in pairs), "nothing unusual about it"


def test_version_2_names_its_labels_by_symbols() -> None:
    body = write_request_2([(LOAD, [sample(7, 8)]), ({**LOAD, "zone": "b"}, [sample(9, 8)])])
    one, other = read_2(body)
    assert remote_write.labels_2(one.series) == LOAD
    assert remote_write.labels_2(other.series) == {**LOAD, "zone": "b"}
    assert (one.time, one.value) == (8.0, 7.0)


def test_version_2_may_send_symbols_after_the_series() -> None:
    body = write_request_2([(LOAD, [sample(7, 8)])])
    split = body.index(b"\x2a")  # the first series
    (one,) = read_2(body[split:] + body[:split])
    assert remote_write.labels_2(one.series) == LOAD


@pytest.mark.parametrize(
    "refs", [b"\x01\x63", b"\x01", b"\x01\x02\x01"], ids=["unknown", "one", "odd"]
)
def test_version_2_with_symbols_that_do_not_fit_is_refused(refs: bytes) -> None:
    symbols = b"".join(message(4, word) for word in (b"", b"a", b"b"))
    with pytest.raises(Refused, match=r"symbol|label without"):
        list(remote_write.points_2(symbols + message(5, message(1, refs))))


labels = st.dictionaries(st.sampled_from(["a", "b", "zone"]), st.text(max_size=90), max_size=3)
times = st.one_of(st.just(1_767_225_600.0), st.floats(-1e9, 4e9).map(lambda at: round(at, 3)))
odd_ends = st.sampled_from([b"\x18" + varint(1 << 40), b"\x10\x05\x18\x05\x10\x86\x00"])
samples = st.one_of(
    st.builds(sample, st.floats(allow_nan=False), times),
    odd_ends.map(lambda end: b"\x09" + b"\0" * 8 + end),
)


def with_last_field(labels: dict[str, str], some: list[bytes], tag: int, last: bytes) -> bytes:
    """A series whose last field is a sample, or an exemplar or a histogram of the same bytes."""
    pairs = (message(1, message(1, k.encode()) + message(2, v.encode())) for k, v in labels.items())
    return message(1, b"".join([*pairs, *(message(2, one) for one in some), message(tag, last)]))


messages = st.lists(
    st.builds(
        with_last_field,
        labels,
        st.lists(samples, max_size=2),
        st.sampled_from([2, 2, 3, 4]),
        samples,
    ),
    max_size=6,
)


# Seen to fail when the shortcut does not look at how the last field begins, or at how its time ends.
@given(messages, st.data())
def test_of_known_series_the_shortcut_gives_the_same_points(
    parts: list[bytes], data: st.DataObject
) -> None:
    body = write_request(*parts)
    known = {one.series for one in read(body)}
    for _ in range(data.draw(st.integers(0, 2))):
        at = data.draw(st.integers(0, max(0, len(body) - 1)))
        body = body[:at] + data.draw(st.binary(max_size=2)) + body[at + 1 :]
    assert outcome(body, known) == outcome(body, frozenset())


def outcome(body: bytes, known: Container[Hashable]) -> list[str]:
    """The points up to the end, or up to the refusal, in words, as no NaN equals another."""
    found: list[str] = []
    try:
        found += map(repr, remote_write.VERSION_1.read(body, known))
    except Refused as refused:
        found.append(str(refused))
    return found


def test_a_known_series_of_any_length_is_read_by_the_shortcut() -> None:
    for length in (1, 70, 200, 17_000, 40_000):
        body = write_request(series({**LOAD, "zone": "z" * length}, sample(3.0, 1_767_225_600.5)))
        (one,) = read(body)
        assert list(remote_write.VERSION_1.read(body, {one.series})) == [one]


@pytest.mark.parametrize(
    ("points", "body"),
    [
        (remote_write.points, message(1, b"\x0a\x00" * MANY)),
        (remote_write.points, message(1, b"\x1a\x00" * MANY)),
        (remote_write.points, message(1, message(2, b"\x10\x01" * MANY))),
        (remote_write.points_2, b"\x22\x00" * MANY),
        (remote_write.points_2, b"\x2a\x00" * MANY),
        (remote_write.points_2, message(5, b"\x0a\x00" * MANY)),
        (otlp.points, message(1, message(1, b"\x0a\x00" * MANY))),
        (otlp.points, message(1, message(1, message(1, b"\x0a\x00" * MANY)))),
        (otlp.points, message(1, message(2, message(2, b"\x0a\x00" * MANY)))),
        (otlp.points, message(1, message(2, message(2, message(5, b"\x0a\x00" * MANY))))),
    ],
)
def test_a_message_of_nothing_but_fields_is_refused_before_it_takes_memory(
    points: Callable[[bytes], Iterator[Point | None]], body: bytes
) -> None:
    tracemalloc.start()
    with pytest.raises(Refused, match=r"more than|over 64|longer than"):
        list(points(body))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20_000_000


@pytest.mark.parametrize(
    ("points", "body"),
    [
        (remote_write.points, b"\x0a\x00" * 1000),
        (remote_write.points, b"\x4a\x00" * 1000),
        (remote_write.points_2, b"\x2a\x00" * 1000),
        (otlp.points, b"\x0a\x00" * 1000),
        (otlp.points, message(1, b"\x12\x00" * 1000)),
        (otlp.points, message(1, message(2, b"\x12\x00" * 1000))),
        (otlp_json.points, b'{"resourceMetrics": [' + b"{}," * 999 + b"{}]}"),
    ],
)
def test_what_holds_no_sample_counts_all_the_same(
    points: Callable[[bytes], Iterator[Point | None]], body: bytes
) -> None:
    found = list(points(body))
    assert len(found) >= 1000
    assert not any(found)
