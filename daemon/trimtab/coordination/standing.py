"""What can be seen of a steward from outside: what it holds, what happened, how the service answers."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trimtab.clock import Clock
    from trimtab.coordination.holdings import Stage
    from trimtab.coordination.port import Survey, Tenure
    from trimtab.errors import CoordinationError


class Happened(StrEnum):
    """What happens to buckets and to the service. Closed: it is a metric label."""

    CLAIMED = "claimed"
    BEATEN = "beaten"
    """Another member was faster."""

    TAKEN_OVER = "taken_over"
    TAKE_OVER_FAILED = "take_over_failed"
    HANDED_OVER = "handed_over"
    LOST = "lost"
    DEAF = "deaf"
    """The tenant failed while it was told to stop: a bug."""

    SERVICE_AWAY = "service_away"
    SERVICE_BACK = "service_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened, for the log. ``sentence`` says why where that is not plain."""

    what: Happened
    tenure: Tenure | None = None
    sentence: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A steward at one moment. Counts are since its start; ages are seconds, ``None`` for never.

    ``leading_term`` is the term in which it leads the fleet, ``None`` if it does not. ``trouble`` is the
    last failure of the service in one sentence, ``None`` while it answers; ``trouble_seconds`` for how long.
    """

    member: str
    buckets: int
    stages: Mapping[Stage, int]
    leading_term: int | None
    renewal_age_seconds: float | None
    survey: Survey | None
    survey_age_seconds: float | None
    trouble: str | None
    trouble_seconds: float | None
    happened: Mapping[Happened, int] = field(default_factory=dict)
    calls: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)


RENEWALS = "renew"
LOOKS = "survey"


class Tally:
    """Counts calls and events, and knows whether the service answers."""

    def __init__(self, clock: Clock, on_event: Callable[[Event], None]) -> None:
        self._clock = clock
        self._on_event = on_event
        self._happened: Counter[Happened] = Counter()
        self._calls: Counter[str] = Counter()
        self._failures: Counter[str] = Counter()
        self._troubles: dict[str, str] = {}
        self._trouble_since: float | None = None
        self._renewed_at: float | None = None

    def count(self, what: Happened) -> None:
        """Count what needs no line in the log."""
        self._happened[what] += 1

    def happened(self, what: Happened, tenure: Tenure | None = None, sentence: str = "") -> None:
        """Count and tell."""
        self.count(what)
        self._on_event(Event(what=what, tenure=tenure, sentence=sentence))

    def answered(self, call: str) -> None:
        """Note a call that was answered."""
        self._calls[call] += 1
        if call not in (RENEWALS, LOOKS) or self._troubles.pop(call, None) is None:
            return
        if not self._troubles:
            self._trouble_since = None
            self.happened(Happened.SERVICE_BACK)

    def failed(self, call: str, error: CoordinationError) -> None:
        """Note a call that failed. Those that come before a look count as one that failed."""
        self._calls[call] += 1
        self._failures[call] += 1
        was_well = not self._troubles
        self._troubles[call if call == RENEWALS else LOOKS] = str(error)
        if was_well:
            self._trouble_since = self._clock.monotonic()
            self.happened(Happened.SERVICE_AWAY, sentence=str(error))

    def renewed(self, began_at: float) -> None:
        """Note a renewal that succeeded, by the monotonic time at which it began."""
        self._renewed_at = began_at

    def standing(
        self,
        *,
        member: str,
        buckets: int,
        stages: Mapping[Stage, int],
        leading_term: int | None,
        survey: Survey | None,
        survey_age_seconds: float | None,
    ) -> Standing:
        """Return everything, now."""
        now = self._clock.monotonic()
        return Standing(
            member=member,
            buckets=buckets,
            stages=stages,
            leading_term=leading_term,
            renewal_age_seconds=None if self._renewed_at is None else now - self._renewed_at,
            survey=survey,
            survey_age_seconds=survey_age_seconds,
            trouble=next(iter(self._troubles.values()), None),
            trouble_seconds=None if self._trouble_since is None else now - self._trouble_since,
            happened=dict(self._happened),
            calls=dict(self._calls),
            failures=dict(self._failures),
        )
