"""The comparison page: every number of it is worked out from results, and losses are named."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from trimtab.simulation.report.comparison import (
    comparison_page,
    ratio_to_foresight,
    ratio_to_tuned,
    ratios_to_tuned,
    traces_of,
)
from trimtab.simulation.report.document import as_text, from_json
from trimtab.simulation.report.origins import origin_of
from trimtab.simulation.report.study import Role, Study


def one(make_result: Any, policy: str, attainment: float, hours: float, **given: Any) -> Any:
    figures = {
        "attainment": attainment,
        "replica_hours": hours,
        "optimum_replica_hours": 100.0,
        "ratio_to_optimum": hours / 100.0,
        "load": given.pop("load", "azure_conv_2023"),
        "lead_time_seconds": 180.0,
        "scaled_to_mean": 8.0,
        "is_made_up": 0,
        "is_storm": given.pop("is_storm", 0),
        "span_hours": 336.0,
        "worst_five_minutes_attainment": 0.5,
        "scale_ups": 168,
        "scale_downs": 84,
    }
    trace = given.pop("trace", f"{figures['load']}, lead 180 s, need 8")
    role = given.pop("role", Role.POLICY if policy.startswith("capacity") else Role.PEER)
    return make_result(policy, trace=trace, role=role, figures=figures, **given)


@pytest.fixture
def told(make_study: Any, make_result: Any) -> Study:
    def made(*given: Any, **named: Any) -> Any:
        return one(make_result, *given, **named)

    return make_study(
        made("capacity@0.98", 0.981, 110.0),
        made("capacity@0.99", 0.992, 120.0),
        made("hpa-in-flight", 0.95, 150.0),
        made("hpa-rps@target=0.5", 0.999, 160.0),
        made("hpa-rps@target=0.8", 0.981, 140.0),
        made("perfect-forecast", 0.999, 104.0, role=Role.REFERENCE),
        made("capacity@0.99", 0.985, 200.0, load="tenant_spiky_a", is_storm=1),
        made("hpa-in-flight", 0.99, 120.0, load="tenant_spiky_a", is_storm=1),
        command="trimtab compare --traces traces",
        scenario={"replica": "8b-h100, 1 x H100"},
    )


def test_cost_is_compared_at_equal_attainment(told: Study) -> None:
    """Half way between the two targets (98.1 and 99.9 %) the tuned peer costs 150 at 99 %."""
    trace = traces_of(told)[0]
    assert ratio_to_tuned(trace, "capacity@0.99", 0.99) == pytest.approx(120.0 / 150.0)


def test_cost_is_held_against_foresight_where_that_attains_as_much(
    make_study: Any, make_result: Any
) -> None:
    told = make_study(
        one(make_result, "capacity@0.99", 0.995, 120.0),
        one(make_result, "perfect-forecast", 0.998, 110.0, role=Role.REFERENCE),
        one(make_result, "perfect-forecast@0.98", 0.988, 90.0, role=Role.REFERENCE),
    )
    at_99 = 90.0 + 20.0 * 2 / 10
    found = ratio_to_foresight(traces_of(told)[0], "capacity@0.99", 0.99)
    assert found == pytest.approx(120.0 / at_99)


def test_a_load_that_the_tuned_peer_was_not_run_on_has_no_ratio(told: Study) -> None:
    assert ratio_to_tuned(traces_of(told)[1], "capacity@0.99", 0.99) is None


def test_the_page_sums_up_without_storms(told: Study) -> None:
    lines = comparison_page(told).splitlines()
    assert (
        "| 180 | 8 | 1 | 1 | 99.20 | 0.800 | 0.800 | 0.800 `azure_conv_2023` | 0 | 1.200 | "
        "1.154 |" in lines
    )


def test_of_storms_alone_no_mean_is_told(make_study: Any, make_result: Any) -> None:
    storm = {"load": "tenant_spiky_a", "is_storm": 1}
    page = comparison_page(make_study(one(make_result, "capacity@0.99", 0.985, 200.0, **storm)))
    summary = page.partition("## In short")[2].partition("##")[0]
    assert "All of these loads are storms" in summary
    assert "| lead s |" not in summary
    assert "| `tenant_spiky_a` | 98.50 |" in page


def test_every_load_is_told_beside_what_perfect_foresight_costs(told: Study) -> None:
    assert (
        "| `azure_conv_2023` | 99.20 | 120 | 1.200 | 0.800 | 50.00 | 0.50 | 0.25 | 99.90, 1.040 |"
        in comparison_page(told).splitlines()
    )


def test_peers_at_their_defaults_are_counted_where_we_are_better_on_both(told: Study) -> None:
    lines = comparison_page(told).splitlines()
    assert "| hpa-in-flight | 95.00, 1.500 | 99.00, 1.200 | 1 of 2 |" in lines


def test_what_was_asked_stands_beside_what_came_out(told: Study) -> None:
    lines = comparison_page(told).splitlines()
    assert "| `azure_conv_2023` | 180 | 8 | 98.10, 1.100 | 99.20, 1.200 |" in lines


def test_where_it_loses_is_named(told: Study) -> None:
    page = comparison_page(told)
    assert (
        "| `tenant_spiky_a` | Lead time 180 s, mean need 8 replicas | a storm; attains less than "
        "asked | 98.50 | - |" in page
    )


def test_nothing_lost_is_said_too(make_study: Any, make_result: Any) -> None:
    page = comparison_page(make_study(one(make_result, "capacity@0.99", 0.995, 120.0)))
    assert "Nowhere in this comparison" in page


def test_loads_are_cited(told: Study) -> None:
    page = comparison_page(told)
    assert "| `azure_conv_2023` | 14 |  | Azure LLM inference trace 2023 (Splitwise" in page
    assert "| `tenant_spiky_a` | 14 | yes | one client of m-large in ServeGen" in page


@pytest.mark.parametrize(
    ("load", "is_made_up", "origin"),
    [("step", True, "made up by this project"), ("our-own", False, "not recorded")],
)
def test_a_load_without_a_known_origin_says_so(load: str, is_made_up: bool, origin: str) -> None:
    assert origin_of(load, is_made_up=is_made_up) == origin


def test_the_page_follows_from_the_document_alone(told: Study) -> None:
    """So no number of it can have been typed by hand: other results, other page."""
    document = json.loads(as_text(told))
    assert comparison_page(from_json(document)) == comparison_page(told)
    document["results"][1]["replica_hours"] = 999.0
    assert "| 999 |" in comparison_page(from_json(document))


def test_every_table_has_as_many_cells_in_each_row(told: Study) -> None:
    width = None
    for line in comparison_page(told).splitlines():
        if not line.startswith("|"):
            width = None
            continue
        cells = len(re.findall(r"\|", line))
        assert width in (None, cells), line
        width = cells


def test_with_several_seeds_it_says_how_far_chance_may_have_moved_the_mean(
    make_study: Any, make_result: Any
) -> None:
    told = make_study(
        *(
            one(make_result, policy, attainment, hours, seed=seed)
            for seed, factor in ((1, 0.9), (2, 1.1))
            for policy, attainment, hours in (
                ("capacity@0.99", 0.99, 120.0 * factor),
                ("hpa-rps@target=0.5", 0.999, 160.0),
                ("hpa-rps@target=0.8", 0.981, 140.0),
            )
        )
    )
    trace = traces_of(told)[0]
    by_seed = ratios_to_tuned(trace, "capacity@0.99", 0.99)
    assert by_seed == pytest.approx((0.72, 0.88))
    assert ratio_to_tuned(trace, "capacity@0.99", 0.99) == pytest.approx(0.8)
    assert "| 0.800 | 0.800 (0.720 to 0.880) | 0.800" in comparison_page(told)


def test_with_one_seed_it_says_nothing_of_chance(told: Study) -> None:
    assert "| 0.800 | 0.800 | 0.800" in comparison_page(told)
