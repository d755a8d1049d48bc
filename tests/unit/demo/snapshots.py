"""Snapshots as tests want them: complete, and changed where the test looks."""

from trimtab.cli.demo.audit import Range
from trimtab.cli.demo.snapshot import DemoSnapshot, DeploymentView, Moment, Replicas
from trimtab.core.facts import Facts
from trimtab.simulation import Account

MONDAY_SEVEN = 1_767_571_200.0 + 7 * 3600.0


def build_view(**changed: object) -> DeploymentView:
    fields: dict[str, object] = {
        "id": "chat-8b",
        "name": "accounts/demo/deployments/chat-8b",
        "hardware": "1x H100",
        "users": "London",
        "hours_ahead": 0.0,
        "state": "READY",
        "mode": "enforce",
        "policy": "chat-small",
        "allowed": Range(lower=2, upper=12, lower_set_by="owner", upper_set_by="policy"),
        "requests_per_second": 63.2,
        "history": tuple(
            Moment(requests_per_second=50.0 + minute, ready=4, asked=5, attainment=0.999)
            for minute in range(40)
        ),
        "day": tuple(float(slot % 24) for slot in range(48)),
        "day_position": 7.5 / 24,
        "replicas": Replicas(
            asked=7, pending=1, downloading=1, initializing=1, ready=4, draining=0
        ),
        "ready_least": 2,
        "ready_most": 5,
        "slo": "TTFT 1 s, TPOT 50 ms",
        "attainment_recent": 0.981,
        "account": Account(answered=1000.0, met_slo=998.0, accelerator_hours=2.31, usd=16.17),
        "at_max": Account(answered=1000.0, met_slo=1000.0, accelerator_hours=9.9, usd=69.3),
        "at_min": Account(answered=1000.0, met_slo=250.0, accelerator_hours=1.65, usd=11.55),
        "scale_ups": 3,
        "scale_downs": 1,
        "patches": 4,
        "holds_for": "steady",
        "wanted": 7,
        "fitted": None,
        "facts": Facts(forecast_replicas=5.71, horizon_seconds=180.0),
    }
    return DeploymentView(**{**fields, **changed})  # type: ignore[arg-type]  # the fields of a view


def build_snapshot(**changed: object) -> DemoSnapshot:
    fields: dict[str, object] = {
        "at": MONDAY_SEVEN + 2535.0,
        "started_at": MONDAY_SEVEN,
        "speed": 60.0,
        "seed": 0,
        "trace": None,
        "title": "a made-up day",
        "url": "http://127.0.0.1:40000",
        "page_url": "http://127.0.0.1:40001",
        "remaining_seconds": 12.4,
        "deployments": (
            build_view(),
            build_view(id="chat-70b", name="accounts/demo/deployments/chat-70b"),
            build_view(id="code-8b", name="accounts/demo/deployments/code-8b"),
        ),
        "entries": (),
        "evaluations": 300,
        "scale_ups": 9,
        "scale_downs": 3,
        "patches": 12,
        "patches_refused": 0,
        "holds": {"steady": 250, "stabilizing": 38},
        "violation_count": 0,
        "violations": (),
    }
    return DemoSnapshot(**{**fields, **changed})  # type: ignore[arg-type]  # its fields
