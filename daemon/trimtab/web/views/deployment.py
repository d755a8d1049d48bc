"""One deployment as it stands now: what was decided, what binds it, what is on its way, what people ordered."""

from __future__ import annotations

from trimtab.web.views.decision import DecisionView, FactsView, ProposalView
from trimtab.web.views.fleet import FleetRow
from trimtab.web.views.override import OverrideView
from trimtab.web.views.upcoming import UpcomingEvent
from trimtab.web.views.values import Moment, view


@view
class PipelineView:
    """How far each replica is on its way."""

    asked: int
    """As the control plane says."""

    pending: int
    downloading: int
    initializing: int
    ready: int
    """Those that serve."""

    revocable: int


@view
class LeadTimeView:
    """From asking for a replica until it serves, as far as it is known."""

    p50_seconds: float
    p90_seconds: float
    p99_seconds: float
    starts: int
    """How many starts it was learned from."""

    failures: int
    origin: str
    """``learned``, ``policy`` or ``settings``."""


@view
class ShapeView:
    """The hardware that one replica uses; null is not known."""

    name: str | None
    accelerator_type: str | None
    accelerators_per_replica: int | None


@view
class WriteView:
    """One write, and how it ended; ``status`` is null while it has not."""

    deployment: str
    from_replicas: int
    to_replicas: int
    min_replicas: int
    max_replicas: int | None
    reason: str
    intended_at: Moment
    ended_at: Moment | None
    status: str | None
    """``applied``, ``not_applied``, ``unknown`` or ``void``."""

    error_kind: str | None
    sentence: str | None


@view
class ObstacleView:
    """What keeps an order from being written: ``withheld`` before it was begun, or a ``setback`` of the last."""

    kind: str
    reason: str
    sentence: str
    until: Moment | None


@view
class QuotaView:
    """A pool of accelerators, how many may be asked for, and how many all deployments hold."""

    pool: str
    accelerators: int
    held: int
    source: str
    """``file``, ``account`` or ``refusal``."""


@view
class SpendView:
    """A spend limit that people should know of."""

    period: str
    usd: float
    spent_ratio: float
    """The share of it that is spent."""

    ahead_ratio: float
    """The share that will be by the end of the period at this rate."""

    is_trimming: bool


@view
class SharingView:
    """What the deployment shares with others; all of it is null or empty where nothing is shared."""

    team: str | None
    guaranteed_accelerators: int | None
    granted_replicas: int | None
    short_since: Moment | None
    """Since when it has been granted less than it wants."""

    quotas: tuple[QuotaView, ...]
    spend: tuple[SpendView, ...]


@view
class DeploymentView:
    """Everything about one deployment now. Without a policy only what was read of it is known."""

    at: Moment
    name: str
    short_name: str
    display_name: str
    base_model: str
    region: str
    state: str
    status_message: str
    row: FleetRow | None
    """Its row of the fleet; null where no policy decides for it."""

    decision: DecisionView | None
    policies: tuple[str, ...]
    """Which match it; more than one is its authors' mistake, and none is followed."""

    min_replicas: int
    max_replicas: int | None
    """The range on the wire, which may be trimtab's own doing; a maximum of null: none is stated."""

    pipeline: PipelineView
    shape: ShapeView
    lead_time: LeadTimeView
    obstacles: tuple[ObstacleView, ...]
    is_write_in_flight: bool
    overrides: tuple[OverrideView, ...]
    """In force and about this one, those for all among them."""

    upcoming: tuple[UpcomingEvent, ...]
    sharing: SharingView
    observed_at: Moment | None
    """When it was read last."""

    created_at: Moment | None
    expires_at: Moment | None


@view
class ProposalsView:
    """What each rule asks for now."""

    deployment: str
    at: Moment
    """When it was decided."""

    current: int
    wanted: int | None
    proposals: tuple[ProposalView, ...]


@view
class RuleForecast:
    """What one rule expects: the numbers of its strategy, and when the forecast is for."""

    rule: str
    at: Moment
    """When the forecast is for: when an order placed with the decision serves."""

    facts: FactsView


@view
class ForecastView:
    """What the rules of a deployment expect; empty where none of them looks ahead."""

    deployment: str
    decided_at: Moment
    lead_time: LeadTimeView
    forecasts: tuple[RuleForecast, ...]
