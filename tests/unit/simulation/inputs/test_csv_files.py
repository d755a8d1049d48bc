"""Any CSV with named columns becomes bins or requests; what cannot be meant is one sentence."""

from __future__ import annotations

import gzip
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from trimtab.plant import read_trace
from trimtab.simulation.inputs import Filling, InputError, MeanLengths, RecordedWorkload
from trimtab.simulation.inputs.bins import Bins, RawBins
from trimtab.simulation.inputs.columns import parse_columns
from trimtab.simulation.inputs.csv_files import read_csv
from trimtab.simulation.inputs.filling import filled
from trimtab.simulation.inputs.requests import RawRequests

TRACE = "t_s,requests,prompt_tokens,output_tokens\n"
MONDAY = 1_767_571_200.0  # 5 January 2026, midnight UTC


def written(tmp_path: Path, text: str, name: str = "load.csv") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def raw_bins(tmp_path: Path, text: str, columns: str | None = None) -> RawBins:
    raw = read_csv(written(tmp_path, text), None if columns is None else parse_columns(columns))
    assert isinstance(raw, RawBins)
    return raw


def raw_requests(tmp_path: Path, text: str, columns: str | None = None) -> RawRequests:
    raw = read_csv(written(tmp_path, text), None if columns is None else parse_columns(columns))
    assert isinstance(raw, RawRequests)
    return raw


def bins(tmp_path: Path, text: str, columns: str | None = None) -> Bins:
    return filled(raw_bins(tmp_path, text, columns), MeanLengths(), Filling.HOLD, "load.csv")


def test_a_trace_is_the_workload_that_the_plant_reads_from_it(tmp_path: Path) -> None:
    text = TRACE + "0,60,6000,600\n60,120,24000,2400\n120,0,0,0\n180,30,900,60\n"
    path = written(tmp_path, text)
    ours, plants = RecordedWorkload(bins(tmp_path, text)), read_trace(path)

    assert ours.span_seconds == plants.span_seconds
    for at in (0.0, 59.9, 60.0, 130.0, 239.0, 240.0, 1000.0):
        assert ours.load(at) == plants.load(at)


def test_a_long_file_takes_no_more_room_than_its_numbers(tmp_path: Path) -> None:
    """Three columns and the line are 32 bytes, in order of arrival once more; as objects it was 190."""
    rows = 50_000
    text = "".join(f"{second / 10:.1f},1155,211\n" for second in range(rows))
    path = written(tmp_path, "arrival_s,prompt_tokens,output_tokens\n" + text)
    tracemalloc.start()
    try:
        read_csv(path)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most / rows < 100.0


def test_a_file_may_be_compressed_and_is_told_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "load.csv.gz"
    path.write_bytes(gzip.compress((TRACE + "0,60,6000,600\n60,60,6000,600\n").encode()))

    assert isinstance(read_csv(path), RawBins)


def test_counts_are_divided_by_the_width_of_the_bin_that_is_told_from_the_times(
    tmp_path: Path,
) -> None:
    found = bins(tmp_path, "when,hits\n0,600\n300,1200\n600,300\n", "time=when,requests=hits")

    assert found.requests_per_second.tolist() == [2.0, 4.0, 1.0]
    assert found.span_seconds == 900.0


def test_rates_are_taken_as_they_are(tmp_path: Path) -> None:
    found = bins(tmp_path, "t,rps\n0,2\n60,4\n", "time=t,rate=rps")

    assert found.requests_per_second.tolist() == [2.0, 4.0]


