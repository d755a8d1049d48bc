"""Which policies are about a deployment. Asked for every decision, so answered from an index."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.core.deployment import Deployment
    from trimtab.core.policy import Policy

PATTERN_ANSWERS_MAX = 100_000
"""Distinct deployments whose pattern matches are kept; beyond that the oldest answers go."""


class Matcher:
    """The policies in force, by exact name and by pattern.

    Patterns look only at base model, display name and region, so their answer is kept for each
    combination of these.
    """

    def __init__(self, policies: Iterable[Policy]) -> None:
        self.policies = tuple(policies)
        self._patterns = tuple(one for one in self.policies if one.selector.name is None)
        self._by_name: dict[str, tuple[Policy, ...]] = {}
        for policy in self.policies:
            name = policy.selector.name
            if name is not None:
                self._by_name[name] = (*self._by_name.get(name, ()), policy)
        self._by_traits: dict[tuple[str, str, str], tuple[Policy, ...]] = {}

    def policies_for(self, deployment: Deployment) -> tuple[Policy, ...]:
        """Return every policy that matches ``deployment``, those that name it first."""
        named = self._by_name.get(deployment.name, ())
        if not self._patterns:
            return named
        traits = (deployment.base_model, deployment.display_name, deployment.region)
        matching = self._by_traits.get(traits)
        if matching is None:
            matching = tuple(one for one in self._patterns if one.selector.matches(deployment))
            if len(self._by_traits) >= PATTERN_ANSWERS_MAX:
                del self._by_traits[next(iter(self._by_traits))]
            self._by_traits[traits] = matching
        return (*named, *matching) if named else matching
