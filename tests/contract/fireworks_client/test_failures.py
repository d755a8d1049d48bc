"""What the client says when the control plane fails: one sentence, a kind, and what may be done."""

from __future__ import annotations

import json
import traceback
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.errors import ErrorKind, SettingsError
from trimtab.targets.fireworks import FireworksAccount, FireworksClient, FireworksError, Limit
from trimtab.targets.fireworks.answers import Answer, Bucket, Call, explain, read_fault

NAME = "accounts/acct/deployments/d1"
QUOTA_TEXT = "global--h200-count for account acct, in use: 14, quota: 16, requesting: 4"


def call(**changes: Any) -> Call:
    read = Call(
        doing="reading d1",
        operation="get_deployment",
        method="GET",
        path="x",
        account_id="acct",
    )
    return replace(read, **changes)


def gateway(code: int, message: str) -> str:
    return json.dumps({"code": code, "details": [], "message": message}, indent=2)


def explained(status: int, text: str, headers: dict[str, str] | None = None, **changes: Any) -> Any:
    answer = Answer(status=status, headers=headers or {}, text=text)
    return explain(call(**changes), answer, now=1_790_000_000.0)


@pytest.mark.parametrize(
    ("status", "code", "kind", "retryable"),
    [
        (400, 3, ErrorKind.REJECTED, False),
        (400, 9, ErrorKind.REJECTED, False),
        (401, 16, ErrorKind.UNAUTHENTICATED, False),
        (402, 9, ErrorKind.FORBIDDEN, False),
        (403, 7, ErrorKind.FORBIDDEN, False),
        (404, 5, ErrorKind.NOT_FOUND, False),
        (405, 12, ErrorKind.REJECTED, False),
        (408, 4, ErrorKind.TIMEOUT, True),
        (409, 6, ErrorKind.CONFLICT, False),
        (409, 10, ErrorKind.CONFLICT, True),
        (412, 9, ErrorKind.FORBIDDEN, False),
        (422, 3, ErrorKind.REJECTED, False),
        (499, 1, ErrorKind.TIMEOUT, True),
        (500, 13, ErrorKind.UNAVAILABLE, True),
        (501, 12, ErrorKind.REJECTED, False),
        (502, 14, ErrorKind.UNAVAILABLE, True),
        (503, 14, ErrorKind.UNAVAILABLE, True),
        (504, 4, ErrorKind.TIMEOUT, True),
        (522, 14, ErrorKind.UNAVAILABLE, True),
        (302, 2, ErrorKind.BAD_RESPONSE, False),
    ],
)
def test_each_status_has_its_kind_and_verdict(
    status: int, code: int, kind: ErrorKind, retryable: bool
) -> None:
    error = explained(status, gateway(code, "words of the server"))
    assert (error.kind, error.retryable) == (kind, retryable)
    assert (error.http_status, error.grpc_code) == (status, code)
    assert error.server_message == "words of the server"
    assert "words of the server" in str(error)
    assert str(error).startswith("Reading d1 failed: the control plane answered")
    assert str(error).endswith(".")
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("text", "changes", "limit", "kind", "retryable"),
    [
        (
            gateway(8, "slow down"),
            {"bucket": Bucket.METRICS},
            Limit.METRICS,
            ErrorKind.RATE_LIMITED,
            True,
        ),
        (
            gateway(8, "request rate limit exceeded"),
            {},
            Limit.REQUESTS,
            ErrorKind.RATE_LIMITED,
            True,
        ),
        ("", {}, Limit.REQUESTS, ErrorKind.RATE_LIMITED, True),
        (gateway(8, QUOTA_TEXT), {}, Limit.QUOTA, ErrorKind.QUOTA_EXCEEDED, False),
        (
            json.dumps({"error": {"message": "overloaded", "code": "429", "type": "error"}}),
            {},
            Limit.SATURATION,
            ErrorKind.RATE_LIMITED,
            True,
        ),
    ],
)
def test_the_four_meanings_of_429_are_told_apart(
    text: str, changes: dict[str, Any], limit: Limit, kind: ErrorKind, retryable: bool
) -> None:
    error = explained(429, text, **changes)
    assert (error.limit, error.kind, error.retryable) == (limit, kind, retryable)


