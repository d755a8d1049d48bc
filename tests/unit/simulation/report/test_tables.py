"""Tables and sentences: figures are rounded, and never to something that did not happen."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from trimtab.simulation.report.figures import Form, written
from trimtab.simulation.report.study import Role
from trimtab.simulation.report.summary import headline
from trimtab.simulation.report.table import plain_table, rich_table


@pytest.mark.parametrize(
    ("value", "form", "text"),
    [
        (0.9912, Form.PERCENT, "99.12"),
        (1.0, Form.PERCENT, "100.00"),
        (0.999_996, Form.PERCENT, ">99.99"),
        (1234.56, Form.HOURS, "1,234.6"),
        (12.5, Form.MONEY, "12.50"),
        (1250.4, Form.MONEY, "1,250"),
        (0.0421, Form.MILLISECONDS, "42 ms"),
        (30, Form.COUNT, "30"),
        (None, Form.COUNT, "-"),
        (float("nan"), Form.RATIO, "-"),
    ],
)
def test_figures_are_written_for_people(value: Any, form: Form, text: str) -> None:
    assert written(value, form) == text


def test_the_plain_table_has_one_line_for_each_policy(make_study: Any, make_result: Any) -> None:
    told = make_study(
        make_result(),
        make_result(
            "hpa", role=Role.PEER, figures={"replica_hours": 150.0, "ratio_to_optimum": 1.5}
        ),
    )
    assert plain_table(told).splitlines() == [
        "policy    SLO met %  replica-h  vs optimum  ups  downs",
        "capacity      99.12      120.0       1.200   30     29",
        "hpa           99.12      150.0       1.500   30     29",
    ]


def test_seeds_are_told_as_mean_and_half_their_range(make_study: Any, make_result: Any) -> None:
    told = make_study(
        make_result(seed=1, figures={"replica_hours": 110.0}),
        make_result(seed=2, figures={"replica_hours": 130.0}),
    )
    assert "120.0 ±10.0" in plain_table(told)
    assert "99.12 " in plain_table(told)  # the seeds agree: nothing to tell


def test_the_trace_is_a_column_as_soon_as_there_are_two(make_study: Any, make_result: Any) -> None:
    told = make_study(make_result(), make_result(trace="week"))
    lines = plain_table(told).splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["trace", "policy"],
        ["day", "capacity"],
        ["week", "capacity"],
    ]


def test_policies_come_first_then_peers_by_cost_then_references(
    make_study: Any, make_result: Any
) -> None:
    told = make_study(
        make_result("foresight", role=Role.REFERENCE),
        make_result("dear", role=Role.PEER, figures={"replica_hours": 300.0}),
        make_result("cheap", role=Role.PEER, figures={"replica_hours": 90.0}),
        make_result("capacity"),
    )
    names = [line.split()[0] for line in plain_table(told).splitlines()[1:]]
    assert names == ["capacity", "cheap", "dear", "foresight"]


def test_the_table_of_the_terminal_has_the_same_figures(make_study: Any, make_result: Any) -> None:
    stream = io.StringIO()
    Console(file=stream, width=120).print(rich_table(make_study(make_result()), 120)[0])
    shown = [line.split() for line in stream.getvalue().splitlines()]
    assert shown[1] == ["capacity", "99.12", "120.0", "1.200", "30", "29"]


def test_names_are_not_read_as_markup(make_study: Any, make_result: Any) -> None:
    stream = io.StringIO()
    Console(file=stream, width=120).print(
        rich_table(make_study(make_result("[red]x[/red]")), 120)[0]
    )
    assert "[red]x[/red]" in stream.getvalue()


def test_the_headline_holds_a_policy_against_the_cheapest_peer_that_attained_as_much(
    make_study: Any, make_result: Any
) -> None:
    told = make_study(
        make_result(),
        make_result("frugal", role=Role.PEER, figures={"attainment": 0.97, "replica_hours": 90.0}),
        make_result("good", role=Role.PEER, figures={"attainment": 0.995, "replica_hours": 150.0}),
        make_result("dear", role=Role.PEER, figures={"attainment": 0.999, "replica_hours": 400.0}),
    )
    assert headline(told) == (
        "capacity met the SLO for 99.12 % of requests with 120.0 replica-hours, 1.20 times the "
        "clairvoyant optimum. That is 20.0 % fewer than good, the cheapest of the peers that "
        "attained at least as much."
    )


def test_the_headline_says_so_when_a_peer_does_better(make_study: Any, make_result: Any) -> None:
    better = make_result("hpa", role=Role.PEER, figures={"attainment": 1.0, "replica_hours": 96.0})
    assert "25.0 % more than hpa" in headline(make_study(make_result(), better))


def test_the_headline_says_when_nobody_attained_as_much(make_study: Any, make_result: Any) -> None:
    worse = make_result("hpa", role=Role.PEER, figures={"attainment": 0.9})
    assert headline(make_study(make_result(), worse)).endswith("No peer attained as much.")


def test_a_run_without_requests_has_no_service_level(make_study: Any, make_result: Any) -> None:
    told = make_study(make_result(figures={"attainment": None}))
    assert headline(told) == (
        "capacity: no requests were offered, so no service level can be told."
    )


def test_over_several_traces_the_headline_leaves_the_figures_to_the_table(
    make_study: Any, make_result: Any
) -> None:
    told = make_study(make_result(), make_result(trace="week"))
    assert headline(told) == (
        "1 policy on 2 traces with 1 seed each, asked for 99 % within the SLO."
    )


@pytest.mark.parametrize("width", [60, 80, 100])
def test_a_narrow_terminal_keeps_names_and_leaves_out_whole_figures(
    make_study: Any, make_result: Any, width: int
) -> None:
    study = make_study(make_result("hpa-request-rate"))
    table, left_out = rich_table(study, width)
    stream = io.StringIO()
    Console(file=stream, width=width).print(table)
    lines = stream.getvalue().splitlines()
    assert any(line.startswith("hpa-request-rate ") for line in lines)
    figures = plain_table(study).splitlines()[-1].split()
    titles = len(figures) - len(left_out)
    assert lines[-1].split() == figures[:titles]
    assert max(map(len, lines)) <= width


def test_a_wide_terminal_has_every_figure(make_study: Any, make_result: Any) -> None:
    assert rich_table(make_study(make_result()), 120)[1] == ()
