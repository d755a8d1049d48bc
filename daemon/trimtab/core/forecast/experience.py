"""What a deployment's own past has taught: one frozen value, cheap to continue and exact to restore.

Two flat arrays hold what changes in each tick; names are views into them, made for whoever continues it.
Continuing copies the arrays (some ten kilobytes, a microsecond or two) and changes the copy before anybody
else sees it. What changes less often is handed on as it is.
"""

from __future__ import annotations

import base64
import zlib
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self, TypeAlias, cast

import numpy as np

from trimtab.core.encoded import Encoded
from trimtab.core.forecast.judgement import Judgement
from trimtab.core.forecast.settings import BLOCK_TICKS, BLOCKS, RULES, SETTINGS
from trimtab.core.forecast.terms import LEAD_TICKS_MAX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.proposals import JsonValue

Array: TypeAlias = "np.ndarray[Any, np.dtype[Any]]"

FORM: Final = 1
"""Version of the JSON form. Another one is not read: learning begins anew."""

LEVELS: Final = 5
FORECASTS: Final = 16
"""Levels alone, moved by the daily curve, by the weekly curve, by the minute of the hour: 5 + 5 + 3 + 3."""

MADE: Final = FORECASTS + 2
"""What is kept of each tick until its time has come: the forecasts, what they came to, the level."""

DAY_BINS: Final = 288
WEEK_BINS: Final = 672
HOUR_BINS: Final = 240
FOLLOWED_SHARE: Final = 0.1


class Tally(NamedTuple):
    """The single numbers: where time stands, what was measured, what was booked, what was chosen.

    ``at`` is the end of the last cell (UTC seconds), ``ticks`` how many there were. ``bin`` and the two
    after it collect the running bin of the daily curve. ``weighed``, ``offered`` and ``missed`` are
    replica-seconds in ticks, faded as the books of the settings are; ``missed`` by what really served.
    ``chosen`` is the best setting, ``wanted`` what the good ones hold. ``judgement`` compares misses that
    were told with those that the replay would have booked for what really served.
    """

    at: float = 0.0
    ticks: int = 0
    load: float = 0.0
    smooth: float = 0.0
    variance: float = 0.09
    bin: int = -1
    bin_total: float = 0.0
    bin_ticks: int = 0
    weighed: float = 0.0
    offered: float = 0.0
    missed: float = 0.0
    price_log: float = 0.0
    chosen: int = 0
    wanted: float = 0.0
    forecast: float = 0.0
    spread: float = 0.0
    seasonal: float = 0.0
    judgement: Judgement = Judgement()


def _sizes(lead_ticks: int) -> tuple[tuple[str, tuple[int, ...]], ...]:
    return (
        ("levels", (LEVELS,)),
        ("losses", (FORECASTS,)),
        ("made", (lead_ticks, MADE)),
        ("hour", (HOUR_BINS,)),
        ("hour_seen", (HOUR_BINS,)),
        ("cost", (SETTINGS,)),
        ("missed", (SETTINGS,)),
        ("backlog", (SETTINGS,)),
        ("weights", (SETTINGS,)),
    )


_MADE_AT: Final = LEVELS + FORECASTS
_COUNT_ROWS: Final = BLOCK_TICKS + 1 + BLOCKS + 1


CURVES_SIZE: Final = 2 * (DAY_BINS + WEEK_BINS)


def numbers_size(lead_ticks: int) -> int:
    """How many 64-bit numbers there are for this lead time, besides those of ``Curves``."""
    return sum(int(np.prod(shape)) for _, shape in _sizes(lead_ticks))


def counts_size(lead_ticks: int) -> int:
    """How many replica counts, as 32-bit numbers (whole ones, exact up to 16 million)."""
    return _COUNT_ROWS * RULES + lead_ticks * SETTINGS


def curve_parts(numbers: Array) -> tuple[Array, Array, Array, Array]:
    """Return the parts of ``Curves.numbers``, in the order of their names there."""
    return numbers[:288], numbers[288:576], numbers[576:1248], numbers[1248:]