@pytest.mark.parametrize(
    "columns",
    [
        "time=t,rate=rps,prompt=p_sum,output=o_sum",
        "time=t,rate=rps,prompt_rate=p_rate,output_rate=o_rate",
        "time=t,rate=rps,prompt_mean=p_mean,output_mean=o_mean",
    ],
)
def test_tokens_may_be_sums_rates_or_means(tmp_path: Path, columns: str) -> None:
    text = (
        "t,rps,p_sum,o_sum,p_rate,o_rate,p_mean,o_mean\n"
        "0,2,36000,6000,600,100,300,50\n"
        "60,4,72000,12000,1200,200,300,50\n"
    )
    found = bins(tmp_path, text, columns)

    assert found.prompt_tokens.tolist() == pytest.approx([300.0, 300.0])
    assert found.output_tokens.tolist() == pytest.approx([50.0, 50.0])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2026-01-05T00:00:00Z", "2026-01-05T00:01:00Z"),
        ("2026-01-05 01:00:00+01:00", "2026-01-05 01:01:00+01:00"),
        ("2026-01-05 00:00:00.0000000", "2026-01-05 00:01:00.0000000"),
        ("2026-01-05T00:00", "2026-01-05T00:01"),
        (f"{MONDAY:.0f}", f"{MONDAY + 60:.0f}"),
        (f"{MONDAY * 1e3:.0f}", f"{(MONDAY + 60) * 1e3:.0f}"),
        (f"{MONDAY * 1e6:.0f}", f"{(MONDAY + 60) * 1e6:.0f}"),
        (f"{MONDAY * 1e9:.0f}", f"{(MONDAY + 60) * 1e9:.0f}"),
    ],
)
def test_times_may_be_iso_8601_or_since_1970_in_any_unit(
    tmp_path: Path, first: str, second: str
) -> None:
    raw = raw_bins(tmp_path, f"t,n\n{first},6\n{second},6\n", "time=t,requests=n")

    assert raw.started_at == MONDAY
    assert raw.edges_seconds.tolist() == [0.0, 60.0, 120.0]


def test_seconds_since_the_start_tell_no_date(tmp_path: Path) -> None:
    assert raw_bins(tmp_path, "t,n\n30,6\n90,6\n", "time=t,requests=n").started_at is None


def test_semicolons_and_tabs_separate_as_well(tmp_path: Path) -> None:
    for separator in ";\t":
        text = "t,n\n0,6\n60,12\n".replace(",", separator)
        found = bins(tmp_path, text, "time=t,requests=n")
        assert found.requests_per_second.tolist() == [0.1, 0.2]


@pytest.mark.parametrize("unknown", ["", "NaN", "null", " "])
def test_what_a_row_does_not_tell_is_unknown_and_not_zero(tmp_path: Path, unknown: str) -> None:
    raw = raw_bins(tmp_path, f"t,n\n0,60\n60,{unknown}\n120,60\n", "time=t,requests=n")

    assert np.isnan(raw.requests_per_second).tolist() == [False, True, False]


def test_rows_that_are_missing_are_unknown_bins(tmp_path: Path) -> None:
    text = "t,n\n0,60\n60,120\n120,60\n300,60\n360,60\n"
    raw = raw_bins(tmp_path, text, "time=t,requests=n")

    assert raw.edges_seconds.tolist() == [0, 60, 120, 180, 240, 300, 360, 420]
    assert np.isnan(raw.requests_per_second).tolist() == [
        False, False, False, True, True, False, False,
    ]  # fmt: skip


def test_times_that_jitter_are_bins_all_the_same(tmp_path: Path) -> None:
    times = [0.0, 59.7, 120.4, 180.1, 239.6]
    text = "t,rps\n" + "".join(f"{at},{index}\n" for index, at in enumerate(times))
    raw = raw_bins(tmp_path, text, "time=t,rate=rps")

    assert raw.edges_seconds[:-1].tolist() == pytest.approx(times)
    assert raw.requests_per_second.tolist() == [0.0, 1.0, 2.0, 3.0, 4.0]


def test_a_row_that_came_too_early_does_not_make_narrow_bins_of_all_others(tmp_path: Path) -> None:
    times = [0, 60, 120, 180, 181, 241, *range(301, 2000, 60)]
    text = "t,rps\n" + "".join(f"{at},1\n" for at in times)
    raw = raw_bins(tmp_path, text, "time=t,rate=rps")

    assert raw.edges_seconds[:-1].tolist() == times


def test_with_every_other_row_missing_bins_are_as_wide_as_the_few_that_are_not(
    tmp_path: Path,
) -> None:
    times = [0, 60, 120, 240, 360, 480, 600]
    text = "t,rps\n" + "".join(f"{at},1\n" for at in times)
    raw = raw_bins(tmp_path, text, "time=t,rate=rps")

    assert raw.edges_seconds.tolist() == list(range(0, 720, 60))
    assert np.isnan(raw.requests_per_second).sum() == 4


def test_without_a_column_of_requests_each_row_is_one(tmp_path: Path) -> None:
    text = (
        "TIMESTAMP,ContextTokens,GeneratedTokens\n"
        "2026-01-05 00:00:03.5,10,5\n2026-01-05 00:00:01,20,\n2026-01-05 00:00:01,30,0\n"
    )
    found = raw_requests(
        tmp_path, text, "time=TIMESTAMP,prompt=ContextTokens,output=GeneratedTokens"
    )

    assert found.arrivals_seconds.tolist() == [0.0, 0.0, 2.5]
    assert found.prompt_tokens.tolist() == [20.0, 30.0, 10.0]
    assert np.isnan(found.output_tokens).tolist() == [True, True, False]
    assert found.started_at == MONDAY + 1.0


