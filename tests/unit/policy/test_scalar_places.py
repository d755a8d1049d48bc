"""A character of a value is found in the file, in whatever style the scalar is written."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.policy.diagnostics import FileText, Findings, Span
from trimtab.policy.scalar_places import span_within
from trimtab.policy.yaml_nodes import read_nodes


def place(text: str, word: str, *, at: int = 0) -> str:
    """What the file shows at the place of ``word`` within the value of ``when``."""
    file = FileText("a.yaml", text)
    (root,) = read_nodes(Findings(file))
    value: Any = root.find(("when",))[1].data
    offset = value.index(word, at)
    span = span_within(file, root.value_span(("when",)), value, offset, len(word))
    return file.line(span.line)[span.column - 1 : span.column - 1 + span.length]


@pytest.mark.parametrize(
    "text",
    [
        "when: one > two",
        "when: &anchor one > two # two",
        "when: !!str one > two",
        "{ when: one > two }",
        "when: one\n  > \n\n  two",
        "when: 'one > two'",
        "when: 'one > ''\n\n  two'''",
        'when: "one > two"',
        'when: "one >\\x20two"',
        'when: "one\\u0020\\U0000003e \\\n  \\  two"',
        'when: "\\"one\\" > two"',
        "when: |\n  one >\n    two\n",
        "when: |-\n\n  one > two",
        "when: >2\n    one >\n  two\n",
        "when: > # two\n  one >\n\n  two\n",
    ],
)
def test_a_word_is_found_in_every_style(text: str) -> None:
    assert place(text, "two") == "two"


def test_an_escape_is_one_character() -> None:
    assert place('when: "a \\u00e9 \\n two"', "two") == "two"
    assert place('when: "a \\u00e9 \\n two"', "é") == "\\"


def test_beyond_the_end_is_the_place_after_the_last_character() -> None:
    file = FileText("a.yaml", "when: one >  \nthen: two\n")
    assert span_within(file, Span(1, 7), "one >", 5, 1) == Span(1, 12)


def test_a_text_that_says_something_else_gives_the_place_of_the_scalar() -> None:
    file = FileText("a.yaml", "when: one > two\n")
    assert span_within(file, Span(1, 7), "one < two", 6, 3) == Span(1, 7)


words = st.lists(
    st.sampled_from(["a", "bc", "'", '"', "''", "\\", "#", ":", "é", "🙂", "&", "- x", "|", "%"]),
    min_size=1,
    max_size=12,
)
gaps = st.sampled_from([" ", "  ", "\n", "\n\n", " \n "])


@settings(max_examples=200, deadline=None)
@given(
    words.flatmap(
        lambda some: st.tuples(
            st.just(some), st.lists(gaps, min_size=len(some), max_size=len(some))
        )
    ),
    st.sampled_from([None, "'", '"', "|", ">"]),
    st.integers(20, 60),
)
def test_every_character_of_any_text_is_found_where_it_stands(
    parts: tuple[list[str], list[str]], style: str | None, width: int
) -> None:
    value = "".join(word + gap for word, gap in zip(*parts, strict=True)).strip()
    dumped = yaml.dump(
        {"then": {"when": value}}, default_style=style, width=width, allow_unicode=True
    )
    file = FileText("a.yaml", dumped)
    (root,) = read_nodes(Findings(file))
    node = root.find(("then", "when"))[1]
    assert node.data == value
    for offset, letter in enumerate(value):
        span = span_within(file, node.span, value, offset, 1)
        shown = file.line(span.line)[span.column - 1 : span.column]
        if not letter.isspace():
            assert shown in (letter, "\\"), (dumped, offset)
