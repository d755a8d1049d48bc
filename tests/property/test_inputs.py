"""What must hold for any input: no request lost or invented on the way from a file to a workload.

Seen to be caught, one mutation each: a gap filled with zeros, a smoothing that looks to both sides, one
that divides its tokens by a request too many, a part that begins a bin late, requests booked into the bin
after their own, and a hole in a series of Prometheus that counts as 0.
"""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.plant import ConstantWorkload, Load
from trimtab.simulation.inputs import (
    Bins,
    Filling,
    MeanLengths,
    RecordedWorkload,
    SmoothedWorkload,
    mean_need,
    parse_columns,
    part,
    read_input,
    scaled_to_mean,
    spliced,
)
from trimtab.simulation.inputs.csv_files import read_csv
from trimtab.simulation.inputs.filling import filled
from trimtab.simulation.inputs.prometheus_range import read_prometheus_range
from trimtab.simulation.inputs.requests import RawRequests, bins_of

rates = st.sampled_from([0.0, 0.0, 0.2, 1.0, 3.5, 40.0])
lengths = st.sampled_from([1.0, 30.0, 800.0])


@st.composite
def any_bins(draw: st.DrawFn) -> Bins:
    count = draw(st.integers(2, 12))
    widths = draw(st.lists(st.sampled_from([5.0, 20.0, 60.0]), min_size=count, max_size=count))
    return Bins(
        edges_seconds=np.concatenate([[0.0], np.cumsum(widths)]),
        requests_per_second=np.array(draw(st.lists(rates, min_size=count, max_size=count))),
        prompt_tokens=np.array(draw(st.lists(lengths, min_size=count, max_size=count))),
        output_tokens=np.array(draw(st.lists(lengths, min_size=count, max_size=count))),
    )


def summed(workload: RecordedWorkload | SmoothedWorkload, begin: float, end: float) -> np.ndarray:
    """Requests, prompt tokens and output tokens between two moments, in looks of five seconds."""
    loads = [workload.load(at) for at in np.arange(begin, end, 5.0)]
    return np.sum(
        [
            [
                one.requests_per_second * 5.0,
                one.requests_per_second * one.prompt_tokens * 5.0,
                one.requests_per_second * one.output_tokens * 5.0,
            ]
            for one in loads
        ],
        axis=0,
    )


