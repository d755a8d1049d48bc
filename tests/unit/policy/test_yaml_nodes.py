"""Reading YAML: values by the core schema, positions by character, and no way to break the reader."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from trimtab.policy import yaml_nodes
from trimtab.policy.diagnostics import Diagnostic, FileText, Findings, Span
from trimtab.policy.yaml_nodes import Node, core_scalar, read_nodes


def read(text: str) -> tuple[list[Node], list[Diagnostic]]:
    findings = Findings(FileText("file.yaml", text))
    return read_nodes(findings), findings.diagnostics


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("~", None),
        ("null", None),
        ("true", True),
        ("FALSE", False),
        ("12", 12),
        ("-7", -7),
        ("010", 10),
        ("0o17", 15),
        ("0xff", 255),
        ("1.5", 1.5),
        (".5", 0.5),
        ("2.", 2.0),
        ("1e3", 1000.0),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        # text, whatever YAML 1.1 thought of it
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("1:30", "1:30"),
        ("1_000", "1_000"),
        ("0b11", "0b11"),
        ("2026-01-01", "2026-01-01"),
        ("90s", "90s"),
        ("-", "-"),
        ("+", "+"),
        (".", "."),
    ],
)
def test_a_plain_scalar_is_what_the_yaml_1_2_core_schema_says(text: str, value: object) -> None:
    result = core_scalar(text)
    assert result == value
    assert type(result) is type(value)


def test_not_a_number_is_a_float() -> None:
    value = core_scalar(".nan")
    assert isinstance(value, float)
    assert math.isnan(value)


def test_a_number_too_long_to_be_meant_stays_text() -> None:
    assert core_scalar("9" * 5000) == "9" * 5000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"12"', "12"),
        ("'true'", "true"),
        ("!!str 12", "12"),
        ("! 12", "12"),
        ("!!int 12", 12),
        ("!!float 12", 12.0),
        ("|\n  two\n  lines\n", "two\nlines\n"),
    ],
)
def test_quotes_and_core_tags_decide_the_type(text: str, value: object) -> None:
    (root,), diagnostics = read(text)
    assert diagnostics == []
    assert root.data == value
    assert type(root.data) is type(value)


@pytest.mark.parametrize(
    "text", ["!!int x", "!!bool 1", "!!binary aGk=", "!own 1", "!!set {a}", "!x [1]"]
)
def test_any_other_tag_is_refused_and_nothing_is_built_from_it(text: str) -> None:
    _, diagnostics = read(text)
    assert [one.code.id for one in diagnostics if one.code.id == "POL009"] == ["POL009"]


def test_lists_become_tuples_so_that_nothing_downstream_changes_them() -> None:
    (root,), _ = read("a: [1, [2, 3]]")
    assert root.data == {"a": (1, (2, 3))}


def test_positions_count_characters_and_not_bytes() -> None:
    (root,), _ = read("größe: {länge: 1, straße: zwölf}\n")
    assert root.key_span(("größe", "straße")) == Span(1, 19, 6)
    assert root.value_span(("größe", "straße")) == Span(1, 27, 5)


def test_a_place_that_does_not_exist_is_shown_at_the_nearest_section_around_it() -> None:
    (root,), _ = read("a:\n  b: 1\n")
    assert root.value_span(("a", "x", 3)) == root.key_span(("a",)) == Span(1, 1, 1)


def test_an_alias_repeats_its_anchor() -> None:
    (root,), diagnostics = read("a: &x {b: [1]}\nc: *x\n")
    assert diagnostics == []
    assert root.data == {"a": {"b": (1,)}, "c": {"b": (1,)}}


def test_an_anchor_may_be_set_again_and_the_last_one_counts() -> None:
    (root,), diagnostics = read("a: &x 1\nb: &x 2\nc: *x\n")
    assert diagnostics == []
    assert root.data == {"a": 1, "b": 2, "c": 2}


def test_of_a_duplicate_key_the_first_is_kept_and_the_second_is_reported() -> None:
    (root,), (diagnostic,) = read("a: 1\nb: 2\na: 3\n")
    assert root.data == {"a": 1, "b": 2}
    assert (diagnostic.code.id, diagnostic.line) == ("POL006", 3)


def test_documents_before_a_fault_are_kept() -> None:
    roots, diagnostics = read("a: 1\n---\n---\nb: 2\n---\nc: [\n")
    assert [root.data for root in roots] == [{"a": 1}, {"b": 2}]
    assert [one.code.id for one in diagnostics] == ["POL004"]


@pytest.mark.parametrize(
    "text",
    ["[" * 100_000, "{a: " * 50_000, "- " * 100_000 + "x", "? " * 50_000],
    ids=["brackets", "braces", "dashes", "question marks"],
)
def test_a_file_of_open_brackets_is_a_diagnostic_and_not_a_crash(text: str) -> None:
    _, diagnostics = read(text)
    assert [one.code.id for one in diagnostics] == ["POL008"]


def test_an_anchor_bomb_costs_nothing() -> None:
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 200)]
    roots, diagnostics = read("\n".join(lines))
    assert roots == []
    assert [one.code.id for one in diagnostics] == ["POL008"]


def test_line_breaks_of_other_systems_count_as_lines() -> None:
    _, (diagnostic,) = read("a: 1\r\nb: 2\ra: 3\n")
    assert (diagnostic.line, diagnostic.excerpt) == (3, "a: 3")


TEXTS = {
    path.stem: path.read_bytes().decode(errors="replace")
    for path in sorted(Path(__file__).parent.glob("invalid/*.yaml"))
    if path.stem != "control-character"  # refused before YAML is read
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_both_readers_of_pyyaml_find_the_same(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fast_roots, fast = read(text)
    monkeypatch.setattr(yaml_nodes, "EventReader", yaml.SafeLoader)
    slow_roots, slow = read(text)
    assert repr([root.data for root in slow_roots]) == repr([root.data for root in fast_roots])
    assert [one.code for one in slow] == [one.code for one in fast]
    if all(one.code.id != "POL004" for one in fast):  # they give up at slightly different places
        assert slow == fast


@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=60))
def test_any_text_is_read_to_documents_or_to_a_diagnostic_in_the_text(text: str) -> None:
    roots, diagnostics = read(text)
    lines = FileText("", text).lines
    for one in diagnostics:
        assert 1 <= one.line <= len(lines)
        assert 1 <= one.column <= len(lines[one.line - 1]) + 1
    assert diagnostics or all(root.data is not None for root in roots)
