"""Whatever is wrong is said in one sentence, with an exit code or a reason to hold, and writes nothing."""

from __future__ import annotations

import re
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from control_plane import KEY, Answer, ControlPlane, cut_short, grpc_error, raw
from running import (
    POLICY,
    Trimtab,
    account_environment,
    clean_environment,
    several_accounts,
    trimtab_run,
    write_policy,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

BAD_CONFIGURATION = 78
DEPENDENCY_UNAVAILABLE = 69

HTML = "<!DOCTYPE html><html><body><h1>502 Bad Gateway</h1></body></html>"


def assert_civil(process: Trimtab) -> None:
    """No traceback, and the key nowhere."""
    for text in (process.raw_output, process.errors):
        assert "Traceback" not in text
        assert KEY not in text


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    return write_policy(tmp_path / "policies")


async def test_without_an_account_it_says_which_settings_are_missing(policies: Path) -> None:
    async with trimtab_run(clean_environment(), policies) as process:
        assert await process.ended() == BAD_CONFIGURATION
    assert process.errors.splitlines() == [
        (
            "no account is set: set TRIMTAB_FIREWORKS__ACCOUNT_ID and "
            "TRIMTAB_FIREWORKS__API_KEY_FILE, or `accounts` or `clusters` in the settings file"
        )
    ]
    assert process.raw_output == ""


async def test_without_a_key_it_says_where_the_key_goes(policies: Path) -> None:
    environment = clean_environment(TRIMTAB_FIREWORKS__ACCOUNT_ID="acme")
    async with trimtab_run(environment, policies) as process:
        assert await process.ended() == BAD_CONFIGURATION
    assert process.errors.splitlines() == [
        "account acme has no API key; set api_key_file to a file that holds it"
    ]


async def test_a_policy_with_a_typo_is_shown_with_a_caret_and_nothing_runs(tmp_path: Path) -> None:
    text = POLICY.replace("role: demand", "roel: demand")
    policies = write_policy(tmp_path / "policies", text)
    async with ControlPlane() as control_plane:
        environment = account_environment(control_plane.base_url)
        async with trimtab_run(environment, policies) as process:
            assert await process.ended() == BAD_CONFIGURATION
    assert "did you mean `role`?" in process.errors
    assert "chat.yaml:13" in process.errors
    assert "^" in process.errors
    assert control_plane.calls == []
    assert_civil(process)


async def test_a_missing_policy_directory_is_not_an_empty_one(tmp_path: Path) -> None:
    environment = account_environment("http://127.0.0.1:1")
    async with trimtab_run(environment, tmp_path / "nowhere") as process:
        assert await process.ended() == BAD_CONFIGURATION
    assert "POL001" in process.errors
    assert_civil(process)


async def test_a_wrong_option_is_a_usage_error(policies: Path) -> None:
    async with trimtab_run(clean_environment(), policies, "--fail-fats") as process:
        assert await process.ended() == 2
    assert "--fail-fats" in process.errors


async def test_a_taken_address_is_a_failure_with_the_variable_that_moves_it(policies: Path) -> None:
    async with ControlPlane() as control_plane:
        taken = control_plane.base_url.removeprefix("http://")
        environment = account_environment(control_plane.base_url, TRIMTAB_LISTEN=taken)
        async with trimtab_run(environment, policies) as process:
            assert await process.ended() == 1
    assert process.errors.splitlines() == [
        f"cannot listen on {taken}: Address already in use; set TRIMTAB_LISTEN"
    ]
    assert control_plane.calls == []


async def test_fail_fast_ends_when_the_control_plane_cannot_be_reached(policies: Path) -> None:
    environment = account_environment("http://127.0.0.1:1")
    async with trimtab_run(environment, policies, "--fail-fast") as process:
        assert await process.ended() == DEPENDENCY_UNAVAILABLE
    [sentence] = process.errors.splitlines()
    assert sentence.startswith("Listing deployments of account acme failed: Cannot connect")
    assert_civil(process)


WRONG_ANSWERS: dict[str, tuple[Answer, str, str]] = {
    # the account that answers so: (answer, kind of failure, words of the sentence)
    "html-instead-of-json": (raw(HTML, content_type="text/html"), "bad_response", "HTML"),
    "truncated-json": (raw('{"deployments": [{"name": "acc'), "bad_response", "JSON"),
    "cut-in-the-body": (cut_short, "unavailable", "lost"),
    "json-of-the-wrong-type": (raw('["deployments"]'), "bad_response", "not an object"),
    "s401": (grpc_error(401, 16, "invalid api key"), "unauthenticated", "invalid api key"),
    "s403": (grpc_error(403, 7, "no permission"), "forbidden", "no permission"),
    "s404": (grpc_error(404, 5, "account not found"), "not_found", "account not found"),
    "s409": (grpc_error(409, 10, "aborted"), "conflict", "aborted"),
    "s429": (
        grpc_error(429, 8, "too many requests", **{"Retry-After": "1"}),
        "rate_limited",
        "too many requests",
    ),
    "s500": (grpc_error(500, 13, "internal"), "unavailable", "internal"),
    "s503-in-html": (raw(HTML, status=503, content_type="text/html"), "unavailable", "503"),
}


@asynccontextmanager
async def accounts_that(answers: dict[str, dict[str, Answer]]) -> AsyncIterator[list[ControlPlane]]:
    """Serve one control plane for each account, each wrong in its own way."""
    async with AsyncExitStack() as stack:
        yield [
            await stack.enter_async_context(ControlPlane(account=account, answers=wrong))
            for account, wrong in answers.items()
        ]


async def test_accounts_that_answer_wrongly_are_each_reported_once_and_nothing_is_written(
    policies: Path, tmp_path: Path
) -> None:
    wrong = {account: {"all": answer} for account, (answer, _, _) in WRONG_ANSWERS.items()}
    async with (
        accounts_that({**wrong, "healthy": {}}) as planes,
        trimtab_run(several_accounts(planes, tmp_path), policies) as process,
    ):
        for account, (_, kind, words) in WRONG_ANSWERS.items():
            line = await process.wait_for("target_failed", target=f"accounts/{account}")
            assert (account, line["error_kind"]) == (account, kind)
            assert words in line["sentence"]
            assert "\n" not in line["sentence"]
        healthy = await process.wait_for("write")
        process.process.terminate()
        assert await process.ended() == 0
    assert healthy["deployment"] == "accounts/healthy/deployments/chat", "the others go on"
    failed = [line["target"] for line in process.lines if line["event"] == "target_failed"]
    assert sorted(failed) == sorted(f"accounts/{account}" for account in WRONG_ANSWERS)
    assert [plane.account for plane in planes if plane.patches] == ["healthy"]
    assert process.errors == ""
    assert_civil(process)


async def test_metrics_that_cannot_be_read_hold_with_missing_data(
    policies: Path, tmp_path: Path
) -> None:
    wrong = {account: {"metrics": answer} for account, (answer, _, _) in WRONG_ANSWERS.items()}
    not_metrics = {"truncated-json", "json-of-the-wrong-type"}  # as metrics: not that format either
    async with (
        accounts_that(wrong) as planes,
        trimtab_run(several_accounts(planes, tmp_path), policies) as process,
    ):
        for account, (_, kind, words) in WRONG_ANSWERS.items():
            trouble = await process.wait_for("source_failed", endpoint=f"accounts/{account}")
            assert (account, trouble["error_kind"]) == (account, kind)
            expected = "not metrics|not Prometheus" if account in not_metrics else words
            assert re.search(expected, trouble["sentence"]), trouble["sentence"]
            name = f"accounts/{account}/deployments/chat"
            hold = await process.wait_for("hold", deployment=name)
            assert hold["reason"] == "missing_data"
            assert "requests is missing" in hold["sentence"]
        process.process.terminate()
        assert await process.ended() == 0
    assert [plane.account for plane in planes if plane.patches] == []
    assert_civil(process)


async def test_metrics_cut_short_are_not_taken_for_no_load(policies: Path) -> None:
    text = "request_counter_total:sum_by_deployment{deployment="
    answers = {"metrics": raw(text, content_type="text/plain")}
    async with ControlPlane(answers=answers) as control_plane:
        environment = account_environment(control_plane.base_url)
        async with trimtab_run(environment, policies) as process:
            trouble = await process.wait_for("source_failed")
            process.process.terminate()
            assert await process.ended() == 0
    assert "cut short" in trouble["sentence"]
    assert control_plane.patches == []


REFUSALS: dict[str, tuple[Answer, str]] = {
    "s400": (grpc_error(400, 3, "minReplicaCount is out of range"), "rejected"),
    "s403": (grpc_error(403, 7, "read-only key"), "forbidden"),
    "s409": (grpc_error(409, 10, "aborted"), "conflict"),
    "s429-for-quota": (
        grpc_error(
            429, 8, "global--h100-count for account acme, in use: 8, quota: 8, requesting: 2"
        ),
        "quota_exceeded",
    ),
    "s503": (grpc_error(503, 14, "unavailable"), "unavailable"),
}


async def test_refused_writes_are_reported_and_left_alone_for_a_while(
    policies: Path, tmp_path: Path
) -> None:
    wrong = {account: {"patch": answer} for account, (answer, _) in REFUSALS.items()}
    async with (
        accounts_that(wrong) as planes,
        trimtab_run(several_accounts(planes, tmp_path), policies) as process,
    ):
        for account, (_, kind) in REFUSALS.items():
            name = f"accounts/{account}/deployments/chat"
            write = await process.wait_for("write", deployment=name)
            assert (write["outcome"], write["error_kind"]) == ("not_applied", kind)
            if kind == "quota_exceeded":  # remembered over a restart, so the engine holds it
                await process.wait_for("hold", deployment=name, reason="quota_exceeded")
                continue
            withheld = await process.wait_for("order_withheld", deployment=name)
            assert withheld["reason"] == "backing_off"
            assert withheld["sentence"] == write["sentence"]
        process.process.terminate()
        assert await process.ended() == 0
    for plane in planes:
        resent = 8 if plane.account == "s409" else 2  # 409 ABORTED is safe to resend, only that
        assert plane.calls.count("patch") <= resent, plane.account
        assert plane.deployment["minReplicaCount"] == 1
    assert_civil(process)


async def test_a_deployment_in_a_state_nobody_knows_is_held(policies: Path) -> None:
    async with ControlPlane() as control_plane:
        control_plane.deployment["state"] = "REBALANCING"
        environment = account_environment(control_plane.base_url)
        async with trimtab_run(environment, policies) as process:
            hold = await process.wait_for("hold", reason="unknown_state")
            process.process.terminate()
            assert await process.ended() == 0
    assert "REBALANCING" in hold["sentence"]
    assert control_plane.patches == []
