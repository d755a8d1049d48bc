"""Whose decision rests on another deployment: who follows its count, and who is asked to help it.

Such a decision is due when the other one changes, not only when its own turn comes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.stages.relief import Appeals

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


class Ties:
    """Who follows whom, as seen when each was decided on, and who is asked to help whom."""

    __slots__ = ("_followers", "_stirred", "appeals")

    def __init__(self) -> None:
        self.appeals = Appeals()
        self._followers: dict[str, set[str]] = {}
        self._stirred: set[str] = set()

    def follow(self, follower: str, leaders: Iterable[str]) -> None:
        """Let a change of any of ``leaders`` stir ``follower``."""
        for leader in leaders:
            self._followers.setdefault(leader, set()).add(follower)

    def ask(self, stuck: str, helpers: tuple[str, ...]) -> None:
        """Let ``stuck`` ask ``helpers`` for help, or nobody any more."""
        before = self.appeals.of(stuck)
        if before != helpers:
            self.appeals.note(stuck, helpers)
            self._stirred.update(before, helpers)

    def stir(self, names: Iterable[str]) -> None:
        """Take in that something happened to ``names``."""
        appeals, followers = self.appeals, self._followers
        if not followers and not appeals.helpers:
            return
        for name in names:
            self._stirred.update(followers.get(name, ()), appeals.of(name))
            if name in appeals.helpers:  # whether it can help decides whether the next one must
                for stuck in appeals.to(name):
                    self._stirred.update(appeals.of(stuck))

    def settle(self, due: Collection[str]) -> None:
        """Take in that ``due`` are about to be decided on, knowing all that has stirred them so far."""
        self._stirred.difference_update(due)

    def take_stirred(self) -> tuple[str, ...]:
        """Return who has been stirred since the last call and was not settled since, by name."""
        if not self._stirred:
            return ()
        stirred, self._stirred = self._stirred, set()
        return tuple(sorted(stirred))
