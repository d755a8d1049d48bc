"""Everything about one deployment now."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from trimtab.core.fleet_policy import pools_around
from trimtab.service.views.decisions import decision_view, facts_view, proposal_views
from trimtab.service.views.names import short_name
from trimtab.service.views.overrides import override_view
from trimtab.web.problem import ProblemError
from trimtab.web.views.deployment import (
    DeploymentView,
    ForecastView,
    LeadTimeView,
    ObstacleView,
    PipelineView,
    ProposalsView,
    QuotaView,
    RuleForecast,
    ShapeView,
    SharingView,
    SpendView,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trimtab.clock import Clock
    from trimtab.core.deployment import Deployment
    from trimtab.core.engine import Engine
    from trimtab.core.lead_time import LeadTime
    from trimtab.core.sharing import Sharing
    from trimtab.service.fleet import Fleet
    from trimtab.service.overrides import Overrides
    from trimtab.service.overview import Overview
    from trimtab.service.status import DeploymentStatus
    from trimtab.service.views.fleet_table import FleetTable
    from trimtab.service.views.upcoming import Upcoming

UPCOMING_MAX = 20


class Detail:
    """Looks at one deployment from all sides."""

    def __init__(
        self,
        clock: Clock,
        *,
        overview: Overview,
        fleet: Fleet,
        overrides: Overrides,
        engine: Callable[[], Engine],
        table: FleetTable,
        upcoming: Upcoming,
    ) -> None:
        self._clock = clock
        self._overview = overview
        self._fleet = fleet
        self._overrides = overrides
        self._engine = engine
        self._table = table
        self._upcoming = upcoming

    def view(self, name: str) -> DeploymentView:
        """Return everything; ``name`` is a full name. Raises ``ProblemError`` (404)."""
        deployment, now, engine = self._deployment(name), self._clock.now(), self._engine()
        status = self._overview.deployment(name)
        pipeline, shape = deployment.pipeline, deployment.shape
        return DeploymentView(
            at=now,
            name=name,
            short_name=short_name(name),
            display_name=deployment.display_name,
            base_model=deployment.base_model,
            region=deployment.region,
            state=deployment.state_text or deployment.state.value,
            status_message=deployment.status_message,
            row=self._table.row(name),
            decision=None if status is None else decision_view(status.decision),
            policies=tuple(one.name for one in engine.policies_for(deployment)),
            min_replicas=deployment.min_replicas,
            max_replicas=deployment.max_replicas,
            pipeline=PipelineView(
                asked=deployment.desired_replicas,
                pending=pipeline.pending,
                downloading=pipeline.downloading,
                initializing=pipeline.initializing,
                ready=pipeline.ready,
                revocable=deployment.revocable_replicas,
            ),
            shape=ShapeView(
                name=shape.name,
                accelerator_type=shape.accelerator_type,
                accelerators_per_replica=shape.accelerators_per_replica,
            ),
            lead_time=lead_time_view(engine.lead_time_of(deployment)),
            obstacles=() if status is None else tuple(_obstacles(status)),
            is_write_in_flight=status is not None and status.is_write_in_flight,
            overrides=tuple(
                override_view(one) for one in self._overrides.in_force if one.concerns(name)
            ),
            upcoming=tuple(
                one for one in self._upcoming.of_one(name, now) if one.at > now
            )[:UPCOMING_MAX],
            sharing=self._sharing(deployment),
            observed_at=deployment.observed_at,
            created_at=deployment.created_at,
            expires_at=deployment.expires_at,
        )  # fmt: skip

    def proposals(self, name: str) -> ProposalsView:
        """Return what each rule asks for. Raises ``ProblemError`` (404)."""
        decision = self._status(name).decision
        return ProposalsView(
            deployment=name,
            at=decision.at,
            current=decision.current,
            wanted=decision.wanted,
            proposals=proposal_views(decision),
        )

    def forecast(self, name: str) -> ForecastView:
        """Return what the rules expect. Raises ``ProblemError`` (404)."""
        status = self._status(name)
        decision = status.decision
        return ForecastView(
            deployment=name,
            decided_at=decision.at,
            lead_time=lead_time_view(status.lead_time),
            forecasts=tuple(
                RuleForecast(
                    rule=one.rule,
                    at=decision.at + (one.facts.horizon_seconds or 0.0),
                    facts=facts_view(one.facts),
                )
                for one in decision.proposals
                if one.facts is not None and one.facts.forecast_replicas is not None
            ),
        )

    def _deployment(self, name: str) -> Deployment:
        found = self._fleet.deployments.get(name)
        if found is None:
            raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no deployment {name!r}")
        return found

    def _status(self, name: str) -> DeploymentStatus:
        found = self._overview.deployment(name)
        if found is None:
            why = f"nothing is decided for {name}: no policy matches it"
            raise ProblemError(HTTPStatus.NOT_FOUND, why)
        return found

    def _sharing(self, deployment: Deployment) -> SharingView:
        engine = self._engine()
        sharing = engine.sharing
        memory = engine.remembered(deployment.name)
        claimed = None if memory is None else memory.claimed
        team = engine.fleet_policy.team_of(deployment)
        kind = deployment.shape.accelerator_type
        pools = set(pools_around(deployment))
        return SharingView(
            team=team.name or None,
            guaranteed_accelerators=None if kind is None else team.guaranteed.get(kind),
            granted_replicas=None if claimed is None else claimed.granted,
            short_since=None if claimed is None else claimed.short_since,
            quotas=tuple(
                one for one in quota_views(sharing) if one.pool in {str(p) for p in pools}
            ),
            spend=spend_views(sharing),
        )


def lead_time_view(one: LeadTime) -> LeadTimeView:
    """Return what is known of lead times."""
    return LeadTimeView(
        p50_seconds=one.p50_seconds,
        p90_seconds=one.p90_seconds,
        p99_seconds=one.p99_seconds,
        starts=one.samples,
        failures=one.failures,
        origin=one.origin.value,
    )


def quota_views(sharing: Sharing) -> tuple[QuotaView, ...]:
    """Return every quota in force, and how much of it all deployments hold."""
    held = sharing.book.held()
    return tuple(
        QuotaView(
            pool=str(pool),
            accelerators=quota.accelerators,
            held=held.get(pool, 0),
            source=quota.source.value,
        )
        for pool, quota in sharing.quotas.items()
    )


def spend_views(sharing: Sharing) -> tuple[SpendView, ...]:
    """Return the spend limits that people should know of."""
    return tuple(
        SpendView(
            period=one.limit.period.value,
            usd=one.limit.usd,
            spent_ratio=one.ratio,
            ahead_ratio=one.ahead_ratio,
            is_trimming=one.is_trimming,
        )
        for one in sharing.outlook.warned
    )


def _obstacles(status: DeploymentStatus) -> Iterator[ObstacleView]:
    withheld, setback = status.withheld, status.setback
    if withheld is not None:
        yield ObstacleView(
            kind="withheld",
            reason=withheld.reason.value,
            sentence=withheld.sentence,
            until=withheld.until,
        )
    if setback is not None:
        kind = "moved_on" if setback.error_kind is None else setback.error_kind.value
        yield ObstacleView(
            kind="setback", reason=kind, sentence=setback.sentence, until=setback.until
        )
