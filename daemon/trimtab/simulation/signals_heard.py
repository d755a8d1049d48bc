"""What a policy's signals mean in a simulation: each query stands for something that was measured.

A policy asks its sources in their own languages; a simulated deployment has one set of measurements
(``observation.Measured``). The table below says which query is which; a signal that it does not know is
given a meaning by name (``meanings``). Nothing is guessed from the text of a query.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from trimtab.simulation.observation import Measured

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.policy import Policy
    from trimtab.core.signals import SignalSpec
    from trimtab.simulation.observation import Observation

ENDPOINT_SECONDS = 60.0
"""The account's metrics endpoint tells of the last minute."""


class Meaning(NamedTuple):
    """A field of ``Measured``, averaged over ``window_seconds`` (0: as measured), for each ready replica or all."""

    field: str
    window_seconds: float = 0.0
    is_per_replica: bool = False


MEANINGS: Mapping[str, Meaning] = {
    **{field: Meaning(field) for field in Measured._fields},
    "request_counter_total:sum_by_deployment": Meaning("requests_per_second", ENDPOINT_SECONDS),
    "tokens_prompt_total:sum_by_deployment": Meaning("prompt_tokens_per_second", ENDPOINT_SECONDS),
    "requests_coordinator_concurrent_count:avg_by_deployment": Meaning(
        "in_flight", ENDPOINT_SECONDS, is_per_replica=True
    ),
    "generator_kv_blocks_fraction:avg_by_deployment": Meaning("kv_share", ENDPOINT_SECONDS),
}
"""By query: the fields themselves (a source's rate over its own scrape interval), and the series of the
account's endpoint that a simulation can fill."""


class Listener:
    """One signal of one deployment."""

    __slots__ = ("_end", "_field", "_heard", "_is_per_replica", "_window", "signal")

    def __init__(self, signal: str, meaning: Meaning) -> None:
        self.signal = signal
        self._field = Measured._fields.index(meaning.field)
        self._window = meaning.window_seconds
        self._is_per_replica = meaning.is_per_replica
        self._heard: deque[tuple[float, float, float]] = deque()  # end, seconds, value
        self._end: float | None = None

    def hear(self, seen: Observation) -> float | None:
        """Return what the signal says with this observation; ``None`` where it says nothing.

        Per replica means over those that are ready now; with none there is no mean.
        """
        measured, end = seen.measured, seen.measured_at
        if measured is None or end is None:
            self._end = end
            return None
        value: float | None = measured[self._field]
        if value is not None and self._window:
            value = self._mean(end, value)
        if value is None or not self._is_per_replica:
            return value
        return value / seen.ready if seen.ready else None

    def _mean(self, end: float, value: float) -> float:
        heard = self._heard
        if not heard or heard[-1][0] != end:
            begin = end if self._end is None else self._end
            heard.append((end, end - begin or 1.0, value))
            self._end = end
            while heard[0][0] <= end - self._window:
                heard.popleft()
        seconds = sum(one[1] for one in heard)
        return sum(one[1] * one[2] for one in heard) / seconds


def listeners(policy: Policy, meanings: Mapping[str, Meaning]) -> tuple[Listener, ...]:
    """Return a listener for each signal of ``policy``; ``meanings`` by name go before those by query.

    Raises ``ValueError`` for a signal that has no meaning here.
    """
    return tuple(_listener(policy, spec, meanings) for spec in policy.signals)


def _listener(policy: Policy, spec: SignalSpec, meanings: Mapping[str, Meaning]) -> Listener:
    meaning = meanings.get(spec.name) or MEANINGS.get(spec.query)
    if meaning is None:
        raise ValueError(
            f"signal {spec.name} of policy {policy.name} asks for `{spec.query}`, which a simulation "
            f"does not know; say what it measures: one of {', '.join(Measured._fields)}"
        )
    return Listener(spec.name, meaning)