class Curves:
    """The load by the time of day and of the week, with how often each bin was seen, as one array with names.

    Half of all that is remembered, of which a bin changes once in five minutes: nothing in it changes
    any more, and until then it is handed on as it is.
    """

    __slots__ = ("day", "day_seen", "numbers", "week", "week_seen")

    def __init__(self, numbers: Array) -> None:
        numbers.setflags(write=False)
        self.numbers = numbers
        self.day, self.day_seen, self.week, self.week_seen = curve_parts(numbers)


class Voters(NamedTuple):
    """The settings that have a say, by their places, with how much of one each has, and all together."""

    places: Array
    weights: list[float]
    total: float


class Arrays:
    """Names for the parts of the two arrays. ``made`` and ``held`` are rings of ``lead_ticks`` rows.

    ``levels``: the load, smoothed over five spans. ``losses``: mean squared error of each forecast.
    ``smoothed`` are both, one after the other. ``hour``: by what share the minute of the hour moves the load,
    with how often each bin was seen. ``cost``, ``missed``, ``backlog``: of each setting, replica-seconds in ticks; ``books``
    are the first two; ``weights``: its say.
    ``recent``: what each rule asked for in the last ticks; ``blocks``: the largest of each block of
    ticks. ``held``: what each setting would have asked for in all, over the last lead time.

    ``curves`` are not among them, as they change less often than once a tick. Nor are ``older`` (``replay.py``)
    and ``voters`` (``price.py``), which follow from the others; ``None``: to be worked out.
    """

    __slots__ = (
        "backlog", "blocks", "books", "cost", "counts", "curves", "held", "hour", "hour_seen",
        "lead_ticks", "levels", "losses", "made", "missed", "numbers", "older", "recent", "smoothed",
        "voters", "weights",
    )  # fmt: skip

    def __init__(
        self,
        numbers: Array,
        counts: Array,
        lead_ticks: int,
        curves: Curves,
        older: Array | None = None,
        voters: Voters | None = None,
    ) -> None:
        self.numbers, self.counts, self.lead_ticks = numbers, counts, lead_ticks
        self.curves, self.older, self.voters = curves, older, voters
        self.smoothed = numbers[:21]
        self.levels = numbers[:5]
        self.losses = numbers[5:21]
        end = _MADE_AT + lead_ticks * MADE
        self.made = numbers[_MADE_AT:end].reshape(lead_ticks, MADE)
        self.hour = numbers[end : end + 240]
        self.hour_seen = numbers[end + 240 : end + 480]
        end += 480
        self.books = numbers[end : end + 2 * SETTINGS]
        self.cost = numbers[end : end + SETTINGS]
        self.missed = numbers[end + SETTINGS : end + 2 * SETTINGS]
        self.backlog = numbers[end + 2 * SETTINGS : end + 3 * SETTINGS]
        self.weights = numbers[end + 3 * SETTINGS : end + 4 * SETTINGS]
        rows = counts[: _COUNT_ROWS * RULES].reshape(_COUNT_ROWS, RULES)
        self.recent = rows[: BLOCK_TICKS + 1]
        self.blocks = rows[BLOCK_TICKS + 1 :]
        self.held = counts[_COUNT_ROWS * RULES :].reshape(lead_ticks, SETTINGS)

    @classmethod
    def zeros(cls, lead_ticks: int) -> Self:
        """Return arrays in which nothing stands yet."""
        numbers = np.zeros(numbers_size(lead_ticks))
        counts = np.zeros(counts_size(lead_ticks), dtype=np.float32)
        return cls(numbers, counts, lead_ticks, Curves(np.zeros(CURVES_SIZE)))


