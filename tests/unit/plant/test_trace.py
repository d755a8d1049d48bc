"""Recorded load: what is read, and the one sentence for what cannot be."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.plant import PastTheEnd, TraceError, read_trace
from trimtab.plant.trace import DEFAULT_OUTPUT_TOKENS, DEFAULT_PROMPT_TOKENS

if TYPE_CHECKING:
    from pathlib import Path

HEADER = "t_s,requests,prompt_tokens,output_tokens\n"
ROWS = "0,60,6000,600\n60,120,24000,2400\n120,0,0,0\n180,30,900,60\n"


@pytest.fixture
def trace_file(tmp_path: Path) -> Path:
    path = tmp_path / "load.csv"
    path.write_text(HEADER + ROWS)
    return path


def written(tmp_path: Path, text: str, name: str = "load.csv") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_a_bin_gives_its_mean_rate_and_mean_lengths(trace_file: Path) -> None:
    load = read_trace(trace_file).load(75.0)

    assert (load.requests_per_second, load.prompt_tokens, load.output_tokens) == (2.0, 200.0, 20.0)


def test_a_bin_without_requests_keeps_the_lengths_of_the_one_before(trace_file: Path) -> None:
    load = read_trace(trace_file).load(130.0)

    assert (load.requests_per_second, load.prompt_tokens, load.output_tokens) == (0.0, 200.0, 20.0)


def test_the_last_bin_lasts_as_long_as_the_median_bin_and_then_the_trace_repeats(
    trace_file: Path,
) -> None:
    workload = read_trace(trace_file)

    assert workload.span_seconds == 240.0
    assert workload.load(240.0 + 75.0) == workload.load(75.0)


def test_past_the_end_it_may_hold_or_fall_silent(trace_file: Path) -> None:
    held = read_trace(trace_file, past_the_end=PastTheEnd.HOLD)
    silent = read_trace(trace_file, past_the_end=PastTheEnd.SILENCE)

    assert held.load(1000.0).requests_per_second == 0.5
    assert silent.load(1000.0).requests_per_second == 0.0


def test_it_may_begin_anywhere_in_the_trace_and_wraps_around_whole(trace_file: Path) -> None:
    workload = read_trace(trace_file, from_seconds=60.0)

    assert [workload.load(t).requests_per_second for t in (0.0, 60.0, 120.0, 180.0)] == [
        2.0, 0.0, 0.5, 1.0,
    ]  # fmt: skip


def test_a_factor_multiplies_the_rate_and_leaves_the_lengths(trace_file: Path) -> None:
    load = read_trace(trace_file, requests_factor=10.0).load(0.0)

    assert (load.requests_per_second, load.prompt_tokens) == (10.0, 100.0)


def test_where_a_trace_has_no_tokens_the_defaults_stand_in(tmp_path: Path) -> None:
    path = written(tmp_path, HEADER + "0,60,0,0\n60,60,6000,0\n")

    standard = read_trace(path).load(0.0)
    own = read_trace(path, default_prompt_tokens=50.0, default_output_tokens=5.0).load(60.0)

    assert standard.prompt_tokens == DEFAULT_PROMPT_TOKENS
    assert standard.output_tokens == DEFAULT_OUTPUT_TOKENS
    assert (own.prompt_tokens, own.output_tokens) == (100.0, 5.0)


def test_bins_may_be_of_any_width(tmp_path: Path) -> None:
    workload = read_trace(written(tmp_path, HEADER + "0,10,10,10\n5,100,100,100\n55,3,3,3\n"))

    assert [workload.load(t).requests_per_second for t in (0.0, 5.0, 54.9)] == [2.0, 2.0, 2.0]
    assert workload.span_seconds == 105.0


def test_times_may_begin_above_zero(tmp_path: Path) -> None:
    workload = read_trace(written(tmp_path, HEADER + "1000,60,60,60\n1060,120,120,120\n"))

    assert workload.load(0.0).requests_per_second == 1.0
    assert workload.span_seconds == 120.0


def test_gzip_is_told_by_content_not_by_name(tmp_path: Path) -> None:
    for name in ("load.csv.gz", "load.csv"):
        (tmp_path / name).write_bytes(gzip.compress((HEADER + ROWS).encode()))

        assert read_trace(tmp_path / name).load(0.0).requests_per_second == 1.0


def test_the_mean_rate_counts_every_request_once(trace_file: Path) -> None:
    assert read_trace(trace_file).mean_requests_per_second == pytest.approx(210 / 240)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "line 1: the header must be t_s,requests,prompt_tokens,output_tokens, not nothing"),
        ("time,count\n0,1\n", "line 1: the header must be .*, not time,count"),
        (HEADER, "has no rows"),
        (HEADER + "0,1,1,1\n60,many,1,1\n", "line 3: requests is 'many'"),
        (HEADER + "0,-1,1,1\n", "line 2: requests is '-1'"),
        (HEADER + "0,1,nan,1\n", "line 2: prompt_tokens is 'nan'"),
        (HEADER + "0,1,1,inf\n", "line 2: output_tokens is 'inf'"),
        (HEADER + "0,1,1\n", "line 2: 3 fields instead of 4"),
        (HEADER + "60,1,1,1\n0,1,1,1\n", "line 3: t_s 0 does not come after 60; sort"),
        (HEADER + "0,1,1,1\n0,1,1,1\n", "line 3: t_s 0 does not come after 0"),
    ],
)
def test_bad_rows_are_named_by_file_and_line(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)

    with pytest.raises(TraceError, match=words) as caught:
        read_trace(path)

    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_only_claims_to_be_gzip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match=r"named \.gz but is not gzip"):
        read_trace(written(tmp_path, HEADER + ROWS, "load.csv.gz"))


def test_a_truncated_gzip_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "load.csv.gz"
    path.write_bytes(gzip.compress((HEADER + ROWS * 50).encode())[:-20])

    with pytest.raises(TraceError, match="cannot be read"):
        read_trace(path)


def test_damaged_gzip_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress((HEADER + ROWS).encode())
    path = tmp_path / "load.csv.gz"
    path.write_bytes(whole[:12] + b"\xff\xff\xff\xff" + whole[16:])

    with pytest.raises(TraceError, match="cannot be read"):
        read_trace(path)


def test_what_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "load.csv"
    path.write_bytes(HEADER.encode() + b"\xff\xfe\x00\x80")

    with pytest.raises(TraceError, match="is not CSV text"):
        read_trace(path)


def test_a_missing_file_and_a_directory_are_refused_by_name(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.csv", tmp_path):
        with pytest.raises(TraceError, match="cannot be read") as caught:
            read_trace(path)
        assert str(path) in str(caught.value)


@pytest.mark.parametrize("start", [240.0, -1.0, float("nan")])
def test_it_cannot_begin_outside_the_trace(trace_file: Path, start: float) -> None:
    with pytest.raises(TraceError, match="covers 240 s and cannot begin at"):
        read_trace(trace_file, from_seconds=start)


@pytest.mark.parametrize("factor", [0.0, -2.0, float("inf")])
def test_a_factor_must_be_above_zero(trace_file: Path, factor: float) -> None:
    with pytest.raises(TraceError, match="requests factor"):
        read_trace(trace_file, requests_factor=factor)


@given(
    bins=st.lists(st.tuples(st.integers(1, 300), st.integers(0, 10_000)), min_size=1, max_size=12),
    order=st.randoms(use_true_random=False),
)
def test_second_by_second_no_request_is_lost_or_invented(
    tmp_path_factory: pytest.TempPathFactory, bins: list[tuple[int, int]], order: object
) -> None:
    rows, start = [], 0
    for width, count in bins:
        rows.append(f"{start},{count},{count * 100},{count * 10}")
        start += width
    path = written(tmp_path_factory.mktemp("trace"), HEADER + "\n".join(rows) + "\n")

    workload = read_trace(path)

    whole_bins = sum(count for _, count in bins[:-1])
    at = [second + 0.5 for second in range(start - bins[-1][0])]
    order.shuffle(at)  # type: ignore[attr-defined]  # a seeded Random, typed as its protocol
    assert sum(workload.load(t).requests_per_second for t in at) == pytest.approx(whole_bins)
