"""``pause``, ``pin``, ``block``, ``resume``, ``overrides``: what they ask, print, and end with."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from trimtab.cli import ordering
from trimtab.cli.exit_codes import ExitCode
from trimtab.clock import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHAT = "accounts/acme/deployments/chat"
AT = "2026-01-01T10:00:00+00:00"
PAUSE: dict[str, Any] = {
    "id": "3f9a2c41",
    "kind": "pause",
    "deployment": CHAT,
    "author": "ana@laptop",
    "peer": "127.0.0.1",
    "reason": "migration",
    "since": AT,
    "until": "2026-01-01T12:00:00+00:00",
}
PIN = {**PAUSE, "id": "77aa0011", "kind": "pin", "replicas": 6, "deployment": None}
ORDER = ("--for", "2h", "--reason", "migration", "--author", "ana@laptop")


@dataclass
class Heard:
    method: str
    path: str
    body: Any
    headers: dict[str, str]


@dataclass
class StandIn:
    """What a daemon would answer, and what it was asked."""

    status: int = 200
    answer: Any = field(default_factory=dict)
    raw: bytes | None = None
    heard: list[Heard] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    url: str = ""

    @contextmanager
    def serving(self) -> Iterator[StandIn]:
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                stand_in.heard.append(Heard(self.command, self.path, body, dict(self.headers)))
                text = stand_in.raw or json.dumps(stand_in.answer).encode()
                self.send_response(stand_in.status)
                self.send_header("Content-Length", str(len(text)))
                for name, value in stand_in.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            do_GET = do_POST = answer  # noqa: N815  the names that http.server calls

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        with HTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            self.url = f"http://127.0.0.1:{server.server_port}"
            try:
                yield self
            finally:
                server.shutdown()
                thread.join()


@pytest.fixture
def daemon() -> Iterator[StandIn]:
    with StandIn(answer=given(PAUSE)).serving() as stand_in:
        yield stand_in


def given(one: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"at": AT, "override": one, "replaced": [], "notes": [], **more}


@pytest.mark.parametrize(
    ("words", "body"),
    [
        (("pause", "chat"), {"kind": "pause", "deployment": "chat"}),
        (("pause", "--all"), {"kind": "pause", "all": True}),
        (("pin", "6", "chat"), {"kind": "pin", "replicas": 6, "deployment": "chat"}),
        (("pin", "0", "--all"), {"kind": "pin", "replicas": 0, "all": True}),
        (("block", "up", "chat"), {"kind": "block", "blocks": "up", "deployment": "chat"}),
        (("block", "down", "--all"), {"kind": "block", "blocks": "down", "all": True}),
    ],
)
def test_an_order_is_sent_as_it_was_given(
    trimtab: Any, daemon: StandIn, words: tuple[str, ...], body: dict[str, Any]
) -> None:
    result = trimtab(*words, *ORDER, "--url", daemon.url)
    assert result.exit_code == 0, result.output
    (heard,) = daemon.heard
    assert (heard.method, heard.path) == ("POST", "/v1/overrides")
    assert heard.body == {**body, "for": "2h", "reason": "migration", "author": "ana@laptop"}


def test_the_answer_says_what_when_who_and_how_to_end_it(trimtab: Any, daemon: StandIn) -> None:
    note = "policy chat-prod only advises"
    daemon.answer = given(PAUSE, replaced=[{**PAUSE, "author": "bo"}], notes=[note])
    text = trimtab("pause", "chat", *ORDER, "--url", daemon.url).stdout
    assert text.startswith(f"paused: {CHAT} until ")
    assert "(in 2 h)" in text
    assert "ana@laptop" in text
    assert "trimtab resume chat\n" in text
    assert "takes the place of: paused by bo (migration)" in text
    assert text.endswith(f"Mind: {note}\n")


def test_the_author_is_whoever_is_logged_in(
    trimtab: Any, daemon: StandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOGNAME", "nat")
    trimtab("pause", "chat", "--for", "2h", "--reason", "x", "--url", daemon.url)
    assert daemon.heard[0].body["author"].startswith("nat@")


def test_a_clock_time_is_one_of_today_in_the_local_zone(trimtab: Any, daemon: StandIn) -> None:
    result = trimtab("pause", "chat", "--until", "23:59:59", "--reason", "x", "--url", daemon.url)
    assert result.exit_code == 0, result.output
    assert "T23:59:59" in daemon.heard[0].body["until"]


def test_the_hour_of_a_clock_time_may_have_one_digit(trimtab: Any, daemon: StandIn) -> None:
    found = [
        trimtab("pause", "chat", "--until", until, "--reason", "x", "--url", daemon.url)
        for until in ("8:59:59", "08:59:59")
    ]
    # Whether that has passed already or not, it is the same moment; a box is as wide as its words.
    assert found[0].output.replace(" 8:59:59", " 08:59:59").split() == found[1].output.split()
    assert "is no moment" not in found[0].output


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[ManualClock]:
    clock = ManualClock(0.0)
    monkeypatch.setenv("TZ", "Europe/Berlin")
    monkeypatch.setattr(ordering, "SystemClock", lambda: clock)
    time.tzset()
    yield clock
    monkeypatch.undo()
    time.tzset()


def at(clock: ManualClock, moment: str) -> None:
    clock.advance(datetime.fromisoformat(moment).timestamp() - clock.now())


def test_a_clock_time_that_comes_twice_tonight_is_the_one_to_come(
    trimtab: Any, daemon: StandIn, in_berlin: ManualClock
) -> None:
    at(in_berlin, "2026-10-25T02:45+02:00")  # in a quarter of an hour it is two o'clock again
    trimtab("pause", "chat", "--until", "2:30", "--reason", "x", "--url", daemon.url)
    assert daemon.heard[0].body["until"] == "2026-10-25T02:30:00+01:00"


def test_a_clock_time_that_does_not_come_tonight_is_refused(
    trimtab: Any, daemon: StandIn, in_berlin: ManualClock
) -> None:
    at(in_berlin, "2026-03-29T00:30+01:00")
    words = ("pause", "chat", "--reason", "x", "--url", daemon.url)
    result = trimtab(*words, "--until", "2:30")
    assert result.exit_code == ExitCode.USAGE
    said = " ".join(result.output.replace("│", " ").split())
    assert "clocks go forward over 2:30 today, so it does not come; write 03:30" in said
    assert daemon.heard == []
    trimtab(*words, "--until", "3:30")
    assert daemon.heard[0].body["until"] == "2026-03-29T03:30:00+02:00"


def test_what_to_write_for_tomorrow_is_that_clock_time_of_tomorrow(
    trimtab: Any, daemon: StandIn, in_berlin: ManualClock
) -> None:
    at(in_berlin, "2026-03-28T20:00+01:00")
    words = ("pause", "chat", "--until", "18:30", "--reason", "x", "--url", daemon.url)
    said = " ".join(trimtab(*words).output.replace("│", " ").split())
    assert "for tomorrow write 2026-03-29T18:30+02:00" in said


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_an_order_that_is_sent_elsewhere_is_said_not_to_be_given(
    trimtab: Any, daemon: StandIn, status: int
) -> None:
    daemon.status, daemon.headers = status, {"Location": "https://trimtab.example/v1/overrides"}
    result = trimtab("pause", "chat", *ORDER, "--url", daemon.url)
    assert result.exit_code == ExitCode.FAILED
    assert result.stderr == (
        f"what listens at {daemon.url} sends requests on to https://trimtab.example; if that is the "
        "daemon, name it with --url\n"
    )
    assert len(daemon.heard) == 1, "and no token goes to where nobody sent it"


@pytest.mark.parametrize("words", [("status", "\udcff"), ("decisions", "--deployment", "\udcff")])
def test_a_name_that_is_no_text_is_asked_for_and_not_found(
    trimtab: Any, daemon: StandIn, words: tuple[str, ...]
) -> None:
    daemon.status, daemon.answer = 404, {"detail": "there is no deployment '%ff'"}
    result = trimtab(*words, "--url", daemon.url)
    assert (result.exit_code, result.stderr) == (1, "there is no deployment '%ff'\n")
    assert "%FF" in daemon.heard[0].path


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("pause", "--for", "2h", "--reason", "x"), "exactly one of the two"),
        (("pause", "chat", "--all", "--for", "2h", "--reason", "x"), "exactly one of the two"),
        (("pause", "chat", "--reason", "x"), "exactly one of --for and --until"),
        (("pause", "chat", "--for", "2h", "--until", "23:59", "--reason", "x"), "exactly one of"),
        (("pause", "chat", "--for", "90", "--reason", "x"), "say which unit"),
        (("pause", "chat", "--until", "00:00", "--reason", "x"), "for tomorrow write"),
        (("pause", "chat", "--until", "2020-01-01T00:00Z", "--reason", "x"), "has passed already"),
        (
            ("pause", "chat", "--until", "soon", "--reason", "x"),
            "write a clock time of today (18:30)",
        ),
        (("pause", "chat", "--until", "2099-01-01T00:00", "--reason", "x"), "time with its zone"),
        (("pause", "chat", "--for", "2h"), "--reason"),
        (("pin", "chat", "--for", "2h", "--reason", "x"), "'N'"),
        (("block", "left", "chat", "--for", "2h", "--reason", "x"), "'left' is none of up, down"),
        (("resume",), "exactly one of the two"),
    ],
)
def test_a_wrong_command_line_asks_the_daemon_nothing(
    trimtab: Any, daemon: StandIn, words: tuple[str, ...], says: str
) -> None:
    result = trimtab(*words, "--url", daemon.url)
    assert result.exit_code == ExitCode.USAGE
    assert says in result.output
    assert daemon.heard == []


def test_what_the_daemon_refuses_is_told_in_its_own_sentence(trimtab: Any, daemon: StandIn) -> None:
    daemon.status, daemon.answer = 400, {"detail": "there is no deployment 'chta'"}
    result = trimtab("pause", "chta", *ORDER, "--url", daemon.url)
    assert result.exit_code == ExitCode.FAILED
    assert result.stderr == "there is no deployment 'chta'\n"


def test_a_token_is_sent_from_its_file_and_asked_for_where_it_is_missing(
    trimtab: Any, daemon: StandIn, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("correct-horse-battery-staple\n", encoding="utf-8")
    trimtab("overrides", "--url", daemon.url, "--token-file", token)
    assert daemon.heard[0].headers["Authorization"] == "Bearer correct-horse-battery-staple"
    daemon.status = 401
    daemon.answer = {"detail": "send the token"}
    result = trimtab("overrides", "--url", daemon.url)
    assert (result.exit_code, "--token-file" in result.stderr) == (ExitCode.FAILED, True)
    token.write_text("", encoding="utf-8")
    result = trimtab("overrides", "--url", daemon.url, "--token-file", token)
    assert (result.exit_code, "holds no token" in result.stderr) == (ExitCode.USAGE, True)
    result = trimtab("overrides", "--url", daemon.url, "--token-file", tmp_path / "nowhere")
    assert (result.exit_code, "cannot be read" in result.stderr) == (ExitCode.USAGE, True)
    assert result.stderr.endswith("; check --token-file\n")


def test_no_daemon_is_one_sentence_with_a_remedy(trimtab: Any) -> None:
    result = trimtab("overrides", "--url", "http://127.0.0.1:1")
    assert result.exit_code == ExitCode.DEPENDENCY_UNAVAILABLE
    assert result.stderr.startswith("no daemon answers at http://127.0.0.1:1 (Connection refused)")
    assert result.stderr.count("\n") == 1


def test_tls_where_none_is_spoken_is_named_as_that(trimtab: Any, daemon: StandIn) -> None:
    result = trimtab("overrides", "--url", daemon.url.replace("http:", "https:"))
    assert result.exit_code == ExitCode.DEPENDENCY_UNAVAILABLE
    assert "SSL" in result.stderr
    assert "Operation not permitted" not in result.stderr


@pytest.mark.parametrize("url", ["nonsense", "ftp://x", "http://", "http://x:port"])
def test_what_is_no_url_is_said_to_be_none(trimtab: Any, url: str) -> None:
    result = trimtab("overrides", "--url", url)
    assert (result.exit_code, "is no URL" in result.stderr) == (ExitCode.USAGE, True)


@pytest.mark.parametrize(
    ("status", "raw"), [(200, b"<html>"), (200, b"[]"), (404, b"<html>"), (502, b'{"a": 1}')]
)
def test_something_else_that_listens_there_is_not_taken_for_a_daemon(
    trimtab: Any, daemon: StandIn, status: int, raw: bytes
) -> None:
    daemon.status, daemon.raw = status, raw
    result = trimtab("overrides", "--url", daemon.url)
    assert result.exit_code == ExitCode.FAILED
    assert "check --url" in result.stderr


def test_the_list_is_a_table_a_person_can_read(trimtab: Any, daemon: StandIn) -> None:
    daemon.answer = {"at": AT, "overrides": [PAUSE, PIN]}
    lines = trimtab("overrides", "--url", daemon.url).stdout.splitlines()
    assert lines[0].split() == ["WHAT", "DEPLOYMENT", "UNTIL", "BY", "REASON"]
    assert lines[1].startswith(f"paused       {CHAT}")
    assert lines[2].startswith("pinned at 6  every deployment")
    assert all("(in 2 h)" in line for line in lines[1:])


def test_an_empty_list_says_so(trimtab: Any, daemon: StandIn) -> None:
    daemon.answer = {"at": AT, "overrides": []}
    assert "no override is in force" in trimtab("overrides", "--url", daemon.url).stdout


def test_resume_says_what_ended_and_what_still_stands(trimtab: Any, daemon: StandIn) -> None:
    answer = {"at": AT, "deployment": CHAT, "lifted": [PAUSE], "remaining": [PIN], "notes": []}
    daemon.answer = answer
    result = trimtab("resume", "chat", "--reason", "done", "--author", "bo", "--url", daemon.url)
    (heard,) = daemon.heard
    assert heard.path == "/v1/overrides/lift"
    assert heard.body == {"deployment": "chat", "author": "bo", "reason": "done"}
    assert result.stdout.startswith(f"no longer paused: {CHAT}\n")
    assert "still pinned at 6: every deployment" in result.stdout
    assert "trimtab resume --all" in result.stdout
    daemon.answer = {**answer, "lifted": [], "remaining": []}
    result = trimtab("resume", "chat", "--url", daemon.url)
    assert (result.exit_code, "nothing was ordered" in result.stdout) == (0, True)


@pytest.mark.parametrize("words", [("overrides",), ("resume", "chat"), ("pause", "chat", *ORDER)])
def test_programs_get_the_daemons_answer_as_it_is(
    trimtab: Any, daemon: StandIn, words: tuple[str, ...]
) -> None:
    daemon.answer = {"anything": ["ü"]}
    result = trimtab(*words, "--url", daemon.url, "--json")
    assert json.loads(result.stdout) == daemon.answer
