"""Refusals and failures as ``application/problem+json`` (RFC 9457)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from http import HTTPStatus


class ProblemError(Exception):
    """A request that gets no answer, why, and with which HTTP status. The message is one sentence."""

    def __init__(
        self, status: HTTPStatus, sentence: str, *, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.retry_after_seconds = retry_after_seconds
