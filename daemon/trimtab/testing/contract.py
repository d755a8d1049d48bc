"""What every strategy promises (``core/strategies/interface.py``), put to the test.

The engine relies on it: a strategy is asked again after a restart and in a replay of history, with the
same answer each time; and it is never the reason for fewer replicas while data is missing.
"""

from __future__ import annotations

import copy
import json
from math import isfinite
from typing import TYPE_CHECKING, ClassVar

from trimtab.core.encoded import Encoded, as_plain
from trimtab.core.facts import Facts
from trimtab.core.proposals import REPLICAS_MAX, Wish
from trimtab.testing.views import NOW, VALUES, a_view, odd_views, views_without_data

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from trimtab.core.proposals import JsonValue, View
    from trimtab.core.strategies.interface import Strategy

    Promise: TypeAlias = Callable[[Strategy], Iterator[str]]

SENTENCE_CHARACTERS_MAX = 1000

FOREIGN_MEMORIES: tuple[JsonValue, ...] = (
    None,
    True,
    7,
    -1.5,
    "text",
    [],
    [1, 2],
    [[NOW, 3], [NOW + 1.0, 4]],
    {},
    {"at": "yesterday", "count": None},
    {"samples": [[1, "x"], 3], "since": []},
)
"""What a rule may find in its memory after its strategy was changed, or by another version."""

EVALUATIONS = 2000
"""How often a strategy is asked, a second apart, before its memory is weighed."""


class StrategyContract:
    """Tests to inherit; ``strategies`` are examples with the settings that matter."""

    strategies: ClassVar[tuple[Strategy, ...]] = ()
    memory_bytes_max: ClassVar[int] = 50_000
    """As JSON. A strategy that learns may use 200,000."""

    def test_there_is_a_strategy_to_test(self) -> None:
        """An empty list would pass everything."""
        if not self.strategies and type(self) is not StrategyContract:
            raise AssertionError("`strategies` is empty; put at least one example into it")

    def test_signals_are_names(self) -> None:
        """``signals`` lists names, each once."""
        self._expect(_signals)

    def test_it_never_raises_and_answers_with_counts_and_sentences(self) -> None:
        """Whatever the view."""
        self._expect(_answers)

    def test_it_survives_the_memory_of_something_else(self) -> None:
        """A rule keeps its name when its strategy is changed."""
        self._expect(_foreign_memories)

    def test_the_same_question_has_the_same_answer_and_changes_nothing(self) -> None:
        """Replays depend on it."""
        self._expect(_purity)

    def test_missing_data_never_asks_for_fewer(self) -> None:
        """Missing is never zero."""
        self._expect(_missing_data)

    def test_its_memory_survives_a_restart(self) -> None:
        """Through JSON text and back, bit for bit."""
        self._expect(_restart)

    def test_its_memory_is_bounded(self) -> None:
        """However long it runs."""
        self._expect(lambda one: _memory_size(one, self.memory_bytes_max))

    def _expect(self, promise: Promise) -> None:
        broken = [sentence for one in self.strategies for sentence in _first(promise(one))]
        if broken:
            raise AssertionError("\n".join(broken))


def broken_promises(strategy: Strategy, *, memory_bytes_max: int = 50_000) -> tuple[str, ...]:
    """Sentences that say what ``strategy`` does and must not; none if it keeps the contract."""
    promises = (_signals, _answers, _foreign_memories, _purity, _missing_data, _restart)
    broken = [sentence for promise in promises for sentence in _first(promise(strategy))]
    return (*broken, *_first(_memory_size(strategy, memory_bytes_max)))


FINDINGS_MAX = 3
"""Of each promise: the others are mostly the same one again."""


def _first(broken: Iterator[str]) -> list[str]:
    return [sentence for _, sentence in zip(range(FINDINGS_MAX), broken, strict=False)]


def _told(strategy: Strategy, view: View, what: str) -> str:
    loads = {name: one.value for name, one in view.readings.items()}
    return (
        f"{strategy!r} {what}; asked for {view.current}, ready {view.ready}, "
        f"signals {loads}, at {view.now}"
    )


def _ask(strategy: Strategy, view: View, memory: JsonValue) -> Wish | str:
    """The answer, or the exception in words: foreign code is under test here."""
    try:
        return strategy.propose(view, memory)
    except Exception as error:  # noqa: BLE001  reported, whatever it is
        return f"raises {type(error).__name__}: {error}"


def _signals(strategy: Strategy) -> Iterator[str]:
    names: object = strategy.signals  # foreign code need not keep its annotations
    if not isinstance(names, tuple) or not all(isinstance(name, str) and name for name in names):
        yield f"{strategy!r} has signals {names!r}, which is no tuple of names"
    elif len(set(names)) < len(names):
        yield f"{strategy!r} names a signal twice: {names!r}"


def _answers(strategy: Strategy) -> Iterator[str]:
    for view in odd_views(strategy):
        wish = _ask(strategy, view, None)
        for what in _oddities(wish):
            yield _told(strategy, view, what)


