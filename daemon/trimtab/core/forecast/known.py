"""Everything that the strategy ``capacity`` remembers of one deployment, as one value."""

from __future__ import annotations

from math import exp
from typing import TYPE_CHECKING, Self, cast

from trimtab.core.encoded import Encoded
from trimtab.core.facts import Facts
from trimtab.core.forecast.cells import TICK_SECONDS, Heard
from trimtab.core.forecast.experience import Experience
from trimtab.core.forecast.occupancy import Line, Mix
from trimtab.core.forecast.trim import Trim

if TYPE_CHECKING:
    from trimtab.core.proposals import JsonValue


class Known(Encoded):
    """What was heard of the running cell, what was learned, and what was learned of one replica.

    ``at_first`` is how many replicas were asked for when learning began. ``experience`` is ``None``
    before the first cell is full, ``heard`` before the first sample. ``kept_until`` (UTC seconds) is set
    where the past was learned from: until then what was asked for at first is held all the same.
    """

    __slots__ = ("at_first", "experience", "heard", "kept_until", "line", "mix", "trim")

    def __init__(
        self,
        at_first: int,
        heard: Heard | None = None,
        experience: Experience | None = None,
        line: Line | None = None,
        trim: Trim | None = None,
        mix: Mix | None = None,
        kept_until: float | None = None,
    ) -> None:
        self.at_first = at_first
        self.heard = heard
        self.experience = experience
        self.line = line or Line()
        self.trim = trim or Trim()
        self.mix = mix or Mix()
        self.kept_until = kept_until

    def living(
        self,
        heard: Heard | None,
        experience: Experience | None,
        line: Line,
        trim: Trim,
        mix: Mix | None = None,
    ) -> Known:
        """Return what is known after a sample; what is not given stays."""
        return Known(self.at_first, heard, experience, line, trim, mix or self.mix, self.kept_until)

    def set_back(self, seconds: float) -> Known:
        """Return the same as a clock that is ``seconds`` behind would have told its times."""
        heard, kept_until = self.heard, self.kept_until
        return Known(
            self.at_first,
            None if heard is None else heard._replace(until=heard.until - seconds),
            None if self.experience is None else self.experience.set_back(seconds),
            self.line,
            self.trim,
            self.mix,
            None if kept_until is None else kept_until - seconds,
        )

    def _encode(self) -> JsonValue:
        kept: dict[str, JsonValue] = {}
        if self.kept_until is not None:
            kept["kept_until"] = self.kept_until
        return kept | {
            "at_first": self.at_first,
            "heard": None if self.heard is None else list(self.heard),
            "experience": None if self.experience is None else self.experience.as_json(),
            "line": list(self.line),
            "trim": list(self.trim),
            "mix": list(self.mix),
        }

    @property
    def capacity(self) -> float | None:
        """Requests a second that one replica was learned to carry; ``None`` while it is not known."""
        capacity = self.line.capacity
        return None if capacity is None else capacity / self.trim.factor

    def facts(
        self,
        count: int,
        *,
        missed_ratio_max: float,
        capacity_requests_per_second: float | None,
        capacity_factor_ratio: float | None,
    ) -> Facts:
        """What people watch of asking for ``count`` replicas: what was learned, with what is given.

        There is an experience.
        """
        assert self.experience is not None  # noqa: S101  the caller has looked
        tally = self.experience.tally
        return Facts(
            load_replicas=tally.load,
            forecast_replicas=tally.forecast,
            spare_replicas=max(0.0, count - tally.forecast),
            forecast_error_replicas=tally.spread,
            horizon_seconds=self.experience.lead_ticks * TICK_SECONDS,
            miss_price_ratio=exp(tally.price_log),
            missed_ratio=tally.missed / tally.offered if tally.offered > 0.0 else 0.0,
            missed_ratio_max=missed_ratio_max,
            capacity_requests_per_second=capacity_requests_per_second,
            capacity_factor_ratio=capacity_factor_ratio,
        )

    @classmethod
    def recalled(cls, memory: JsonValue) -> Self | None:
        """Return what is remembered; ``None`` where it is nothing, or of something else."""
        if isinstance(memory, cls):
            return memory
        if not isinstance(memory, dict) or memory.keys() - {"kept_until"} != _KEYS:
            return None
        heard, experience = memory["heard"], memory["experience"]
        restored = Experience.restored(experience)
        if restored is None and experience is not None:
            return None  # of another form: what was heard of load in replicas may be, too
        try:
            return cls(
                cast("int", memory["at_first"]),
                None if heard is None else Heard(*cast("list[float]", heard)),
                restored,
                Line(*cast("list[float]", memory["line"])),
                Trim(*cast("list[float]", memory["trim"])),
                Mix(*cast("list[float]", memory["mix"])),
                cast("float | None", memory.get("kept_until")),
            )
        except TypeError:
            return None


_KEYS = {"at_first", "heard", "experience", "line", "trim", "mix"}
