"""What goes wrong between a client and the API, for whom, and how often."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto

from tests.servers.kubernetes_api.rbac import Attempt


class What(Enum):
    """Seen from the client; ``LOSE_ANSWER`` and ``CUT`` are the ones after which it cannot know."""

    DELAY = auto()
    """The answer comes ``seconds`` later; what is asked for is done before that wait."""
    DELAY_REQUEST = auto()
    """The request arrives ``seconds`` later."""
    LOSE_REQUEST = auto()
    """Nothing arrives, nothing is done, nothing comes back: the client hangs."""
    LOSE_ANSWER = auto()
    """It is done, and the client hangs."""
    REFUSE = auto()
    """The connection is closed before anything is done."""
    CUT = auto()
    """It is done, and the connection is closed instead of an answer."""
    CUT_WATCH = auto()
    """A watch ends in the middle of the line after ``lines`` lines."""
    THROTTLE = auto()
    """429 in plain text with ``seconds`` in Retry-After, as priority and fairness answers."""
    THROTTLE_WITH_STATUS = auto()
    """429 with a Status body."""
    FAIL = auto()
    """503, and nothing is done."""
    FAIL_INTERNAL = auto()
    """500, and nothing is done."""
    TIME_OUT = auto()
    """504 although it is done."""
    GARBAGE = auto()
    """200 with a body that is not JSON."""


@dataclass(slots=True, kw_only=True)
class Fault:
    """``when`` picks the requests (all); ``times`` is how many of them it happens to (every one)."""

    what: What
    when: Callable[[Attempt], bool] = field(default=lambda _: True)
    times: int | None = None
    seconds: float = 1.0
    lines: int = 0

    def strikes(self, attempt: Attempt) -> bool:
        if self.times == 0 or not self.when(attempt):
            return False
        if self.times is not None:
            self.times -= 1
        return True


def by(user: str) -> Callable[[Attempt], bool]:
    """Requests of one user: a partition between it and the API."""
    return lambda attempt: attempt.user.name == user


def of(resource: str, *verbs: str) -> Callable[[Attempt], bool]:
    """Requests for a resource (with its subresource), with any or one of some verbs."""
    return lambda attempt: attempt.resource == resource and (not verbs or attempt.verb in verbs)


class Faults:
    """All that goes wrong at present. Of several that strike one request, each is given."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        self._faults.append(fault)
        return fault

    def end(self, fault: Fault) -> None:
        """Nothing of ``fault`` from now on; whoever hangs goes on hanging until it gives up."""
        self._faults.remove(fault)

    def clear(self) -> None:
        self._faults.clear()

    def of(self, attempt: Attempt) -> dict[What, Fault]:
        return {fault.what: fault for fault in self._faults if fault.strikes(attempt)}
