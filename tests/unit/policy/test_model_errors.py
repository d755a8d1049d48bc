"""pydantic's errors become sentences at the right place, even those that nobody foresaw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from trimtab.policy import not_yet, read_policy_texts
from trimtab.policy.diagnostics import FileText, Findings
from trimtab.policy.document import ScalingPolicy
from trimtab.policy.model_errors import keys_at, note_model_errors
from trimtab.policy.paths import path_of, show_path
from trimtab.policy.registry import STRATEGIES
from trimtab.policy.yaml_nodes import read_nodes

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.policy import LoadReport


def test_the_tag_of_a_union_is_no_place_in_the_file() -> None:
    rule = ("spec", "rules", 0, "strategy")
    assert path_of((*rule, "target", "tolerance")) == (*rule, "tolerance")
    # the key `target` of the strategy `target` is told from the tag
    assert path_of((*rule, "target", "target")) == (*rule, "target")
    assert path_of(rule) == rule


def test_a_signal_called_like_a_strategy_keeps_its_place() -> None:
    loc = ("spec", "signals", "strategy", "target", "source")
    assert path_of(loc) == loc


def test_an_error_type_that_is_not_translated_still_has_code_place_and_sentence(
    fewest_keys: str,
) -> None:
    findings = Findings(FileText("a.yaml", fewest_keys))
    (root,) = read_nodes(findings)
    error: Any = {
        "type": "from_a_later_pydantic",
        "loc": ("metadata", "name"),
        "msg": "Input should be\nsomething else",
        "input": "still",
    }
    note_model_errors(findings, [error], root, ScalingPolicy)
    (diagnostic,) = findings.diagnostics
    assert str(diagnostic) == (
        "a.yaml:3:18: error POL299: `metadata.name`: Input should be something else"
    )


@pytest.mark.parametrize(
    ("loc", "keys"),
    [
        ((), ["apiVersion", "kind", "metadata", "spec"]),
        (("spec", "signals", "requests", "missing"), ["up", "down"]),
        (("spec", "rules", 3, "strategy", "fixed"), ["type", "replicas"]),
        (("spec", "behavior", "scaleDown", "limits", 0), ["percent", "replicas", "period"]),
        (("spec", "rules", 3, "strategy"), []),
        (("spec", "nowhere", "deeper"), []),
    ],
)
def test_the_keys_of_a_section_are_those_of_its_model(
    loc: tuple[str | int, ...], keys: list[str]
) -> None:
    assert keys_at(ScalingPolicy, loc) == keys


def test_a_path_is_shown_as_people_write_it() -> None:
    assert show_path(("spec", "rules", 2, "strategy")) == "spec.rules[2].strategy"


def test_nothing_is_refused_as_unsupported_that_is_supported() -> None:
    assert not_yet.STRATEGIES.isdisjoint(STRATEGIES)
    for key in not_yet.KEYS:
        *section, name = key.split(".")
        loc = tuple(0 if step == "*" else step for step in section)
        assert keys_at(ScalingPolicy, loc), key
        assert name not in keys_at(ScalingPolicy, loc), key


def test_what_follows_from_an_unsupported_rule_is_not_reported_as_well(
    diagnose: Callable[..., LoadReport], fewest_keys: str
) -> None:
    rule = "{name: more, role: demand, strategy: {type: spend}, signals: [requests]}"
    text = fewest_keys.replace("rules: [", f"rules: [{rule}, ")
    codes = [one.code.id for one in diagnose(text).diagnostics]
    assert codes == ["POL103"]  # and not another one for `signals`


def test_the_steps_that_tell_rules_from_holds_are_no_places_in_the_file() -> None:
    rule = ("spec", "rules", 0)
    assert path_of((*rule, "rule", "strategy", "target", "tolerance")) == (
        *rule,
        "strategy",
        "tolerance",
    )
    assert path_of((*rule, "hold", "when")) == (*rule, "when")
    assert path_of((*rule, "rule", "hold")) == (*rule, "hold")
    assert keys_at(ScalingPolicy, (*rule, "hold")) == ["name", "role", "when", "blocks", "timezone"]


@pytest.mark.parametrize(
    "text", ['"[key]": 1', 'spec: {signals: {"[key]": 1}}', 'spec: {"[key]": 1}']
)
def test_a_key_that_looks_like_pydantics_mark_for_keys_is_a_key(text: str) -> None:
    report = read_policy_texts([("p.yaml", f"kind: ScalingPolicy\n{text}\n")])
    said = [one.message for one in report.diagnostics if "[key]" in one.message]
    assert said
