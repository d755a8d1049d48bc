"""For each alert: series under which it fires, and beside them some that look alike and must not make it fire.

Series are in promtool's words, one value a minute. ``fires_at`` is a time by which it fires, for exactly one set
of labels; ``quiet_at`` are times at which it must not: before, while it has not lasted long enough, and after.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

D = 'deployment="accounts/acme/deployments/chat",policy="chat"'
TWIN = 'deployment="accounts/acme/deployments/twin",policy="chat"'
IT = 'job="trimtab",instance="a:9464"'
OTHER = 'job="trimtab",instance="b:9464"'
LABELS = {"job": "trimtab", "instance": "a:9464"}
OF_CHAT = {"deployment": "accounts/acme/deployments/chat", "policy": "chat"}
NAME = "accounts/acme/deployments/chat"


@dataclass(frozen=True, kw_only=True)
class Case:
    """One alert's life."""

    alert: str
    series: Mapping[str, str]
    fires_at: str
    quiet_at: tuple[str, ...]
    labels: Mapping[str, str]
    description: str
    name: str = ""
    severity: str = "warning"

    @property
    def id(self) -> str:
        return f"{self.alert}-{self.name}" if self.name else self.alert


def there(value: float, minutes: int) -> str:
    """The same value for so many minutes."""
    return f"{value:g}+0x{minutes - 1}"


