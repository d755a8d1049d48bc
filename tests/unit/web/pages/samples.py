"""Views to show: a fleet, a deployment and its past, as the daemon might say them."""

from __future__ import annotations

import math
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING

from trimtab.web.problem import ProblemError
from trimtab.web.views.daemon import Banner, DaemonView, JournalView, TargetView
from trimtab.web.views.decision import (
    BoundsView,
    ChangeView,
    DecisionView,
    EndView,
    FactsView,
    ProposalView,
    ReadingView,
    StepView,
)
from trimtab.web.views.deployment import (
    DeploymentView,
    LeadTimeView,
    PipelineView,
    ShapeView,
    SharingView,
    WriteView,
)
from trimtab.web.views.fleet import FleetCounts, FleetPage, FleetRow, FleetWish
from trimtab.web.views.history import (
    DecisionRow,
    DecisionsPage,
    DecisionsWish,
    Line,
    Point,
    RuleCount,
    RunView,
    SeriesView,
)
from trimtab.web.views.members import MemberRow, MembersView
from trimtab.web.views.policies import DiagnosticView, PoliciesView, PolicyView, RuleView, ValueView
from trimtab.web.views.trouble import Level, Trouble
from trimtab.web.views.upcoming import UpcomingEvent, UpcomingKind, UpcomingPage, UpcomingWish

if TYPE_CHECKING:
    from collections.abc import Sequence

NOW = 1_767_225_600.0 + 36_000.0
NAME = "accounts/acme/deployments/chat-70b"

THIS = MemberRow(
    name="trimtab-0.3f9a",
    address="http://10.1.0.7:9108",
    version="0.1.0",
    started_at=NOW - 7_200.0,
    buckets=34,
    highest_term=6,
    is_leading=True,
    is_this=True,
    is_alive=True,
)
GONE = replace(
    THIS, name="trimtab-1.77c0", buckets=0, is_leading=False, is_this=False, is_alive=False
)
ALONE = MembersView(
    at=NOW,
    is_shared=False,
    members=(replace(THIS, name="this process", buckets=1, highest_term=None),),
    buckets=1,
    buckets_free=0,
    seen_seconds_ago=0.0,
    renewed_seconds_ago=None,
    trouble=None,
)
SHARED = replace(
    ALONE,
    is_shared=True,
    members=(THIS, GONE),
    buckets=64,
    buckets_free=30,
    seen_seconds_ago=0.8,
    renewed_seconds_ago=2.0,
)

ROW = FleetRow(
    name=NAME,
    short_name="chat-70b",
    display_name="Chat, large",
    policy="chat-large",
    mode="enforce",
    state="READY",
    trouble=Trouble(level=Level.SHORT, sentence="wants 9 replicas and may have 8"),
    verdict="hold",
    reason="at_max",
    sentence="wants 9, at most 8 (policy chat-large)",
    current=8,
    desired=8,
    wanted=9,
    actual=None,
    ready=6,
    on_their_way=2,
    lower=2,
    upper=8,
    team="chat",
    accelerator_type="NVIDIA_H100_80GB",
    accelerators=32,
    usd_an_hour=168.0,
    decided_at=NOW - 3,
    changed_at=NOW - 240,
    override=None,
)

DECISION = DecisionView(
    id="1204",
    deployment=NAME,
    policy="chat-large",
    mode="enforce",
    at=NOW - 240,
    until=NOW - 3,
    evaluations=48,
    verdict="hold",
    reason="at_max",
    rule="capacity",
    current=8,
    desired=8,
    actual=None,
    wanted=9,
    bounds=BoundsView(
        lower=EndView(replicas=2, set_by="policy chat-large"),
        upper=EndView(replicas=8, set_by="policy chat-large"),
    ),
    sentence="wants 9, at most 8 (policy chat-large)",
    readings=(
        ReadingView(
            signal="requests",
            source="fireworks",
            query="request_counter_total:sum_by_deployment",
            freshness="usable",
            value=26.4,
            per="deployment",
            age_seconds=12.0,
            max_age_seconds=150.0,
            at=NOW - 12,
        ),
        ReadingView(
            signal="queue",
            source="redis",
            query="llen:chat",
            freshness="stale",
            value=None,
            per="deployment",
            age_seconds=400.0,
            max_age_seconds=60.0,
            at=NOW - 400,
        ),
    ),
    proposals=(
        ProposalView(
            rule="capacity",
            role="demand",
            replicas=9,
            at_most=None,
            blocks=None,
            is_abstaining=False,
            is_decisive=True,
            sentence="need 7.4 in 6 min: 6.9 now, spare 1.6 (error 0.4)",
            facts=FactsView(load_replicas=6.9, forecast_replicas=7.4),
        ),
        ProposalView(
            rule="office-hours",
            role="floor",
            replicas=4,
            at_most=None,
            blocks=None,
            is_abstaining=False,
            is_decisive=False,
            sentence="at least 4 on weekdays from 8 to 18",
            facts=None,
        ),
        ProposalView(
            rule="deploying",
            role="hold",
            replicas=None,
            at_most=None,
            blocks=None,
            is_abstaining=False,
            is_decisive=False,
            sentence="deploys is 0",
            facts=None,
        ),
    ),
    trail=(
        StepView(stage="freshness", before=None, after=None, reason=None,
                 sentence="1 of 2 signals usable", is_decisive=False),
        StepView(stage="propose", before=None, after=None, reason=None,
                 sentence="3 rules", is_decisive=False),
        StepView(stage="combine", before=8, after=9, reason="demand",
                 sentence="need 7.4 in 6 min: 6.9 now, spare 1.6 (error 0.4)", is_decisive=False),
        StepView(stage="lifecycle", before=9, after=9, reason=None,
                 sentence="READY", is_decisive=False),
        StepView(stage="behavior", before=9, after=9, reason=None,
                 sentence="within the limits", is_decisive=False),
        StepView(stage="bounds", before=9, after=8, reason="at_max",
                 sentence="at most 8 (policy chat-large)", is_decisive=True),
    ),
    change=ChangeView(
        step=5,
        reason="at_max",
        meaning="More replicas are wanted, and the count is already at the upper bound.",
        remedy="Raise the bound that the sentence names, or the accelerators behind it.",
    ),
)  # fmt: skip