class Experience(Encoded):
    """A tally with its arrays. Nothing in it changes any more: who hands arrays over lets go of them."""

    __slots__ = ("_counts", "_curves", "_numbers", "_older", "_voters", "lead_ticks", "tally")

    def __init__(self, tally: Tally, arrays: Arrays) -> None:
        self.tally = tally
        self.lead_ticks = arrays.lead_ticks
        self._numbers, self._counts = arrays.numbers, arrays.counts
        self._curves, self._older, self._voters = arrays.curves, arrays.older, arrays.voters
        self._numbers.setflags(write=False)
        self._counts.setflags(write=False)

    @property
    def arrays(self) -> Arrays:
        """Names for its parts, to read: nobody can change anything through them."""
        return Arrays(self._numbers, self._counts, self.lead_ticks, self._curves)

    def copied(self) -> Arrays:
        """Return its arrays as a copy that may be changed."""
        numbers, counts = self._numbers.copy(), self._counts.copy()
        return Arrays(numbers, counts, self.lead_ticks, self._curves, self._older, self._voters)

    def set_back(self, seconds: float) -> Experience:
        """Return the same as a clock that is ``seconds`` behind would have told its times.

        The running bin of the curves began at another time of day, and is left out.
        """
        tally = self.tally
        before = tally._replace(at=tally.at - seconds, bin=-1, bin_total=0.0, bin_ticks=0)
        arrays = Arrays(
            self._numbers, self._counts, self.lead_ticks, self._curves, self._older, self._voters
        )
        return Experience(before, arrays)

    def is_followed(self, asked: int) -> bool:
        """Whether ``asked`` replicas are what was wanted, to a replica or a tenth of them."""
        wanted = self.tally.wanted
        return abs(asked - wanted) <= max(1.0, FOLLOWED_SHARE * wanted)

    def _encode(self) -> JsonValue:
        return {
            "form": FORM,
            "lead_ticks": self.lead_ticks,
            "tally": [*self.tally[:-1], list(self.tally.judgement)],
            "numbers": _packed(_joined(self._numbers, self._curves, self.lead_ticks)),
            "counts": _packed(self._counts),
        }

    @classmethod
    def restored(cls, form: JsonValue) -> Self | None:
        """Return what ``as_json`` gave the form of; ``None`` where it is of something else."""
        if not isinstance(form, dict) or form.get("form") != FORM:
            return None
        try:
            lead_ticks, tally = form["lead_ticks"], form["tally"]
            if not isinstance(lead_ticks, int) or not 1 <= lead_ticks <= LEAD_TICKS_MAX:
                return None
            size = numbers_size(lead_ticks) + CURVES_SIZE
            numbers, curves = _parted(_unpacked(form, "numbers", np.float64, size), lead_ticks)
            counts = _unpacked(form, "counts", np.float32, counts_size(lead_ticks))
            *plain, told = cast("list[Any]", tally)
            judged = Tally(*plain)._replace(judgement=Judgement(*told))
            return cls(judged, Arrays(numbers, counts, lead_ticks, curves))
        except (KeyError, TypeError, ValueError, zlib.error):
            return None


def _joined(numbers: Array, curves: Curves, lead_ticks: int) -> Array:
    """Return all 64-bit numbers in the order of the JSON form, where curves come after what was made."""
    end = _MADE_AT + lead_ticks * MADE
    return np.concatenate((numbers[:end], curves.numbers, numbers[end:]))


def _parted(together: Array, lead_ticks: int) -> tuple[Array, Curves]:
    """Undo ``_joined``."""
    end = _MADE_AT + lead_ticks * MADE
    after = end + CURVES_SIZE
    numbers = np.concatenate((together[:end], together[after:]))
    return numbers, Curves(together[end:after].copy())


def _packed(array: Array) -> str:
    little = array.astype(array.dtype.newbyteorder("<"), copy=False)
    return base64.b64encode(zlib.compress(little.tobytes(), 1)).decode("ascii")


def _unpacked(form: Mapping[str, JsonValue], name: str, kind: type[np.generic], size: int) -> Array:
    plain = zlib.decompress(base64.b64decode(cast("str", form[name]), validate=True))
    array: Array = np.frombuffer(plain, dtype=np.dtype(kind).newbyteorder("<")).astype(kind)
    if array.size != size:
        raise ValueError(f"{name} has {array.size} elements, not {size}")
    return array
