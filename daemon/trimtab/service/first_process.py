"""What falls to process 1 of a container besides its work: burying those whom nobody else buries.

A process whose parent ends becomes a child of process 1 of its namespace, and when it ends it stays behind as a
zombie until that asks how. In a container those come from ``docker exec`` and ``kubectl exec``.
"""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PROC = Path("/proc")


@contextmanager
def burying_orphans(*, is_first: bool | None = None) -> Iterator[None]:
    """Bury them while the block runs, if this is process 1 (``is_first``: whatever it is)."""
    if not (os.getpid() == 1 if is_first is None else is_first):
        yield
        return
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGCHLD, bury_orphans)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGCHLD)


def bury_orphans() -> None:
    """Ask of each that has ended how it did, and forget it. Children of our own are asked by who started them."""
    for pid in _ended_orphans():
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _ended_orphans() -> Iterator[int]:
    """Yield children of ours that ended and are of another session: we put none into one."""
    us, our_session = os.getpid(), os.getsid(0)
    with suppress(OSError):  # no /proc: nothing to be found
        for entry in PROC.iterdir():
            if not entry.name.isdigit():
                continue
            try:
                stat = (entry / "stat").read_text(encoding="utf-8", errors="replace")
            except OSError:  # gone meanwhile
                continue
            # The name before may hold anything, brackets and spaces too (proc(5)).
            state, parent, _, session = stat.rpartition(")")[2].split()[:4]
            if state == "Z" and int(parent) == us and int(session) != our_session:
                yield int(entry.name)
