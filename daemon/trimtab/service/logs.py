"""Where log lines go, and in which form."""

from __future__ import annotations

import logging
import os
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TextIO

import stamina
import structlog

if TYPE_CHECKING:
    from collections.abc import Sequence

    from structlog.typing import EventDict, Processor

    from trimtab.clock import Clock


def configure_logs(
    clock: Clock, *, level: str = "info", form: str = "auto", stream: TextIO | None = None
) -> None:
    """Send log lines to ``stream`` (standard output) as ``json``, ``console`` or, by ``auto``, as suits.

    ``level`` is debug, info, warning or error. Times in the lines are the clock's.
    """
    out = stream or sys.stdout
    is_console = form == "console" or (form == "auto" and out.isatty())

    def add_time(_: object, __: str, event: EventDict) -> EventDict:
        moment = datetime.fromtimestamp(clock.now(), tz=UTC)
        head = {"time": moment.isoformat(timespec="milliseconds"), "level": event.pop("level")}
        return {**head, "event": event.pop("event"), **event}

    processors: Sequence[Processor] = [
        structlog.processors.add_log_level,
        add_time,
        structlog.processors.format_exc_info,
        structlog.dev.ConsoleRenderer(colors=out.isatty(), timestamp_key="time")
        if is_console
        else structlog.processors.JSONRenderer(default=str, ensure_ascii=False),
    ]
    # Retries are the targets' business and counted there; their last failure is logged by us.
    stamina.instrumentation.set_on_retry_hooks([])
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=lambda *_: Lines(out),
        cache_logger_on_first_use=False,
    )


class Lines:
    """Writes finished lines. When they cannot be written, scaling is not what should stop.

    What the output's encoding has no letters for is escaped, and a line that a full disk does not take is lost.
    """

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def msg(self, line: str) -> None:
        """Write one line and see that it leaves the process."""
        try:
            print(self._writable(line), file=self._out, flush=True)
        except BrokenPipeError:
            # Nothing written later can fail again, not even the flush when the process ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())
        except OSError:
            return

    def _writable(self, line: str) -> str:
        encoding = self._out.encoding or "utf-8"
        return line.encode(encoding, "backslashreplace").decode(encoding)

    debug = info = warning = error = critical = msg
