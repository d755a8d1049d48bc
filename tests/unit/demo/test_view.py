"""What people see: everything, at any size, and nothing that colour alone tells."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.demo.snapshots import MONDAY_SEVEN, build_snapshot, build_view

from trimtab.cli.demo.audit import Promise, Violation
from trimtab.cli.demo.chronicle import Entry, Kind
from trimtab.cli.demo.snapshot import Replicas
from trimtab.cli.demo.view import HEIGHT_MIN, WIDTH_MIN, draw
from trimtab.core.facts import Facts
from trimtab.simulation import Account

SIZES = [(WIDTH_MIN, HEIGHT_MIN), (80, 24), (120, 40), (160, 50), (250, 70)]

ENTRIES = tuple(
    Entry(
        at=MONDAY_SEVEN + 60.0 * number,
        deployment="accounts/demo/deployments/chat-8b",
        kind=Kind.UP if number % 2 == 0 else Kind.DOWN,
        sentence=f"requests {number} in all, target 15 a replica",
        before=4,
        after=5 + number,
    )
    for number in range(20)
)


def text(width: int, height: int, **changed: object) -> str:
    return "\n".join(line.plain for line in draw(build_snapshot(**changed), width, height))


@pytest.mark.parametrize("width", [WIDTH_MIN, 80, 100, 119, 120])
def test_no_bound_and_no_sum_is_cut(width: int) -> None:
    shown = text(width, HEIGHT_MIN, deployments=(build_view(id="chat-with-a-long-name"),) * 3)
    titles = [line for line in shown.splitlines() if "chat-with-a-long-name" in line]
    assert len(titles) == 3
    assert all(line.endswith("─") and "…" not in line for line in titles)
    (sums,) = (line for line in shown.splitlines() if line.startswith("─ all "))
    assert "…" not in sums


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_it_fits(width: int, height: int) -> None:
    lines = draw(build_snapshot(entries=ENTRIES), width, height)
    assert len(lines) <= height
    assert max(line.cell_len for line in lines) <= width


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_it_shows_load_replicas_attainment_cost_decisions_and_how_to_stop(
    width: int, height: int
) -> None:
    shown = text(width, height, entries=ENTRIES)
    for part in (
        "Mon 07:42:15", "60x", "chat-8b", "chat-70b", "code-8b", "63 req/s", "ready", "99.8 %",
        "98.1 %", "2.31 acc-h", "left at max", "at min", "12 patches",
        "0 invariant violations", "steady 250", "page http://127.0.0.1:40001", "emulator :40000",
        "Ctrl-C", "07:19 ▼", "enforce",
    ):  # fmt: skip
        assert part in shown, part


def test_the_tight_layout_still_shows_five_decisions() -> None:
    shown = text(80, 24, entries=ENTRIES)
    assert [f"07:{minute}" in shown for minute in (15, 16, 17, 18, 19)] == [True] * 5


def test_the_latest_decision_stands_last() -> None:
    shown = text(120, 40, entries=ENTRIES)
    assert shown.index("07:18") < shown.index("07:19")


def test_each_stage_on_the_way_has_its_own_sign_and_its_name() -> None:
    shown = text(80, 24)
    assert "████▓▒░·····" in shown
    assert "1 pending, 1 downloading, 1 initializing" in shown


def test_draining_replicas_stand_outside_the_bounds_they_no_longer_count_in() -> None:
    replicas = Replicas(asked=10, pending=0, downloading=0, initializing=0, ready=10, draining=2)
    shown = text(80, 24, deployments=(build_view(replicas=replicas),))
    assert "██████████··▽▽" in shown
    assert "2 draining" in shown


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_what_will_be_needed_stands_beside_what_there_is(width: int, height: int) -> None:
    settled = Replicas(asked=7, pending=0, downloading=0, initializing=0, ready=7, draining=0)
    views = tuple(build_view(id=id_, replicas=settled) for id_ in ("chat-8b", "code-8b"))
    assert text(width, height, deployments=views).count("need 5.7 in 3 min") == 2
    blind = tuple(build_view(replicas=settled, facts=facts) for facts in (None, Facts()))
    assert "need" not in text(width, height, deployments=blind)


def test_each_end_of_the_bounds_says_who_set_it_where_there_is_room() -> None:
    assert "2 (owner) to 12 (policy)" in text(120, 40)


def test_a_state_other_than_ready_is_told() -> None:
    assert "FAILED" in text(80, 24, deployments=(build_view(state="FAILED"),))


def test_a_deployment_without_a_policy_says_so() -> None:
    assert "no policy" in text(80, 24, deployments=(build_view(policy="", mode=""),))


def test_an_invariant_violation_cannot_be_overlooked() -> None:
    violation = Violation(
        at=MONDAY_SEVEN, deployment="d", promise=Promise.WITHIN_BOUNDS, sentence="13 of 2-12"
    )
    lines = draw(build_snapshot(violation_count=1, violations=(violation,)), 80, 24)
    (line,) = [line for line in lines if "1 invariant violation" in line.plain]
    assert "bold red" in {str(span.style) for span in line.spans}


def test_what_stands_in_the_daemons_way_takes_the_place_of_the_address() -> None:
    shown = text(80, 24, troubles=("no metrics: accounts/demo did not answer",))
    assert "no metrics: accounts/demo did not answer" in shown


def test_refused_patches_are_told() -> None:
    assert "12 patches (2 refused)" in text(80, 24, patches_refused=2)


def test_before_anything_was_answered_attainment_is_not_known_rather_than_perfect() -> None:
    nothing = Account(usd=0.0)
    fresh = build_view(
        account=nothing, at_max=nothing, at_min=nothing, attainment_recent=None, history=()
    )
    shown = text(80, 24, deployments=(fresh,))
    assert "100.0 %" not in shown
    assert "SLO met        -" in shown


def test_only_basic_colours_are_used_so_that_light_and_dark_terminals_both_work() -> None:
    styles = {
        word
        for line in draw(build_snapshot(entries=ENTRIES), 120, 40)
        for style in [line.style, *(span.style for span in line.spans)]
        for word in str(style).split()
    }
    assert styles <= {"bold", "dim", "reverse", "green", "cyan", "magenta", "red"}


@given(width=st.integers(WIDTH_MIN, 260), height=st.integers(HEIGHT_MIN, 90))
def test_it_fits_every_size_that_is_allowed(width: int, height: int) -> None:
    lines = draw(build_snapshot(entries=ENTRIES), width, height)
    assert len(lines) <= height
    assert all(line.cell_len <= width for line in lines)
    assert "Ctrl-C" in lines[-1].plain


@given(width=st.integers(1, WIDTH_MIN), height=st.integers(1, HEIGHT_MIN))
def test_a_terminal_that_shrinks_meanwhile_shows_less_and_breaks_nothing(
    width: int, height: int
) -> None:
    lines = draw(build_snapshot(entries=ENTRIES), width, height)
    assert len(lines) <= height
    assert all(line.cell_len <= width for line in lines)
