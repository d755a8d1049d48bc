"""What would have to change for a decision to be another one, read off the decision itself.

Nothing is computed anew: the trail says which step decided, the reason what a person can do about it, the
bounds who set them, and the proposals which rule would have been next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from trimtab.core.decision import Reason

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trimtab.web.views.decision import DecisionView, ProposalView

RAISING_ROLES = frozenset({"demand", "floor"})
LEFT_ALONE: Mapping[str, str] = {
    Reason.DEMAND: "It follows what the rule reads: another count comes with another load.",
    Reason.BOUNDS: "Another bound in place of the one that it was brought back to.",
    Reason.WAKE: "It goes back to zero when nothing has been asked of it for long enough.",
    Reason.HAND_BACK: "The next start of trimtab takes the deployment over again.",
    Reason.PINNED: "End the pin, or wait until it ends by itself; the rules decide then.",
    Reason.STEADY: "Another load, or another proposal of a rule: nothing keeps it here.",
    Reason.PAUSED: "End the pause, or wait until it ends by itself; nothing is written before.",
    Reason.BLOCKED_BY_OVERRIDE: "End the block, or wait until it ends; the other direction is open.",
    Reason.OUT_OF_BAND: "Wait: somebody has just changed its bounds, and gets time to finish.",
    Reason.RECLAIMED: "The team below its guarantee needs them no more, or its own rules ask again.",
    Reason.NOT_FREE_YET: "Time: others are giving the accelerators back.",
    Reason.AWAITING_GRANT: "The word of the daemon that leads; it comes within seconds.",
    Reason.GROUP: "The mix of its group, which changes with the demand and with prices.",
    Reason.WRITE_IN_FLIGHT: "The end of the last write: it is decided anew then.",
}
"""What would change a decision of which nobody has to do anything."""

ENDS_OF = {
    "at_min": ("least",),
    "at_max": ("most",),
    "bounds": ("least", "most"),
    "bounds_conflict": ("least", "most"),
}
"""Which ends of the bounds a reason is about."""


class Lever(NamedTuple):
    """One thing to know about why it is this count: what it is about, and a sentence."""

    about: str
    sentence: str


def levers(decision: DecisionView) -> tuple[Lever, ...]:
    """Say what decided, what would have to change, and what would decide then."""
    found: list[Lever] = []
    change = decision.change
    if change.step is not None:
        step = decision.trail[change.step]
        is_told = step.sentence in decision.sentence
        said = "the step that is marked in the trail" if is_told else step.sentence
        found.append(Lever(f"Decided by {step.stage}", said))
    found.append(Lever("Which means", change.meaning))
    found.append(Lever("What changes it", LEFT_ALONE.get(change.reason, change.remedy)))
    bounds = decision.bounds
    if bounds is not None:
        ends = {"least": bounds.lower, "most": bounds.upper}
        for word in ENDS_OF.get(decision.reason, ()):
            end = ends[word]
            found.append(Lever(f"At {word} {end.replicas}", f"set by {end.set_by}"))
    if decision.wanted is not None and decision.wanted != decision.desired:
        found.append(
            Lever(
                "Without limits", f"the rules would have {decision.wanted}, not {decision.desired}"
            )
        )
    following = _next(decision.proposals)
    if following is not None:
        decisive, other = following
        sentence = f"rule {other.rule} would decide, with {other.replicas}"
        found.append(Lever(f"If {decisive.rule} asked for less", sentence))
    return tuple(found)


def _next(proposals: Sequence[ProposalView]) -> tuple[ProposalView, ProposalView] | None:
    """Return the rule that decided and the one that would be next, where both raise the count."""
    raising = [one for one in proposals if one.replicas is not None and one.role in RAISING_ROLES]
    decisive = next((one for one in raising if one.is_decisive), None)
    others = [one for one in raising if one is not decisive]
    if decisive is None or not others:
        return None
    return decisive, max(others, key=lambda one: one.replicas or 0)
