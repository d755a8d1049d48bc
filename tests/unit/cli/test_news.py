"""News as they come over the wire, however it cuts them, and a line that breaks and is taken up again."""

from __future__ import annotations

import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.cli.daemon_client import DaemonClient
from trimtab.cli.feed import Alive, Feed, Listening, Lost, Refused
from trimtab.cli.news import Heard, heard
from trimtab.service.backoff import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AT_ONCE = Pace(first_seconds=0.001, seconds_max=0.001)
PATIENCE_SECONDS = 30.0

ONE = st.builds(
    Heard,
    st.integers(0, 10**9),
    st.sampled_from(["decision", "write", "state", "resync"]),
    st.dictionaries(
        st.text(max_size=5), st.none() | st.integers() | st.text(max_size=8), max_size=3
    ),
)


def on_the_wire(news: Heard) -> bytes:
    data = json.dumps(news.data)
    return f"id: {news.number}\nevent: {news.kind}\ndata: {data}\n\n".encode()


@given(st.lists(ONE | st.none(), max_size=6))
def test_what_is_told_is_what_is_heard(several: list[Heard | None]) -> None:
    """Fails when the kind, the data or the number of one leaks into the next (``kind, data = …`` left out)."""
    wire = b"".join(b": beat\n\n" if one is None else on_the_wire(one) for one in several)
    assert list(heard(wire.splitlines(keepends=True))) == several


def test_what_is_not_understood_is_left_out() -> None:
    wire = b"retry: 2000\n\nevent: decision\ndata: nonsense\n\ndata: [1]\n\nid: x\nevent: new\ndata: {}\n\n"
    assert list(heard(wire.splitlines(keepends=True))) == [Heard(None, "new", {})]


class Wire:
    """Answers each request to listen with the next of ``answers``, and keeps what was asked for."""

    def __init__(self, *answers: tuple[int, str, bytes]) -> None:
        self.answers = list(answers)
        self.after: list[str | None] = []
        wire = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                wire.after.append(self.headers.get("Last-Event-ID"))
                status, kind, body = wire.answers.pop(0) if wire.answers else (503, "x/y", b"")
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def end(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def wire() -> Iterator[Callable[..., Wire]]:
    made: list[Wire] = []

    def make(*answers: tuple[int, str, bytes]) -> Wire:
        made.append(Wire(*answers))
        return made[-1]

    yield make
    for one in made:
        one.end()


def events(*several: Heard) -> tuple[int, str, bytes]:
    return 200, "text/event-stream", b"".join(map(on_the_wire, several))


def told_by(url: str, *, until: Callable[[Any], bool]) -> list[Any]:
    posted: queue.Queue[Any] = queue.Queue()
    stop = threading.Event()
    Feed(DaemonClient(url), "/v1/stream", posted.put, stop, AT_ONCE).start()
    found = []
    try:
        while True:
            found.append(posted.get(timeout=PATIENCE_SECONDS))
            if until(found[-1]):
                return found
    finally:
        stop.set()


def test_a_line_that_breaks_is_taken_up_behind_what_was_heard(wire: Any) -> None:
    first, second = Heard(7, "state", {"a": 1}), Heard(8, "write", {"b": 2})
    there = wire(events(first), (503, "text/plain", b"busy"), events(second))
    told = told_by(there.url, until=lambda one: one == second)
    kinds = [type(one) for one in told if not isinstance(one, Alive)]
    assert kinds == [Listening, Heard, Lost, Lost, Listening, Heard]
    assert there.after[:3] == [None, "7", "7"]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((401, "application/json", b'{"detail": "x"}'), "--token-file"),
        ((404, "application/json", b'{"detail": "there is no deployment"}'), "no deployment"),
        ((200, "text/html", b"<html>"), "is no trimtab daemon"),
    ],
)
def test_what_trying_again_would_not_change_ends_it(
    wire: Any, answer: tuple[int, str, bytes], says: str
) -> None:
    (refused,) = told_by(wire(answer).url, until=lambda one: isinstance(one, Refused))
    assert says in str(refused.error)


def test_where_nobody_listens_it_says_so_and_tries_again() -> None:
    lost = told_by("http://127.0.0.1:1", until=lambda one: isinstance(one, Lost))[-1]
    assert "no daemon answers" in lost.why