def _oddities(wish: object) -> Iterator[str]:
    if isinstance(wish, str):
        yield wish
        return
    if not isinstance(wish, Wish):
        yield f"answers {wish!r}, which is no Wish"
        return
    for count in (wish.replicas, wish.at_most):
        is_count = isinstance(count, int) and not isinstance(count, bool)
        if count is not None and not (is_count and 0 <= count <= REPLICAS_MAX):
            yield f"answers {count!r}, which is no whole number from 0 to {REPLICAS_MAX}"
    text: object = wish.sentence
    if not isinstance(text, str) or not text.strip() or "\n" in text:
        yield f"gives the reason {text!r}, which is no sentence on one line"
    elif len(text) > SENTENCE_CHARACTERS_MAX:
        yield f"gives a reason of {len(text)} characters, more than {SENTENCE_CHARACTERS_MAX}"
    for name, number in zip(Facts._fields, wish.facts or (), strict=False):
        if number is not None and not isfinite(number):
            yield f"gives {number} for {name}; give a finite number, or None where there is none"
    if wish.is_abstaining and wish.replicas is not None:
        yield f"abstains and asks for {wish.replicas} at once"


def _foreign_memories(strategy: Strategy) -> Iterator[str]:
    views = (a_view(dict.fromkeys(strategy.signals, 10.0)), *views_without_data(strategy))
    for memory in FOREIGN_MEMORIES:
        for view in views[:4]:
            for what in _oddities(_ask(strategy, view, copy.deepcopy(memory))):
                yield _told(strategy, view, f"with the memory {memory!r} {what}")


def _purity(strategy: Strategy) -> Iterator[str]:
    before = repr(strategy)
    memory: JsonValue = None
    for view in odd_views(strategy):
        shown, kept = repr(view), copy.deepcopy(memory)
        answers = [_ask(strategy, view, memory) for _ in range(2)]
        if answers[0] != answers[1]:
            yield _told(strategy, view, f"answers {answers[0]!r} first and {answers[1]!r} then")
        if repr(view) != shown:
            yield _told(strategy, view, "changes the view that it is given")
        if memory != kept:
            yield _told(strategy, view, "changes the memory that it is given")
        if isinstance(answers[0], Wish):
            memory = answers[0].memory
    if repr(strategy) != before:
        yield f"{strategy!r} changes itself; before it was {before}"


def _missing_data(strategy: Strategy) -> Iterator[str]:
    if not strategy.signals:
        return
    for remembered in (None, *_after_quiet_times(strategy)):
        for view in views_without_data(strategy):
            wish = _ask(strategy, view, remembered)
            if isinstance(wish, Wish):
                counts = [one for one in (wish.replicas, wish.at_most) if one is not None]
                if counts and min(counts) < view.current:
                    yield _told(strategy, view, f"answers {min(counts)} while data is missing")


def _after_quiet_times(strategy: Strategy) -> Iterator[JsonValue]:
    """What it remembers after some minutes of hardly any load, and of none."""
    for value in (0.0, 0.5):
        memory: JsonValue = None
        for second in range(0, 300, 10):
            view = a_view(dict.fromkeys(strategy.signals, value), now=NOW - 300.0 + second)
            wish = _ask(strategy, view, memory)
            memory = wish.memory if isinstance(wish, Wish) else None
        yield memory


def _restart(strategy: Strategy) -> Iterator[str]:
    memory: JsonValue = None
    restored: JsonValue = None
    for view in _some_minutes(strategy, 300):
        wish, again = _ask(strategy, view, memory), _ask(strategy, view, restored)
        if not isinstance(wish, Wish):
            return  # another test says so
        if wish != again:
            yield _told(strategy, view, f"answers {again!r} after a restart, and else {wish!r}")
        memory = wish.memory
        try:
            restored = json.loads(json.dumps(memory, allow_nan=False, default=as_plain))
        except (TypeError, ValueError) as error:
            yield _told(strategy, view, f"remembers {memory!r}, which is not JSON ({error})")
            return
        if restored != memory:
            yield _told(strategy, view, f"remembers {memory!r}, which comes back as {restored!r}")


def _memory_size(strategy: Strategy, bytes_max: int) -> Iterator[str]:
    memory: JsonValue = None
    for view in _some_minutes(strategy, EVALUATIONS):
        wish = _ask(strategy, view, memory)
        if not isinstance(wish, Wish):
            return  # another test says so
        memory = wish.memory
    size = len(json.dumps(memory, default=_weighable))
    if size > bytes_max:
        yield (
            f"{strategy!r} remembers {size} bytes after {EVALUATIONS} evaluations; "
            f"{bytes_max} are allowed"
        )


def _weighable(value: object) -> object:
    return value.as_json() if isinstance(value, Encoded) else str(value)


def _some_minutes(strategy: Strategy, seconds: int) -> Iterator[View]:
    for second in range(seconds):
        load = VALUES[(second // 7) % 6] * (1 + second % 5)
        yield a_view(
            dict.fromkeys(strategy.signals, load),
            now=NOW + second,
            current=1 + second // 60 % 4,
        )
