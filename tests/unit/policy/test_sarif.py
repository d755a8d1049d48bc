"""SARIF 2.1.0 as its readers need it: the required properties, indices that agree, stable fingerprints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from trimtab.policy import CODES, read_policies, read_policy_texts
from trimtab.policy.remedies import REMEDIES
from trimtab.policy.sarif import as_sarif

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.policy import Diagnostic

INVALID = Path(__file__).parent / "invalid"


def run_of(diagnostics: Sequence[Diagnostic]) -> Any:
    document = json.loads(as_sarif(diagnostics))
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    return run


@pytest.fixture(scope="module")
def diagnostics() -> Sequence[Diagnostic]:
    """What all invalid cases together give."""
    return read_policies(INVALID, sources={"fireworks"}).diagnostics


def test_every_code_has_a_remedy_and_no_remedy_is_left_over() -> None:
    assert list(REMEDIES) == list(CODES)


def test_every_code_is_a_rule_with_texts_of_its_own() -> None:
    rules = run_of([])["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(CODES)
    for rule in rules:
        code = CODES[rule["id"]]
        assert rule["shortDescription"]["text"] == code.title
        assert code.explanation in rule["help"]["text"]
        assert REMEDIES[code.id] in rule["help"]["markdown"]
        assert rule["defaultConfiguration"]["level"] in ("error", "warning")
    names = [rule["name"] for rule in rules]
    assert len(set(names)) == len(names)


def test_every_diagnostic_is_a_result_at_its_place(diagnostics: Sequence[Diagnostic]) -> None:
    run = run_of(diagnostics)
    assert len(run["results"]) == len(diagnostics) > 100
    for one, result in zip(diagnostics, run["results"], strict=True):
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["ruleId"] == one.code.id
        assert result["level"] == one.severity
        assert one.message in result["message"]["text"]
        (location,) = result["locations"]
        region = location["physicalLocation"]["region"]
        assert (region["startLine"], region["startColumn"]) == (one.line, one.column)
        assert region["endColumn"] > region["startColumn"] >= 1


def test_files_are_uris() -> None:
    def uri(name: str) -> str:
        run = run_of(read_policy_texts([(name, "")]).diagnostics)
        return str(run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"])

    assert uri("policies/chat prod.yaml") == "policies/chat%20prod.yaml"
    assert uri("/etc/trimtab/a.yaml") == "file:///etc/trimtab/a.yaml"


def test_a_finding_keeps_its_fingerprint_when_lines_above_it_come_and_go(fewest_keys: str) -> None:
    def fingerprints(text: str) -> list[str]:
        results = run_of(read_policy_texts([("a.yaml", text)]).diagnostics)["results"]
        return [result["partialFingerprints"]["trimtabLine/v1"] for result in results]

    text = f"{fewest_keys}  mood: good\n"
    (first,) = fingerprints(text)
    assert fingerprints(f"# a comment\n\n{text}") == [first]
    twice = f"{text}---\n{text.replace('still', 'other')}"
    assert len(set(fingerprints(twice))) == len(fingerprints(twice)) >= 2
