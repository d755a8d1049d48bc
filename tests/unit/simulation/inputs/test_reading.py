"""From a name or a file to a load: told by content, with notes on what was made up."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from pathlib import Path

import pytest

from trimtab.plant import read_trace
from trimtab.simulation.inputs import (
    SYNTHETIC,
    Filling,
    InputError,
    MeanLengths,
    Options,
    lengths_of,
    parse_columns,
    read_input,
    requests_beside,
)

TRACE = "t_s,requests,prompt_tokens,output_tokens\n0,60,6000,600\n60,120,24000,2400\n"
WITHOUT_LENGTHS = "t_s,requests,prompt_tokens,output_tokens\n0,60,0,0\n60,120,0,0\n"
REQUESTS = "arrival_s,prompt_tokens,output_tokens\n0,10,5\n7,20,6\n"


def written(tmp_path: Path, text: str, name: str) -> Path:
    path = tmp_path / name
    data = text.encode()
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


@pytest.mark.parametrize("name", SYNTHETIC)
def test_a_made_up_load_goes_by_its_name(name: str) -> None:
    found = read_input(name, Options(seed=3))

    assert found.name == name
    assert found.span_seconds == SYNTHETIC[name].span_seconds
    assert found.workload.load(700.0) == SYNTHETIC[name].workload(seed=3).load(700.0)


def test_storms_say_what_they_are() -> None:
    assert read_input("storm").is_storm
    assert not read_input("week").is_storm


def test_a_trace_is_told_by_its_header(tmp_path: Path) -> None:
    path = written(tmp_path, TRACE, "azure_2023.csv.gz")
    found = read_input(path)

    assert found.name == "azure_2023"
    assert found.span_seconds == 120.0
    assert found.workload.load(70.0) == read_trace(path).load(70.0)
    assert (found.requests, found.notes, found.started_at) == (None, (), None)


def test_a_list_of_requests_is_load_and_list(tmp_path: Path) -> None:
    found = read_input(written(tmp_path, REQUESTS, "x.requests.csv.gz"))

    assert found.name == "x"
    assert found.requests is not None
    assert list(found.requests) == [(0.0, 10.0, 5.0), (7.0, 20.0, 6.0)]
    assert found.workload.load(7.0).requests_per_second == 0.2
    assert found.workload.load(7.0).prompt_tokens == 20.0


def test_a_list_that_was_cut_out_of_a_longer_one_is_told_of(tmp_path: Path) -> None:
    """Eleven days in which nobody comes make every replica of them look wasted."""
    late = REQUESTS.replace("\n0,", "\n1000000,").replace("\n7,", "\n1000007,")
    (note,) = read_input(written(tmp_path, late, "late.csv")).notes
    assert note.startswith("nobody comes in its first 1,000,000 s of 1,000,007 s; ")
    slow = REQUESTS.replace("\n0,", "\n3500,").replace("\n7,", "\n3600,")
    assert read_input(written(tmp_path, slow, "slow.csv")).notes == ()


def test_a_csv_of_anybody_takes_names_of_columns(tmp_path: Path) -> None:
    path = written(tmp_path, "when,hits\n2026-01-05T00:00Z,60\n2026-01-05T00:01Z,120\n", "web.csv")
    found = read_input(str(path), Options(columns=parse_columns("time=when,requests=hits")))

    assert found.started_at == 1_767_571_200.0
    assert found.workload.load(70.0).requests_per_second == 2.0


def test_json_is_an_answer_of_prometheus(tmp_path: Path) -> None:
    result = [{"metric": {}, "values": [[1000 + 30 * index, "2.5"] for index in (0, 1, 4)]}]
    answer = json.dumps({"data": {"resultType": "matrix", "result": result}}, indent=1)
    found = read_input(written(tmp_path, answer, "range.json"))

    assert found.workload.load(100.0).requests_per_second == 2.5
    assert found.span_seconds == 150.0
    assert found.notes == (
        "it tells no lengths of prompts and answers; they are means of 1155 and 211 tokens",
        "it tells nothing for 60 s in one stretch (40.0% of it); there the last known load goes on",
    )


def test_how_gaps_are_filled_is_told(tmp_path: Path) -> None:
    path = written(tmp_path, TRACE + "120,,,\n180,60,6000,600\n", "gap.csv")
    found = read_input(path, Options(filling=Filling.INTERPOLATE))

    assert found.workload.load(130.0).requests_per_second == 1.5
    assert found.notes == (
        "it tells nothing for 60 s in one stretch (25.0% of it); there a line joins both sides",
    )


def test_lengths_may_be_given_for_a_load_without(tmp_path: Path) -> None:
    path = written(tmp_path, WITHOUT_LENGTHS, "web.csv")
    found = read_input(path, Options(lengths=MeanLengths(300.0, 50.0)))

    assert found.workload.load(0.0).prompt_tokens == 300.0
    assert found.notes == (
        "it tells no lengths of prompts and answers; they are means of 300 and 50 tokens",
    )


def test_lengths_may_be_borrowed_from_another_recording(tmp_path: Path) -> None:
    lender = lengths_of(written(tmp_path, TRACE, "azure.csv"))
    found = read_input(written(tmp_path, WITHOUT_LENGTHS, "web.csv"), Options(lengths=lender))

    assert [found.workload.load(at).prompt_tokens for at in (0.0, 60.0)] == [100.0, 200.0]
    assert found.notes == ("it tells no lengths of prompts and answers; they are those of azure",)


def test_requests_without_lengths_get_them_by_the_seed(tmp_path: Path) -> None:
    rows = "".join(f"{at},0,0\n" for at in range(50))
    path = written(tmp_path, "arrival_s,prompt_tokens,output_tokens\n" + rows, "x.csv")
    options = Options(seed=1)
    one, same, other = (
        read_input(path, each) for each in (options, options, replace(options, seed=2))
    )

    assert one.requests is not None
    assert same.requests is not None
    assert other.requests is not None
    assert list(one.requests) == list(same.requests) != list(other.requests)
    assert one.workload.load(0.0) == same.workload.load(0.0)
    assert "it tells no lengths" in one.notes[0]


def test_who_has_no_lengths_lends_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no lengths of its own to lend"):
        lengths_of(written(tmp_path, WITHOUT_LENGTHS, "web.csv"))


def test_the_list_of_requests_beside_a_trace_is_found(tmp_path: Path) -> None:
    trace = written(tmp_path, TRACE, "x.csv.gz")
    assert requests_beside(trace) is None

    beside = written(tmp_path, REQUESTS, "x.requests.csv.gz")
    assert requests_beside(trace) == beside
    assert requests_beside(beside) is None


def test_what_is_neither_file_nor_name_is_a_sentence() -> None:
    with pytest.raises(InputError, match="nowhere is neither a file nor a made-up load; those are"):
        read_input("nowhere")


def test_a_directory_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        read_input(tmp_path)
