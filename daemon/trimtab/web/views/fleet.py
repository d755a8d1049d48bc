"""The fleet as a table: what is asked for, the row that each deployment has, and a page of them."""

from __future__ import annotations

from enum import StrEnum

from trimtab.web.views.trouble import Level, Trouble
from trimtab.web.views.values import Moment, view


class FleetOrder(StrEnum):
    """What the rows are ordered by; the name decides between equals."""

    TROUBLE = "trouble"
    """The worst first; within a level the most missing replicas first."""

    NAME = "name"
    CURRENT = "current"
    """The largest first."""

    CHANGED = "changed"
    """What was decided otherwise last, first."""


@view
class FleetWish:
    """Which rows, in which order, and from where on. Everything that is said must be true of a row."""

    order: FleetOrder = FleetOrder.TROUBLE
    is_reversed: bool = False
    limit: int = 100
    """Rows on a page, 1 to 500."""

    page: int = 1
    """Which page, from 1; of no meaning with a cursor."""

    cursor: str | None = None
    """Where the last page ended, as it said itself."""

    text: str = ""
    """Part of the name, the display name or the model, in either case."""

    policy: str | None = None
    level: Level | None = None
    verdict: str | None = None
    """``scale-up``, ``scale-down`` or ``hold``."""

    reason: str | None = None
    state: str | None = None
    team: str | None = None


@view
class FleetRow:
    """One deployment that a policy matches, as it was decided on last."""

    name: str
    """The full name."""

    short_name: str
    """The last part of the name."""

    display_name: str
    policy: str
    mode: str
    """``enforce`` or ``advise``: only shown."""

    state: str
    """As the control plane says it."""

    trouble: Trouble
    verdict: str
    """``scale-up``, ``scale-down`` or ``hold``."""

    reason: str
    """One of the closed list of reasons."""

    sentence: str
    """The decision in one sentence."""

    current: int
    """Replicas asked for before the decision."""

    desired: int
    """Replicas asked for after it."""

    wanted: int | None
    """What the rules asked for before anything limited them; null: they could not tell."""

    actual: int | None
    """Where the policy only advises: what is really asked for."""

    ready: int
    """Replicas that serve."""

    on_their_way: int
    """Replicas that exist and do not serve yet."""

    lower: int | None
    upper: int | None
    team: str | None
    accelerator_type: str | None
    accelerators: int | None
    """How many all replicas asked for use; null: the shape is not known."""

    usd_an_hour: float | None
    """What those that serve cost; null: no price is known."""

    decided_at: Moment
    changed_at: Moment | None
    """Since when it has been decided so, as far as this process knows."""

    override: str | None
    """What people ordered, in words, while it holds."""

    member: str | None = None
    """Which member of a shared fleet decides for it; null where one daemon does for all."""


@view
class FleetCounts:
    """How many deployments of the whole fleet are how, whatever the page shows."""

    all: int
    failing: int
    short: int
    held: int
    well: int
    without_policy: int
    """Deployments that were read and that no policy matches; they have no row."""


@view
class FleetPage:
    """A page of rows."""

    at: Moment
    rows: tuple[FleetRow, ...]
    total: int
    """Rows on all pages together."""

    position: int
    """Which row of these the first one is, from 1; 0 for an empty page."""

    next_cursor: str | None
    """For the page after this one; null on the last."""

    counts: FleetCounts
    policies: tuple[str, ...]
    """The names of the policies in force, to choose from."""

    teams: tuple[str, ...]
    states: tuple[str, ...]
    """The states that deployments are in."""

    unanswered: tuple[str, ...] = ()
    """Members of a shared fleet that did not answer; what they decide for has no row."""
