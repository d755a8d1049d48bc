"""Label selectors mean here what they mean to the server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.servers.kubernetes_api.selectors import labels_match

from trimtab.kubernetes.selectors import Selector

KEYS = ["app", "tier", "trimtab.dev/managed"]
VALUES = ["", "a", "chat", "true"]
LABELS = st.dictionaries(st.sampled_from(KEYS), st.sampled_from(VALUES))


@st.composite
def terms(draw: st.DrawFn) -> str:
    key = draw(st.sampled_from(KEYS))
    values = draw(st.lists(st.sampled_from(VALUES), min_size=1, max_size=3))
    return draw(
        st.sampled_from(
            [
                f"{key}",
                f"!{key}",
                f"{key}={values[0]}",
                f"{key}=={values[0]}",
                f"{key}!={values[0]}",
                f"{key} in ({','.join(values)})",
                f"{key} notin ({', '.join(values)})",
            ]
        )
    )


@given(st.lists(terms(), max_size=3), LABELS)
def test_a_selector_selects_what_the_server_selects(
    parts: list[str], labels: dict[str, str]
) -> None:
    text = ",".join(parts)
    assert Selector(text).matches(labels) is labels_match(text)(labels)


@pytest.mark.parametrize(
    "text", ["a b", "=a", "a in b", "a in (b", "a,,b", "a=b c", "-a=b", "a=" + "b" * 64, "a>1"]
)
def test_what_is_no_selector_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="label"):
        Selector(text)


@given(st.text(max_size=40))
def test_no_text_does_worse_than_be_refused(text: str) -> None:
    try:
        Selector(text).matches({"app": "chat"})
    except ValueError:
        return