def test_the_body_of_inference_errors_is_read_as_well() -> None:
    text = json.dumps({"error": {"message": "Model not found", "code": "NOT_FOUND"}})
    error = explained(404, text)
    assert (error.kind, error.grpc_name) == (ErrorKind.NOT_FOUND, "NOT_FOUND")
    assert "Model not found" in str(error)


@pytest.mark.parametrize(
    "text",
    [
        "<html><head><title>404 Not Found</title></head></html>",
        "",
        "404 page not found",
        '{"message": "no Route matched with those values"}',
        "{}",
    ],
)
def test_a_404_that_the_api_did_not_write_does_not_mean_that_a_deployment_is_gone(
    text: str,
) -> None:
    assert explained(404, text).kind is ErrorKind.BAD_RESPONSE


def test_a_html_page_is_named_and_not_quoted() -> None:
    error = explained(502, "<html><head><title>Bad Gateway</title></head><body>…</body></html>")
    assert 'an HTML page titled "Bad Gateway"' in str(error)
    assert "<body>" not in str(error)


def test_a_long_body_is_cut_short() -> None:
    assert len(str(explained(500, gateway(13, "x" * 10_000)))) < 600
    assert len(str(explained(500, "x" * 10_000))) < 600


def test_details_and_request_id_are_kept() -> None:
    text = json.dumps({"code": 3, "message": "m", "details": [{"@type": "t", "a": 1}]})
    error = explained(400, text, {"x-request-id": "req-7"})
    assert error.details == ('{"@type": "t", "a": 1}',)
    assert error.request_id == "req-7"


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": "Mon, 21 Sep 2026 14:13:30 GMT"}, 10.0),
        ({"retry-after": "Mon, 21 Sep 2020 14:13:30 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-3"}, None),
        ({"retry-after": ""}, None),
        ({}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_or_nothing(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert explained(429, gateway(8, "m"), headers).retry_after_seconds == seconds


def test_a_server_that_says_not_to_retry_is_obeyed() -> None:
    assert not explained(503, gateway(14, "m"), {"x-should-retry": "false"}).retryable


@given(
    st.text() | st.binary().map(lambda raw: raw.decode("utf-8", "replace")), st.integers(300, 599)
)
def test_no_body_whatever_breaks_the_explanation(text: str, status: int) -> None:
    error = explained(status, text, is_write=True)
    assert len(str(error)) < 700
    assert "\n" not in str(error)


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=3))
def test_any_code_message_or_details_is_survived(value: Any) -> None:
    for body in (
        {"code": value, "message": value, "details": value},
        {"error": value},
        {"error": {"code": value, "message": value}},
    ):
        read_fault(json.dumps(body))


async def test_a_truncated_body_is_a_lost_connection(client: Any, server: Any, reply: Any) -> None:
    server.reply(*(reply({"name": NAME}, fault="truncate") for _ in range(4)))
    with pytest.raises(FireworksError, match="connection was lost") as caught:
        await client.get_deployment("d1")
    assert (caught.value.kind, caught.value.retryable) == (ErrorKind.UNAVAILABLE, True)


async def test_truncated_json_in_a_whole_body_is_a_bad_response(
    client: Any, server: Any, reply: Any
) -> None:
    server.reply(reply(text='{"name": "accounts/acct/depl'))
    with pytest.raises(FireworksError, match="not JSON") as caught:
        await client.get_deployment("d1")
    assert (caught.value.kind, caught.value.retryable) == (ErrorKind.BAD_RESPONSE, False)


async def test_a_login_page_with_status_200_is_a_bad_response(
    client: Any, server: Any, reply: Any
) -> None:
    server.reply(reply(text="<!doctype html><title>Sign in</title>"))
    with pytest.raises(FireworksError, match='HTML page titled "Sign in"') as caught:
        await client.get_deployment("d1")
    assert caught.value.kind is ErrorKind.BAD_RESPONSE


