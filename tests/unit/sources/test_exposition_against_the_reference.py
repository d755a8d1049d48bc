"""Our parser of exposition text, judged by the reference library's, which is slower and laxer."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.openmetrics.exposition import generate_latest as as_openmetrics
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as reference_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as reference

from trimtab.errors import SourceError
from trimtab.sources.exposition import read_series

NAMES = ("load", "a:b_total", "_x")
Found = list[tuple[str, dict[str, str], str, float | None]]


def ours(
    text: str, *, is_openmetrics: bool = False, names: tuple[str, ...] = NAMES
) -> Found | None:
    """What we read, or ``None`` if we refuse. Values as text, so that NaN equals NaN."""
    try:
        found = list(read_series(text, names, is_openmetrics=is_openmetrics))
    except SourceError:
        return None
    return [(one.metric, dict(one.labels), repr(one.value), one.time) for one in found]


def theirs(text: str, names: tuple[str, ...] = NAMES) -> Found | None:
    try:
        samples = [sample for family in reference(text) for sample in family.samples]
    except (ValueError, IndexError):
        return None
    return [
        (one.name, dict(one.labels), repr(float(one.value)), one.timestamp)
        for one in samples
        if one.name in names
    ]


label_values = st.text(
    st.characters(
        exclude_categories=("Cs",), exclude_characters="\r\n\v\f\x1c\x1d\x1e\x85\u2028\u2029"
    ),
    max_size=8,
).map(lambda text: text.replace("\\", r"\\").replace('"', r"\""))
labels = st.dictionaries(st.sampled_from(["a", "b_1", "deployment"]), label_values, max_size=3).map(
    lambda pairs: "{" + ",".join(f'{name}="{value}"' for name, value in pairs.items()) + "}"
)
numbers = st.one_of(
    st.floats().map(repr),
    st.integers(-(10**9), 10**9).map(str),
    st.sampled_from(["+Inf", "-Inf", "Inf", "NaN", "1e-7", ".5", "5.", "+1"]),
)
series = st.builds(
    "{}{}{}{}{}".format,
    st.sampled_from([*NAMES, "other"]),
    st.one_of(labels, st.just("")),
    st.sampled_from([" ", "  ", "\t"]),
    numbers,
    st.one_of(st.just(""), st.integers(0, 10**14).map(" {}".format)),
)
lines = st.one_of(
    series, st.just(""), st.sampled_from(["# a comment", "# HELP load Of it.", "# TYPE load gauge"])
)


@given(st.lists(lines, max_size=8))
def test_of_a_sound_text_both_read_the_same_series(text_lines: list[str]) -> None:
    # Seen to catch: no unescaping, milliseconds kept, braces within quotes not minded.
    text = "".join(f"{line}\n" for line in text_lines)
    found = ours(text)
    assert found is not None
    assert found == theirs(text)


@given(st.lists(series, min_size=1, max_size=3), st.data())
def test_what_the_reference_refuses_we_refuse_too(
    text_lines: list[str], data: st.DataObject
) -> None:
    # Seen to catch: labels not checked.
    text = "".join(f"{line}\n" for line in text_lines)
    at = data.draw(st.integers(0, len(text) - 1))
    damaged = text[:at] + data.draw(st.sampled_from([*'"{}=, x', ""])) + text[at + 1 :]
    names = (*NAMES, "other")
    if theirs(damaged, names) is None:
        assert ours(damaged, names=names) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("load 1_000\n", None),
        ('load{a="b",a="c"} 1\n', None),
        ("load 1 2 3\n", "the reference takes the last word for the timestamp"),
        ("load 1 1.5\n", "the format has whole milliseconds"),
        ("load \u0661\n", "the reference takes any script's digits"),
        ("load +nan\n", "no exporter of the format writes a sign there"),
        ('load{,a="b"} 1\n', "a leading comma"),
        ('load{a="b"}c 1\n', None),
        ('load{"a"="b"} 1\n', "quoted names (UTF-8 names) are asked for by nobody here"),
        ('{"load"} 1\n', "the same"),
        ("load 1", "the reference cannot tell a text that was cut short"),
        ("# TYPE load gauge\n\u00a0load 1\n", "only spaces and tabs are blank in the format"),
    ],
)
def test_where_the_reference_is_laxer_than_the_format_we_are_not(
    text: str, why: str | None
) -> None:
    assert ours(text) is None
    assert (theirs(text) is None) is (why is None)


def test_comments_are_passed_over_unread() -> None:
    assert ours('# HELP "load\nload 1\n') == [("load", {}, "1.0", None)]
    assert theirs('# HELP "load\nload 1\n') is None


def test_names_stay_as_they_are_written_where_the_reference_appends_total_to_counters() -> None:
    text = "# TYPE load counter\nload 1\n"
    assert ours(text) == [("load", {}, "1.0", None)]
    assert theirs(text, ("load_total",)) == [("load_total", {}, "1.0", None)]


@given(
    st.dictionaries(st.text(max_size=6), st.floats(0, 1e9), max_size=4),
    st.lists(st.floats(0, 100), max_size=5),
)
def test_openmetrics_is_read_as_the_reference_reads_it(
    counts: dict[str, float], seen: list[float]
) -> None:
    # Seen to catch: no unescaping, any word taken for a value.
    registry = CollectorRegistry()
    counter = Counter("work", "Done.", ["what"], registry=registry)
    for what, count in counts.items():
        counter.labels(what).inc(count, {"trace_id": "a}b"})
    histogram = Histogram("wait", "Waited.", buckets=(1, 10), registry=registry)
    for seconds in seen:
        histogram.observe(seconds, {"trace_id": "q{"})
    Gauge("level", "Now.", registry=registry).set(math.inf)
    text = as_openmetrics(registry).decode()
    expected = [
        (one.name, dict(one.labels), repr(float(one.value)), one.timestamp)
        for family in reference_openmetrics(text)
        for one in family.samples
    ]
    names = tuple({name for name, *_ in expected})
    assert ours(text, is_openmetrics=True, names=names) == expected


def test_a_timestamp_of_openmetrics_is_in_seconds() -> None:
    text = 'load 1 1767225600.5 # {id="x"} 3 1767225600.1\n# EOF\n'
    assert ours(text, is_openmetrics=True) == [("load", {}, "1.0", 1_767_225_600.5)]


def test_openmetrics_without_its_end_is_cut_short() -> None:
    with pytest.raises(SourceError, match="does not end in '# EOF'"):
        list(read_series("load 1\n", ["load"], is_openmetrics=True))


def test_one_endless_line_is_refused_at_once() -> None:
    for text in ("a" * 3_000_000, "a" * 3_000_000 + " 1\n", 'a{b="' + '\\"' * 1_000_000):
        with pytest.raises(SourceError):
            list(read_series(text, ["a"]))
