from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.emulator import schema
from trimtab.emulator.aip160 import compile_filter
from trimtab.emulator.refusals import Refusal
from trimtab.emulator.switches import Switches

STRICT = Switches()
DEPLOYMENT: dict[str, Any] = {
    "name": "accounts/acct/deployments/chat",
    "displayName": "Chat prod",
    "baseModel": "accounts/fireworks/models/gpt-oss-120b",
    "state": "READY",
    "minReplicaCount": 1,
    "maxReplicaCount": 4,
    "createTime": 1_767_225_600.0,
    "enableAddons": True,
    "annotations": {"team": "search", "trimtab.dev/owner": "sre"},
    "directRouteApiKeys": ["k1", "k2"],
    "autoscalingPolicy": {"scaleUpWindow": 30.0},
    "replicaStats": {"readyReplicaCount": 2},
}


def keeps(text: str) -> bool:
    return compile_filter(text, schema.DEPLOYMENT, STRICT)(DEPLOYMENT)


@pytest.mark.parametrize(
    "text",
    [
        *("", "  ", 'state="READY"', "state = READY", "state != FAILED", "min_replica_count=1"),
        *("minReplicaCount >= 1", "max_replica_count > 3", "max_replica_count <= 4"),
        *("min_replica_count < 2", 'base_model="accounts/fireworks/models/gpt-oss-120b"'),
        *('base_model:"gpt-oss"', 'display_name="Chat*"', 'display_name="*prod"', "chat"),
        *("enable_addons=true", "enable_addons", "NOT enable_hot_load", "-state=FAILED"),
        *('create_time > "2025-12-31T00:00:00Z"', 'create_time<"2026-01-01T00:00:01+00:00"'),
        *("autoscaling_policy.scale_up_window=30s", "replica_stats.ready_replica_count=2"),
        *("annotations:team", "annotations.team=search", 'annotations."trimtab.dev/owner"=sre'),
        *("direct_route_api_keys:k2", "annotations:*", "autoscaling_policy:*", "state:READY"),
        *("desired_replica_count=0", "description=''", "placement.region=REGION_UNSPECIFIED"),
        *("expire_time != '2026-01-01T00:00:00Z'", "display_name='Chat prod'"),
    ],
)
def test_what_is_true_of_the_deployment_keeps_it(text: str) -> None:
    assert keeps(text)


@pytest.mark.parametrize(
    "text",
    [
        *("state=FAILED", 'NOT state="READY"', "min_replica_count>1", "enable_addons=false"),
        *('display_name="Chat"', 'display_name!="Chat*"', "annotations:owner", "expire_time:*"),
        *("direct_route_api_keys:k3", "zebra", "enable_hot_load", "description:*"),
        *("expire_time > '2026-01-01T00:00:00Z'", "annotations.team=ads", "annotations.none:*"),
    ],
)
def test_what_is_not_true_of_it_drops_it(text: str) -> None:
    assert not keeps(text)


def test_or_binds_tighter_than_and() -> None:
    # As AIP-160 has it: a AND b OR c is a AND (b OR c).
    assert not keeps("state=FAILED AND state=READY OR min_replica_count=1")
    assert keeps("(state=FAILED AND state=READY) OR min_replica_count=1")


def test_juxtaposition_is_and() -> None:
    assert keeps("state=READY min_replica_count=1")
    assert not keeps("state=READY min_replica_count=2")


@pytest.mark.parametrize(
    "text",
    [
        *("(", ")", "state=", "= READY", "AND", "state=READY AND", "state=READY OR", "NOT"),
        *("nonsense=1", "min_replica_count=many", "state=NOWHERE", "state>READY", "state=(READY)"),
        *("autoscaling_policy=1", "annotations=1", "direct_route_api_keys=k1", "regex(name)"),
        *("create_time>yesterday", "state=READY)", "a,b", '"unclosed', "enable_addons<true"),
        *("(" * 60 + "chat" + ")" * 60, "x" * 9000),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(text: str) -> None:
    with pytest.raises(Refusal, match="invalid filter") as refused:
        compile_filter(text, schema.DEPLOYMENT, STRICT)
    assert refused.value.http_status == 400


@given(st.text(alphabet=st.sampled_from("abst=<>!:()\"'.,-*\\ ANDORNT01") | st.characters()))
def test_any_text_is_either_a_filter_or_refused(text: str) -> None:
    status, kept = 200, True
    try:
        kept = compile_filter(text, schema.DEPLOYMENT, STRICT)(DEPLOYMENT)
    except Refusal as refused:
        status = refused.http_status

    assert status in {200, 400}
    assert kept in {True, False}