def test_requests_in_the_projects_own_format_keep_their_start(tmp_path: Path) -> None:
    found = raw_requests(tmp_path, "arrival_s,prompt_tokens,output_tokens\n4.5,10,5\n7,20,6\n")

    assert found.arrivals_seconds.tolist() == [4.5, 7.0]
    assert found.started_at is None


@pytest.mark.parametrize(
    ("text", "columns", "sentence"),
    [
        ("t,n\n0,6\n0,7\n", "time=t,requests=n", "line 3: time 0 does not come after 0; sort the"),
        ("t,n\n0,6\n60,x7\n", "time=t,requests=n", "line 3: n is 'x7'; give a finite number"),
        ("t,n\n0,6\n60,-1\n", "time=t,requests=n", "line 3: n is '-1'; give a finite number"),
        ("t,n\n0,6\n60,inf\n", "time=t,requests=n", "line 3: n is 'inf'; give a finite number"),
        ("t,n\n0,6\n\nmorning,7\n", "time=t,requests=n", "line 4: t is 'morning', no time like"),
        ("t,n\n0,6\n2026-01-05,7\n", "time=t,requests=n", "line 3: t is '2026-01-05', no time like"),
        ("t,n\n-5,6\n", "time=t,requests=n", "line 2: t is '-5', no time like"),
        ("t,n\n0,6\n60\n", "time=t,requests=n", "line 3: 1 fields where the header has 2; complete"),
        ("t,n\n", "time=t,requests=n", "has no rows after its header"),
        ("", "time=t,requests=n", "begins with nothing; name a file with a header"),
        ("t,n\n0,6\n", "time=t,requests=n", "has a single row"),
        ("time,n\n0,6\n", "time=tme,requests=n", "line 1: there is no column 'tme'; did you mean time?"),
        ("t,n,n\n0,6,6\n", "time=t,requests=n", "line 1: 2 columns are called n; rename all but one"),
        ("a,b\n0,6\n", None, "line 1: the header a,b is none of the known ones; say what its columns"),
        ("t,n\n0,1\n1,1\n2,1\n9e7,1\n", "time=t,requests=n", "makes 9e+07 bins of 1 s; correct the"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_one_sentence_with_its_place_and_remedy(
    tmp_path: Path, text: str, columns: str | None, sentence: str
) -> None:
    with pytest.raises(InputError) as caught:
        raw_bins(tmp_path, text, columns)

    message = str(caught.value)
    assert str(tmp_path / "load.csv") in message
    assert sentence in message
    assert "\n" not in message


def test_requests_that_were_meant_for_bins_are_found_out(tmp_path: Path) -> None:
    arrivals = np.cumsum(np.random.default_rng(1).exponential(2.0, 400))
    text = "t,n\n" + "".join(f"{at:.3f},1\n" for at in arrivals)

    with pytest.raises(InputError, match="are no bins; if each row is one request, name no column"):
        raw_bins(tmp_path, text, "time=t,requests=n")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\x1f\x8bbroken", "cannot be read"),
        (b"t,n\n0,\xff\n", "is not CSV text"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_file_that_cannot_be_opened_is_a_sentence(
    tmp_path: Path, content: bytes | None, sentence: str
) -> None:
    path = tmp_path / "load.csv"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(InputError, match=sentence):
        read_csv(path, parse_columns("time=t,requests=n"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("requests=n", "the columns name no time; add time=NAME"),
        ("time=t,hits=n", "'hits' means nothing; use `time`, `requests`"),
        ("time=t,request=n", "'request' means nothing; did you mean `requests`"),
        ("time=t,requests=", "columns has 'requests='; write requests=NAME"),
        ("time", "columns has 'time'; write time=NAME"),
        ("time=t,requests=n,rate=r", "the columns name both requests and rate; keep one"),
        ("time=t,requests=n,prompt=p,prompt_mean=q", "both prompt and prompt_mean; keep one"),
        ("time=t,time=u", "columns names time twice, 't' and 'u'; keep one"),
        ("time=t,prompt_rate=p", "the columns name prompt_rate but no requests or rate"),
    ],
)
def test_columns_that_cannot_be_meant_are_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        parse_columns(text)

    assert sentence in str(caught.value)
