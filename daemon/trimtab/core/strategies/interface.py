"""What every strategy is: a frozen value that turns a view into a wish."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from trimtab.core.past import PastValue, PastWanted
    from trimtab.core.proposals import JsonValue, View, Wish


class Strategy(Protocol):
    """The algorithm a rule uses.

    A strategy is pure and never raises for an expected situation: what it cannot tell, it answers
    with ``replicas=None`` and a sentence. Bounds, rates and lifecycle are not its business. What it
    wants to remember goes into ``Wish.memory`` and comes back at the next evaluation. A class
    that sets ``forgets_with_hardware = True`` begins with nothing when the hardware changes.
    ``dispensable_signals`` names those of ``signals`` that only refine what it answers without them as
    well: while they are missing, nothing is held (``dispensable``).

    One whose answer may change by time alone, with the same readings, should have ``edges`` as well
    (``Foreseeing``); without it, such a change is seen at the next regular evaluation. One that looks at
    other deployments of ``View.fleet`` should name them in ``follows``, a tuple of full names.

    One whose answer depends on nothing but the view may have ``steady_range`` (``Steady``): samples that
    cannot change its answer are then not decided on one by one.

    One whose words take long may have ``propose_unsaid`` (``Wordless``).
    """

    @property
    def signals(self) -> tuple[str, ...]:
        """Names of the policy's signals that the strategy reads."""
        ...

    def propose(self, view: View, memory: JsonValue) -> Wish:
        """Answer how many replicas the deployment should have, and why, in one sentence."""
        ...


def dispensable(strategy: Strategy) -> tuple[str, ...]:
    """Return the signals that ``strategy`` reads and does not need; none unless it says so."""
    names: tuple[str, ...] = getattr(strategy, "dispensable_signals", ())
    return names


@runtime_checkable
class Wordless(Protocol):
    """A strategy whose words take long enough to be left out where nobody reads them."""

    def propose_unsaid(self, view: View, memory: JsonValue) -> Wish:
        """Wish and remember what ``propose`` does, with an empty sentence; ``facts`` and ``need`` may be missing."""
        ...


def unsaid(strategy: Strategy, view: View, memory: JsonValue) -> Wish:
    """Return what ``strategy`` wishes, for whoever asks no more than whether that is what it wished before."""
    # Asked for by name: looking whether a class fits ``Wordless`` takes longer than words.
    propose = getattr(strategy, "propose_unsaid", strategy.propose)
    wish: Wish = propose(view, memory)
    return wish


@runtime_checkable
class Foreseeing(Protocol):
    """A strategy that can say when time alone may change its answer."""

    def edges(self, now: float, memory: JsonValue) -> Iterable[float]:
        """Return such moments (UTC seconds) from what it remembers; those before ``now`` count for nothing.

        The earliest of them may be too early, never too late. Cheap: it is asked at every decision.
        """
        ...


@runtime_checkable
class Steady(Protocol):
    """A strategy of one signal that remembers nothing and knows when a new value changes nothing."""

    def steady_range(self, view: View) -> tuple[float, float] | None:
        """Return two values of its signal, both included, between which its wish is that of ``view``.

        All else being equal; sentences may differ. The reading is usable. The range may be smaller than
        it could be, never larger; ``None`` where it is not known.
        """
        ...


@runtime_checkable
class Redatable(Protocol):
    """A strategy whose memory outlives a clock that is set back; any other begins anew then."""

    def set_back(self, memory: JsonValue, seconds: float) -> JsonValue:
        """Return ``memory`` as a clock that is ``seconds`` behind would have told its times."""
        ...


@runtime_checkable
class Primeable(Protocol):
    """A strategy that can begin with what others recorded before it was there (``core/priming.py``)."""

    def past_wanted(self, memory: JsonValue) -> PastWanted | None:
        """Return what it would like to hear of the past; ``None``: nothing, or it knows enough by itself."""
        ...

    def primed(
        self, past: Mapping[str, Sequence[PastValue]], view: View, memory: JsonValue
    ) -> Generator[None, None, JsonValue]:
        """Live through ``past``, by signal and in order of time, in pieces of about a millisecond.

        Returns the memory that it leads to; ``None`` where it is of no use.
        """
        ...

    def joined(self, primed: JsonValue, memory: JsonValue, view: View) -> JsonValue | None:
        """Return one memory of ``primed`` and of what is remembered by now; ``None``: that is to stay."""
        ...
