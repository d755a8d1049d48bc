"""Which policies are about a deployment. Asked for every decision, so answered from an index.

Policies that name a deployment are found by that name. The characters of a pattern before its first
wildcard mean themselves, and so do those after its last: it can only match a text with that head and
that tail. Patterns are kept by the head or the tail of what they say about the display name, whichever
is longer, or else by the head of what they say about the base model. Only those that are found so are
compared in full. Patterns of one fleet have few different lengths of heads, so this is a few look-ups
where it would be a comparison with every policy. What begins and ends with a wildcard (``*-chat-*``)
cannot be found so, and is compared with every deployment.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from trimtab.core.deployment import POLICY_ANNOTATION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from trimtab.core.deployment import Deployment
    from trimtab.core.policy import Policy, Selector

ANSWERS_MAX = 100_000
"""Distinct deployments whose pattern matches are kept; beyond that the oldest answers go."""

_WILDCARD = re.compile(r"[*?\[]")


class Matcher:
    """The policies in force, by exact name and by pattern.

    Patterns look only at base model, display name and region, so their answer is kept for each
    combination of these.
    """

    def __init__(self, policies: Iterable[Policy]) -> None:
        self.policies = tuple(policies)
        self._by_name: dict[str, tuple[Policy, ...]] = {}
        self._by_display_name = _Beginnings()
        self._by_display_name_reversed = _Beginnings()
        self._by_base_model = _Beginnings()
        self._has_patterns = False
        for number, policy in enumerate(self.policies):
            name = policy.selector.name
            if name is not None:
                self._by_name[name] = (*self._by_name.get(name, ()), policy)
            else:
                self._has_patterns = True
                self._add_pattern(policy.selector, number)
        self._by_traits: dict[tuple[str, str, str], tuple[Policy, ...]] = {}

    def _add_pattern(self, selector: Selector, number: int) -> None:
        head, tail = _head(selector.display_name), _tail(selector.display_name)
        if not head and not tail:
            self._by_base_model.add(_head(selector.base_model), number)
        elif len(head) >= len(tail):
            self._by_display_name.add(head, number)
        else:
            self._by_display_name_reversed.add(tail[::-1], number)

    def policies_for(self, deployment: Deployment) -> tuple[Policy, ...]:
        """Return every policy that matches ``deployment``: those that name it, then the others.

        Each of the two in the order in which the policies were given. Of them all only the one counts that the
        deployment's own annotation names, if it names any.
        """
        found = self._all_for(deployment)
        chosen = deployment.annotations.get(POLICY_ANNOTATION)
        return found if chosen is None else tuple(one for one in found if one.name == chosen)

    def _all_for(self, deployment: Deployment) -> tuple[Policy, ...]:
        named = self._by_name.get(deployment.name, ())
        if not self._has_patterns:
            return named
        traits = (deployment.base_model, deployment.display_name, deployment.region)
        matching = self._by_traits.get(traits)
        if matching is None:
            matching = tuple(self._matching(deployment))
            if len(self._by_traits) >= ANSWERS_MAX:
                del self._by_traits[next(iter(self._by_traits))]
            self._by_traits[traits] = matching
        return (*named, *matching) if named else matching

    def _matching(self, deployment: Deployment) -> Iterator[Policy]:
        candidates = [
            *self._by_display_name.found_in(deployment.display_name),
            *self._by_display_name_reversed.found_in(deployment.display_name[::-1]),
            *self._by_base_model.found_in(deployment.base_model),
        ]
        for number in sorted(candidates):
            policy = self.policies[number]
            if _fits(policy.selector, deployment):
                yield policy


class _Beginnings:
    """Numbers of policies by what a text must begin with; ``""`` is the beginning of every text."""

    def __init__(self) -> None:
        self._numbers: dict[str, list[int]] = {}
        self._lengths: set[int] = set()

    def add(self, beginning: str, number: int) -> None:
        self._numbers.setdefault(beginning, []).append(number)
        self._lengths.add(len(beginning))

    def found_in(self, text: str) -> Iterator[int]:
        for length in self._lengths:
            if length <= len(text):
                yield from self._numbers.get(text[:length], ())


def _fits(selector: Selector, deployment: Deployment) -> bool:
    """As ``selector.matches``, for patterns only, and without a regular expression where it can be."""
    return (
        _globs(selector.display_name, deployment.display_name)
        and _globs(selector.base_model, deployment.base_model)
        and (selector.regions is None or deployment.region in selector.regions)
    )


def _globs(pattern: str | None, text: str) -> bool:
    if pattern is None or pattern == text == _head(pattern):
        return True
    head = _head(pattern)
    if len(pattern) == len(head) + 1 and pattern[-1] == "*":
        return text.startswith(head)
    return fnmatchcase(text, pattern)


def _head(pattern: str | None) -> str:
    """Return what every text that matches begins with; ``None`` matches every text."""
    return "" if pattern is None else _WILDCARD.split(pattern, maxsplit=1)[0]


def _tail(pattern: str | None) -> str:
    """Return what every text that matches ends with."""
    if pattern is None or "[" in pattern:  # a bracket ends somewhere, or never: not worth knowing
        return ""
    return _WILDCARD.split(pattern)[-1]
