"""What a policy's ``query`` says of a push source: ``sum(rate(name{label="value"}))``, each part optional.

Matchers are ``=``, ``!=``, ``=~`` and ``!~``, as in PromQL; a label that is absent is the empty string.
Regular expressions match whole values and are bounded: whatever could make the engine backtrack
without end (repeated groups, many quantifiers, look-around, back-references) is refused.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

QUERY_CHARACTERS_MAX = 1000
PATTERN_CHARACTERS_MAX = 200
QUANTIFIERS_MAX = 3
GROUPS_MAX = 3
VALUE_CHARACTERS_MAX = 256
"""A longer value matches no regular expression, so that no value can keep us busy."""

_CALL = re.compile(r"(sum|avg|max|rate)\s*\(\s*(.*?)\s*\)", re.DOTALL)
_SELECTOR = re.compile(r'([^\s{}(),="]+)\s*(?:\{(.*)\})?', re.DOTALL)
_MATCHER = re.compile(
    r'\s*([^\s{}(),="!~]+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(,|\Z)', re.DOTALL
)
_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", '"': '"'}


class QueryError(ValueError):
    """A query that cannot be meant; the message says why, as the second half of a sentence."""


class Combine(StrEnum):
    """What several series of one signal are together."""

    SUM = "sum"
    AVG = "avg"
    MAX = "max"


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on one label. ``pattern`` is set for the two that are regular expressions."""

    label: str
    value: str
    is_negated: bool = False
    pattern: re.Pattern[str] | None = None

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether the labels are as this condition says."""
        found = labels.get(self.label, "")
        if self.pattern is None:
            is_equal = found == self.value
        else:
            is_equal = len(found) <= VALUE_CHARACTERS_MAX and bool(self.pattern.fullmatch(found))
        return is_equal is not self.is_negated


@dataclass(frozen=True, slots=True)
class Query:
    """A selector of series, whether their rate is meant, and what several of them are together."""

    name: str
    matchers: tuple[Matcher, ...] = ()
    is_rate: bool = False
    combine: Combine | None = None

    def fits(self, labels: Mapping[str, str]) -> bool:
        """Whether a series of this name is meant."""
        return all(matcher.fits(labels) for matcher in self.matchers)


@lru_cache(maxsize=65_536)
def parse_query(text: str) -> Query:
    """Read a query. Raises ``QueryError``."""
    if len(text) > QUERY_CHARACTERS_MAX:
        raise QueryError(f"is longer than {QUERY_CHARACTERS_MAX} characters")
    rest, combine, is_rate = text.strip(), None, False
    while (call := _CALL.fullmatch(rest)) is not None:
        word, rest = call[1], call[2]
        if is_rate or (combine is not None and word != "rate"):
            raise QueryError("has its functions twice or in another order than sum(rate(name))")
        if word == "rate":
            is_rate = True
        else:
            combine = Combine(word)
    selector = _SELECTOR.fullmatch(rest)
    if selector is None:
        raise QueryError('is not of the form sum(rate(name{label="value"})), each part optional')
    return Query(selector[1], _matchers(selector[2] or ""), is_rate, combine)


def _matchers(text: str) -> tuple[Matcher, ...]:
    found: list[Matcher] = []
    at = 0
    while text[at:].strip():
        match = _MATCHER.match(text, at)
        if match is None:
            raise QueryError(f'has no matcher at {text[at:][:30]!r}; write it as in label="value"')
        label, sign, value = match[1], match[2], _unescaped(match[3])
        pattern = bounded_pattern(value) if "~" in sign else None
        found.append(Matcher(label, value, sign.startswith("!"), pattern))
        at = match.end()
    return tuple(found)


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", lambda match: _ESCAPES.get(match[1], match[0]), text, flags=re.DOTALL)


def bounded_pattern(text: str) -> re.Pattern[str]:
    """Compile a regular expression that cannot take long. Raises ``QueryError``."""
    if len(text) > PATTERN_CHARACTERS_MAX:
        raise QueryError(f"has a pattern of more than {PATTERN_CHARACTERS_MAX} characters")
    plain = re.sub(r"\\[^0-9]", "_", text)  # what is escaped has no special meaning
    if "\\" in plain or "(?" in plain:
        raise QueryError(f"has a pattern with a back-reference or (?…): {text!r}")
    plain = re.sub(r"\[\^?\]?[^\]]*\]", "_", plain)
    if re.search(r"\)[*+?{]", plain):
        raise QueryError(
            f"has a pattern that repeats a group: {text!r}; repeat a character or class"
        )
    quantifiers, groups = len(re.findall(r"[*+?{]", plain)), plain.count("(")
    if quantifiers > QUANTIFIERS_MAX or groups > GROUPS_MAX:
        raise QueryError(
            f"has a pattern with {quantifiers} quantifiers and {groups} groups: {text!r}; "
            f"use at most {QUANTIFIERS_MAX} and {GROUPS_MAX}"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", FutureWarning)  # what may mean something else one day
            return re.compile(text)
    except (re.error, OverflowError, FutureWarning) as error:
        raise QueryError(f"has a pattern that is none: {error}") from None
