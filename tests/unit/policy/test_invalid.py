"""Every policy in ``invalid/`` gives exactly the diagnostics in the text file beside it.

After a change that is meant, write the texts anew with ``python tests/unit/policy/test_invalid.py``
and read what changed: each must still say where, what and what to do.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from trimtab.errors import PolicyError
from trimtab.policy import CODES, Severity, as_text, load_policies, read_policies
from trimtab.service.query_checks import sources_declared

INVALID = Path(__file__).parent / "invalid"
CASES = sorted(path.name for path in INVALID.iterdir() if path.suffix != ".txt")
SOURCES = sources_declared({"gateway": {"type": "prometheus"}})


def diagnose(name: str) -> str:
    return as_text(read_policies(name, sources=SOURCES).diagnostics)


def expected_file(name: str) -> Path:
    return INVALID / f"{name.removesuffix('.yaml')}.txt"


@pytest.fixture(autouse=True)
def _in_the_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(INVALID)  # so that the texts name files as somebody there would


@pytest.mark.parametrize("name", CASES)
def test_an_invalid_policy_gives_the_diagnostics_beside_it(name: str) -> None:
    assert diagnose(name) == expected_file(name).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", CASES)
def test_every_diagnostic_points_into_its_file(name: str) -> None:
    for one in read_policies(name, sources=SOURCES).diagnostics:
        assert one.line >= 1
        assert one.column >= 1
        assert one.length >= 1
        path = Path(one.file)
        if path.is_file():
            lines = path.read_bytes().decode(errors="replace").split("\n")
            assert one.line <= len(lines)
            assert one.column <= len(lines[one.line - 1]) + 1


@pytest.mark.parametrize("name", CASES)
def test_loading_raises_with_all_diagnostics_exactly_when_there_is_an_error(name: str) -> None:
    report = read_policies(name, sources=SOURCES)
    if report.is_valid:
        assert load_policies(name, sources=SOURCES).warnings == report.diagnostics
    else:
        with pytest.raises(PolicyError) as caught:
            load_policies(name, sources=SOURCES)
        assert caught.value.diagnostics == report.diagnostics


def test_the_cases_together_show_every_code() -> None:
    seen = {
        one.code.id for name in CASES for one in read_policies(name, sources=SOURCES).diagnostics
    }
    seen |= {one.code.id for one in read_policies("no-such-path").diagnostics}
    of_policies = {
        code for code in CODES if not code.startswith("POL5")
    }  # those are of policy tests
    unseen = {
        "POL299",  # the net below everything else; see test_model_errors
        "POL307",  # an installation without expressions; see test_expressions
        "POL314",  # of a change, not of a file; see test_inherited
    }
    assert of_policies - seen == unseen


def test_only_the_codes_from_400_are_warnings() -> None:
    for code in CODES.values():
        assert (code.severity is Severity.WARNING) == code.id.startswith("POL4")


def test_no_expected_text_is_left_over() -> None:
    texts = {path.name for path in INVALID.iterdir() if path.suffix == ".txt"}
    assert texts == {expected_file(name).name for name in CASES}


if __name__ == "__main__":
    os.chdir(INVALID)
    for case in CASES:
        expected_file(case).write_text(diagnose(case), encoding="utf-8")
