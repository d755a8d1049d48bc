"""The policies in ``valid/`` together use every key of the format, and nothing is said about them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from trimtab.policy import read_policies
from trimtab.policy.diagnostics import FileText, Findings
from trimtab.policy.registry import BUILT_IN
from trimtab.policy.schema import policy_schema
from trimtab.policy.yaml_nodes import read_nodes

VALID = Path(__file__).parent / "valid"
ALTERNATIVES_LEFT_OUT = {"percentage", "value"}
"""Keys of which exactly one may be given, in a strategy that has a single rule here."""


def keys_in(data: object) -> set[str]:
    if isinstance(data, dict):
        return set(data).union(*(keys_in(value) for value in data.values()))
    return set().union(*(keys_in(item) for item in data)) if isinstance(data, tuple) else set()


def test_nothing_is_said_about_a_policy_that_is_right() -> None:
    report = read_policies(VALID, sources={"fireworks", "gateway"})
    assert [str(one) for one in report.diagnostics] == []
    assert [policy.name for policy in report.policies] == [
        "every-key",
        "the-rest",
        "every-strategy",
    ]


def roots(kind: str) -> list[Any]:
    """The documents of a kind in all files, as plain data."""
    found = []
    for path in VALID.glob("*.yaml"):
        text = FileText(path.name, path.read_text(encoding="utf-8"))
        found += [root.data for root in read_nodes(Findings(text))]
    return [data for data in found if data["kind"] == kind]


def keys_of_format(kind: str) -> set[str]:
    schema = policy_schema(kind)
    parts = [schema, *schema["$defs"].values()]
    return {key for part in parts for key in part.get("properties", {})}


def test_they_use_every_key_and_every_strategy_of_the_format() -> None:
    used: set[str] = set()
    strategies: set[str] = set()
    for data in roots("ScalingPolicy"):
        used |= keys_in(data)
        rules = data["spec"]["rules"]
        strategies |= {rule["strategy"]["type"] for rule in rules if "strategy" in rule}
    assert keys_of_format("policy") - used == ALTERNATIVES_LEFT_OUT
    assert strategies == set(BUILT_IN)


@pytest.mark.parametrize(
    ("kind", "left_out"), [("Fleet", {"percent"}), ("Group", set())], ids=["Fleet", "Group"]
)
def test_they_use_every_key_of_the_documents_about_all_deployments(
    kind: str, left_out: set[str]
) -> None:
    used = set().union(*(keys_in(data) for data in roots(kind)))
    assert keys_of_format(kind.lower()) - used == left_out
