"""What every report is made from: groups over seeds, what is unknown, the document and back."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from trimtab.simulation.report.document import StudyDocumentError, as_json, as_text, from_json
from trimtab.simulation.report.study import Role, Study


def test_results_that_differ_by_their_seed_alone_are_one_group(
    make_study: Any, make_result: Any
) -> None:
    told: Study = make_study(
        make_result("a", seed=1),
        make_result("b", seed=1),
        make_result("a", seed=2),
        make_result("a", seed=1, trace="week"),
    )
    assert [(one.trace, one.policy, len(one.results)) for one in told.groups] == [
        ("day", "a", 2),
        ("day", "b", 1),
        ("week", "a", 1),
    ]


def test_a_spread_is_the_mean_and_the_ends(make_study: Any, make_result: Any) -> None:
    told = make_study(
        *(make_result(seed=n, figures={"replica_hours": n * 10.0}) for n in (1, 2, 6))
    )
    assert told.groups[0].spread("replica_hours") == (30.0, 10.0, 60.0)


@pytest.mark.parametrize("unknown", [None, math.nan, math.inf])
def test_a_mean_of_something_unknown_is_unknown(
    make_study: Any, make_result: Any, unknown: float | None
) -> None:
    told = make_study(
        make_result(seed=1), make_result(seed=2, figures={"ratio_to_optimum": unknown})
    )
    assert told.groups[0].spread("ratio_to_optimum") is None
    assert told.groups[0].spread("nobody measures this") is None


def test_what_is_drawn_is_the_seed_that_met_the_slo_least(
    make_study: Any, make_result: Any, make_timeline: Any
) -> None:
    run = make_timeline(offered=[1.0])
    told = make_study(
        make_result(seed=1, figures={"attainment": 0.99}, timeline=run),
        make_result(seed=2, figures={"attainment": 0.91}, timeline=run),
        make_result(seed=3, figures={"attainment": 0.80}),  # its timeline was not kept
    )
    drawn = told.groups[0].drawn
    assert drawn is not None
    assert drawn.seed == 2


def test_a_study_without_results_is_refused(make_study: Any) -> None:
    with pytest.raises(ValueError, match="run something first"):
        make_study()


def test_the_document_has_a_row_for_every_run_and_what_repeats_it(
    make_study: Any, make_result: Any
) -> None:
    told = make_study(
        make_result(), make_result("hpa", role=Role.PEER), command="trimtab simulate x"
    )
    document = json.loads(as_text(told))
    assert document["seeds"] == [1]
    assert document["version"] == "1.2.3"
    assert document["command"] == "trimtab simulate x"
    assert document["scenario"] == {"replica": "8b-h100", "lead time": "180 s"}
    assert document["results"][0] == {
        "trace": "day",
        "policy": "capacity",
        "seed": 1,
        "role": "policy",
        "attainment": 0.9912,
        "replica_hours": 120.0,
        "accelerator_hours": 120.0,
        "optimum_replica_hours": 100.0,
        "ratio_to_optimum": 1.2,
        "scale_ups": 30,
        "scale_downs": 29,
    }


def test_what_is_not_a_number_is_null_in_the_document(make_study: Any, make_result: Any) -> None:
    told = make_study(make_result(figures={"ratio_to_optimum": math.inf, "attainment": math.nan}))
    row = json.loads(as_text(told))["results"][0]
    assert (row["ratio_to_optimum"], row["attainment"]) == (None, None)


def test_a_document_tells_the_study_that_it_was_written_from(
    make_study: Any, make_result: Any
) -> None:
    told = make_study(
        make_result(), make_result("hpa", role=Role.PEER), notes=("losing traces are named",)
    )
    assert from_json(json.loads(as_text(told))) == told


@pytest.mark.parametrize(
    ("change", "sentence"),
    [({"format": 7}, "format 7"), ({"results": [{"trace": "x"}]}, "not a study")],
)
def test_a_document_that_is_no_study_is_refused(
    make_study: Any, make_result: Any, change: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(StudyDocumentError, match=sentence):
        from_json({**as_json(make_study(make_result())), **change})