async def test_a_redirect_is_not_followed_with_the_key(
    client: Any, server: Any, reply: Any
) -> None:
    server.reply(reply({}, status=302, headers={"Location": "https://elsewhere.example/"}))
    with pytest.raises(FireworksError, match="answered 302") as caught:
        await client.get_deployment("d1")
    assert caught.value.kind is ErrorKind.BAD_RESPONSE
    assert len(server.seen) == 1


async def test_an_unreachable_control_plane_is_one_sentence(
    clock: Any, api_key: str, unused_tcp_port: int
) -> None:
    account = FireworksAccount(
        account_id="acct", api_key=api_key, base_url=f"http://127.0.0.1:{unused_tcp_port}"
    )
    async with FireworksClient(account, clock) as client:
        with pytest.raises(FireworksError, match="Cannot connect to host") as caught:
            await client.scale_deployment("d1", 1)
    assert caught.value.kind is ErrorKind.UNAVAILABLE
    assert not caught.value.is_ambiguous  # nothing ever left


async def test_a_server_that_does_not_speak_http_is_a_bad_response_without_the_key(
    clock: Any, api_key: str
) -> None:
    import asyncio

    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")
        await writer.drain()
        writer.close()

    babbler = await asyncio.start_server(babble, "127.0.0.1", 0)
    port = babbler.sockets[0].getsockname()[1]
    account = FireworksAccount(
        account_id="acct", api_key=api_key, base_url=f"http://127.0.0.1:{port}"
    )
    async with FireworksClient(account, clock) as client:
        with pytest.raises(FireworksError, match="not HTTP") as caught:
            await client.get_deployment("d1")
    babbler.close()
    assert caught.value.kind is ErrorKind.BAD_RESPONSE
    assert api_key not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__cause__ is None  # aiohttp's error would carry the request's headers


async def test_a_timeout_says_how_long_was_waited(
    account: FireworksAccount, clock: Any, server: Any, reply: Any
) -> None:
    impatient = replace(account, total_timeout_seconds=0.5)
    server.reply(reply({}, fault="hang"))
    async with FireworksClient(impatient, clock) as client:
        with pytest.raises(FireworksError, match=r"no whole answer within 0\.5 s") as caught:
            await client.scale_deployment("d1", 2)
    assert caught.value.kind is ErrorKind.TIMEOUT
    assert caught.value.is_ambiguous


async def test_a_short_key_that_is_also_a_word_leaves_good_answers_alone(
    account: Any, clock: Any, server: Any, reply: Any
) -> None:
    name = f"accounts/{account.account_id}/deployments/demo"
    server.reply(reply({"name": name, "displayName": "demo"}))
    async with FireworksClient(replace(account, api_key="demo"), clock) as client:
        deployment = await client.get_deployment("demo")
    assert deployment.display_name == "demo"


async def test_the_key_is_nowhere_even_if_the_server_quotes_it(
    client: Any, account: Any, server: Any, reply: Any, api_key: str
) -> None:
    server.reply(reply({"code": 16, "message": f"invalid key {api_key}"}, status=401))
    with pytest.raises(FireworksError) as caught:
        await client.get_deployment("d1")
    shown = "".join(traceback.format_exception(caught.value))
    for text in (shown, repr(caught.value), repr(client), repr(account), str(account)):
        assert api_key not in text
    assert "invalid key [API key]" in str(caught.value)
    assert "check the API key of account acct" in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "api.fireworks.ai",
        "ftp://api.fireworks.ai",
        "https://",
        "https://user:secret@api.fireworks.ai",
        "https://api.fireworks.ai?x=1",
        "https://api.fireworks.ai/v1",
        "https://api.fireworks.ai:notaport",
    ],
)
def test_a_base_url_that_cannot_be_meant_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        FireworksAccount(account_id="acct", api_key="k", base_url=url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("key", ["", "  \n", "two words", "line\nbreak", "schlüssel"])
def test_a_key_that_is_none_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(SettingsError) as caught:
        FireworksAccount(account_id="acct", api_key=key)
    assert not key.strip() or key not in str(caught.value)


def test_the_newline_that_secret_files_end_in_is_no_part_of_the_key() -> None:
    assert FireworksAccount(account_id="acct", api_key="fw_key\n").api_key == "fw_key"
