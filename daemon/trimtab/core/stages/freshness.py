"""Stage 1, freshness: is each signal usable, stale, or missing? Missing is never zero."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from trimtab.core.signals import Freshness, read

if TYPE_CHECKING:
    from trimtab.core.signals import Reading
    from trimtab.core.stages.draft import Case, Draft

STAGE = "freshness"


def freshness(case: Case, draft: Draft) -> Draft:
    """Judge the latest sample of every declared signal by its contract."""
    readings = tuple(
        read(spec, draft.memory.latest.get(spec.name), case.now) for spec in case.policy.signals
    )
    draft = replace(
        draft, readings=readings, readings_by_name={one.spec.name: one for one in readings}
    )
    return draft.note(STAGE, "; ".join(map(_sentence, readings)) or "no signal is declared")


def _sentence(reading: Reading) -> str:
    name = reading.spec.name
    if reading.freshness is Freshness.USABLE:
        return f"{name} {reading.value:.4g}, {reading.age_seconds:.0f} s old"
    if reading.freshness is Freshness.STALE:
        return (
            f"{name} stale: {reading.age_seconds:.0f} s old, "
            f"allowed {reading.spec.max_age_seconds:.0f} s"
        )
    return f"{name} missing: never seen"
