"""What the last write of a deployment ran into, and how long the deployment is left alone for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from trimtab.errors import ErrorKind
from trimtab.service.backoff import pace_for

if TYPE_CHECKING:
    from collections.abc import Mapping
    from random import Random

    from trimtab.clock import Clock
    from trimtab.core.decision import Order


@dataclass(frozen=True, slots=True, kw_only=True)
class Setback:
    """What a deployment's last write ran into. ``failures`` counts those in a row.

    ``error_kind`` is ``None`` when nothing failed but the world kept moving on.
    """

    failures: int
    until: float
    until_monotonic: float
    sentence: str
    error_kind: ErrorKind | None

    def concerns(self, order: Order) -> bool:
        """Whether ``order`` would run into the same. A quota never stands against asking for less."""
        is_quota = self.error_kind is ErrorKind.QUOTA_EXCEEDED
        return not is_quota or order.to_replicas > order.from_replicas


class Setbacks:
    """One for each deployment whose last write did not succeed."""

    def __init__(self, clock: Clock, random: Random) -> None:
        self._clock = clock
        self._random = random
        self._known: dict[str, Setback] = {}

    @property
    def known(self) -> Mapping[str, Setback]:
        """By deployment, until a write succeeds."""
        return MappingProxyType(self._known)

    def against(self, order: Order) -> Setback | None:
        """Return what ``order`` would run into again if it were begun now."""
        known = self._known.get(order.deployment)
        if known is None or known.until_monotonic <= self._clock.monotonic():
            return None
        return known if known.concerns(order) else None

    def forget(self, deployment: str) -> None:
        """Start over: a write succeeded, or the deployment is no more."""
        self._known.pop(deployment, None)

    def excuse_first(self, deployment: str) -> None:
        """Let a deployment be begun again at once whose refusal said what there is, but not twice in a row."""
        known = self._known.get(deployment)
        if known is not None and known.failures == 1:
            now, monotonic = self._clock.now(), self._clock.monotonic()
            self._known[deployment] = replace(known, until=now, until_monotonic=monotonic)

    def forgive_quotas(self) -> None:
        """Start over wherever a quota stood in the way: there is another one now."""
        for deployment, known in list(self._known.items()):
            if known.error_kind is ErrorKind.QUOTA_EXCEEDED:
                del self._known[deployment]

    def add(
        self, deployment: str, sentence: str, kind: ErrorKind | None, retry_after: float | None
    ) -> None:
        """Remember a write that came to nothing, and draw how long to leave its deployment alone."""
        before = self._known.get(deployment)
        failures = 1 if before is None else before.failures + 1
        wait_seconds = pace_for(kind).wait_seconds(failures, self._random)
        if kind is None and failures == 1:
            # The first void order is decided anew at once; a row of them is a race.
            wait_seconds = 0.0
        wait_seconds = max(wait_seconds, retry_after or 0.0)
        self._known[deployment] = Setback(
            failures=failures,
            until=self._clock.now() + wait_seconds,
            until_monotonic=self._clock.monotonic() + wait_seconds,
            sentence=sentence,
            error_kind=kind,
        )