DEPLOYMENT = DeploymentView(
    at=NOW,
    name=NAME,
    short_name="chat-70b",
    display_name="Chat, large",
    base_model="accounts/fireworks/models/llama-v3p3-70b-instruct",
    region="US_IOWA_1",
    state="READY",
    status_message="",
    row=ROW,
    decision=DECISION,
    policies=("chat-large",),
    min_replicas=8,
    max_replicas=8,
    pipeline=PipelineView(asked=8, pending=1, downloading=1, initializing=0, ready=6, revocable=0),
    shape=ShapeView(name="x", accelerator_type="NVIDIA_H100_80GB", accelerators_per_replica=4),
    lead_time=LeadTimeView(
        p50_seconds=140.0, p90_seconds=210.0, p99_seconds=400.0, starts=31, failures=1,
        origin="learned",
    ),
    obstacles=(),
    is_write_in_flight=False,
    overrides=(),
    upcoming=(
        UpcomingEvent(at=NOW + 3600, kind=UpcomingKind.SCHEDULE, deployment=NAME, policy=None,
                      sentence="schedule office-hours ends"),
    ),
    sharing=SharingView(team="chat", guaranteed_accelerators=16, granted_replicas=None,
                        short_since=None, quotas=(), spend=()),
    observed_at=NOW - 2,
    created_at=NOW - 900_000,
    expires_at=None,
)  # fmt: skip

WRITE = WriteView(
    deployment=NAME,
    from_replicas=7,
    to_replicas=8,
    min_replicas=8,
    max_replicas=8,
    reason="demand",
    intended_at=NOW - 400,
    ended_at=NOW - 399,
    status="not_applied",
    error_kind="quota_exceeded",
    sentence="the quota has no accelerators left",
)

COUNTS = FleetCounts(all=1, failing=0, short=1, held=0, well=0, without_policy=0)


def fleet_page(rows: Sequence[FleetRow] = (ROW,), **changed: object) -> FleetPage:
    by_level = {level: sum(row.trouble.level is level for row in rows) for level in Level}
    page = FleetPage(
        at=NOW,
        rows=tuple(rows),
        total=len(rows),
        position=1 if rows else 0,
        next_cursor=None,
        counts=FleetCounts(
            all=len(rows),
            failing=by_level[Level.FAILING],
            short=by_level[Level.SHORT],
            held=by_level[Level.HELD],
            well=by_level[Level.WELL],
            without_policy=0,
        ),
        policies=("chat-large", "chat-small"),
        teams=("chat", "code"),
        states=("READY",),
    )
    return replace(page, **changed)  # type: ignore[arg-type]  # names of fields


