"""Real servers for tests: started on free ports with their data in a folder of the test's own.

A server that is not installed skips the tests that need it, loudly; under CI it fails them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

START_SECONDS_MAX = 60.0


def binary(name: str, *more_places: str) -> str:
    """The path of an installed program."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), *more_places]))
    if found is None:
        sentence = f"{name} is not installed, so nothing is known about how we get on with it"
        if os.environ.get("CI"):
            pytest.fail(sentence)
        pytest.skip(sentence)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def listens(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.2):
        return True
    return False


def answers(url: str, headers: Mapping[str, str] | None = None) -> bool:
    """Whether a GET of a URL of our own is answered with 200."""
    request = urllib.request.Request(url, headers=dict(headers or {}))  # noqa: S310  our own URL
    with contextlib.suppress(OSError), urllib.request.urlopen(request, timeout=1) as answer:  # noqa: S310  the same
        return bool(answer.status == 200)
    return False


@contextlib.contextmanager
def running(
    command: Sequence[str],
    *,
    log: Path,
    is_ready: Callable[[], bool],
    env: Mapping[str, str] | None = None,
    user: str | None = None,
    is_killed: bool = False,
) -> Iterator[subprocess.Popen[bytes]]:
    """Run ``command`` until the block ends; enter it once ``is_ready``.

    ``is_killed``: it takes its time to stop in peace, and nobody needs what it holds.
    """
    with log.open("wb") as out:
        process = subprocess.Popen(  # noqa: S603  our own command
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            user=user,
            start_new_session=True,
        )
    try:
        give_up_at = time.monotonic() + START_SECONDS_MAX  # noqa: TID251  servers live in real time
        while not is_ready():
            if process.poll() is not None or time.monotonic() > give_up_at:  # noqa: TID251  the same
                end = log.read_text(encoding="utf-8", errors="replace")[-2000:]
                pytest.fail(f"{command[0]} did not start:\n{end}")
            time.sleep(0.05)
        yield process
    finally:
        stop = signal.SIGKILL if is_killed else signal.SIGTERM
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, stop)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
