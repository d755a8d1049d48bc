"""Stage 1, freshness: is each signal usable, stale, or missing? Missing is never zero."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.signals import Freshness, read

if TYPE_CHECKING:
    from trimtab.core.signals import Reading
    from trimtab.core.stages.draft import Case, Draft

STAGE = "freshness"


def freshness(case: Case, draft: Draft) -> None:
    """Judge the latest sample of every declared signal by its contract."""
    latest = draft.memory.latest
    readings = [read(spec, latest.get(spec.name), case.now) for spec in case.policy.signals]
    draft.readings = tuple(readings)
    draft.note(STAGE, "; ".join(map(_sentence, readings)) or "no signal is declared")


def _sentence(reading: Reading) -> str:
    name = reading.spec.name
    if reading.value is not None:
        return f"{name} {reading.value:.4g}, {reading.age_seconds:.0f} s old"
    if reading.freshness is Freshness.STALE:
        return (
            f"{name} stale: {reading.age_seconds:.0f} s old, "
            f"allowed {reading.spec.max_age_seconds:.0f} s"
        )
    return f"{name} missing: never seen"
