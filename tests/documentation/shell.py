"""A reader at a terminal: one shell for a page, its blocks typed in one after another."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Self

from tests.servers.process import free_port

PORTS = ("127.0.0.1:9464", "127.0.0.1:8600", "127.0.0.1:9090")
"""What pages call the daemon's, the emulator's and Prometheus' address; each test has its own."""

BLOCK_SECONDS_MAX = 110


@dataclass(frozen=True, slots=True)
class Said:
    """What a block printed (both streams, as a terminal shows them), and how it ended."""

    text: str
    exit_code: int


class Shell:
    """``bash -u`` with nothing of ours but the commands that an activated environment has."""

    def __init__(self, folder: Path) -> None:
        self._addresses = {known: f"127.0.0.1:{free_port()}" for known in PORTS}
        self._log = folder.parent / f"{folder.name}.terminal"
        self._out = self._log.open("wb")
        self._process = subprocess.Popen(
            ["/bin/bash", "-u"],
            stdin=subprocess.PIPE,
            stdout=self._out,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={
                "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}:/usr/sbin",
                "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
                "HOME": str(folder.parent),
                "LANG": "C.UTF-8",
                "COLUMNS": "120",
                "TZ": "UTC",
                "TRIMTAB_LISTEN": self._addresses[PORTS[0]],
                "TRIMTAB_URL": f"http://{self._addresses[PORTS[0]]}",
            },
            start_new_session=True,
        )
        self._read_to = 0

    def __enter__(self) -> Self:
        return self

    def here(self, text: str) -> str:
        """A text of the page with the addresses of this reader."""
        for known, own in self._addresses.items():
            text = text.replace(known, own)
        return text

    def type_in(self, commands: str) -> Said:
        """Run the lines of a block; the first that fails ends it."""
        mark = token_hex(8)
        script = f"set -e\n{self.here(commands)}"
        # `eval` in this very shell, so that what one block sets or starts is there for the next.
        # Where a command fails, the shell ends, and says so as it goes.
        end = f"code=$?; set +e; echo; echo {mark} $code"
        guarded = f"trap '{end}' EXIT\neval {_quoted(script)}; {end}; trap - EXIT\n"
        assert self._process.stdin is not None
        self._process.stdin.write(guarded.encode())
        self._process.stdin.flush()
        return self._until(mark)

    def _until(self, mark: str) -> Said:
        waited = 0.0
        while waited < BLOCK_SECONDS_MAX:
            text = self._log.read_bytes()[self._read_to :].decode(errors="replace")
            before, found, after = text.partition(f"\n{mark} ")
            if found and "\n" in after:
                self._read_to = self._log.stat().st_size
                return Said(before, int(after.split()[0]))
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)
            waited += 0.05
        return Said(self._log.read_text(errors="replace")[-4000:], 124)

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._out.close()


def _quoted(script: str) -> str:
    return "'" + script.replace("'", "'\\''") + "'"
