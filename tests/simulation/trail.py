"""What happened in a simulated world: a digest of everything, and the latest of it to read."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from hashlib import blake2b
from typing import NamedTuple

KEPT = 6000
SHOWN = 45


class Happening(NamedTuple):
    """One thing that happened: seconds since the start, what kind, to whom ('' is everybody)."""

    at: float
    kind: str
    subject: str
    text: str

    def __str__(self) -> str:
        return f"{self.at:10.2f} s  {self.kind:<9} {self.text}"


class Trail:
    """Takes happenings. Equal digests mean equal runs."""

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self._digest = blake2b(digest_size=16)
        self._latest: deque[Happening] = deque(maxlen=KEPT)
        self.counts: Counter[str] = Counter()

    def add(self, kind: str, subject: str, text: str) -> None:
        happening = Happening(self._time(), kind, subject, text)
        self._latest.append(happening)
        self._digest.update(repr(happening).encode())
        self.counts[kind] += 1

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()

    def about(self, subject: str, shown: int = SHOWN) -> list[Happening]:
        """Return the latest that happened to ``subject`` or to everybody."""
        found = [one for one in self._latest if one.subject in {subject, ""}]
        return found[-shown:]


class ViolationError(AssertionError):
    """A promise was broken, in which world and what led to it."""

    def __init__(self, promise: str, story: str) -> None:
        self.promise = promise
        super().__init__(promise, story)  # both, or it could not travel between processes

    def __str__(self) -> str:
        return str(self.args[1])


def violation(
    seed: int, promise: str, subject: str, text: str, trail: Trail, *, options: str = ""
) -> ViolationError:
    """Tell the story of a broken promise: the seed, what led to it, and how to repeat it."""
    lines = "\n".join(f"  {one}" for one in trail.about(subject))
    return ViolationError(
        promise,
        f"seed {seed}: {promise}: {subject or 'the daemon'}: {text}\n"
        f"what happened to it before:\n{lines}\n"
        f"to repeat: python -m tests.simulation.runner {options}--seeds {seed} --verbose",
    )
