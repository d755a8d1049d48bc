"""Answers of Prometheus: series are added up, and what is missing or NaN is unknown, not zero."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from trimtab.simulation.inputs import InputError, TokensAre
from trimtab.simulation.inputs.prometheus_range import read_prometheus_range

T = 1_767_571_200


def series(*values: float | str | None, start: int = T, step: int = 30, **labels: str) -> Any:
    """One series; ``None`` leaves the moment out."""
    points = [
        [start + index * step, str(value)]
        for index, value in enumerate(values)
        if value is not None
    ]
    return {"metric": labels, "values": points}


def answer(*result: Any) -> str:
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": result}})


def written(tmp_path: Path, text: str, name: str = "range.json") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def rates(tmp_path: Path, *result: Any) -> list[float | None]:
    found = read_prometheus_range(written(tmp_path, answer(*result))).requests_per_second
    return [None if math.isnan(rate) else rate for rate in found]


def test_a_value_stands_for_the_step_that_it_begins(tmp_path: Path) -> None:
    found = read_prometheus_range(written(tmp_path, answer(series(1.0, 2.0, 4.0))))

    assert found.edges_seconds.tolist() == [0.0, 30.0, 60.0, 90.0]
    assert found.requests_per_second.tolist() == [1.0, 2.0, 4.0]
    assert found.started_at == T


def test_series_are_added_up(tmp_path: Path) -> None:
    two = (series(1.0, 2.0, pod="a"), series(10.0, 20.0, pod="b"))

    assert rates(tmp_path, *two) == [11.0, 22.0]


def test_nan_and_gaps_are_unknown(tmp_path: Path) -> None:
    assert rates(tmp_path, series(1.0, "NaN", 3.0, None, 5.0)) == [1.0, None, 3.0, None, 5.0]


def test_a_series_that_comes_later_or_goes_earlier_counts_while_it_is_there(tmp_path: Path) -> None:
    two = (series(1.0, 1.0, 1.0, 1.0), series(None, 10.0, 10.0))

    assert rates(tmp_path, *two) == [1.0, 11.0, 11.0, 1.0]


def test_a_series_with_a_hole_makes_the_sum_unknown_there(tmp_path: Path) -> None:
    two = (series(1.0, 1.0, 1.0, 1.0), series(10.0, None, "NaN", 10.0))

    assert rates(tmp_path, *two) == [11.0, None, None, 11.0]


@pytest.mark.parametrize(
    ("tokens_are", "prompt", "output"),
    [
        (TokensAre.PER_SECOND, series(600.0, 600.0), series(100.0, 200.0)),
        (TokensAre.PER_REQUEST, series(300.0, 150.0), series(50.0, 50.0)),
    ],
)
def test_tokens_come_from_answers_of_their_own(
    tmp_path: Path, tokens_are: TokensAre, prompt: Any, output: Any
) -> None:
    found = read_prometheus_range(
        written(tmp_path, answer(series(2.0, 4.0))),
        prompt=written(tmp_path, answer(prompt), "prompt.json"),
        output=written(tmp_path, answer(output), "output.json"),
        tokens_are=tokens_are,
    )

    assert found.prompt_tokens.tolist() == [300.0, 150.0]
    assert found.output_tokens.tolist() == [50.0, 50.0]


def test_tokens_that_are_not_told_for_a_moment_are_unknown_there(tmp_path: Path) -> None:
    found = read_prometheus_range(
        written(tmp_path, answer(series(2.0, 4.0, 2.0))),
        prompt=written(tmp_path, answer(series(600.0, None, 600.0)), "prompt.json"),
    )

    assert np.isnan(found.prompt_tokens).tolist() == [False, True, False]
    assert np.isnan(found.output_tokens).all()


def test_the_data_alone_and_a_compressed_answer_are_read_as_well(tmp_path: Path) -> None:
    data = json.dumps(json.loads(answer(series(1.0, 2.0)))["data"])
    path = tmp_path / "range.json.gz"
    path.write_bytes(gzip.compress(data.encode()))

    assert read_prometheus_range(path).requests_per_second.tolist() == [1.0, 2.0]


ERROR = {"status": "error", "errorType": "bad_data", "error": "parse error"}
VECTOR = {"status": "success", "data": {"resultType": "vector", "result": []}}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "line 1: Expecting property name enclosed in double quotes, so it is no JSON; save"),
        ("[1]", "has no result type where a matrix is expected; save an answer of /api/v1/query_ra"),
        (json.dumps(ERROR), "holds an error of Prometheus, bad_data: parse error; correct the query"),
        (json.dumps(VECTOR), "has the result type 'vector' where a matrix is expected"),
        (answer(), "holds no values; widen the range, or correct the query"),
        (answer({"metric": {}, "histograms": []}), "series 1 has histograms; ask for plain numbers"),
        (answer({"metric": {}, "values": [[1]]}), "series 1 value 1: [1] is no pair of time and numb"),
        (answer(series(1.0, "x")), "series 1 value 2: [1767571230, 'x'] is no pair of time and num"),
        (answer(series(1.0, -2.0)), "series 1 value 2: '-2.0' is no load; correct the query"),
        (answer(series(1.0, "+Inf")), "series 1 value 2: '+Inf' is no load"),
        (answer(series(1.0)), "has a single row"),
        ("[" * 100_000, "is nested too deep"),
    ],
)  # fmt: skip
def test_what_is_no_answer_of_a_range_is_one_sentence(
    tmp_path: Path, text: str, sentence: str
) -> None:
    with pytest.raises(InputError) as caught:
        read_prometheus_range(written(tmp_path, text))

    assert str(caught.value).startswith(f"{tmp_path / 'range.json'} ")
    assert sentence in str(caught.value)


def test_tokens_of_another_time_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"tells nothing at the times of .*; ask for both"):
        read_prometheus_range(
            written(tmp_path, answer(series(2.0, 4.0))),
            prompt=written(tmp_path, answer(series(1.0, 2.0, start=T + 7)), "prompt.json"),
        )
