"""Leave to change something, asked for at the last moment before a request goes out.

Between a decision and the moment at which its request leaves, a process may be stopped for any time: by a
debugger, by a machine that sleeps, by a full host. What was ours to write before may be another's since. So
whoever carries an order out says how to ask (``asking``), and adapters ask (``refusal``) once they have
everything else that they need: a turn, a connection.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def _nothing() -> str | None:
    return None


_WHY_NOT: ContextVar[Callable[[], str | None]] = ContextVar("why_not", default=_nothing)


def refusal() -> str | None:
    """Return why nothing may be changed now, in a sentence; ``None``: it may."""
    return _WHY_NOT.get()()


@contextmanager
def asking(why_not: Callable[[], str | None]) -> Iterator[None]:
    """Let ``refusal`` ask ``why_not``, in this task and in those that it starts."""
    token = _WHY_NOT.set(why_not)
    try:
        yield
    finally:
        _WHY_NOT.reset(token)
