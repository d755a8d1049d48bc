"""The surface: errors are grpc-gateway bodies, keys and accounts are checked, limits hold."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import pytest

from trimtab.emulator import Emulation, Switches

if TYPE_CHECKING:
    from conftest import Answer, Api
    from trimtab.clock import ManualClock


def assert_grpc_error(answer: Answer, status: int, code: int) -> None:
    assert (answer.status, answer.json["code"]) == (status, code)
    assert set(answer.json) == {"code", "message", "details"}
    assert answer.json["message"]
    assert answer.headers["Content-Type"].startswith("application/json")
    # As seen live: two spaces, keys sorted.
    assert answer.text == json.dumps(answer.json, indent=2, sort_keys=True, ensure_ascii=False)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, 5),
        ("GET", "/v1/nonsense", 404, 5),
        ("GET", "/v1/accounts/acct/deployments/", 404, 5),
        ("GET", "/v1/accounts/acct/deployments/a:nonsense", 404, 5),
        ("GET", "/v1/accounts/acct/deployments/missing", 404, 5),
        ("GET", "/v1/accounts/acct/deployments/%FF", 404, 5),
        ("PUT", "/v1/accounts/acct/deployments", 405, 12),
        ("POST", "/v1/accounts/acct/deployments/d1:scale", 405, 12),
        ("GET", "/v1/accounts/acct/deployments?pageSize=many", 400, 3),
        ("GET", "/v1/accounts/acct/deployments?pageSize=1.5", 400, 3),
        ("GET", "/v1/accounts/acct/deployments?pageSize=99999999999999999999", 400, 3),
        ("GET", "/v1/accounts/acct/deployments?pageSize=2147483648", 400, 3),
        ("GET", "/v1/accounts/acct/deployments?pageSize=-1", 400, 3),
        ("GET", "/v1/accounts/acct/deployments?pageSize=1&pageSize=2", 400, 3),
        ("GET", "/v1/accounts/acct/deployments?pageSize=1&page_size=2", 400, 3),
        ("GET", "/v1/accounts/acct/deployments?pageToken=%FF", 400, 3),
        ("GET", "/v1/accounts/acct/deployments?pageToken=AAAA", 400, 3),
        ("GET", "/v1/accounts/acct/deployments?showDeleted=perhaps", 400, 3),
        ("GET", "/v1/accounts/acct/deployments?filter=%28", 400, 3),
        ("GET", "/v1/accounts/acct/deployments?readMask=nonsense", 400, 3),
        ("GET", "/v1/accounts/other", 403, 7),
        ("GET", "/v1/accounts/fireworks/deployments", 403, 7),
        ("DELETE", "/v1/accounts/fireworks/deploymentShapes/llama-8b-minimal", 403, 7),
        ("GET", "/_emu/nonsense", 404, 5),
        ("GET", "/_emu/advance", 405, 12),
    ],
)
async def test_a_bad_request_gets_a_grpc_gateway_body(
    api: Api, method: str, path: str, status: int, code: int
) -> None:
    assert_grpc_error(await api.call(method, path), status, code)


@pytest.mark.parametrize(
    "body",
    [
        *(b"{", b"[]", b"3", b"\xff", b'{"a": NaN}', b'{"x": "\\ud800"}', b"null"),
        *(b'{"displayName": "\\ud800"}', b'{"minReplicaCount": 1e400}', b"[" * 50_000),
        b'{"minReplicaCount": ' + b"9" * 5000 + b"}",
    ],
    ids=lambda body: body[:24].decode("latin-1"),
)
async def test_a_bad_body_is_the_callers_fault(api: Api, body: bytes) -> None:
    for method, path in (("POST", "deployments"), ("POST", "deploymentShapes")):
        assert_grpc_error(await api.call(method, path, body), 400, 3)


async def test_a_body_too_large_is_refused(api: Api) -> None:
    body = io.BytesIO(b" " * 5_000_000)

    assert_grpc_error(await api.call("POST", "deployments", body), 429, 8)


async def test_the_wrong_method_is_unimplemented_if_the_switch_says_so(
    api: Api, emulation: Emulation
) -> None:
    assert (await api.call("PUT", "deployments")).headers["Allow"] == "GET,POST".replace(",", ", ")

    emulation.switches = Switches(wrong_method="unimplemented")

    assert_grpc_error(await api.call("PUT", "deployments"), 501, 12)


async def test_parameters_come_in_either_spelling_and_unknown_ones_are_ignored(api: Api) -> None:
    answer = await api.get("quotas", page_size="2", nonsense="1")

    assert len(answer.json["quotas"]) == 2


# -- keys and accounts -------------------------------------------------------------------------


async def test_without_a_key_nothing_is_told(api: Api) -> None:
    assert_grpc_error(await api.call("GET", "deployments", key=""), 401, 16)
    basic = {"Authorization": "Basic eDp5"}
    assert_grpc_error(await api.call("GET", "deployments", key="", headers=basic), 401, 16)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": "Bearer right"}, 200),
        ({"Authorization": "bearer right"}, 200),
        ({"X-Api-Key": "right"}, 200),
        ({"X-Api-Key": "wrong"}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
    ],
)
async def test_a_configured_key_is_the_only_one(
    api: Api, emulation: Emulation, headers: dict[str, str], status: int
) -> None:
    emulation.account.api_key = "right"

    assert (await api.call("GET", "deployments", key="", headers=headers)).status == status


async def test_each_account_has_its_own_key(api: Api, emulation: Emulation) -> None:
    emulation.account.api_key = "one"
    emulation.add_account("second", api_key="two")
    second = "/v1/accounts/second/deployments"

    assert (await api.call("GET", second, key="two")).status == 200
    assert_grpc_error(await api.call("GET", second, key="one"), 403, 7)
    listed = (await api.call("GET", "/v1/accounts", key="two")).json
    assert [account["name"] for account in listed["accounts"]] == ["accounts/second"]


async def test_accounts_are_listed_by_name_whatever_is_asked(
    api: Api, emulation: Emulation
) -> None:
    for name in ("zebra", "bear"):
        emulation.add_account(name)

    listed = (await api.get("/v1/accounts", orderBy="create_time desc")).json

    assert [account["name"] for account in listed["accounts"]] == [
        "accounts/acct",
        "accounts/bear",
        "accounts/zebra",
    ]


async def test_a_foreign_account_can_be_hidden(api: Api, emulation: Emulation) -> None:
    emulation.switches = Switches(foreign_account="not_found")

    assert_grpc_error(await api.call("GET", "/v1/accounts/other"), 404, 5)


async def test_a_suspended_account_is_refused_everywhere(api: Api) -> None:
    put = "/_emu/accounts/acct"
    await api.call("PUT", put, {"suspendState": "CREDIT_DEPLETED"})
    unpaid = await api.get("deployments")
    await api.call("PUT", put, {"suspendState": "BLOCKED_BY_ABUSE_RULE"})
    blocked = await api.get("deployments")
    await api.call("PUT", put, {"suspendState": "UNSUSPENDED"})

    assert (unpaid.status, blocked.status) == (402, 412)
    assert (await api.get("deployments")).status == 200


async def test_the_request_limit_says_when_to_come_back(api: Api, clock: ManualClock) -> None:
    await api.call("PUT", "/_emu/accounts/acct", {"requestsPerMinute": 10})
    statuses = [(await api.get("deployments")).status for _ in range(11)]
    refused = await api.get("deployments")
    clock.advance(int(refused.headers["Retry-After"]))

    assert statuses == [200] * 10 + [429]
    assert_grpc_error(refused, 429, 8)
    assert (await api.get("deployments")).status == 200


# -- the smaller resources ---------------------------------------------------------------------


async def test_account_quotas_and_shards_are_read(api: Api, emulation: Emulation) -> None:
    emulation.add_deployment(
        "acct", "d1", shape="llama-70b-throughput", min=3, max=3, replicas_ready=3
    )

    account = (await api.get("/v1/accounts/acct")).json
    quota = (await api.get("quotas/global--h100-count")).json
    shards = (await api.get("deployments/d1/shards")).json

    assert account["email"] == "acct@example.com"
    assert (quota["value"], quota["maxValue"], quota["usage"]) == ("64", "64", 12.0)
    assert [shard["replicaStats"]["readyReplicaCount"] for shard in shards["deploymentShards"]] == [
        2,
        1,
    ]


async def test_a_quota_can_be_lowered_but_not_raised_above_its_maximum(api: Api) -> None:
    path = "quotas/global--h100-count"
    lowered = await api.patch(path, {"value": "4"})
    raised = await api.patch(path, {"value": "65"})
    missing = await api.patch("quotas/new-one", {"value": "5"})
    allowed = await api.patch("quotas/new-one", {"value": "5"}, allowMissing="true")

    assert lowered.json["value"] == "4"
    assert (raised.status, missing.status) == (400, 404)
    assert allowed.json["maxValue"] == "5"


async def test_routers_are_made_changed_and_deleted_but_not_the_platforms(
    api: Api, emulation: Emulation
) -> None:
    name = emulation.add_deployment("acct", "d1", shape="llama-8b-minimal").name
    body = {"deployments": [name], "weightedRandom": {}}

    made = await api.post("routers", body, routerId="both")
    taken = await api.post("routers", body, routerId="d1")
    changed = await api.patch("routers/both", {"evenLoad": {}})
    listed = (await api.get("routers")).json["routers"]
    generated = await api.patch("routers/d1", {"displayName": "mine"})
    gone = await api.call("DELETE", "routers/both")

    assert made.json["state"] == "READY"
    assert taken.status == 409
    assert ("evenLoad" in changed.json, "weightedRandom" in changed.json) == (True, False)
    assert {r["name"][-4:]: r.get("autoGenerated", False) for r in listed} == {
        "both": False,
        "s/d1": True,
    }
    assert_grpc_error(generated, 400, 9)
    assert gone.json == {}
    assert (await api.get("routers/both")).status == 404


async def test_a_router_names_deployments_that_exist(api: Api) -> None:
    assert (await api.post("routers", {"deployments": ["nonsense"]})).status == 400
    both = {"weightedRandom": {}, "evenLoad": {}}
    assert (await api.post("routers", both)).status == 400


async def test_a_shape_of_ones_own_gets_a_version_with_every_change(
    api: Api, clock: ManualClock
) -> None:
    model = "accounts/fireworks/models/llama-v3p1-8b-instruct"
    made = (await api.post("deploymentShapes", {"baseModel": model}, deploymentShapeId="mine")).json
    first = (await api.get("deploymentShapes/mine/versions")).json["deploymentShapeVersions"][0]
    clock.advance(1)
    await api.patch("deploymentShapes/mine", {"displayName": "Mine", "acceleratorCount": 2})
    versions = (await api.get("deploymentShapes/mine/versions")).json["deploymentShapeVersions"]
    path = first["name"].removeprefix("accounts/acct/")
    unvalidated = await api.post(
        "deployments", {"baseModel": model, "deploymentShape": first["name"]}
    )
    validated = (await api.patch(path, {"validated": True})).json
    fine = await api.post("deployments", {"baseModel": model, "deploymentShape": made["name"]})
    back = await api.patch("deploymentShapes/mine", {}, fromLatestValidated="true")

    assert made["acceleratorType"] == "NVIDIA_A100_80GB"
    assert made["parameterCount"] == "8000000000"
    assert [v["snapshot"]["acceleratorCount"] for v in versions] == [1, 2]
    assert "not validated" in unvalidated.json["message"]
    assert validated["latestValidated"] is True
    assert fine.json["deploymentShape"] == first["name"]
    assert back.json["acceleratorCount"] == 1
    assert (await api.call("DELETE", "deploymentShapes/mine")).json == {}
    assert (await api.get(path)).status == 404


async def test_unvalidated_versions_need_permission(api: Api) -> None:
    model = "accounts/fireworks/models/llama-v3p1-8b-instruct"
    made = (await api.post("deploymentShapes", {"baseModel": model}, deploymentShapeId="mine")).json
    body = {"baseModel": model, "deploymentShape": made["name"]}

    assert (await api.post("deployments", body)).status == 400
    assert (await api.post("deployments", body, skipShapeValidation="true")).status == 200


async def test_a_shape_is_for_its_model(api: Api) -> None:
    shape = "accounts/fireworks/deploymentShapes/llama-8b-minimal"
    wrong = {"baseModel": "accounts/fireworks/models/qwen3-8b", "deploymentShape": shape}
    own = {"baseModel": "accounts/acct/models/tuned", "deploymentShape": shape}

    assert (await api.post("deployments", wrong)).status == 400
    assert (await api.post("deployments", own)).status == 200
    matched = await api.post(
        "deploymentShapeVersions:match",
        {"createDeploymentRequest": {"parent": "accounts/other", "deployment": {"baseModel": "m"}}},
    )
    assert matched.status == 400


async def test_private_shapes_are_invisible_to_others(api: Api, emulation: Emulation) -> None:
    emulation.account.api_key = "one"
    emulation.add_account("second", api_key="two")
    body = {"baseModel": "accounts/acct/models/m"}
    await api.call(
        "POST", "deploymentShapes", body, key="one", params={"deploymentShapeId": "mine"}
    )

    async def seen(key: str) -> set[str]:
        answer = await api.call(
            "GET", "/v1/accounts/-/deploymentShapes", key=key, params={"pageSize": "200"}
        )
        return {shape["name"].split("/")[1] for shape in answer.json["deploymentShapes"]}

    assert await seen("one") == {"fireworks", "acct"}
    assert await seen("two") == {"fireworks"}


async def test_ledger_and_termination_message_tell_what_happened(
    api: Api, emulation: Emulation
) -> None:
    emulation.add_deployment("acct", "d1", shape="llama-8b-minimal", min=1, replicas_ready=1)
    path = "/_emu/accounts/acct/deployments/d1"
    empty = [
        (await api.get(f"deployments/d1/{part}")).json for part in ("ledger", "terminationMessage")
    ]
    await api.post(path + "/ledger", {"value": "checkpoint-7"})
    crashed = await api.post(path + "/crash", {})
    ledger = (await api.get("deployments/d1/ledger")).json
    message = (await api.get("deployments/d1/terminationMessage")).json

    assert empty == [{}, {}]
    assert crashed.json == {"crashed": 1}
    assert ledger["ledger"][0]["value"] == "checkpoint-7"
    assert "137" in message["message"]
    assert (await api.call("DELETE", "deployments/d1/ledger")).json == {}
    assert (await api.get("deployments/d1/ledger")).json == {}


async def test_the_deprecated_metrics_answer_a_few_numbers(api: Api, emulation: Emulation) -> None:
    emulation.add_deployment("acct", "d1", shape="llama-8b-minimal", min=1, replicas_ready=1)

    metrics: dict[str, Any] = (await api.get("deployments/d1:metrics", timeRange="2h")).json
    one = await api.get("deployments/d1:metrics", readMask="metrics.requests_per_second")

    assert metrics["metrics"]["requests_per_second"] == 0.0
    assert list(one.json["metrics"]) == ["requests_per_second"]
    assert (await api.get("deployments/d1:metrics", timeRange="yesterday")).status == 400
    assert (await api.get("deployments/d1:metrics", readMask="nonsense")).status == 400
