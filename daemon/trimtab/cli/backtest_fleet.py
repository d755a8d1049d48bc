"""What the reader of a fleet's backtest has to know, beside what holds of every backtest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.fleet_fit import orders_for_nobody
from trimtab.simulation.backtest.moments import Moment, Quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from trimtab.core.deployment import Deployment
    from trimtab.simulation.backtest.past import Recording

CANNOT_BE_KNOWN_OF_A_FLEET = (
    "Not known of the fleet: whether accelerators beyond those that were really held would have been to be had; "
    "and what deployments that no policy here decides for would have asked for: they hold what they held."
)

WITHOUT_THE_FLEET = (
    "A Fleet was in force then, and none is tried: nothing is shared and nothing limited; name its file by "
    "--policy as well."
)


def fleet_notes(recording: Recording, names: Sequence[str]) -> tuple[str, ...]:
    """Return what the files order for nobody in the recording, and what the recording does not tell."""
    known: dict[str, Deployment] = {}
    is_told = False
    for one in recording.happenings():
        if isinstance(one, Moment):
            known.update(one.fleet)
        is_told = is_told or isinstance(one, Quoted)
    found = [
        f"{note[0].upper()}{note[1:]}."
        for note in orders_for_nobody(recording.terms.fleet, list(known.values()))
    ]
    fleet = recording.terms.fleet
    if fleet.quotas and not is_told:
        found.append(
            "The recording does not tell the quotas of the account: those of the files are all that is kept."
        )
    kinds = {known[name].shape.accelerator_type for name in names if name in known}
    found += [
        f"There is no price for {kind}: its cost is not known."
        for kind in sorted(kind for kind in kinds if kind is not None)
        if fleet.usd_an_hour(kind) is None and not fleet.spend_limits
    ]
    if not recording.terms.is_followed and fleet.spend_limits:
        found.append(
            "What was spent before the range is not known: every budget begins with nothing spent."
        )
    return (*found, CANNOT_BE_KNOWN_OF_A_FLEET)
