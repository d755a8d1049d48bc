"""The container file and what runs in it, as far as no container engine is needed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Self

import pytest
from container_file import NAMESPACE, ROOT, can_make_namespaces, health_command, instructions
from control_plane import ControlPlane
from running import Trimtab, account_environment, trimtab_run, write_policy
from tests.servers.process import free_port


def test_hadolint_has_nothing_to_object_to() -> None:
    program = Path(sys.executable).with_name("hadolint")
    verdict = subprocess.run(  # noqa: S603  our own command
        [program, "--no-color", "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (verdict.returncode, verdict.stdout) == (0, ""), verdict.stdout


def test_the_image_says_which_version_it_is() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    assert f"VERSION={version}" in [one.rest for one in instructions() if one.word == "ARG"]


def test_what_only_the_build_needed_is_not_shipped() -> None:
    text = (ROOT / "requirements" / "image.txt").read_text(encoding="utf-8")
    packages = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    reasons = {
        block.partition("==")[0]: set(
            re.findall(r"^    # (?:via|  ) *([\w-]+)$", block, re.MULTILINE)
        )
        for block in packages
    }
    build = re.findall(
        r"^([\w-]+)", (ROOT / "requirements" / "build.in").read_text(), flags=re.MULTILINE
    )
    only_for_the_build = {name for name, why in reasons.items() if why == {"hatchling"}}
    (removed,) = [one.words for one in instructions() if '"uninstall"' in one.rest]
    assert set(removed[removed.index("--yes") + 1 :]) == {*only_for_the_build, *build, "pip"}


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    return write_policy(tmp_path / "policies")


async def ask_for_health(port: int, host: str = "0.0.0.0") -> int:  # noqa: S104  the image's own
    """What the engine would see: the exit code of the image's own question."""
    command = health_command()
    asking = await asyncio.create_subprocess_exec(
        *(sys.executable, *command[1:]),
        env={"TRIMTAB_LISTEN": f"{host}:{port}"},
        stderr=asyncio.subprocess.DEVNULL,
    )
    return await asyncio.wait_for(asking.wait(), 30)


async def test_the_health_check_tells_a_daemon_that_lives_from_one_that_does_not(
    policies: Path,
) -> None:
    port = free_port()
    assert await ask_for_health(port) != 0
    async with ControlPlane() as plane:
        environment = account_environment(plane.base_url, TRIMTAB_LISTEN=f"127.0.0.1:{port}")
        async with trimtab_run(environment, policies) as process:
            await process.wait_for("started")
            assert await ask_for_health(port) == 0
            process.signal(signal.SIGSTOP)
            assert await ask_for_health(port) != 0
            process.signal(signal.SIGCONT)
            assert await ask_for_health(port) == 0
            process.signal(signal.SIGTERM)
            assert await process.ended() == 0


@pytest.mark.parametrize(
    ("listens_at", "listen"),
    [("127.0.0.1", "0.0.0.0"), ("127.0.0.2", "127.0.0.2"), ("::1", "[::]"), ("::1", "[::1]")],  # noqa: S104  inside a container
)
async def test_the_health_check_asks_where_the_daemon_listens(listens_at: str, listen: str) -> None:
    async def live(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    try:
        server = await asyncio.start_server(live, listens_at, 0)
    except OSError:
        pytest.skip(f"this machine has no address {listens_at}")
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await ask_for_health(port, listen) == 0


# -- process 1 ----------------------------------------------------------------------------------


class First(Trimtab):
    """``trimtab run`` as process 1 of a namespace. ``pid`` is its number as seen from outside."""

    async def __aenter__(self) -> Self:
        self.process = await asyncio.create_subprocess_exec(
            *(*NAMESPACE, sys.executable, "-m", "trimtab", *self.arguments),
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self._changed = asyncio.Condition()
        self._readers = [
            asyncio.create_task(self._read_output()),
            asyncio.create_task(self._read_errors()),
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError, IndexError):
            os.kill(self.pid, signal.SIGKILL)
        await super().__aexit__()

    @property
    def pid(self) -> int:
        return children(self.process.pid)[0]

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)


def children(pid: int) -> list[int]:
    return [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and stat_of(int(entry.name))[1:2] == [str(pid)]
    ]


def stat_of(pid: int) -> list[str]:
    """State, parent, group, session … of a process; nothing once it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return []


@contextlib.asynccontextmanager
async def first_process(policies: Path, plane: ControlPlane) -> AsyncIterator[First]:
    if not can_make_namespaces():
        pytest.skip("this machine lets us make no namespace in which it could be process 1")
    async with plane:
        arguments = ("run", "--policies", str(policies))
        async with First(arguments, account_environment(plane.base_url)) as process:
            yield process


async def test_as_process_1_it_buries_what_others_left_behind_and_stops_when_it_is_asked_to(
    policies: Path,
) -> None:
    async with first_process(policies, ControlPlane()) as process:
        await process.wait_for("write", outcome="applied")
        status = await asyncio.to_thread(Path(f"/proc/{process.pid}/status").read_text)
        assert re.search(r"^NSpid:\t\d+\t1$", status, re.MULTILINE)
        # As `docker exec` does: a command in a session of its own, whose children outlive it.
        exec_ = await asyncio.create_subprocess_exec(
            *("nsenter", "--target", str(process.pid), "--pid", "setsid", "--wait"),
            *("sh", "-c", "for i in 1 2 3; do sleep 0.$i & done"),
        )
        assert await asyncio.wait_for(exec_.wait(), 30) == 0
        async with asyncio.timeout(30):
            while children(process.pid):  # noqa: ASYNC110  seen by looking, as nobody tells
                await asyncio.sleep(0.05)
        process.signal(signal.SIGTERM)
        assert await process.ended() == 0
    assert process.lines[-1]["event"] == "stopped"
    assert process.errors == ""


async def test_as_process_1_it_ends_at_once_when_it_is_asked_twice(policies: Path) -> None:
    plane = ControlPlane(patch_seconds=60.0)
    async with first_process(policies, plane) as process:
        await asyncio.wait_for(plane.patch_started.wait(), 30)
        process.signal(signal.SIGTERM)
        await process.wait_for("stopping", signal="SIGTERM")
        process.signal(signal.SIGINT)
        assert await process.ended() == 128 + signal.SIGINT
