from __future__ import annotations

import pytest
from tests.bench.processes.summary import percentile
from tests.bench.reporting.budgets import BUDGETS
from tests.bench.reporting.measures import Measure, measures_of
from tests.bench.reporting.table import over, table


def measures(document: dict[str, object]) -> dict[str, Measure]:
    return {one.name: one for one in measures_of(document)}


def test_a_number_by_itself_is_a_measure_of_no_size() -> None:
    found = measures({"benchmark": "b", "load_seconds": 1.5, "python": "3.11", "is_so": True})
    assert {name: one.values for name, one in found.items()} == {"load_seconds": {0: 1.5}}


@pytest.mark.parametrize(
    "document",
    [
        {"p99_milliseconds": {"10": 1.0, "100": 3.0}},
        {"10": {"p99_milliseconds": 1.0}, "100": {"p99_milliseconds": 3.0}},
        {"deployments": {"10": {"p99_milliseconds": 1.0}, "100": {"p99_milliseconds": 3.0}}},
        {
            "runs": [
                {"deployments": 10, "p99_milliseconds": 1.0},
                {"deployments": 100, "p99_milliseconds": 3.0},
            ]
        },
    ],
)
def test_sizes_are_found_wherever_a_benchmark_puts_them(document: dict[str, object]) -> None:
    (found,) = measures_of({"benchmark": "b", **document})
    assert found.values == {10: 1.0, 100: 3.0}
    assert found.name == "p99_milliseconds"


@pytest.mark.parametrize(
    ("values", "growth"),
    [
        ({100: 5.0, 1_000: 5.0}, 1.0),
        ({100: 5.0, 1_000: 50.0}, 10.0),
        ({1: 1.0, 1_000: 5.0, 10_000: 10.0}, 2.0),
        ({1: 1.0, 10_000: 16.0}, 2.0),
        ({0: 5.0}, None),
        ({1_000: 5.0}, None),
    ],
)
def test_growth_is_the_factor_for_ten_times_as_many_at_the_largest_sizes(
    values: dict[int, float], growth: float | None
) -> None:
    assert Measure("b", "m", values).growth == pytest.approx(growth)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("p99_milliseconds", "ms"),
        ("median_microseconds", "µs"),
        ("otlp.microseconds_per_sample", "µs/sample"),
        ("bytes_per_deployment", "B/deployment"),
        ("decisions_per_second", "1/second"),
        ("thread_microseconds_a_decision", "µs/decision"),
        ("probes", ""),
    ],
)
def test_the_unit_is_what_the_name_says(name: str, unit: str) -> None:
    assert Measure("b", name).unit == unit


def test_a_promise_of_the_project_is_judged_at_its_size() -> None:
    document = {"benchmark": "reaction", "p99_milliseconds": {"1000": 26.0, "10000": 99.0}}
    found = measures(document)["p99_milliseconds"]
    assert found.is_kept is False
    (sentence,) = over([found])
    assert sentence == "reaction: p99_milliseconds at 1,000 is 26 ms; at most 25 was promised"


def test_a_floor_is_kept_by_what_is_above_it() -> None:
    document = {"benchmark": "reaction", "background_samples_per_second": {"1000": 4_100.0}}
    assert measures(document)["background_samples_per_second"].is_kept is False
    document = {"benchmark": "reaction", "background_samples_per_second": {"1000": 4_990.0}}
    assert measures(document)["background_samples_per_second"].is_kept is True


def test_a_budget_that_a_benchmark_states_itself_is_judged() -> None:
    document = {"benchmark": "new", "load_seconds_median": 2.0, "budget_load_seconds": 1.0}
    found = measures(document)
    assert list(found) == ["load_seconds_median"]
    assert found["load_seconds_median"].is_kept is False


def test_a_budget_stated_beside_one_size_is_for_that_size_alone() -> None:
    sizes = {"1": {"held_bytes": 3.0, "budget_held_bytes": 5.0}, "10": {"held_bytes": 9.0}}
    found = measures({"benchmark": "new", "deployments": sizes})
    assert found["held_bytes"].budget.keys() == {1}


def test_no_budget_is_no_verdict() -> None:
    assert measures({"benchmark": "new", "seconds": 2.0})["seconds"].is_kept is None


def test_the_table_shows_budget_growth_and_what_changed() -> None:
    now = measures_of({"benchmark": "reaction", "p99_milliseconds": {"1000": 10.0, "10000": 30.0}})
    before = {
        ("reaction", "p99_milliseconds"): Measure("reaction", "p99_milliseconds", {10_000: 60.0})
    }
    head, benchmark, line = table(now, before).splitlines()
    assert head.split() == ["1,000", "10,000", "unit", "budget", "x10", "before"]
    assert benchmark == "reaction"
    assert line.split() == ["p99_milliseconds", "10", "30", "ms", "≤25", "≤100", "ok", "x3", "-50%"]


def test_every_budget_names_a_benchmark_and_a_limit() -> None:
    assert all(one.benchmark and one.measure and one.limit > 0 for one in BUDGETS)


@pytest.mark.parametrize(("percent", "value"), [(50, 2.0), (99, 4.0), (100, 4.0), (1, 1.0)])
def test_a_percentile_is_a_value_that_was_seen(percent: float, value: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], percent) == value
