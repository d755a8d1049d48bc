"""One decision whole: the sentence, the trail, what each rule proposed, and what was heard."""

from __future__ import annotations

from trimtab.web.views.values import Moment, view


@view
class EndView:
    """One end of the bounds, and what set it, in words."""

    replicas: int
    set_by: str


@view
class BoundsView:
    """The allowed range. A lower end above the upper one allows no write."""

    lower: EndView
    upper: EndView


@view
class StepView:
    """What one stage did: the count before and after, and why."""

    stage: str
    before: int | None
    after: int | None
    reason: str | None
    sentence: str
    is_decisive: bool
    """Whether this step is why the count came to be what it is, and not another."""


@view
class FactsView:
    """The numbers behind a proposal, as the rule's strategy knows them; null where it does not."""

    load_replicas: float | None = None
    forecast_replicas: float | None = None
    """The load when an order placed now serves."""

    spare_replicas: float | None = None
    """Asked for beyond the forecast."""

    forecast_error_replicas: float | None = None
    """One standard deviation of the forecast."""

    horizon_seconds: float | None = None
    """How far ahead the forecast is."""

    miss_price_ratio: float | None = None
    missed_ratio: float | None = None
    missed_ratio_max: float | None = None
    capacity_requests_per_second: float | None = None
    capacity_factor_ratio: float | None = None


@view
class ProposalView:
    """What one rule asks for."""

    rule: str
    role: str
    """``demand``, ``floor``, ``ceiling`` or ``hold``."""

    replicas: int | None
    """null: it cannot tell, or has nothing to say now."""

    at_most: int | None
    blocks: str | None
    """Of a ``hold`` rule whose condition is true: the direction it blocks."""

    is_abstaining: bool
    """It has nothing to say now, which is not missing data."""

    is_decisive: bool
    """Whether it is the one whose wish was taken."""

    sentence: str
    facts: FactsView | None


@view
class ReadingView:
    """What is known of one signal."""

    signal: str
    source: str
    query: str
    freshness: str
    """``usable``, ``stale`` or ``missing``."""

    value: float | None
    """Set exactly when it is usable."""

    per: str
    """``replica`` or ``deployment``."""

    age_seconds: float | None
    max_age_seconds: float
    at: Moment | None
    """When the value was true."""


@view
class ChangeView:
    """What would change a decision: the step that decided, and what a person can do about it."""

    step: int | None
    """The place of the decisive step in the trail, from 0."""

    reason: str
    meaning: str
    """What the reason means."""

    remedy: str
    """What would have to change, and who can change it."""


@view
class DecisionView:
    """A decision with its trail."""

    id: str | None
    """Its number in the journal; null while it is not written there yet, or no journal is kept."""

    deployment: str
    policy: str
    mode: str
    at: Moment
    until: Moment | None
    """When it was last decided so, if it was decided more than once in a row."""

    evaluations: int
    """How often it was decided so in a row; 1 for what is not in the journal yet."""

    verdict: str
    """``scale-up``, ``scale-down`` or ``hold``."""

    reason: str
    rule: str | None
    current: int
    desired: int
    actual: int | None
    wanted: int | None
    bounds: BoundsView | None
    sentence: str
    readings: tuple[ReadingView, ...]
    proposals: tuple[ProposalView, ...]
    trail: tuple[StepView, ...]
    change: ChangeView
