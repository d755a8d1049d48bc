"""What systemd hears of a daemon, by sd_notify(3)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
import structlog
from scripted_world import START, ScriptedSource, ScriptedTarget, a_deployment, a_policy, settle

from trimtab.clock import ManualClock
from trimtab.errors import ErrorKind, TargetError
from trimtab.service.daemon import Daemon
from trimtab.service.notify import (
    START_EXTENSION_SECONDS,
    Notices,
    NotifySocket,
    notifying,
    watchdog_seconds,
)
from trimtab.service.reload import PolicyFiles

POLICY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: chat, owner: tests}
spec:
  deployments: {match: {displayName: "chat*"}}
  signals:
    load: {source: gateway, query: rps, maxAge: 120s}
  rules:
    - {name: r, role: demand, strategy: {type: target, signal: load, target: 10}}
"""


class Supervisor:
    """A socket as systemd has one: ``heard`` are the datagrams so far, each a list of its lines."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._socket.setblocking(False)
        self._heard: list[list[str]] = []

    @property
    def heard(self) -> list[list[str]]:
        with contextlib.suppress(BlockingIOError):
            while True:
                self._heard.append(self._socket.recv(4096).decode().split("\n"))
        return self._heard

    @property
    def lines(self) -> list[str]:
        return [line for message in self.heard for line in message]

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    one = Supervisor(str(tmp_path / "notify"))
    yield one
    one.close()


class Scene:
    """A daemon on a clock that stands still, and what its notices tell."""

    def __init__(self, files: PolicyFiles | None = None) -> None:
        self.clock = ManualClock(START)
        self.target = ScriptedTarget().hold(a_deployment(display_name="chat"))
        self.daemon = Daemon(
            clock=self.clock,
            targets=[self.target],
            sources=[ScriptedSource(self.clock)],
            policies=[a_policy()] if files is None else files.read()[1].policies,
            policy_files=files,
            random=Random(1),
        )
        self.told: list[tuple[str, ...]] = []
        self.notices = Notices(self.daemon, self.take, 30.0)

    def take(self, *lines: str) -> None:
        self.told.append(lines)

    def beat(self) -> list[str]:
        """What one beat tells."""
        self.told.clear()
        self.notices.beat()
        return self.lines

    @property
    def lines(self) -> list[str]:
        return [line for told in self.told for line in told]


async def test_it_is_ready_once_it_has_decided_and_says_so_once() -> None:
    scene = Scene()
    assert "READY=1" not in scene.beat()
    async with scene.daemon:
        await settle()
        first = scene.beat()
        assert first.count("READY=1") == 1
        assert "STATUS=deployments: 1, policies: 1" in first
        assert scene.beat() == ["WATCHDOG=1"]


async def test_a_start_that_waits_for_others_asks_for_time_and_says_what_it_waits_for() -> None:
    scene = Scene()
    scene.target.list_failure = TargetError("it is\naway", kind=ErrorKind.UNAVAILABLE)
    async with scene.daemon:
        await settle()
        told = scene.beat()
    assert f"EXTEND_TIMEOUT_USEC={round(START_EXTENSION_SECONDS * 1e6)}" in told
    assert "READY=1" not in told
    (status,) = [line for line in told if line.startswith("STATUS=")]
    assert status.startswith("STATUS=waiting: accounts/acme has not been read yet")
    assert "\n" not in status


async def test_the_watchdog_is_fed_only_while_the_task_that_decides_comes_round() -> None:
    scene = Scene()
    age_max = scene.daemon.timing.beat_age_seconds_max
    async with scene.daemon:
        await settle()
        assert "WATCHDOG=1" in scene.beat()
        scene.daemon._deciding.controller.beat_at = scene.clock.monotonic() - age_max - 1
        assert scene.beat() == []
        scene.daemon._deciding.controller.beat_at = scene.clock.monotonic()
        assert scene.beat() == ["WATCHDOG=1"]


async def test_a_start_that_hangs_asks_for_no_more_time() -> None:
    scene = Scene()
    scene.target.list_failure = TargetError("away", kind=ErrorKind.UNAVAILABLE)
    async with scene.daemon:
        await settle()
        scene.beat()
        age_max = scene.daemon.timing.beat_age_seconds_max
        scene.daemon._deciding.controller.beat_at = scene.clock.monotonic() - age_max - 1
        assert scene.beat() == []


async def test_without_a_watchdog_no_sign_of_life_is_sent() -> None:
    scene = Scene()
    scene.notices = Notices(scene.daemon, scene.take)
    async with scene.daemon:
        await settle()
        assert "READY=1" in scene.beat()
        assert scene.beat() == []


async def test_signs_of_life_come_at_half_of_what_the_watchdog_allows() -> None:
    scene = Scene()
    scene.notices._is_ready = True
    assert scene.notices._beat_seconds == 10.0
    scene.notices._watchdog_seconds = 4.0
    assert scene.notices._beat_seconds == 2.0


async def test_a_stop_is_told_with_the_time_that_it_may_take_and_is_not_called_dead() -> None:
    scene = Scene()
    async with scene.daemon:
        await settle()
        scene.beat()
        scene.told.clear()
        scene.notices.stopping()
        scene.notices.stopping()
        assert scene.told == [
            (
                "STOPPING=1",
                "EXTEND_TIMEOUT_USEC=15000000",
                "STATUS=finishing what is in flight",
            )
        ]
        scene.daemon._deciding.controller.beat_at -= 1000.0
        assert scene.beat() == ["WATCHDOG=1"]


async def test_a_reload_is_told_when_it_begins_by_the_supervisors_clock_and_when_it_is_done(
    tmp_path: Path,
) -> None:
    (tmp_path / "chat.yaml").write_text(POLICY, encoding="utf-8")
    scene = Scene(PolicyFiles(tmp_path))
    async with scene.daemon:
        await settle()
        assert "READY=1" in scene.beat()
        scene.told.clear()
        scene.notices.reload_soon()
        assert scene.told == [
            ("RELOADING=1", f"MONOTONIC_USEC={round(scene.clock.monotonic() * 1e6)}")
        ]
        async with asyncio.timeout(20):
            while "READY=1" not in scene.lines:  # noqa: ASYNC110  what is told is looked at, as systemd does
                await asyncio.sleep(0.01)
    await scene.notices.close()


async def test_a_reload_is_not_told_to_be_done_before_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene, done = Scene(), asyncio.Event()
    async with scene.daemon:
        await settle()
        scene.beat()
        scene.told.clear()
        monkeypatch.setattr(scene.daemon, "reload_soon", lambda: done)
        scene.notices.reload_soon()
        scene.notices.reload_soon()  # asked again meanwhile: both begin, and end together
        await settle()
        assert "READY=1" not in scene.lines
        done.set()
        await settle()
        assert scene.lines.count("READY=1") == 1
        scene.notices.reload_soon()
        scene.notices.stopping()
        done.set()
        await settle()
        assert scene.lines.count("READY=1") == 1, "who ends is not ready any more"


async def test_a_reload_without_files_or_before_the_first_decision_is_not_told() -> None:
    scene = Scene()
    scene.notices.reload_soon()
    async with scene.daemon:
        await settle()
        scene.beat()
        scene.told.clear()
        scene.notices.reload_soon()
    assert scene.told == []


async def test_a_status_that_cannot_be_told_does_not_keep_back_the_sign_of_life(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    scene = Scene()

    def broken() -> tuple[str, ...]:
        raise ZeroDivisionError("a bug")

    async with scene.daemon:
        await settle()
        monkeypatch.setattr(scene.daemon, "remarks", broken)
        with structlog.testing.capture_logs() as logs:
            assert scene.beat() == ["READY=1", "WATCHDOG=1"]
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["status_unknown"]


async def test_what_is_long_is_cut_to_a_line_that_can_be_read() -> None:
    scene = Scene()
    scene.daemon.remarks = lambda: ("x" * 1000,)  # type: ignore[method-assign]  # a remark without end
    async with scene.daemon:
        await settle()
        (status,) = [line for line in scene.beat() if line.startswith("STATUS=")]
    assert len(status) == len("STATUS=") + 300
    assert status.endswith("…")


@pytest.mark.parametrize("is_abstract", [False, True])
def test_lines_that_belong_together_are_one_datagram(tmp_path: Path, is_abstract: bool) -> None:
    address = f"@trimtab-test-{os.getpid()}" if is_abstract else str(tmp_path / "notify")
    supervisor = Supervisor(address)
    NotifySocket(address).tell("READY=1", "STATUS=für alle")
    assert supervisor.heard == [["READY=1", "STATUS=für alle"]]
    supervisor.close()


@pytest.mark.parametrize("address", ["/nowhere/at/all", "@nobody-listens-here", "vsock:2:1234"])
def test_a_socket_that_takes_nothing_is_said_once_and_survived(address: str) -> None:
    notify = NotifySocket(address)
    with structlog.testing.capture_logs() as logs:
        notify.tell("READY=1")
        notify.tell("WATCHDOG=1")
    assert [line["event"] for line in logs] == ["supervisor_not_told"]
    assert logs[0]["socket"] == address


def test_a_full_socket_does_not_hold_up_the_loop(supervisor: Supervisor) -> None:
    notify = NotifySocket(supervisor.address)
    with structlog.testing.capture_logs() as logs:
        for _ in range(5000):  # more than any machine queues for a reader that does not read
            notify.tell("WATCHDOG=1")
    assert [line["event"] for line in logs] == ["supervisor_not_told"]
    assert supervisor.lines


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid())}, 0.5),
        ({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": str(os.getpid() + 1)}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "-5"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "²"}, None),
    ],
)
def test_the_watchdogs_patience_is_read_from_the_environment(
    environment: dict[str, str], seconds: float | None
) -> None:
    assert watchdog_seconds(environment) == seconds


async def test_from_the_first_beat_to_the_end_over_a_real_socket(supervisor: Supervisor) -> None:
    scene = Scene()
    environment = {"NOTIFY_SOCKET": supervisor.address, "WATCHDOG_USEC": "200000"}
    async with scene.daemon:
        await settle()
        async with notifying(scene.daemon, environment), asyncio.timeout(20):
            while supervisor.lines.count("WATCHDOG=1") < 3:  # noqa: ASYNC110  the same
                await asyncio.sleep(0.01)
    lines = supervisor.lines
    assert lines.index("READY=1") < lines.index("STOPPING=1")
    assert lines.count("READY=1") == lines.count("STOPPING=1") == 1
    assert len(asyncio.all_tasks()) == 1


async def test_nobody_is_told_where_nobody_gave_a_socket() -> None:
    scene = Scene()
    async with scene.daemon, notifying(scene.daemon, {}) as notices:
        await settle()
        notices.reload_soon()
        notices.stopping()
    assert len(asyncio.all_tasks()) == 1