CASES = (
    Case(
        alert="TrimtabNoLeader",
        name="waiting",
        severity="critical",
        series={
            f"trimtab_leader{{{IT}}}": f"{there(1, 5)} {there(0, 10)} {there(1, 10)}",
            f"trimtab_leader{{{OTHER}}}": there(0, 25),  # a standby is no trouble
        },
        quiet_at=("4m", "9m", "16m"),
        fires_at="11m",
        labels={"job": "trimtab"},
        description="Every process of job trimtab waits for a journal that another one holds. "
        "Nothing is scaled, up or down.",
    ),
    Case(
        alert="TrimtabNoLeader",
        name="gone",
        severity="critical",
        series={f"trimtab_leader{{{IT}}}": f"{there(1, 5)} stale _x9 {there(1, 5)}"},
        quiet_at=("4m", "9m", "16m"),
        fires_at="11m",
        labels={},
        description="No trimtab is scraped at all. Nothing is scaled, up or down.",
    ),
    Case(
        alert="TrimtabNotEvaluating",
        name="hung",
        severity="critical",
        series={
            f"trimtab_leader{{{IT}}}": there(1, 30),
            f"trimtab_tick_interval_seconds{{{IT}}}": there(15, 30),
            # Its clock stands still from the fifth minute to the fifteenth.
            f"trimtab_last_successful_evaluation_timestamp_seconds{{{IT}}}": (
                f"0+60x4 {there(240, 10)} 900+60x10"
            ),
        },
        quiet_at=("4m", "7m", "15m"),
        fires_at="10m",
        labels=LABELS,
        description="a:9464 has evaluated no deployment for more than 120 s and 8 ticks, or never since its start.",
    ),
    Case(
        alert="TrimtabNotEvaluating",
        name="long ticks",
        severity="critical",
        series={
            f"trimtab_leader{{{IT}}}": there(1, 90),
            f"trimtab_tick_interval_seconds{{{IT}}}": there(300, 90),
            # It evaluates every five minutes, not from the tenth minute to the sixtieth, and then again.
            f"trimtab_last_successful_evaluation_timestamp_seconds{{{IT}}}": (
                f"{there(0, 5)} {there(300, 5)} {there(600, 50)} {there(3600, 5)} {there(3900, 20)}"
            ),
        },
        quiet_at=("4m", "9m", "14m", "50m", "62m"),
        fires_at="55m",
        labels=LABELS,
        description="a:9464 has evaluated no deployment for more than 120 s and 8 ticks, or never since its start.",
    ),
    Case(
        alert="TrimtabNotEvaluating",
        name="never",
        severity="critical",
        series={
            f"trimtab_leader{{{IT}}}": there(1, 30),
            f"trimtab_last_successful_evaluation_timestamp_seconds{{{IT}}}": "_x9 600+60x20",
            f"trimtab_leader{{{OTHER}}}": there(0, 30),  # it waits: nothing is expected of it
        },
        quiet_at=("1m", "12m"),
        fires_at="5m",
        labels=LABELS,
        description="a:9464 has evaluated no deployment for more than 120 s and 8 ticks, or never since its start.",
    ),
    Case(
        alert="TrimtabBucketsUnserved",
        name="service away",
        severity="critical",
        series={
            # Both members lose the coordination service: their leases run out, and they lead nothing any more.
            f"trimtab_coordination_buckets_all{{{IT}}}": there(64, 40),
            f"trimtab_coordination_buckets_all{{{OTHER}}}": there(64, 40),
            f'trimtab_coordination_buckets{{stage="serving",{IT}}}': f"{there(32, 6)} {there(0, 14)} {there(32, 20)}",
            f'trimtab_coordination_buckets{{stage="serving",{OTHER}}}': (
                f"{there(32, 6)} {there(0, 14)} {there(32, 20)}"
            ),
            # Elsewhere a member ends, and the other takes its buckets over within a minute.
            'trimtab_coordination_buckets_all{job="batch",instance="c:9464"}': f"{there(64, 6)} stale",
            'trimtab_coordination_buckets_all{job="batch",instance="d:9464"}': there(64, 40),
            'trimtab_coordination_buckets{stage="serving",job="batch",instance="c:9464"}': f"{there(30, 6)} stale",
            'trimtab_coordination_buckets{stage="serving",job="batch",instance="d:9464"}': (
                f"{there(34, 7)} {there(64, 33)}"
            ),
        },
        quiet_at=("5m", "9m", "21m"),
        fires_at="12m",
        labels={"job": "trimtab"},
        description="Nobody decides for what is in 64 of the buckets of job trimtab. Their deployments are not "
        "scaled, up or down.",
    ),
    Case(
        alert="TrimtabDecidedTwice",
        severity="critical",
        series={
            f"trimtab_deployment_desired_replicas{{{D},{IT}}}": there(3, 60),
            f"trimtab_deployment_desired_replicas{{{D},{OTHER}}}": f"_x4 {there(3, 20)} stale",
            # Tried by a second process that only advises: no trouble.
            f"trimtab_deployment_desired_replicas{{{TWIN},{IT}}}": there(3, 60),
            f"trimtab_deployment_desired_replicas{{{TWIN},{OTHER}}}": there(3, 60),
            f"trimtab_deployment_shadow_replicas{{{TWIN},{OTHER}}}": there(3, 60),
        },
        quiet_at=("3m", "13m", "27m"),
        fires_at="17m",
        labels={"deployment": NAME},
        description=f"2 processes write replica counts of {NAME}, each by its own memory. "
        "They will undo each other's work.",
    ),
    Case(
        alert="TrimtabFallingBehind",
        name="late, as one of several pods",
        series={
            f'trimtab_evaluation_lag_seconds_bucket{{le="{le}",pod="{pod}",{on}}}': values
            for pod, on in (("x", IT), ("y", OTHER))
            for le, values in (
                ("5", "0+60x14 840+0x20 840+60x20"),
                ("10", "0+60x14 840+60x20 2040+60x20"),
                ("+Inf", "0+60x14 840+60x20 2040+60x20"),
            )
        },
        quiet_at=("14m", "24m", "50m"),
        fires_at="32m",
        labels={"job": "trimtab"},
        description="Evaluations of job trimtab begin seconds late or samples are dropped (9.95): "
        "it answers load late.",
    ),
    Case(
        alert="TrimtabFallingBehind",
        name="late",
        series={
            f'trimtab_evaluation_lag_seconds_bucket{{le="5",{IT}}}': "0+60x14 840+0x20 840+60x20",
            f'trimtab_evaluation_lag_seconds_bucket{{le="10",{IT}}}': "0+60x14 840+60x20 2040+60x20",
            f'trimtab_evaluation_lag_seconds_bucket{{le="+Inf",{IT}}}': "0+60x14 840+60x20 2040+60x20",
        },
        quiet_at=("14m", "24m", "50m"),
        fires_at="32m",
        labels={"job": "trimtab"},
        description="Evaluations of job trimtab begin seconds late or samples are dropped (9.95): "
        "it answers load late.",
    ),
    Case(
        alert="TrimtabFallingBehind",
        name="dropping",
        series={
            f'trimtab_source_samples_dropped_total{{source="g",endpoint="e",{IT}}}': (
                "0+0x10 0+60x20 1200+0x30"
            ),
        },
        quiet_at=("9m", "18m", "45m"),
        fires_at="29m",
        labels={"job": "trimtab"},
        description="Evaluations of job trimtab begin seconds late or samples are dropped (600): "
        "it answers load late.",
    ),
    Case(
        alert="TrimtabJournalDegraded",
        severity="critical",
        series={
            f"trimtab_leader{{{IT}}}": there(1, 30),
            f"trimtab_leader{{{OTHER}}}": there(0, 30),
            f'trimtab_journal_mode{{mode="full",{IT}}}': (
                f"{there(0, 5)} {there(1, 10)} {there(0, 10)}"
            ),
            f'trimtab_journal_mode{{mode="durable",{IT}}}': there(1, 25),
            f'trimtab_journal_mode{{mode="locked",{OTHER}}}': there(1, 30),  # a standby waits so
        },
        quiet_at=("4m", "6m", "15m"),
        fires_at="8m",
        labels={**LABELS, "mode": "full"},
        description="The journal of a:9464 is full. Until it can be written, no replica count is, "
        "unless the settings say journal.required: false.",
    ),
    Case(
        alert="TrimtabPolicyReloadFailed",
        series={
            f"trimtab_policy_reload_successful{{{IT}}}": (
                f"{there(1, 5)} {there(0, 10)} {there(1, 5)}"
            ),
            f"trimtab_policy_reload_successful{{{OTHER}}}": there(1, 20),
        },
        quiet_at=("4m", "9m", "15m"),
        fires_at="11m",
        labels=LABELS,
        description="What the policy files of a:9464 say is not what it does.",
    ),
    Case(
        alert="TrimtabDeploymentIsolated",
        series={
            f'trimtab_deployment_hold{{reason="steady",{D},{IT}}}': f"{there(1, 5)} stale",
            f'trimtab_deployment_hold{{reason="invariant",{D},{IT}}}': f"_x4 {there(1, 5)} stale",
            f'trimtab_deployment_hold{{reason="stuck",{TWIN},{IT}}}': there(1, 20),
        },
        quiet_at=("3m", "4m", "11m"),
        fires_at="7m",
        labels={**OF_CHAT, **LABELS, "reason": "invariant"},
        description=f"{NAME} is not scaled any more; the rest of the fleet is.",
    ),
    Case(
        alert="TrimtabControlPlaneUnreadable",
        severity="critical",
        series={
            f'trimtab_target_readable{{target="accounts/acme",{IT}}}': (
                f"{there(1, 5)} {there(0, 10)} {there(1, 5)}"
            ),
            f'trimtab_target_readable{{target="accounts/beta",{IT}}}': there(1, 20),
        },
        quiet_at=("4m", "9m", "15m"),
        fires_at="11m",
        labels={**LABELS, "target": "accounts/acme"},
        description="a:9464 cannot read the deployments of accounts/acme; what would be overwritten is not "
        "known, so replicas stay where they are.",
    ),
    Case(
        alert="TrimtabControlPlaneRefusing",
        severity="critical",
        series={
            f'trimtab_target_requests_total{{target="accounts/acme",verb="write",outcome="ok",{IT}}}': (
                "0+5x19 95+1x30 125+5x40"
            ),
            f'trimtab_target_requests_total{{target="accounts/acme",verb="write",outcome="forbidden",{IT}}}': (
                "0+0x19 0+9x30 270+0x40"
            ),
            # A quota has an alert of its own; reads and an idle account say nothing of writes.
            f'trimtab_target_requests_total{{target="accounts/beta",verb="write",outcome="quota_exceeded",{IT}}}': (
                "0+9x90"
            ),
            f'trimtab_target_requests_total{{target="accounts/beta",verb="list",outcome="timeout",{IT}}}': (
                "0+9x90"
            ),
            f'trimtab_target_requests_total{{target="accounts/idle",verb="write",outcome="timeout",{IT}}}': (
                "7+0x90"
            ),
        },
        quiet_at=("19m", "26m", "70m"),
        fires_at="45m",
        labels={"job": "trimtab", "target": "accounts/acme"},
        description="90% of the writes to accounts/acme in the last 10m were refused or had no answer.",
    ),
    Case(
        alert="TrimtabSignalsStale",
        series={
            f'trimtab_signal_blocks{{signal="load",blocks="down",{D},{IT}}}': f"_x4 {there(1, 20)} stale",
            # Missing, and the policy says to do without: no trouble.
            f'trimtab_signal_usable{{signal="errors",{D},{IT}}}': there(0, 30),
            f"trimtab_deployment_ready_replicas{{{D},{IT}}}": there(3, 30),
            # Nothing serves, so nobody tells of load: no trouble.
            f'trimtab_signal_blocks{{signal="idle",blocks="down",{TWIN},{IT}}}': there(1, 30),
            f"trimtab_deployment_ready_replicas{{{TWIN},{IT}}}": there(0, 30),
        },
        quiet_at=("3m", "13m", "26m"),
        fires_at="16m",
        labels={"job": "trimtab", "policy": "chat", "signal": "load"},
        description="Signal load of policy chat cannot be used, which blocks moves of 1 deployments that serve.",
    ),
    Case(
        alert="TrimtabUnmetDemandAtMax",
        series={
            f"trimtab_deployment_wanted_replicas{{{D},{IT}}}": (
                f"{there(6, 5)} {there(9, 20)} {there(8, 5)}"
            ),
            f'trimtab_deployment_allowed_replicas{{bound="none",{D},{IT}}}': (
                f"{there(6, 5)} stale _x18 {there(8, 5)}"
            ),
            f'trimtab_deployment_allowed_replicas{{bound="policy",{D},{IT}}}': f"_x4 {there(8, 20)} stale",
            # A quota binds: another alert. The lower bound gives more than is wanted: no trouble.
            f"trimtab_deployment_wanted_replicas{{{TWIN},{IT}}}": there(9, 30),
            f'trimtab_deployment_allowed_replicas{{bound="quota",{TWIN},{IT}}}': there(8, 30),
            f'trimtab_deployment_wanted_replicas{{deployment="idle",policy="chat",{IT}}}': there(
                0, 30
            ),
            f'trimtab_deployment_allowed_replicas{{bound="policy",deployment="idle",policy="chat",{IT}}}': (
                there(1, 30)
            ),
        },
        quiet_at=("4m", "14m", "26m"),
        fires_at="16m",
        labels={**OF_CHAT, **LABELS, "bound": "policy"},
        description=f"{NAME} lacks 1 replicas that its rules want; the bound that stops it was set by: policy. "
        "Requests may be waiting.",
    ),
    Case(
        alert="TrimtabBlockedByQuota",
        name="held",
        series={
            f'trimtab_deployment_hold{{reason="quota",{D},{IT}}}': f"_x4 {there(1, 20)} stale",
            f'trimtab_deployment_hold{{reason="at_max",{TWIN},{IT}}}': there(1, 40),
        },
        quiet_at=("4m", "18m", "26m"),
        fires_at="21m",
        labels={**OF_CHAT, "job": "trimtab", "reason": "quota"},
        description=f"{NAME} gets no more replicas: quota.",
    ),
    Case(
        alert="TrimtabBlockedByQuota",
        name="bound",
        series={
            f"trimtab_deployment_wanted_replicas{{{D},{IT}}}": there(9, 40),
            f'trimtab_deployment_allowed_replicas{{bound="quota",{D},{IT}}}': f"_x4 {there(8, 20)} stale",
        },
        quiet_at=("4m", "18m", "26m"),
        fires_at="21m",
        labels={**OF_CHAT, "job": "trimtab", "reason": "quota"},
        description=f"{NAME} gets no more replicas: quota.",
    ),
    Case(
        alert="TrimtabBlockedBySpendLimit",
        name="held",
        series={
            f'trimtab_deployment_hold{{reason="spend_limit",{D},{IT}}}': f"_x4 {there(1, 20)} stale",
            f'trimtab_spend_limit_trimming{{period="month",{IT}}}': there(0, 40),
        },
        quiet_at=("4m", "18m", "26m"),
        fires_at="21m",
        labels={"job": "trimtab"},
        description="1 deployments of job trimtab may not grow.",
    ),
    Case(
        alert="TrimtabBlockedBySpendLimit",
        name="trimming",
        series={
            f'trimtab_spend_limit_trimming{{period="month",{IT}}}': (
                f"{there(0, 5)} {there(1, 20)} {there(0, 5)}"
            ),
        },
        quiet_at=("4m", "19m", "25m"),
        fires_at="21m",
        labels={"job": "trimtab", "period": "month"},
        description="Counts are lowered for the limit of the month.",
    ),
    Case(
        alert="TrimtabReplicasStuckStarting",
        series={
            f"trimtab_deployment_stuck_since_timestamp_seconds{{{D},{IT}}}": (
                f"_x4 {there(300, 20)} stale"
            ),
            f"trimtab_deployment_on_their_way_replicas{{{TWIN},{IT}}}": there(4, 40),  # they start
        },
        quiet_at=("4m", "9m", "26m"),
        fires_at="12m",
        labels={**OF_CHAT, **LABELS},
        description=f"{NAME} has waited 7m 0s longer than nearly all starts took. No more are asked for meanwhile.",
    ),
    Case(
        alert="TrimtabFlapping",
        series={
            f"trimtab_deployment_desired_replicas{{{D},{IT}}}": (
                "2+0x9 3+0x4 2+0x4 3+0x4 2+0x4 3+0x4 2+0x4 3+0x4 2+0x4 2+0x120"
            ),
            # Up step by step and down step by step is a day, not flapping.
            f"trimtab_deployment_desired_replicas{{{TWIN},{IT}}}": "2+0x9 2+1x20 22-1x40 2+0x100",
        },
        quiet_at=("9m", "44m", "49m", "150m"),
        fires_at="52m",
        labels={**OF_CHAT, **LABELS},
        description=f"{NAME} turned from going up to going down 4 times in the last 1h.",
    ),
    Case(
        alert="TrimtabOrdersNotCarriedOut",
        series={
            # Tried now and then, in vain: the series comes and goes.
            f'trimtab_deployment_order_withheld{{reason="backing_off",{D},{IT}}}': (
                f"_x4 {there(1, 8)} stale _ {there(1, 10)} stale"
            ),
            f'trimtab_deployment_order_withheld{{reason="in_flight",{TWIN},{IT}}}': there(1, 60),
        },
        quiet_at=("3m", "13m", "45m"),
        fires_at="18m",
        labels={**OF_CHAT, "job": "trimtab", "reason": "backing_off"},
        description=f"Orders for {NAME} are not carried out: backing_off.",
    ),
    Case(
        alert="TrimtabDeploymentFailed",
        series={
            f'trimtab_deployment_state{{state="READY",{D},{IT}}}': f"{there(1, 5)} stale",
            f'trimtab_deployment_state{{state="FAILED",{D},{IT}}}': f"_x4 {there(1, 15)} stale",
            f'trimtab_deployment_state{{state="READY",{TWIN},{IT}}}': there(1, 30),
        },
        quiet_at=("3m", "8m", "20m"),
        fires_at="11m",
        labels={**OF_CHAT, **LABELS, "state": "FAILED"},
        description=f"{NAME} is FAILED.",
    ),
    Case(
        alert="TrimtabExpiryNearWithTraffic",
        name="a day",
        series={
            # 24 h before from the tenth minute on; at minute 40 somebody extends it.
            f"trimtab_deployment_expiry_timestamp_seconds{{{D},{IT}}}": f"{there(87000, 40)} {there(999999, 20)}",
            f"trimtab_deployment_wanted_replicas{{{D},{IT}}}": there(2, 60),
            f"trimtab_deployment_expiry_timestamp_seconds{{{TWIN},{IT}}}": there(87000, 60),
            f"trimtab_deployment_wanted_replicas{{{TWIN},{IT}}}": there(0, 60),  # nobody uses it
        },
        quiet_at=("9m", "14m", "40m"),
        fires_at="20m",
        labels={**OF_CHAT, **LABELS},
        description=f"{NAME} expires in 23h 50m 0s and is used.",
    ),
    Case(
        alert="TrimtabExpiryNearWithTraffic",
        name="an hour",
        severity="critical",
        series={
            f"trimtab_deployment_expiry_timestamp_seconds{{{D},{IT}}}": f"{there(3000, 70)} {there(999999, 20)}",
            f"trimtab_deployment_wanted_replicas{{{D},{IT}}}": there(2, 90),
        },
        quiet_at=("4m", "70m"),
        fires_at="60m",  # it has expired, and is used all the same
        labels={**OF_CHAT, **LABELS},
        description=f"{NAME} expires in -10m 0s and is used.",
    ),
    Case(
        alert="TrimtabAttainmentMissed",
        series={
            f'trimtab_strategy_missed_ratio{{rule="ahead",{D},{IT}}}': (
                f"{there(0.005, 10)} {there(0.02, 80)} {there(0.008, 20)}"
            ),
            f'trimtab_strategy_missed_max_ratio{{rule="ahead",{D},{IT}}}': there(0.01, 110),
            f'trimtab_strategy_missed_ratio{{rule="ahead",{TWIN},{IT}}}': there(0.02, 110),
            f'trimtab_strategy_missed_max_ratio{{rule="ahead",{TWIN},{IT}}}': there(0.05, 110),
        },
        quiet_at=("9m", "65m", "90m"),
        fires_at="75m",
        labels={**OF_CHAT, **LABELS, "rule": "ahead"},
        description=f"2% of the load of {NAME} lately met too few replicas (rule ahead).",
    ),
)
