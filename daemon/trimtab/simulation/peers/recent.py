"""What peers keep of the past: means and maxima over the last seconds, request lengths, and a beat.

A measurement is a mean over the stretch since the one before it, so a window is a row of stretches
and its mean weighs each by the seconds of it that lie in the window. What was not measured has no
weight: missing is never zero.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from trimtab.simulation.observation import Observation

FIRST_STRETCH_SECONDS = 15.0
"""How long the first measurement is taken to speak for: it has none before it."""

STRETCH_SECONDS_MAX = 120.0
"""No measurement speaks for more: what came before it is a gap in the data."""

_SLACK_SECONDS = 1e-6
"""Times are sums of floats."""


class _Stretch(NamedTuple):
    start: float
    end: float
    value: float


class Recent:
    """The last ``seconds`` of one quantity, up to its newest measurement."""

    __slots__ = ("_stretches", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._stretches: deque[_Stretch] = deque()

    def add(self, end: float, value: float) -> None:
        """Hear that the mean until ``end`` (UTC seconds) was ``value``; one heard before is passed over."""
        stretches = self._stretches
        start = end - FIRST_STRETCH_SECONDS
        if stretches:
            start = max(stretches[-1].end, end - STRETCH_SECONDS_MAX)
            if end <= start:
                return
        stretches.append(_Stretch(start, end, value))
        oldest = end - self.seconds + _SLACK_SECONDS
        while stretches[0].end <= oldest:
            stretches.popleft()

    def mean(self) -> float | None:
        """Return the mean over what was measured; ``None`` where nothing was."""
        if not self._stretches:
            return None
        since = self._stretches[-1].end - self.seconds
        total = weight = 0.0
        for start, end, value in self._stretches:
            seconds = end - max(start, since)
            total += value * seconds
            weight += seconds
        return total / weight

    def most(self) -> float | None:
        """Return the highest measurement that reaches into the window; ``None`` where none does."""
        return max((stretch.value for stretch in self._stretches), default=None)


class Lengths:
    """Mean tokens of prompts and of answers, over the last ``seconds``, as counters tell them.

    Prompts are counted as they are offered. Answers are counted as they are generated, and while a
    queue builds up fewer are than were asked for; the length heard before stands in meanwhile, or
    every overload would look like shorter answers. The first ones are the operator's.
    """

    __slots__ = ("_output", "_outputs", "_prompt", "_prompts", "_requests", "_steady_requests")

    def __init__(self, seconds: float, *, prompt: float, output: float) -> None:
        self._requests = Recent(seconds)
        self._prompts = Recent(seconds)
        self._steady_requests = Recent(seconds)
        self._outputs = Recent(seconds)
        self._prompt, self._output = prompt, output

    def hear(self, seen: Observation) -> None:
        """Take a measurement in."""
        measured, end = seen.measured, seen.measured_at
        if measured is None or end is None:
            return
        self._requests.add(end, measured.requests_per_second)
        self._prompts.add(end, measured.prompt_tokens_per_second)
        if seen.ready > 0 and measured.waiting < seen.ready:
            self._steady_requests.add(end, measured.requests_per_second)
            self._outputs.add(end, measured.output_tokens_per_second)

    @property
    def prompt(self) -> float:
        """Mean tokens of a prompt."""
        self._prompt = _ratio(self._prompts, self._requests, self._prompt)
        return self._prompt

    @property
    def output(self) -> float:
        """Mean tokens of an answer."""
        self._output = _ratio(self._outputs, self._steady_requests, self._output)
        return self._output


def _ratio(tokens: Recent, requests: Recent, otherwise: float) -> float:
    """Return tokens a request; ``otherwise`` while the window holds less than one request to speak of."""
    total, count = tokens.mean(), requests.mean()
    if not total or count is None or count * requests.seconds < 1.0:
        return otherwise
    return max(1.0, total / count)


class Beat:
    """Says when a loop of its own period is due, for whoever looks more often than it decides."""

    __slots__ = ("_next", "seconds")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._next: float | None = None

    def is_due(self, now: float) -> bool:
        """Say whether the loop turns now; the first look is one, and missed turns are not made up for."""
        due = self._next
        if due is not None and now < due - _SLACK_SECONDS:
            return False
        if due is None:
            due = now
        missed = max(0.0, (now - due + _SLACK_SECONDS) // self.seconds)
        self._next = due + (missed + 1.0) * self.seconds
        return True
