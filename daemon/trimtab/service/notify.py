"""What systemd is told: that trimtab decides, reloads or ends, that it is alive, and how it is.

The protocol is that of sd_notify(3): lines ``NAME=value`` in one datagram to the socket that
``$NOTIFY_SOCKET`` names. Where nobody gave such a socket, nobody is told.

It lives in real time, as systemd does, and in the daemon's event loop: a loop that hangs tells nothing, and
one that turns while the task that decides does not come round says that it lives no longer than ``/livez`` does.
"""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from trimtab.service.daemon import Daemon

LOG = structlog.get_logger("trimtab")

BEAT_SECONDS_MAX = 10.0
"""How old what ``systemctl status`` shows may be. A watchdog that is stricter makes it younger."""

START_BEAT_SECONDS = 0.5
"""How soon after the first evaluation that is told: a start waits for it, and so does what comes after."""

START_EXTENSION_SECONDS = 30.0
"""How long a start that waits for others (a control plane, a journal in other hands) may say nothing."""

STOP_SPARE_SECONDS = 5.0
"""What a stop may take beyond ``shutdown_timeout``: the journal limits its own time."""

STATUS_CHARACTERS_MAX = 300


class NotifySocket:
    """The socket of a supervisor. What cannot be told is survived, and said once."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._is_well = True

    def tell(self, *assignments: str) -> None:
        """Send ``NAME=value`` lines that belong together. Never blocks and never raises."""
        message = "\n".join(assignments).encode()
        # A name that begins with @ is of the abstract kind, which has no file (unix(7)).
        address = (
            f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        ).encode()
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)
                sender.sendto(message, address)
            self._is_well = True
        except OSError as error:
            if self._is_well:
                self._is_well = False
                LOG.warning(
                    "supervisor_not_told",
                    socket=self._address,
                    sentence="the socket in $NOTIFY_SOCKET does not take messages: a supervisor that "
                    "waits for them will end this process",
                    error=f"{type(error).__name__}: {error}",
                )


def watchdog_seconds(environment: Mapping[str, str]) -> float | None:
    """Return how long this process may say nothing (``$WATCHDOG_USEC``); ``None``: for ever."""
    usec, pid = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not (usec.isascii() and usec.isdigit()) or int(usec) == 0:
        return None
    if pid and pid != str(os.getpid()):  # meant for a process that started this one
        return None
    return int(usec) / 1e6


class Notices:
    """Tells a supervisor of one daemon from its start to its end. ``tell`` takes assignments."""

    def __init__(
        self, daemon: Daemon, tell: Callable[..., None], watchdog_seconds: float | None = None
    ) -> None:
        self._daemon = daemon
        self._tell = tell
        self._watchdog_seconds = watchdog_seconds
        self._is_ready = False
        self._is_stopping = False
        self._status = ""
        self._reload: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Tell how it is, again and again, for ever."""
        while True:
            self.beat()
            await asyncio.sleep(self._beat_seconds)

    @property
    def _beat_seconds(self) -> float:
        beat = BEAT_SECONDS_MAX if self._is_ready else START_BEAT_SECONDS
        # Half of what is allowed, as sd_watchdog_enabled(3) advises.
        return beat if self._watchdog_seconds is None else min(beat, self._watchdog_seconds / 2)

    def beat(self) -> None:
        """Tell what is new; and that it lives, if it does."""
        said: list[str] = []
        if not (self._is_ready or self._is_stopping):
            if not self._daemon.not_ready():
                self._is_ready = True
                said.append("READY=1")
            elif self._lives:
                # Waiting for others is not failing to start; a restart would not shorten it.
                said.append(f"EXTEND_TIMEOUT_USEC={round(START_EXTENSION_SECONDS * 1e6)}")
        if self._watchdog_seconds is not None and self._lives:
            said.append("WATCHDOG=1")
        if said:
            self._tell(*said)
        if not self._is_stopping:
            self._tell_status()

    def _tell_status(self) -> None:
        """Say in one line how it is, if that is new."""
        try:
            status = self._status_now()
        except (
            Exception
        ) as bug:  # what is only for people to read must not stop the watchdog's signs
            LOG.exception("status_unknown", error=f"{type(bug).__name__}: {bug}")
            return
        if status != self._status:
            self._status = status
            self._tell(f"STATUS={status}")

    @property
    def _lives(self) -> bool:
        # While it stops, nothing is decided any more, and the time that it takes is limited.
        age_max = self._daemon.timing.beat_age_seconds_max
        return self._is_stopping or self._daemon.beat_age_seconds() <= age_max

    def _status_now(self) -> str:
        daemon = self._daemon
        if missing := daemon.not_ready():
            said = f"waiting: {'; '.join(missing)}"
        else:
            count = sum(daemon.fleet.count(target.name) for target in daemon.fleet.targets)
            said = "; ".join(
                [
                    f"deployments: {count}, policies: {len(daemon.engine.policies)}",
                    *daemon.remarks(),
                ]
            )
        line = " ".join(said.split())
        return (
            line if len(line) <= STATUS_CHARACTERS_MAX else f"{line[: STATUS_CHARACTERS_MAX - 1]}…"
        )

    def reload_soon(self) -> None:
        """Have the daemon read its policies again, and tell when it begins and when it is done."""
        done = self._daemon.reload_soon()
        if done is None or not self._is_ready or self._is_stopping:
            return
        # systemd compares this with its own clock to tell this reload from an earlier one.
        self._tell("RELOADING=1", f"MONOTONIC_USEC={round(self._daemon.clock.monotonic() * 1e6)}")
        if self._reload is None or self._reload.done():
            self._reload = asyncio.create_task(self._tell_when(done), name="tell of a reload")

    async def _tell_when(self, reloaded: asyncio.Event) -> None:
        await reloaded.wait()
        if not self._is_stopping:
            self._tell("READY=1")
            self._tell_status()

    def stopping(self) -> None:
        """Tell that it ends, and how long that may take."""
        if not self._is_stopping:
            self._is_stopping = True
            seconds = self._daemon.timing.shutdown_timeout_seconds + STOP_SPARE_SECONDS
            self._tell(
                "STOPPING=1",
                f"EXTEND_TIMEOUT_USEC={round(seconds * 1e6)}",
                "STATUS=finishing what is in flight",
            )

    async def close(self) -> None:
        """Wait for nothing any more."""
        if self._reload is not None:
            self._reload.cancel()
            await asyncio.gather(self._reload, return_exceptions=True)


@asynccontextmanager
async def notifying(daemon: Daemon, environment: Mapping[str, str]) -> AsyncIterator[Notices]:
    """Keep the supervisor that ``environment`` names told until the block ends, which is the daemon's end."""
    address = environment.get("NOTIFY_SOCKET", "")
    if not address:
        yield Notices(daemon, lambda *_: None)
        return
    notices = Notices(daemon, NotifySocket(address).tell, watchdog_seconds(environment))
    task = asyncio.create_task(notices.run(), name="tell the supervisor")
    try:
        yield notices
    finally:
        notices.stopping()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await notices.close()
