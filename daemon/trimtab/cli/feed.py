"""News of the daemon for as long as one likes: heard in a thread, and listened for again when the line breaks."""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from trimtab.cli.daemon_client import DaemonError
from trimtab.service.backoff import Pace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trimtab.cli.daemon_client import DaemonClient
    from trimtab.cli.news import Heard

AGAIN = Pace(first_seconds=1.0, seconds_max=30.0)
"""Between one try to listen and the next."""

WRITTEN_SECONDS = 2.0
"""After news the journal may not have it yet; so long later it is looked at once more."""


class Listening(NamedTuple):
    """The daemon is heard, now or again; what happened in between may not have been told."""


class Alive(NamedTuple):
    """Nothing happened, and the daemon is there."""


class Lost(NamedTuple):
    """The daemon is not heard, and it is tried again after ``wait_seconds``."""

    why: str
    wait_seconds: float


class Refused(NamedTuple):
    """The daemon does not let us listen, and trying again would not change that."""

    error: DaemonError


Told: TypeAlias = "Heard | Listening | Alive | Lost | Refused"


@dataclass(frozen=True, slots=True)
class Feed:
    """Posts what is told on the stream at ``path``, until ``stop`` is set."""

    client: DaemonClient
    path: str
    post: Callable[[Told], None]
    stop: threading.Event
    pace: Pace = AGAIN

    def start(self) -> None:
        """Listen in a thread that ends with the process."""
        threading.Thread(target=self.run, name="news", daemon=True).start()

    def run(self) -> None:
        """Listen until told to stop, or refused for good."""
        random = Random()  # noqa: S311  it spreads tries in time
        number: int | None = None
        failures = 0
        while not self.stop.is_set():
            why = "the daemon ended the stream"
            try:
                pieces = self.client.listen(self.path, after=number)
                for index, piece in enumerate(pieces):
                    if index == 0:
                        failures = 0
                        self.post(Listening())
                    self.post(Alive() if piece is None else piece)
                    number = number if piece is None or piece.number is None else piece.number
                    if self.stop.is_set():
                        return
            except DaemonError as error:
                if not error.is_passing:
                    self.post(Refused(error))
                    return
                why = str(error)
            failures += 1
            wait_seconds = self.pace.wait_seconds(failures, random)
            self.post(Lost(why, wait_seconds))
            self.stop.wait(wait_seconds)


def bells(client: DaemonClient, path: str) -> Iterator[str | None]:
    """Yield ``None`` whenever there may be something new, and a sentence when the daemon is lost.

    Several news at once ring once. Raises ``DaemonError`` where the daemon refuses to be listened to.
    """
    told: queue.Queue[Told] = queue.Queue()
    stop = threading.Event()
    Feed(client, path, told.put, stop).start()
    try:
        is_late = True  # whatever happened before somebody listened
        while True:
            try:
                several = [told.get(timeout=WRITTEN_SECONDS if is_late else None)]
            except queue.Empty:
                is_late = False
                yield None
                continue
            while not told.empty():
                several.append(told.get_nowait())
            for one in several:
                if isinstance(one, Refused):
                    raise one.error
                if isinstance(one, Lost):
                    yield f"{one.why}; tries again in {one.wait_seconds:.0f} s"
            if any(not isinstance(one, Lost) for one in several):
                is_late = any(not isinstance(one, Lost | Alive) for one in several)
                yield None
    finally:
        stop.set()
