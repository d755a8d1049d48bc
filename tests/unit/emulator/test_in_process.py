"""Asked in process, the emulator answers what it answers over HTTP."""

from __future__ import annotations

import json

import pytest
from aiohttp.test_utils import TestClient, TestServer

from trimtab.clock import ManualClock
from trimtab.emulator.app import build_app
from trimtab.emulator.emulation import Emulation
from trimtab.emulator.faults import Fault, FaultKind
from trimtab.emulator.in_process import ask

KEY = {"Authorization": "Bearer some-key"}
DEPLOYMENT = "/v1/accounts/acme/deployments/d1"


def an_emulation() -> Emulation:
    emulation = Emulation(ManualClock(1_767_225_600.0), account="acme")
    emulation.add_deployment("acme", "d1", shape="llama-8b-minimal", min=1, max=5, replicas_ready=1)
    return emulation


@pytest.mark.parametrize(
    ("method", "path", "query", "body"),
    [
        ("GET", "/v1/accounts/acme/deployments", {"pageSize": "1"}, None),
        ("GET", DEPLOYMENT, {}, None),
        ("GET", "/v1/accounts/acme/deployments/none", {}, None),
        ("GET", "/v1/accounts/other/deployments", {}, None),
        ("GET", "/v1/accounts/acme/metrics", {}, None),
        ("GET", "/v1/nothing/here", {}, None),
        ("PATCH", DEPLOYMENT, {"updateMask": "min_replica_count"}, {"minReplicaCount": 2}),
        ("PATCH", DEPLOYMENT, {}, {"minReplicaCount": "many"}),
        ("PATCH", DEPLOYMENT + ":scale", {}, {"replicaCount": 3}),
        ("DELETE", DEPLOYMENT, {"ignoreChecks": "true"}, None),
    ],
)
async def test_the_answer_is_the_same(
    method: str, path: str, query: dict[str, str], body: object
) -> None:
    data = b"" if body is None else json.dumps(body).encode()
    async with TestClient(TestServer(build_app(an_emulation()))) as client:
        over_http = await client.request(method, path, params=query, headers=KEY, data=data)
        text = await over_http.text()
    reply = await ask(an_emulation(), method, path, query=query, headers=KEY, body=data)
    assert reply is not None
    assert (reply.status, reply.text) == (over_http.status, text)
    assert reply.headers["content-type"] == over_http.headers["Content-Type"]


async def test_a_key_is_asked_for() -> None:
    reply = await ask(an_emulation(), "GET", DEPLOYMENT)
    assert reply is not None
    assert reply.status == 401


async def test_a_connection_that_is_cut_gives_no_reply() -> None:
    emulation = an_emulation()
    emulation.faults.add(Fault(FaultKind.APPLIED_RESET))
    body = b'{"minReplicaCount": 2}'
    assert await ask(emulation, "PATCH", DEPLOYMENT, headers=KEY, body=body) is None
    assert emulation.deployments["accounts/acme/deployments/d1"].minimum == 2
