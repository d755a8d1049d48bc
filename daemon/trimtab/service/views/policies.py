"""The policies in force with every value that counts, and the diagnostics of their files."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from trimtab.policy.effective import effective_values
from trimtab.policy.store import documents_of
from trimtab.web.views.policies import (
    BadFileView,
    DiagnosticView,
    PoliciesView,
    PolicyView,
    RuleView,
    ValueView,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from trimtab.clock import Clock
    from trimtab.core.engine import Engine
    from trimtab.core.policy import Policy, Selector
    from trimtab.policy.diagnostics import Diagnostic
    from trimtab.service.reload import PolicyFiles, Reloader


class PoliciesSeen:
    """Shows the policies. Their texts are read again in a thread, once for each version in force."""

    def __init__(
        self,
        clock: Clock,
        *,
        engine: Callable[[], Engine],
        files: PolicyFiles | None,
        reloader: Reloader | None,
        counts: Callable[[], Awaitable[Mapping[str, int]]],
    ) -> None:
        self._clock = clock
        self._engine = engine
        self._files = files
        self._reloader = reloader
        self._counts = counts
        self._read: tuple[Mapping[str, str], dict[str, tuple[ValueView, ...]]] = ({}, {})
        self._reading = asyncio.Lock()

    async def view(self) -> PoliciesView:
        """Return all of it."""
        counts = await self._counts()
        values = await self._values()
        status = None if self._reloader is None else self._reloader.status
        return PoliciesView(
            at=self._clock.now(),
            path=None if status is None else status.path,
            read_at=None if status is None else status.read_at,
            policies=tuple(
                _policy(one, values.get(one.origin, ()), counts.get(one.name, 0))
                for one in self._engine().policies
            ),
            diagnostics=diagnostic_views(() if self._files is None else self._files.diagnostics),
            bad_files=()
            if status is None
            else tuple(
                BadFileView(file=one.file, sentence=one.sentence, kept=one.kept)
                for one in status.bad
            ),
        )

    async def _values(self) -> dict[str, tuple[ValueView, ...]]:
        """Return the effective values by the origins of the policies."""
        if self._files is None:
            return {}
        async with self._reading:
            documents = self._files.documents
            if self._read[0] is not documents:
                self._read = documents, await asyncio.to_thread(_values_of, documents)
            return self._read[1]


def diagnostic_views(diagnostics: Iterable[Diagnostic]) -> tuple[DiagnosticView, ...]:
    """Return diagnostics as they are shown."""
    return tuple(
        DiagnosticView(
            file=one.file,
            line=one.line,
            column=one.column,
            length=one.length,
            severity=one.severity.value,
            code=one.code.id,
            message=one.message,
            hint=one.hint,
            excerpt=one.excerpt,
        )
        for one in diagnostics
    )


def _values_of(documents: Mapping[str, str]) -> dict[str, tuple[ValueView, ...]]:
    return {
        place.origin: tuple(
            ValueView(key=one.key, value=one.value, source=one.source.value, origin=one.origin)
            for one in effective_values(place)
        )
        for file in documents_of(documents.items())
        for place in file.places
    }


def _policy(policy: Policy, values: tuple[ValueView, ...], deployments: int) -> PolicyView:
    rules = [RuleView(name=rule.name, role=rule.role.value) for rule in policy.rules]
    rules += [RuleView(name=hold.name, role="hold") for hold in policy.holds]
    return PolicyView(
        name=policy.name,
        owner=policy.owner or None,
        origin=policy.origin,
        matches=matches_in_words(policy.selector),
        mode=policy.mode.value,
        actuation=policy.actuation.value,
        deployments=deployments,
        rules=tuple(rules),
        values=values,
    )


def matches_in_words(selector: Selector) -> str:
    """Say which deployments are meant."""
    parts = {
        "name": selector.name,
        "baseModel": selector.base_model,
        "displayName": selector.display_name,
        "region": None if selector.regions is None else " or ".join(selector.regions),
    }
    found = ", ".join(f"{key} {text}" for key, text in parts.items() if text is not None)
    return found or "every deployment"
