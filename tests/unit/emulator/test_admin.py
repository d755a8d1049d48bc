"""The levers under /_emu/."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import Api
    from trimtab.clock import ManualClock
    from trimtab.emulator import Emulation

D1 = "/_emu/accounts/acct/deployments/d1"


@pytest.fixture
def deployment(emulation: Emulation) -> Any:
    return emulation.add_deployment(
        "acct", "d1", shape="llama-8b-minimal", min=1, max=4, replicas_ready=1
    )


@pytest.mark.usefixtures("deployment")
async def test_the_clock_is_moved_and_the_world_follows(api: Api, clock: ManualClock) -> None:
    before = clock.now()

    answer = await api.call("POST", "/_emu/advance?seconds=9000")

    assert answer.json["now"] == clock.now() == before + 9000


@pytest.mark.parametrize("seconds", ["", "many", "-1", "nan", "inf", "1e300"])
async def test_time_is_moved_by_sane_amounts_only(api: Api, seconds: str) -> None:
    answer = await api.call("POST", "/_emu/advance", params={"seconds": seconds})

    assert (answer.status, answer.json["code"]) == (400, 3)


@pytest.mark.usefixtures("deployment")
async def test_traffic_set_by_hand_arrives(api: Api) -> None:
    await api.call("PUT", D1 + "/traffic", {"kind": "constant", "requestsPerSecond": 8})
    await api.call("POST", "/_emu/advance?seconds=600")

    seen = (await api.get(D1)).json

    assert seen["load"] == {"requestsPerSecond": 8.0, "promptTokens": 512.0, "outputTokens": 128.0}
    assert seen["totals"]["offered"] == pytest.approx(4800, rel=0.1)
    assert seen["totals"]["attainment"] > 0.9


@pytest.mark.usefixtures("deployment")
async def test_traffic_comes_in_steps_and_days(api: Api) -> None:
    steps = [{"seconds": 60, "requestsPerSecond": 2}, {"seconds": 60, "requestsPerSecond": 6}]
    await api.call("PUT", D1 + "/traffic", {"kind": "steps", "steps": steps, "pastTheEnd": "hold"})
    await api.call("POST", "/_emu/advance?seconds=500")
    held = (await api.get(D1)).json["load"]["requestsPerSecond"]
    day = {"kind": "day", "peakRequestsPerSecond": 20, "seed": 3, "hour": 12, "weekday": 1}
    await api.call("PUT", D1 + "/traffic", day)
    noon = (await api.get(D1)).json["load"]["requestsPerSecond"]

    assert held == 6.0
    assert noon > 5.0


@pytest.mark.parametrize(
    "body",
    [
        *({"kind": "waves"}, {"kind": 3}, {"requestsPerSecond": -1}, {"requestsPerSecond": "8"}),
        *({}, {"kind": "steps"}, {"kind": "steps", "steps": []}, {"kind": "steps", "steps": [3]}),
        {"kind": "steps", "steps": [{"seconds": 0, "requestsPerSecond": 1}]},
        {"kind": "steps", "steps": [{"seconds": 1, "requestsPerSecond": 1}], "pastTheEnd": "stop"},
        {"requestsPerSecond": 1, "promptTokens": 0},
        {"requestsPerSecond": 1, "nonsense": 0},
        {"requestsPerSecond": True},
        {"kind": "day", "peakRequestsPerSecond": 1, "hour": 25},
    ],
)
@pytest.mark.usefixtures("deployment")
async def test_traffic_that_cannot_be_meant_is_refused(api: Api, body: dict[str, Any]) -> None:
    answer = await api.call("PUT", D1 + "/traffic", body)

    assert (answer.status, answer.json["code"]) == (400, 3)


async def test_switches_are_shown_and_turned(api: Api, emulation: Emulation) -> None:
    before = (await api.get("/_emu/switches")).json
    after = (
        await api.patch(
            "/_emu/switches",
            {"scale_mode": "reject", "emit_defaults": True, "ready_lag_seconds": 60},
        )
    ).json
    refused = await api.patch("/_emu/switches", {"scale_mode": "perhaps"})

    assert (before["scale_mode"], after["scale_mode"]) == ("clamp", "reject")
    assert emulation.switches.emit_defaults is True
    assert emulation.switches.ready_lag_seconds == 60.0
    assert refused.status == 400
    assert "clamp, reject, rebound" in refused.json["message"]


@pytest.mark.usefixtures("deployment")
async def test_faults_are_armed_listed_and_disarmed(api: Api) -> None:
    armed = await api.post(
        "/_emu/faults",
        {"kind": "error", "operation": "GetDeployment", "status": 500, "forSeconds": 60},
    )
    await api.post("/_emu/faults", {"kind": "latency", "seconds": 0, "count": 1})
    listed = (await api.get("/_emu/faults")).json
    broken = await api.get("deployments/d1")
    removed = await api.call("DELETE", f"/_emu/faults/{armed.json['id']}")
    again = await api.call("DELETE", f"/_emu/faults/{armed.json['id']}")
    whole = await api.get("deployments/d1")
    await api.call("DELETE", "/_emu/faults")

    assert [fault["kind"] for fault in listed["armed"]] == ["error", "latency"]
    assert "applied_error" in listed["kinds"]
    assert (broken.status, removed.status, again.status, whole.status) == (500, 200, 404, 200)
    assert (await api.get("/_emu/faults")).json["armed"] == []


@pytest.mark.parametrize(
    "body",
    [
        *({}, {"kind": "gremlin"}, {"kind": "error", "status": 200}, {"kind": "error", "count": 0}),
        *({"kind": "error", "probability": 2}, {"kind": "error", "operation": 3}),
        *({"kind": "error", "nonsense": 1}, {"kind": "error", "forSeconds": -1}),
        {"kind": "error", "retry_after_seconds": "soon"},
    ],
)
async def test_a_fault_that_cannot_be_meant_is_refused(api: Api, body: dict[str, Any]) -> None:
    assert (await api.post("/_emu/faults", body)).status == 400


@pytest.mark.usefixtures("deployment")
async def test_events_are_told_once(api: Api) -> None:
    await api.patch("deployments/d1", {"minReplicaCount": 2})
    first = (await api.get("/_emu/events")).json["events"]
    second = (await api.get("/_emu/events", since=str(first[-1]["sequence"]))).json["events"]

    assert first[-1]["kind"] == "deployment_updated"
    assert first[-1]["details"] == {"fields": ["minReplicaCount"], "bounds": [2, 4]}
    assert second == []
    assert (await api.get("/_emu/events", since="yesterday")).status == 400


@pytest.mark.usefixtures("deployment")
async def test_crashed_replicas_start_anew(api: Api) -> None:
    crashed = await api.post(D1 + "/crash", {"replicas": 5})
    seen = (await api.get("deployments/d1")).json

    assert crashed.json == {"crashed": 1}
    assert "readyReplicaCount" not in seen["replicaStats"]
    assert seen["replicaCount"] == seen["desiredReplicaCount"] == 1


async def test_accounts_are_opened_and_missing_things_are_404(api: Api) -> None:
    await api.call("PUT", "/_emu/accounts/second", {"apiKey": "two"})

    assert (await api.call("GET", "/v1/accounts/second", key="two")).status == 200
    for path in ("/_emu/accounts/acct/deployments/none", "/_emu/accounts/none/deployments/d1"):
        assert (await api.get(path)).status == 404
    bad = await api.call("PUT", "/_emu/accounts/second", {"suspendState": "TIRED"})
    assert bad.status == 400


@pytest.mark.usefixtures("deployment")
async def test_the_overview_shows_the_world(api: Api) -> None:
    world = (await api.get("/_emu/")).json

    assert world["accounts"] == ["acct", "fireworks"]
    assert world["deployments"]["accounts/acct/deployments/d1"]["replicas"]["serving"] == 1


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"[" * 50_000])
async def test_a_bad_admin_body_is_the_callers_fault(api: Api, body: bytes) -> None:
    assert (await api.call("PATCH", "/_emu/switches", body)).status == 400
