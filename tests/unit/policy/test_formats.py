"""How diagnostics are shown to people, programs and code review."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from trimtab.policy import as_github, as_json, as_text, read_policy_texts
from trimtab.policy.codes import UNKNOWN_KEY, UNUSED_SIGNAL
from trimtab.policy.diagnostics import Diagnostic, FileText, Findings, Span

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.policy import LoadReport


def finding(
    line: str, column: int, length: int = 1, *, file: str = "a.yaml", message: str = "`x`"
) -> Diagnostic:
    findings = Findings(FileText(file, line))
    findings.add(UNKNOWN_KEY, Span(1, column, length), message, "did you mean `y`?")
    return findings.diagnostics[0]


def test_text_has_the_place_the_line_a_caret_the_hint_and_a_count() -> None:
    assert as_text([finding("  tolerence: 0.1", 3, 9)]) == (
        "a.yaml:1:3: error POL104: `x`\n"
        "  1 |   tolerence: 0.1\n"
        "    |   ^^^^^^^^^\n"
        "  hint: did you mean `y`?\n"
        "\n"
        "1 error in 1 file\n"
    )


def test_text_says_so_when_there_is_nothing_to_say() -> None:
    assert as_text([]) == "no findings\n"


def test_errors_warnings_and_files_are_counted() -> None:
    warning = Diagnostic(
        file="b.yaml", line=1, column=1, length=1, code=UNUSED_SIGNAL, message="no rule reads `s`"
    )
    shown = as_text([finding("x", 1), finding("x", 1), warning])
    assert shown.endswith("\n2 errors, 1 warning in 2 files\n")


def test_the_caret_stands_below_its_place_whatever_the_letters_before_it() -> None:
    _, excerpt, caret, *_ = as_text([finding('{"深層": x, "\tmode": y}', 9, 6)]).splitlines()
    assert excerpt == '  1 | {"深層": x, "→mode": y}'
    # each of the two wide letters takes two columns
    assert caret == "    | " + " " * 10 + "^" * 6


def test_a_long_line_is_cut_around_its_place() -> None:
    line = "a" * 300 + "HERE" + "b" * 300
    _, excerpt, caret, *_ = as_text([finding(line, 301, 4)]).splitlines()
    assert len(excerpt) < 115
    assert excerpt[caret.index("^") : caret.rindex("^") + 1] == "HERE"
    assert excerpt.removeprefix("  1 | ").startswith("…")
    assert excerpt.endswith("…")


def test_nothing_from_a_file_reaches_the_terminal_as_a_command() -> None:
    escape = "\x1b[2J\u202e"
    shown = as_text([finding(f"{escape}x", 4, file=f"{escape}.yaml", message=f"`{escape}`")])
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_json_is_one_object_with_counts(
    diagnose: Callable[..., LoadReport], every_key: str
) -> None:
    report = diagnose(every_key.replace("tolerance: 0.2", "tolerence: 0.2"))
    assert json.loads(as_json(report.diagnostics)) == {
        "errors": 1,
        "warnings": 0,
        "diagnostics": [
            {
                "file": "policy.yaml",
                "line": 27,
                "column": 65,
                "length": 9,
                "severity": "error",
                "code": "POL104",
                "title": "unknown key",
                "message": "`tolerence` is not a key of `spec.rules[0].strategy`",
                "hint": "did you mean `tolerance`?",
            }
        ],
    }


def test_a_diagnostic_without_a_hint_has_null_in_json() -> None:
    report = read_policy_texts([("a.yaml", "kind: 'x'\nspec: !!null ''\n")])
    assert {one["hint"] is None for one in json.loads(as_json(report.diagnostics))["diagnostics"]}


def test_github_annotations_escape_what_separates_them() -> None:
    one = finding("  x: 1", 3, 1, file="a,b:c.yaml", message="100%\nsure: yes, really")
    assert as_github([one]) == (
        "::error file=a%2Cb%3Ac.yaml,line=1,col=3,endColumn=4,title=POL104 unknown key"
        "::100%25\ufffdsure: yes, really%0Adid you mean `y`?\n"
    )


def test_as_one_line_a_diagnostic_has_place_severity_code_sentence_and_hint() -> None:
    assert str(finding("x", 1)) == "a.yaml:1:1: error POL104: `x` (did you mean `y`?)"
