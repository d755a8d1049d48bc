"""What fuzzing has found, each as the smallest input that showed it."""

from __future__ import annotations

import json

import pytest
from feeding import trouble
from samples import NAME, POLICY, RATE, SECRET, journal_files
from subjects import SUBJECTS

from trimtab.errors import excerpt
from trimtab.policy import as_json, read_policy_texts

ANNOTATIONS = {"trimtab.dev/user-bounds": f"1-{'9' * 5000}", "trimtab.dev/written-bounds": "0-0"}
SCHEDULE = {"schedule": "0 8 * * *", "duration": "60s", "timezone": "a/" * 2000}
ZONED = json.dumps({"name": NAME, "autoscalingPolicy": {"scalingSchedules": {"day": SCHEDULE}}})
ANNOTATED = json.dumps({"name": NAME, "annotations": ANNOTATIONS})
FOUND = {
    "a whole number that no float holds is no value": ("metrics", f"{RATE} {'9' * 400}\n"),
    "nor is it a time": ("metrics", f"{RATE} 1 {'9' * 400}\n"),
    "a load of no time is none": (
        "metrics",
        f'{RATE}{{deployment="{NAME}"}} 3 -Inf {{}} 1\n{RATE}{{deployment="{NAME}"}} 3 {{}} -Inf\n',
    ),
    "labels of nothing but a space are no labels": ("metrics", f'{RATE}{{a="b",\r="c"}} 1\n'),
    "two loads whose sum is infinite are no load": (
        "metrics",
        f'{RATE}{{deployment="{NAME}",a="1"}} 1e308\n{RATE}{{deployment="{NAME}",a="2"}} 1e308\n',
    ),
    "an unprintable label is quoted so that a terminal can show it": (
        "metrics",
        f'{RATE}{{"a\x1b"="b"}} 1\n',
    ),
    "what another wrote into our annotations is not believed": (
        "deployments",
        ANNOTATED,
    ),
    "a schedule's time zone may have any length": ("deployments", ZONED),
    "so may that of a policy": (
        "policies",
        POLICY.replace("target: 10", f"timezone: {'a/' * 2000}"),
    ),
    "a number of a policy may be too large for a float": (
        "policies",
        POLICY.replace("target: 10", f"target: 10, tolerance: {'9' * 330}"),
    ),
    "also if written in another base": (
        "policies",
        POLICY.replace("target: 10", f"target: 10, tolerance: 0x{'f' * 330}"),
    ),
    "a server's message may hold what no terminal should see": (
        "answers",
        '409\n\n{"error": "\\u001b[2Jall clear"}',
    ),
    "nor half a character, which no log could write": (
        "answers",
        '503\n\n{"code": 14, "message": "\\ud800", "details": []}',
    ),
    "how long an override lasts may be a number of any size": (
        "overrides",
        json.dumps({"kind": "pause", "all": True, "reason": "x", "for": 10**330}),
    ),
    "a row of the journal may be nested as deep as it likes": ("journal-rows", "[" * 100_000),
    "nor may the name of a signal": ("expressions", "signals['a\tb'] > 1.0"),
    "a name of a setting as long as the file is not repeated": (
        "settings",
        f"lead_time: {{by_accelerator: {{{'x' * 5000}: 0s}}}}\n",
    ),
}


@pytest.mark.parametrize("what", FOUND)
def test_fixed(what: str) -> None:
    name, text = FOUND[what]
    assert trouble(SUBJECTS[name], text.encode()) is None


@pytest.mark.parametrize("offset", range(4096, 60_000, 4096))
def test_a_journal_with_a_damaged_page_is_refused_in_a_sentence(offset: int) -> None:
    whole = journal_files()[0]
    damaged = whole[:offset] + b"\xa5" * 600 + whole[offset + 600 :]
    assert trouble(SUBJECTS["journal-files"], damaged) is None


def test_a_diagnostic_quotes_only_so_much_of_a_file() -> None:
    text = f"apiVersion: trimtab.dev/v1\nkind: ScalingPolicy\nspec: {{signals: '{'9' * 50_000}'}}\n"
    report = read_policy_texts([("long.yaml", text)])
    assert report.diagnostics
    assert max(len(str(one)) for one in report.diagnostics) < 1500
    assert len(as_json(report.diagnostics)) < 20_000


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\n lines\t", "two lines"),
        ("\x1b[2J", "\ufffd[2J"),
        ("\ud800", "\ufffd"),
        ("\u202etxet", "\ufffdtxet"),
        ("x" * 300, "x" * 255 + "…"),
        ("ok" + " " * 5000 + "end", "ok…"),
    ],
)
def test_an_excerpt_is_one_printable_line(text: str, shown: str) -> None:
    assert excerpt(text) == shown


def test_the_secret_of_the_samples_would_be_noticed() -> None:
    assert SECRET.encode() in b"".join(SUBJECTS["settings"].seeds)
