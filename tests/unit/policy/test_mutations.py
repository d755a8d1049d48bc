"""Whatever happens to a valid policy, the answer is a policy or diagnostics with a place."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.policy import as_github, as_json, as_sarif, as_text, read_policy_texts
from trimtab.policy.diagnostics import FileText

POLICIES = Path(__file__).parents[3] / "policies"
EVERY_FEATURE = Path(__file__).parent / "valid"
VALID = [
    path.read_text(encoding="utf-8")
    for folder in (POLICIES, EVERY_FEATURE)
    for path in sorted(folder.rglob("*.yaml"))
    if path.parent.name != "tests"  # documents of another kind
]
DOCUMENTS = [document for text in VALID for document in yaml.safe_load_all(text)]

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(min_value=-(10**20), max_value=10**20),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["90s", "1h30m", "-5m", "requests", "target", "hold", "max", "*", "<<", "type"]
    ),
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


def check(text: str) -> None:
    """Read ``text`` and hold the answer to what is promised of every answer."""
    report = read_policy_texts([("a.yaml", text)], sources={"fireworks"})
    lines = FileText("a.yaml", text).lines
    for one in report.diagnostics:
        assert 1 <= one.line <= len(lines)
        assert 1 <= one.column <= len(lines[one.line - 1]) + 1
        assert one.length >= 1
        assert one.message
        assert "\n" not in one.message + one.hint
    assert report.is_valid or not (report.policies or report.groups or report.fleet.origins)
    for show in (as_text, as_json, as_github, as_sarif):
        show(report.diagnostics).encode()


def paths(data: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [at] if at else []
    if isinstance(data, dict | list):
        for key, value in data.items() if isinstance(data, dict) else enumerate(data):
            found += paths(value, (*at, key))
    return found


def part(data: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        data = data[step]
    return data


@st.composite
def mutated_documents(draw: st.DrawFn) -> str:
    """A shipped policy in which some values are replaced, keys renamed, parts removed or doubled."""
    data = deepcopy(draw(st.sampled_from(DOCUMENTS)))
    for _ in range(draw(st.integers(min_value=1, max_value=3))):
        if not (places := paths(data)):
            break
        *head, last = draw(st.sampled_from(places))
        parent = part(data, tuple(head))
        match draw(st.sampled_from(["replace", "rename", "remove", "double"])):
            case "rename" if isinstance(parent, dict):
                parent[draw(st.one_of(st.text(max_size=8), st.integers()))] = parent.pop(last, None)
            case "remove":
                del parent[last]
            case "double" if isinstance(parent, list):
                parent.append(parent[last])
            case _:
                parent[last] = draw(values)
    return str(yaml.safe_dump(data, allow_unicode=True, sort_keys=False))


@st.composite
def mutated_texts(draw: st.DrawFn) -> str:
    """A shipped policy in which some stretches of text are cut out or overwritten."""
    text = draw(st.sampled_from(VALID))
    for _ in range(draw(st.integers(min_value=1, max_value=3))):
        start = draw(st.integers(min_value=0, max_value=len(text)))
        end = min(len(text), start + draw(st.integers(min_value=0, max_value=12)))
        bits = st.sampled_from(
            [*"{}[]:,-?&*!|>'\"%@`#~\t\n\r \\", "- ", ": ", "<<: *a", "&a ", "\\uD800", "\x85"]
        )
        new = draw(st.one_of(st.text(max_size=4), st.lists(bits, max_size=4).map("".join)))
        text = text[:start] + new + text[end:]
    return text


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(mutated_documents())
def test_a_mutated_document_gives_policies_or_diagnostics_with_a_place(text: str) -> None:
    check(text)


@pytest.mark.slow
@settings(max_examples=400, deadline=None)
@given(mutated_texts())
def test_a_mutated_text_gives_policies_or_diagnostics_with_a_place(text: str) -> None:
    check(text)


@given(values)
def test_any_data_gives_diagnostics(data: Any) -> None:
    check(str(yaml.safe_dump(data, allow_unicode=True)))