def series(until: float = NOW, seconds: float = 10_800.0) -> SeriesView:
    """A morning: load that grows, replicas that follow it."""
    since = until - seconds
    runs, ready, load = [], [], []
    count, at = 3, since
    while at < until:
        share = (at - since) / seconds
        level = 4.0 + 4.5 * share + 0.7 * math.sin(share * 30)
        wanted = math.ceil(level + 0.6)
        desired = min(8, max(2, wanted))
        runs.append(
            RunView(
                id=str(len(runs) + 1),
                at=at,
                until=at + 290,
                verdict="hold"
                if desired == count
                else "scale-up"
                if desired > count
                else "scale-down",
                reason="at_max" if wanted > 8 else "demand" if desired != count else "steady",
                current=count,
                desired=desired,
                actual=None,
                wanted=wanted,
                lower=2 if share < 0.3 else 4,
                upper=8,
                load_replicas=level,
                proposals=(
                    RuleCount(rule="capacity", role="demand", replicas=wanted),
                    RuleCount(
                        rule="office-hours", role="floor", replicas=4 if share >= 0.3 else None
                    ),
                ),
                sentence=f"need {level:.2f} in 6 min",
            )
        )
        ready.append(Point(at=at + 140, value=float(count)))
        load += [Point(at=at + second, value=level * 3.6) for second in range(0, 300, 60)]
        count, at = desired, at + 300
    return SeriesView(
        deployment=NAME,
        since=since,
        until=until,
        runs=tuple(runs),
        is_cut=False,
        signals=(Line(name="requests", unit="per second", points=tuple(load)),),
        ready=Line(name="ready", unit="", points=tuple(ready)),
        detail_since=since,
        writes=(WRITE, replace(WRITE, ended_at=None, status=None, error_kind=None)),
    )


class SampleViews:
    """Says the samples; what was asked is kept in ``wishes``."""

    def __init__(self, rows: Sequence[FleetRow] = (ROW,)) -> None:
        self.rows = tuple(rows)
        self.page: FleetPage | None = None
        self.banner_now = Banner(lines=())
        self.one: DeploymentView = DEPLOYMENT
        self.has_journal = True
        self.wishes: list[object] = []

    async def fleet(self, wish: FleetWish) -> FleetPage:
        self.wishes.append(wish)
        return self.page or fleet_page(self.rows)

    async def deployment(self, name: str) -> DeploymentView:
        if name not in (self.one.name, self.one.short_name):
            raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no deployment {name!r}")
        return self.one

    async def series(
        self, name: str, *, since: float | None = None, until: float | None = None
    ) -> SeriesView:
        self._journal()
        until = NOW if until is None else until
        return series(until, until - (since if since is not None else until - 10_800))

    async def decisions(self, wish: DecisionsWish) -> DecisionsPage:
        self._journal()
        self.wishes.append(wish)
        rows = [
            DecisionRow(
                id=run.id, deployment=NAME, policy="chat-large", at=run.at, until=run.until,
                evaluations=58, verdict=run.verdict, reason=run.reason, current=run.current,
                desired=run.desired, wanted=run.wanted, sentence=run.sentence,
            )
            for run in reversed(series().runs)
        ]  # fmt: skip
        return DecisionsPage(rows=tuple(rows), next_cursor="older")

    async def decision(self, decision_id: str) -> DecisionView:
        self._journal()
        if decision_id != DECISION.id and not decision_id.isdigit():
            raise ProblemError(HTTPStatus.NOT_FOUND, f"there is no decision {decision_id!r}")
        return DECISION

    async def decision_at(self, name: str, at: float) -> DecisionView:
        self._journal()
        self.wishes.append((name, at))
        return replace(DECISION, at=at)

    async def upcoming(self, wish: UpcomingWish) -> UpcomingPage:
        return UpcomingPage(at=NOW, until=NOW + 86_400, events=DEPLOYMENT.upcoming, is_cut=False)

    async def policies(self) -> PoliciesView:
        value = ValueView(key="bounds.max", value=8, source="file", origin="chat.yaml:12")
        return PoliciesView(
            at=NOW,
            path="policies",
            read_at=NOW - 60,
            policies=(
                PolicyView(
                    name="chat-large", owner="serving", origin="chat.yaml:1",
                    matches="displayName chat*", mode="enforce", actuation="pin", deployments=1,
                    rules=(RuleView(name="capacity", role="demand"),),
                    values=(value, replace(value, key="behavior.up", value=None, source="default")),
                ),
            ),
            diagnostics=(
                DiagnosticView(
                    file="chat.yaml", line=12, column=8, length=3, severity="warning", code="W204",
                    message="this bound never holds", hint="leave it out", excerpt="  max: 900",
                ),
            ),
            bad_files=(),
        )  # fmt: skip

    def banner(self) -> Banner:
        return self.banner_now

    def daemon(self) -> DaemonView:
        return DaemonView(
            at=NOW,
            version="0.1.0",
            started_at=NOW - 4000,
            ticked_at=NOW - 1,
            is_ready=True,
            missing=(),
            banner=self.banner_now,
            deployments=len(self.rows),
            policies=2,
            orders_waiting=0,
            targets=(
                TargetView(name="acme", deployments=3, read_at=NOW - 2, trouble=None,
                           trouble_since=None),
            ),
            sources=(),
            circuits=(),
            journal=JournalView(mode="durable", since=NOW - 4000, sentence="", waiting=0, dropped=0,
                                size_bytes=7_000_000),
            quotas=(),
            spend=(),
        )  # fmt: skip

    def _journal(self) -> None:
        if not self.has_journal:
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, "no journal is kept")
