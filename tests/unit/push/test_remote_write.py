from __future__ import annotations

from math import inf, isnan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from senders import message, sample, series, varint, write_request, write_request_2

from trimtab.sources.push import remote_write
from trimtab.sources.push.points import Kind, Point, Refused

LOAD = {"__name__": "requests", "deployment": "chat", "zone": "a"}
STALE = b"\x02\x00\x00\x00\x00\x00\xf0\x7f"
QUIET_NAN = b"\x00\x00\x00\x00\x00\x00\xf8\x7f"


def read(body: bytes) -> list[Point]:
    return list(remote_write.points(body))


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
    for points, labels in (remote_write.VERSION_1, remote_write.VERSION_2):
        try:
            for point in points(body):
                labels(point.series)
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


def test_version_2_names_its_labels_by_symbols() -> None:
    body = write_request_2([(LOAD, [sample(7, 8)]), ({**LOAD, "zone": "b"}, [sample(9, 8)])])
    one, other = remote_write.points_2(body)
    assert remote_write.labels_2(one.series) == LOAD
    assert remote_write.labels_2(other.series) == {**LOAD, "zone": "b"}
    assert (one.time, one.value) == (8.0, 7.0)


def test_version_2_may_send_symbols_after_the_series() -> None:
    body = write_request_2([(LOAD, [sample(7, 8)])])
    split = body.index(b"\x2a")  # the first series
    (one,) = remote_write.points_2(body[split:] + body[:split])
    assert remote_write.labels_2(one.series) == LOAD


@pytest.mark.parametrize(
    "refs", [b"\x01\x63", b"\x01", b"\x01\x02\x01"], ids=["unknown", "one", "odd"]
)
def test_version_2_with_symbols_that_do_not_fit_is_refused(refs: bytes) -> None:
    symbols = b"".join(message(4, word) for word in (b"", b"a", b"b"))
    with pytest.raises(Refused, match=r"symbol|label without"):
        list(remote_write.points_2(symbols + message(5, message(1, refs))))
