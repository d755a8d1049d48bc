"""Label selectors as the API writes them: ``app=chat,tier in (a, b),!canary``.

The server selects what is listed and watched. This says the same of one object that was read by its
name. Grammar and meaning: Kubernetes, "Labels and selectors". A key that is absent satisfies ``!=``
and ``notin``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEY = (
    r"(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?"
)
_VALUE = r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?"
_TERM = re.compile(
    rf"\s*(?:(?P<not>!)\s*(?P<absent>{_KEY})"
    rf"|(?P<key>{_KEY})\s*(?:(?P<is>==|=|!=)\s*(?P<value>{_VALUE})"
    rf"|\s(?P<set>in|notin)\s*\((?P<values>[^()]*)\))?)\s*"
)
_SPLIT = re.compile(r",(?![^(]*\))")


class _Term(NamedTuple):
    key: str
    values: frozenset[str] | None
    """``None``: any."""

    is_wanted: bool


class Selector:
    """A parsed selector. Raises ``ValueError`` for a text that is none; an empty one selects all."""

    def __init__(self, text: str) -> None:
        self.text = text.strip()
        parts = _SPLIT.split(self.text) if self.text else []
        self._terms = tuple(map(_term, parts))

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Whether an object with these labels is selected."""
        return all(_holds(term, labels) for term in self._terms)


def _term(text: str) -> _Term:
    found = _TERM.fullmatch(text)
    if found is None:
        raise ValueError(
            f"{text.strip()!r} is no part of a label selector; write it as in app=chat"
        )
    if found["absent"] is not None:
        return _Term(found["absent"], None, is_wanted=False)
    if found["is"] is not None:
        return _Term(found["key"], frozenset({found["value"]}), is_wanted=found["is"] != "!=")
    if found["set"] is not None:
        values = [one.strip() for one in found["values"].split(",")]
        for value in values:
            if re.fullmatch(_VALUE, value) is None:
                raise ValueError(f"{value!r} is no value of a label")
        return _Term(found["key"], frozenset(values), is_wanted=found["set"] == "in")
    return _Term(found["key"], None, is_wanted=True)


def _holds(term: _Term, labels: Mapping[str, str]) -> bool:
    if term.values is None:
        return (term.key in labels) is term.is_wanted
    return (term.key in labels and labels[term.key] in term.values) is term.is_wanted
