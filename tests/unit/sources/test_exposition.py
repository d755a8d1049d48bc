from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from trimtab.errors import ErrorKind, SourceError
from trimtab.sources.exposition import Series, read_series

RATE = "request_counter_total:sum_by_deployment"


def read(text: str, *metrics: str) -> list[Series]:
    return list(read_series(text, metrics or (RATE,)))


def test_series_are_read_with_labels_and_value() -> None:
    text = f'# HELP {RATE} Rate.\n# TYPE {RATE} gauge\n{RATE}{{deployment="d",x="1"}} 4.5\n'
    assert read(text) == [Series(RATE, {"deployment": "d", "x": "1"}, 4.5, None)]


def test_metrics_that_nobody_asked_for_are_left_out() -> None:
    text = f'other{{a="b"}} 1\n{RATE} 2\n{RATE}_more 3\n'
    assert [series.value for series in read(text)] == [2.0]


def test_a_timestamp_in_milliseconds_becomes_seconds() -> None:
    [series] = read(f"{RATE} 1 1767225600500\n")
    assert series.time == 1_767_225_600.5


@pytest.mark.parametrize(("text", "value"), [("+Inf", math.inf), ("-Inf", -math.inf), ("1e3", 1e3)])
def test_every_spelling_of_a_number_is_read(text: str, value: float) -> None:
    assert read(f"{RATE} {text}\n")[0].value == value


@pytest.mark.parametrize("timestamp", ["9" * 400, "-" + "9" * 400])
def test_a_timestamp_that_no_clock_shows_makes_the_text_unreadable(timestamp: str) -> None:
    with pytest.raises(SourceError, match="line 1"):
        list(read_series(f"a 1 {timestamp}\n", {"a"}))


def test_nan_is_read_as_it_is() -> None:
    assert math.isnan(read(f"{RATE} NaN\n")[0].value)


def test_no_text_is_no_series_and_no_failure() -> None:
    assert read("") == []
    assert read("# nothing runs\n\n") == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<!DOCTYPE html>\n<html></html>\n", "not Prometheus text; line 1 is '<!DOCTYPE html>'"),
        ('{"code": 5, "message": "not found"}', "not Prometheus text; it is"),
        (f'{RATE}{{deployment="accounts/ac', "cut short; it ends in"),
        (f"{RATE} 12", "cut short; it ends in"),
        (f"{RATE} twelve\n", "not Prometheus text"),
        (f'{RATE}{{deployment="d"}}\n', "not Prometheus text; line 1"),
        ("good 1\nbad line here at all\n", "not Prometheus text; line 2"),
        ("\x00\x01\n", "not Prometheus text"),
    ],
)
def test_what_is_not_a_whole_exposition_is_one_failure_in_one_sentence(
    text: str, words: str
) -> None:
    with pytest.raises(SourceError) as caught:
        read(text)
    assert caught.value.kind is ErrorKind.BAD_RESPONSE
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 256


class Fixed(Collector):
    def __init__(self, values: dict[str, float]) -> None:
        self.values = values

    def collect(self) -> list[GaugeMetricFamily]:
        family = GaugeMetricFamily("load", "Load.", labels=("deployment",))
        for deployment, value in self.values.items():
            family.add_metric((deployment,), value)
        return [family]


@given(st.dictionaries(st.text(max_size=20), st.floats(allow_nan=False), max_size=8))
def test_what_the_reference_library_writes_is_read_back(values: dict[str, float]) -> None:
    registry = CollectorRegistry()
    registry.register(Fixed(values))
    text = generate_latest(registry).decode()
    found = {one.labels["deployment"]: one.value for one in read(text, "load")}
    assert found == values


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda b: b.decode("latin-1")))
def test_any_text_is_series_or_a_source_error(text: str) -> None:
    try:
        read(text + "\n", "a", "load", RATE)
    except SourceError as error:
        assert error.kind is ErrorKind.BAD_RESPONSE  # noqa: PT017  either way is right
