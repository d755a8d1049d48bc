"""Questions to the journal: each in a thread, with a connection of its own, and only so many at once."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from trimtab.errors import ErrorKind, JournalError
from trimtab.journal.past_reader import PastReader, PastTooLargeError
from trimtab.web.problem import ProblemError

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.journal.places import Place

T = TypeVar("T")

READERS_MAX = 2
"""Questions that are answered at once: each takes turns with the loop that decides."""

WAITING_MAX = 8
"""Questions that wait for their turn; who comes after that is told to come back."""


class Past:
    """The journal at ``place``, for questions. ``None``: none is kept."""

    def __init__(self, place: Place | None) -> None:
        self._place = place
        self._turns = asyncio.Semaphore(READERS_MAX)
        self._asked = 0

    async def ask(self, question: Callable[[PastReader], T]) -> T:
        """Return the answer. Raises ``ProblemError`` (503, 400) where there is none."""
        if self._place is None:
            why = "no journal is kept (journal.path is off), so nothing is known of the past"
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, why)
        if self._asked >= READERS_MAX + WAITING_MAX:
            why = f"{self._asked} questions to the journal are being answered; ask again"
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, why, retry_after_seconds=1.0)
        self._asked += 1
        try:
            async with self._turns:
                return await asyncio.to_thread(self._answered, self._place, question)
        finally:
            self._asked -= 1

    @staticmethod
    def _answered(place: Place, question: Callable[[PastReader], T]) -> T:
        try:
            with PastReader(place) as reader:
                return question(reader)
        except PastTooLargeError as error:
            raise ProblemError(HTTPStatus.SERVICE_UNAVAILABLE, str(error)) from error
        except JournalError as error:
            is_new = error.kind is ErrorKind.NOT_FOUND
            sentence = "the journal has not been begun yet" if is_new else str(error)
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE, sentence, retry_after_seconds=5.0
            ) from error
