"""Single keys of a terminal, read in a thread; the terminal is left as it was found."""

from __future__ import annotations

import os
import select
import sys
import termios
import threading
import tty
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

LOOK_SECONDS = 0.2
"""So soon the thread sees that nobody wants keys any more."""


@contextmanager
def keys(press: Callable[[str], None]) -> Iterator[None]:
    """Call ``press`` with each key, in another thread; Ctrl-C stays Ctrl-C. Nothing where no keys can be read."""
    if not sys.stdin.isatty():
        yield
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    is_over = threading.Event()
    reader = threading.Thread(
        target=_read, args=(terminal, press, is_over), name="keys", daemon=True
    )
    tty.setcbreak(terminal)
    reader.start()
    try:
        yield
    finally:
        is_over.set()
        reader.join()
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _read(terminal: int, press: Callable[[str], None], is_over: threading.Event) -> None:
    while not is_over.is_set():
        ready, _, _ = select.select([terminal], [], [], LOOK_SECONDS)
        if not ready:
            continue
        try:
            found = os.read(terminal, 64)
        except OSError:  # the terminal is gone
            return
        if not found:
            return
        for letter in found.decode("utf-8", "replace"):
            press(letter)