@settings(max_examples=30)
@given(bins=any_bins())
def test_smoothing_loses_no_request_and_no_token(bins: Bins) -> None:
    raw, smooth = RecordedWorkload(bins), SmoothedWorkload(bins)
    span = bins.span_seconds
    # Once a minute is over, every request of a round shows in any stretch as long as a round.
    begin = span * (1 + -(-60.0 // span))
    assert summed(smooth, begin, begin + span) == pytest.approx(summed(raw, 0.0, span), abs=1e-6)


@settings(max_examples=30)
@given(bins=any_bins(), other=any_bins(), at=st.integers(0, 80))
def test_what_a_smoothed_load_was_does_not_depend_on_what_comes(
    bins: Bins, other: Bins, at: int
) -> None:
    kept = int(np.searchsorted(bins.edges_seconds, at * 5.0, side="right")) - 1
    kept = min(kept, bins.requests_per_second.size)
    split = float(bins.edges_seconds[kept])
    changed = Bins(
        edges_seconds=np.concatenate([bins.edges_seconds[:kept], split + other.edges_seconds]),
        requests_per_second=np.concatenate(
            [bins.requests_per_second[:kept], other.requests_per_second]
        ),
        prompt_tokens=np.concatenate([bins.prompt_tokens[:kept], other.prompt_tokens]),
        output_tokens=np.concatenate([bins.output_tokens[:kept], other.output_tokens]),
    )
    one, two = SmoothedWorkload(bins), SmoothedWorkload(changed)
    for moment in np.arange(0.0, split, 5.0):
        assert one.load(moment) == two.load(moment)


@settings(max_examples=30)
@given(bins=any_bins(), begin=st.integers(0, 100), seconds=st.integers(1, 200))
def test_a_part_is_the_whole_seen_from_another_moment(bins: Bins, begin: int, seconds: int) -> None:
    whole = RecordedWorkload(bins)
    begin = min(begin, int(bins.span_seconds) - 1)
    end = min(begin + seconds, bins.span_seconds)
    cut = part(whole, begin, end)
    joined = spliced(cut, end - begin, ConstantWorkload(Load(9.0, 9.0, 9.0)))

    for at in np.arange(0.0, end - begin, 2.5):
        assert cut.load(at) == joined.load(at) == whole.load(begin + at)
    assert joined.load(end - begin) == Load(9.0, 9.0, 9.0)


@settings(max_examples=30)
@given(
    arrivals=st.lists(st.floats(0.0, 900.0), min_size=1, max_size=60).map(sorted),
    width=st.sampled_from([1.0, 5.0, 60.0]),
)
def test_requests_are_counted_into_the_bins_that_they_arrive_in(
    arrivals: list[float], width: float
) -> None:
    count = len(arrivals)
    requests = RawRequests(
        arrivals_seconds=np.array(arrivals),
        prompt_tokens=np.arange(1.0, count + 1.0),
        output_tokens=np.full(count, 7.0),
    )
    raw = bins_of(requests, width)
    bins = filled(raw, MeanLengths(), Filling.HOLD, "x")

    assert bins.requests == pytest.approx(count)
    tokens = bins.requests_per_second * bins.widths_seconds * bins.prompt_tokens
    assert tokens.sum() == pytest.approx(count * (count + 1) / 2)
    for index in range(bins.requests_per_second.size):
        begin, end = bins.edges_seconds[index : index + 2]
        inside = sum(begin <= at < end for at in arrivals)
        assert bins.requests_per_second[index] * width == pytest.approx(inside)


@settings(max_examples=30)
@given(
    counts=st.lists(st.integers(0, 900) | st.none(), min_size=3, max_size=40),
    width=st.sampled_from([1, 30, 60]),
    is_left_out=st.booleans(),
    filling=st.sampled_from(Filling),
)
def test_a_file_of_counts_is_read_as_written_and_what_is_not_told_lies_between_its_neighbours(
    tmp_path_factory: pytest.TempPathFactory,
    counts: list[int | None],
    width: int,
    is_left_out: bool,
    filling: Filling,
) -> None:
    counts = [5, 6, 5, 6, 5, 6, *counts, 7]  # the ends tell, and how wide a bin is
    rows = ["t,requests"]
    for index, count in enumerate(counts):
        if count is not None or not is_left_out:
            shown = "" if count is None else count
            rows.append(f"{index * width},{shown}")
    path = tmp_path_factory.mktemp("load") / "load.csv"
    path.write_text("\n".join(rows) + "\n")
    raw = read_csv(path, parse_columns("time=t,requests=requests"))
    assert not isinstance(raw, RawRequests)
    bins = filled(raw, MeanLengths(), filling, "load.csv")

    assert bins.requests_per_second.size == len(counts)
    found = bins.requests_per_second * width
    known = [index for index, count in enumerate(counts) if count is not None]
    assert found[known] == pytest.approx([counts[index] for index in known])
    for before, after in itertools.pairwise(known):
        ends = sorted([counts[before], counts[after]])
        for index in range(before + 1, after):
            assert ends[0] - 1e-9 <= found[index] <= ends[1] + 1e-9
    missing = sum(count is None for count in counts)
    assert bins.unknown_seconds == pytest.approx(missing * width)


@settings(max_examples=30)
@given(
    series=st.lists(
        st.lists(st.sampled_from([0.0, 1.0, 2.5, "NaN", None]), min_size=8, max_size=8),
        min_size=1,
        max_size=4,
    )
)
def test_the_sum_of_series_is_unknown_exactly_where_one_that_lasts_tells_nothing(
    tmp_path_factory: pytest.TempPathFactory, series: list[list[float | str | None]]
) -> None:
    series = [[1.0] * 8, *series]
    result = [
        {"metric": {}, "values": [[30 * at, str(v)] for at, v in enumerate(one) if v is not None]}
        for one in series
    ]
    path = tmp_path_factory.mktemp("range") / "range.json"
    path.write_text(json.dumps({"resultType": "matrix", "result": result}))
    found = read_prometheus_range(path).requests_per_second

    for at in range(8):
        lasting = [
            one[at]
            for one in series
            if any(v is not None for v in one[: at + 1]) and any(v is not None for v in one[at:])
        ]
        if any(value is None or value == "NaN" for value in lasting):
            assert np.isnan(found[at])
        else:
            assert found[at] == pytest.approx(sum(lasting))


@settings(max_examples=30)
@given(bins=any_bins(), replicas=st.sampled_from([0.5, 2.0, 40.0]))
def test_a_load_that_was_scaled_needs_on_average_what_was_asked(
    bins: Bins, replicas: float
) -> None:
    def capacity(prompts: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        return 5000.0 / (prompts + 20.0 * outputs + 500.0)

    if bins.requests > 0.0:
        scaled = scaled_to_mean(RecordedWorkload(bins), capacity, replicas)
        assert mean_need(scaled, capacity) == pytest.approx(replicas)


def test_a_file_of_any_kind_gives_a_load_that_can_be_asked_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("arrival_s,prompt_tokens,output_tokens\n0,10,5\n7,20,6\n61,30,7\n")
    workload = read_input(path).workload
    moments = np.arange(0.0, 200.0, 0.7)
    forward = [workload.load(at) for at in moments]

    assert [workload.load(at) for at in moments[::-1]][::-1] == forward
