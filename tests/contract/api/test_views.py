"""What a daemon that has lived for an hour tells of itself."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.worlds.lived_in import OPERATOR, POLICY, START, lived_in, name_of

from trimtab.core.reason_words import ENTRIES
from trimtab.service.views import past

HOUR = 3600.0


async def test_the_fleet_begins_with_what_needs_somebody(tmp_path: Path) -> None:
    async with lived_in(tmp_path) as world:
        status, fleet = await world.get("/v1/fleet")
        assert status == 200
        levels = [row["trouble"]["level"] for row in fleet["rows"]]
        assert levels == sorted(levels, key=["failing", "short", "held", "well"].index)
        by_name = {row["short_name"]: row for row in fleet["rows"]}
        assert by_name["chat-failed"]["trouble"]["sentence"].endswith("failed: out of memory")
        assert by_name["chat-silent"]["reason"] == "missing_data"
        assert (by_name["chat-full"]["wanted"], by_name["chat-full"]["desired"]) == (20, 6)
        assert by_name["chat-0"]["team"] == "first"
        assert "nobody's" not in by_name
        assert fleet["counts"]["without_policy"] == 1


async def test_a_deployment_says_what_binds_it_and_what_would_change_that(tmp_path: Path) -> None:
    async with lived_in(tmp_path) as world:
        _, seen = await world.get("/v1/deployments/chat-full")
        decision = seen["decision"]
        assert decision["bounds"]["upper"] == {"replicas": 6, "set_by": "policy chat"}
        (decisive,) = [step for step in decision["trail"] if step["is_decisive"]]
        assert (decisive["stage"], decisive["reason"]) == ("bounds", "at_max")
        assert decision["trail"][decision["change"]["step"]] == decisive
        assert decision["change"]["remedy"].startswith("Raise the bound")
        (taken,) = [one for one in decision["proposals"] if one["is_decisive"]]
        assert (taken["rule"], taken["replicas"]) == ("load", 20)
        assert {one["signal"]: one["freshness"] for one in decision["readings"]} == {
            "load": "usable",
            "spare": "missing",
        }
        assert seen["sharing"]["quotas"][0]["accelerators"] == 400


async def test_a_reason_that_there_is_none_of_is_refused_with_the_nearest(tmp_path: Path) -> None:
    async with lived_in(tmp_path, seconds=60.0) as world:
        status, problem = await world.get("/v1/decisions?reason=at_mx")
        assert status == 400
        assert problem["detail"].startswith("reason 'at_mx' is none of ")
        assert problem["detail"].endswith("; did you mean `at_max`?")
        status, _ = await world.get("/v1/decisions?reason=at_max")
        assert status == 200


async def test_a_deployment_without_a_policy_is_shown_and_not_decided_on(tmp_path: Path) -> None:
    async with lived_in(tmp_path, seconds=60.0) as world:
        status, seen = await world.get("/v1/deployments/nobody's")
        assert (status, seen["decision"], seen["policies"]) == (200, None, [])
        status, problem = await world.get("/v1/proposals/nobody's")
        assert (status, problem["detail"].endswith("no policy matches it")) == (404, True)


async def test_what_held_at_a_moment_is_found_again_with_its_trail(tmp_path: Path) -> None:
    async with lived_in(tmp_path) as world:
        _, series = await world.get("/v1/series/chat-0?since=1h")
        assert [run["at"] for run in series["runs"]] == sorted(run["at"] for run in series["runs"])
        a_run = series["runs"][len(series["runs"]) // 2]
        _, found = await world.get(f"/v1/decisions/at/chat-0?at={a_run['at']}")
        assert found["id"] == a_run["id"]
        assert found["trail"]
        _, by_id = await world.get(f"/v1/decisions/{a_run['id']}")
        assert by_id == found
        status, problem = await world.get("/v1/decisions/at/chat-0?at=5h")
        assert (status, "may not reach back" in problem["detail"]) == (404, True)


async def test_series_have_the_load_the_replicas_that_serve_and_the_writes(tmp_path: Path) -> None:
    async with lived_in(tmp_path) as world:
        _, series = await world.get("/v1/series/chat-0?since=1h")
        (load,) = series["signals"]
        assert load["name"] == "load"
        values = [point["value"] for point in load["points"]]
        assert (min(values) < 8, max(values) > 42) == (True, True), "the wave that was sent"
        assert {point["value"] for point in series["ready"]["points"]} >= {1.0, 2.0, 3.0, 4.0}
        assert {one["status"] for one in series["writes"]} == {"applied"}
        assert series["detail_since"].startswith("2026-01-01T00:00:00")
        _, steady = await world.get("/v1/series/chat-full?since=20m")
        assert [point["value"] for point in steady["ready"]["points"]] == [6.0]


async def test_what_will_happen_is_told_in_order(tmp_path: Path) -> None:
    async with lived_in(tmp_path, seconds=60.0) as world:
        order = {"kind": "pause", "deployment": "chat-0", "for": "10m", "reason": "a look"}
        await world.ask("POST", "/v1/overrides", json=order, token=OPERATOR)
        _, page = await world.get("/v1/events/upcoming?horizon=24h")
        assert [(one["kind"], one["deployment"]) for one in page["events"]] == [
            ("override_end", name_of("chat-0")),
            ("schedule", None),
            ("expiry", name_of("chat-ends")),
            ("platform_floor", name_of("chat-ends")),
        ]
        _, mine = await world.get("/v1/events/upcoming?deployment=chat-full&horizon=24h")
        assert {one["kind"] for one in mine["events"]} <= {"schedule", "recheck"}


async def test_policies_have_every_value_and_a_bad_file_its_diagnostics(tmp_path: Path) -> None:
    async with lived_in(tmp_path, seconds=60.0) as world:
        _, seen = await world.get("/v1/policies")
        (chat,) = [one for one in seen["policies"] if one["name"] == "chat"]
        values = {one["key"]: (one["value"], one["source"]) for one in chat["values"]}
        assert values["bounds.max"] == (6, "file")
        assert values["mode"] == ("enforce", "default")
        assert (chat["deployments"], seen["bad_files"]) == (6, [])
        bad = POLICY.replace("target: 10", "tagret: 10")
        (tmp_path / "policies" / "chat.yaml").write_text(bad, encoding="utf-8")
        assert (await world.ask("POST", "/-/reload", token=OPERATOR))[0] == 422
        _, seen = await world.get("/v1/policies")
        assert seen["bad_files"][0]["kept"] == ["chat", "batch"]
        assert "POL104" in {one["code"] for one in seen["diagnostics"]}
        assert len(seen["policies"]) == 2, "the last good version stays in force"
        _, daemon = await world.get("/v1/daemon")
        assert [line["severity"] for line in daemon["banner"]["lines"]] == ["remark"]


async def test_the_banner_says_what_is_not_done(tmp_path: Path) -> None:
    async with lived_in(tmp_path, seconds=60.0) as world:
        assert not world.daemon.views.banner().lines
        world.source.trouble = "unused"
        world.target.trouble = "the control plane is away"
        await world.pass_time(30.0)
        banner = world.daemon.views.banner()
        assert banner.is_degraded
        assert "the control plane is away" in banner.lines[0].sentence


async def test_a_what_if_asks_for_other_counts_and_says_what_it_cannot_know(tmp_path: Path) -> None:
    async with lived_in(tmp_path) as world:
        text = POLICY.replace("target: 10", "target: 5").replace("query: other", "query: fresh")
        body = {"text": text.replace("spare:", "fresh:"), "hours": 1.0, "deployment": "chat-0"}
        status, seen = await world.ask("POST", "/v1/what-if", json=body)
        assert status == 200
        (chat,) = seen["deployments"]
        assert chat["replica_hours"] > 1.4 * chat["actual_replica_hours"]
        assert chat["replicas_max"] == 6, "its own bounds hold"
        assert seen["is_complete"]
        assert any(one.startswith("fresh: nothing was recorded") for one in seen["caveats"])


async def test_a_what_if_of_policies_for_nobody_says_so_and_not_that_signals_are_missing(
    tmp_path: Path,
) -> None:
    async with lived_in(tmp_path, seconds=60.0) as world:
        others = POLICY.replace('"chat*"', '"nothing-is-called-so"')
        assert others != POLICY
        body = {"text": others, "hours": 1.0, "deployment": "chat-0"}
        status, seen = await world.ask("POST", "/v1/what-if", json=body)
        assert (status, seen["deployments"]) == (200, [])
        assert seen["caveats"][0].startswith("None of these policies matches accounts/")
        assert not any("nothing was recorded" in one for one in seen["caveats"])


async def test_a_name_that_is_like_none_is_answered_with_those_there_are(tmp_path: Path) -> None:
    async with lived_in(tmp_path, seconds=30.0) as world:
        _, problem = await world.get("/v1/deployments/zzz")
        assert problem["detail"].startswith("there is no deployment 'zzz'; there are ")
        assert "chat-0" in problem["detail"]


async def test_a_what_if_by_the_policy_in_force_comes_to_what_was(tmp_path: Path) -> None:
    """Load rises and falls slowly enough that no window or lead time tells the two apart for long."""
    async with lived_in(tmp_path) as world:
        body = {"text": POLICY, "hours": 1.0, "deployment": "chat-0"}
        _, seen = await world.ask("POST", "/v1/what-if", json=body)
        (chat,) = seen["deployments"]
        assert chat["replica_hours"] == pytest.approx(chat["actual_replica_hours"], rel=0.05)
        assert world.clock.now() == START + HOUR


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"text": "a: 1"}, 200, "has errors"),
        ({"text": ""}, 200, "has no policy"),
        ({"text": POLICY, "hours": 0.0}, 422, "above 0"),
        ({"text": POLICY, "hours": 1e9}, 422, "at most"),
        ({"text": POLICY, "deployment": "nope"}, 404, "no deployment 'nope'"),
        ({"text": 1}, 422, "text"),
        ({"text": POLICY, "more": 1}, 422, "more"),
        ({}, 422, "text"),
    ],
)
async def test_a_what_if_that_cannot_be_meant(
    tmp_path: Path, body: dict[str, object], status: int, words: str
) -> None:
    async with lived_in(tmp_path, seconds=30.0) as world:
        answered, said = await world.ask("POST", "/v1/what-if", json=body)
        assert answered == status
        assert words in (said["detail"] if status >= 400 else said["caveats"][0])


async def test_without_a_journal_the_present_is_told_and_the_past_is_not(tmp_path: Path) -> None:
    async with lived_in(tmp_path, seconds=60.0, has_journal=False) as world:
        assert (await world.get("/v1/deployments/chat-0"))[0] == 200
        for path in ("/v1/decisions", "/v1/decisions/1", "/v1/series/chat-0"):
            status, problem = await world.get(path)
            assert (status, "journal.path is off" in problem["detail"]) == (503, True)


async def test_too_many_questions_to_the_journal_are_told_to_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(past, "WAITING_MAX", 0)
    async with lived_in(tmp_path, seconds=60.0) as world:
        asked = [world.get("/v1/decisions") for _ in range(12)]
        statuses = [status for status, _ in await asyncio.gather(*asked)]
        assert set(statuses) == {200, 503}
        assert (await world.get("/v1/decisions"))[0] == 200


async def test_every_reason_says_what_would_change_it() -> None:
    assert all(entry.meaning and entry.remedy for entry in ENTRIES.values())
