"""What the demo came to, for programs and for people."""

import json

from tests.unit.demo.snapshots import build_snapshot, build_view

from trimtab.cli.demo.audit import Promise, Violation
from trimtab.cli.demo.chronicle import Entry, Kind
from trimtab.cli.demo.lines import opening_lines, state_lines, told_lines
from trimtab.cli.demo.summary import as_json, as_lines
from trimtab.simulation import Account, Fit

FITTED = Fit(
    requests_factor=44.35, prompt_factor=3.9, output_factor=4.22, mean_need=4.03, peak_need=10.8
)


def test_the_json_has_what_programs_look_for() -> None:
    summary = json.loads(json.dumps(as_json(build_snapshot(), version="1.2.3")))
    assert summary["decisions"] == 12
    assert (summary["scale_ups"], summary["scale_downs"]) == (9, 3)
    assert summary["evaluations"] == 300
    assert summary["patches"] == 12
    assert summary["attainment"] == 0.998
    assert summary["accelerator_hours"] == 6.93
    assert summary["invariant_violations"] == 0
    assert summary["references"]["max"]["attainment"] == 1.0
    assert summary["references"]["max"]["accelerator_hours"] == 29.7
    assert summary["references"]["min"]["attainment"] == 0.25
    assert summary["references"]["min"]["accelerator_hours"] == 4.95
    assert summary["simulated_seconds"] == 2535.0
    assert (summary["seed"], summary["speed"], summary["trace"]) == (0, 60.0, None)
    assert summary["version"] == "1.2.3"


def test_the_json_tells_deployments_apart_by_their_full_name() -> None:
    deployments = as_json(build_snapshot(), version="1")["deployments"]
    assert set(deployments) == {
        f"accounts/demo/deployments/{each}" for each in ("chat-8b", "chat-70b", "code-8b")
    }
    assert deployments["accounts/demo/deployments/chat-8b"]["bounds"] == [2, 12]


def test_the_json_says_by_what_a_recording_was_scaled() -> None:
    summary = as_json(build_snapshot(deployments=(build_view(fitted=FITTED),)), version="1")
    (deployment,) = summary["deployments"].values()
    assert deployment["scaled"]["requests_factor"] == 44.35


def test_what_is_not_known_is_null_and_not_zero() -> None:
    unknown = build_view(account=Account(), at_max=Account(), at_min=Account())
    summary = as_json(build_snapshot(deployments=(unknown,)), version="1")
    assert summary["attainment"] is None
    assert summary["usd"] is None


def test_people_read_the_same_numbers_beside_both_references() -> None:
    lines = "\n".join(as_lines(build_snapshot()))
    assert "42 min simulated at 60x, a made-up day, seed 0" in lines
    assert "12 decisions changed something (9 up, 3 down) of 300 evaluations" in lines
    assert "12 patches arrived; no invariant violations" in lines
    assert "trimtab                 99.8 %                6.93      $48.51" in lines
    assert "left at max            100.0 %                29.7     $207.90" in lines


def test_a_single_decision_is_told_as_one() -> None:
    lines = "\n".join(as_lines(build_snapshot(scale_ups=1, scale_downs=0, patches=1)))
    assert "1 decision changed something" in lines
    assert "1 patch arrived; no invariant violations" in lines


def test_each_violation_is_told_in_a_sentence() -> None:
    violation = Violation(
        at=0.0, deployment="d", promise=Promise.WITHIN_BOUNDS, sentence="13 replicas are outside"
    )
    lines = list(as_lines(build_snapshot(violation_count=1, violations=(violation,))))
    assert "12 patches arrived; 1 invariant violation" in lines
    assert "  violated within_bounds: d: 13 replicas are outside" in lines


def test_every_line_of_the_summary_fits_80_columns() -> None:
    lines = list(as_lines(build_snapshot(deployments=(build_view(fitted=FITTED),) * 3)))
    assert max(len(line) for line in lines) <= 80


def test_plain_lines_begin_with_what_is_played_and_by_what_it_was_scaled() -> None:
    first, *rest = opening_lines(build_snapshot(deployments=(build_view(fitted=FITTED),)))
    assert first.startswith("a made-up day at 60x from 07:42 UTC, seed 0")
    assert rest == [
        "live page: http://127.0.0.1:40001",
        "chat-8b: load x44.4, prompts x3.9, outputs x4.22 (mean 4.0, peak 10.8 replicas)",
    ]


def test_plain_lines_tell_decisions_and_the_state_of_things() -> None:
    entry = Entry(
        at=build_snapshot().at,
        deployment="accounts/demo/deployments/chat-8b",
        kind=Kind.UP,
        sentence="requests 80 in all",
        before=4,
        after=6,
    )
    assert list(told_lines([entry])) == ["07:42 ▲ chat-8b   4 → 6  requests 80 in all"]
    first = next(iter(state_lines(build_snapshot())))
    assert first == (
        "07:42 = chat-8b  63 req/s, 4 ready of 7 asked, 3 on their way, SLO met 99.8 %, "
        "2.31 accelerator-hours $16.17"
    )
