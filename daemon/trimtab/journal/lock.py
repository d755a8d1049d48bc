"""One writer at a time: an advisory lock on a file beside the journal.

The kernel lets go of it when the process ends, however it ends. The process id inside is for people.
"""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path


class WriterLock:
    """The lock on ``<journal>.lock``; the file stays behind, as removing it would race."""

    def __init__(self, journal: Path) -> None:
        self.path = Path(f"{journal}.lock")
        self._file: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether this object holds the lock."""
        return self._file is not None

    def acquire(self, *, names_holder: bool = True) -> bool:
        """Try to take the lock, without waiting. Raises ``OSError`` if the file cannot be had.

        ``names_holder`` is false for who only looks whether somebody else holds it.
        """
        if self._file is not None:
            return True
        file = self._open()
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(file)
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return False
            raise
        self._file = file
        if names_holder:
            self._write_holder(file)
        return True

    def release(self) -> None:
        """Let go. Safe to call twice."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def holder(self) -> str:
        """Who holds it, in words."""
        try:
            text = self.path.read_text(encoding="ascii").strip()
        except (OSError, ValueError):
            text = ""
        return f"process {text}" if text.isdigit() else "another process"

    def _open(self) -> int:
        try:
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            if error.errno not in (errno.EROFS, errno.EACCES):
                raise
            # Whoever may only read can still see that nobody else writes.
            return os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)

    @staticmethod
    def _write_holder(file: int) -> None:
        try:
            os.ftruncate(file, 0)
            os.pwrite(file, f"{os.getpid()}\n".encode("ascii"), 0)
        except OSError:
            return  # a full disk must not keep us from the lock; only the sentence is poorer
