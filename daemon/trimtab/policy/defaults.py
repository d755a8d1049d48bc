"""What a Fleet may say for all policies that leave it out.

How far, how fast and in what order; not what a policy listens to and concludes, so that every policy
can be read and checked by itself.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from trimtab.core.policy import Actuation, Mode, WhileUpdating
from trimtab.policy.damping import DownMoves, Fallback, UpMoves
from trimtab.policy.document import Accelerators, Bounds, Expiry
from trimtab.policy.parts import Duration, Part, Word, within
from trimtab.policy.trouble import DurationOrAuto, OutOfBand


class BehaviorDefaults(Part):
    """How fast counts move, for each direction. Whether one may go to zero, its policy says."""

    scale_up: UpMoves | None = Field(alias="scaleUp", default=None, description="Rising.")
    scale_down: DownMoves | None = Field(alias="scaleDown", default=None, description="Falling.")


class StuckDefaults(Part):
    """When replicas that were asked for do not become ready. Who makes up for them, a policy says."""

    after: DurationOrAuto = Field(
        default=None,
        description="How long nothing may come before no more is asked for; `auto` is the 99th "
        "percentile of the starts seen, at least 5m.",
        examples=["auto", "15m"],
    )


class Defaults(Part):
    """What policies leave out. Each key that a policy has itself goes before the one here."""

    mode: Annotated[Mode, Word] | None = Field(
        default=None, description="`advise` decides and explains, and writes nothing."
    )
    actuation: Annotated[Actuation, Word] | None = Field(
        default=None,
        description="How a count is written: `pin` both bounds, `floor` the lower, `scale` once.",
    )
    bounds: Bounds | None = Field(default=None, description="Allowed replica range.")
    accelerators: Accelerators | None = Field(
        default=None, description="Limit in accelerators, of each deployment."
    )
    behavior: BehaviorDefaults | None = Field(default=None, description="How fast counts move.")
    fallback: Fallback | None = Field(
        default=None, description="When every demand has been unknown for a while."
    )
    while_updating: Annotated[WhileUpdating, Word] | None = Field(
        alias="whileUpdating",
        default=None,
        description="While the platform rolls out a change.",
    )
    expiry: Expiry | None = Field(default=None, description="Towards the end of a deployment.")
    lead_time: Annotated[Duration, within(1, 7200)] | None = Field(
        alias="leadTime",
        default=None,
        description="How long a replica takes to serve, until enough starts were seen.",
    )
    out_of_band: OutOfBand | None = Field(
        alias="outOfBand",
        default=None,
        description="After somebody else changed the replica bounds.",
    )
    stuck: StuckDefaults | None = Field(default=None, description="When replicas do not come.")
    hand_back: bool | None = Field(
        alias="handBack",
        default=None,
        description="At a clean stop of trimtab, restore the range that people had set.",
    )
    priority: Annotated[int, Field(ge=0, le=1_000_000)] | None = Field(
        default=None, description="Who is served first when accelerators are short; higher first."
    )
