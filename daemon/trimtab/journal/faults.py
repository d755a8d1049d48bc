"""What an error of the file system or of SQLite means: a mode, whether waiting may help, a remedy.

Result codes: https://www.sqlite.org/rescode.html. The text is looked at where there is no code.
"""

from __future__ import annotations

import errno
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trimtab.errors import ErrorKind, excerpt
from trimtab.journal.ownership import why_not_ours
from trimtab.journal.port import JournalMode

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Why nothing is kept: the mode, the kind of the error, and a sentence with the remedy.

    ``is_damage`` means that the file itself is beyond use: it is put aside and a new one begun.
    """

    mode: JournalMode
    kind: ErrorKind
    sentence: str
    is_damage: bool = False


class ForeignFileError(Exception):
    """The file must be left untouched: another program, or a newer version, wrote it."""


class DamagedFileError(Exception):
    """What the file holds cannot be what was written."""


class LostFileError(Exception):
    """The path names another file than the one that is written to, or none any more."""


def fault_of(error: Exception, path: Path) -> Fault:
    """Say what ``error`` means for the journal at ``path``."""
    if isinstance(error, ForeignFileError):
        return _foreign(str(error))
    if isinstance(error, DamagedFileError):
        return _damaged(path, str(error))
    if isinstance(error, LostFileError):
        return Fault(mode=JournalMode.BROKEN, kind=ErrorKind.NOT_FOUND, sentence=str(error))
    if isinstance(error, sqlite3.Error):
        return _of_sqlite(error, path)
    if isinstance(error, OSError):
        return _of_system(error, path)
    return Fault(
        mode=JournalMode.BROKEN,
        kind=ErrorKind.BAD_RESPONSE,
        sentence=f"the journal {path} failed with {type(error).__name__}: {excerpt(str(error))}; "
        "this is a bug, please report it",
    )


def _of_sqlite(error: sqlite3.Error, path: Path) -> Fault:
    code = (getattr(error, "sqlite_errorcode", None) or 0) & 0xFF
    text = str(error).lower()

    def is_any(*codes: int, words: tuple[str, ...]) -> bool:
        return code in codes or (not code and any(word in text for word in words))

    if is_any(sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, words=("malformed", "not a database")):
        foreign = why_not_ours(path)
        return _damaged(path, str(error)) if foreign is None else _foreign(foreign)
    if is_any(sqlite3.SQLITE_FULL, words=("is full",)):
        return _full(path)
    if is_any(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, words=("is locked",)):
        return Fault(
            mode=JournalMode.LOCKED,
            kind=ErrorKind.CONFLICT,
            sentence=f"another program holds a lock inside the journal {path}; end it (an open "
            "sqlite3 shell?), or wait",
        )
    if is_any(sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, words=("readonly", "read-only")):
        return _read_only(path)
    if is_any(sqlite3.SQLITE_CANTOPEN, words=("unable to open",)):
        return _cannot_open(path)
    return Fault(
        mode=JournalMode.BROKEN,
        kind=ErrorKind.UNAVAILABLE,
        sentence=f"the journal {path} cannot be written ({excerpt(str(error))}); look at the disk",
    )


def _of_system(error: OSError, path: Path) -> Fault:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _full(path)
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return _read_only(path)
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return _cannot_open(path)
    why = (error.strerror or str(error)).lower()
    return Fault(
        mode=JournalMode.BROKEN,
        kind=ErrorKind.UNAVAILABLE,
        sentence=f"the journal {path} cannot be used ({excerpt(why)}); look at the disk",
    )


def _foreign(sentence: str) -> Fault:
    return Fault(mode=JournalMode.BROKEN, kind=ErrorKind.REJECTED, sentence=sentence)


def _damaged(path: Path, why: str) -> Fault:
    return Fault(
        mode=JournalMode.BROKEN,
        kind=ErrorKind.BAD_RESPONSE,
        sentence=f"the journal {path} is damaged ({excerpt(why)})",
        is_damage=True,
    )


def _full(path: Path) -> Fault:
    return Fault(
        mode=JournalMode.FULL,
        kind=ErrorKind.QUOTA_EXCEEDED,
        sentence=f"the disk of the journal {path} is full; free some space there",
    )


def _read_only(path: Path) -> Fault:
    return Fault(
        mode=JournalMode.READ_ONLY,
        kind=ErrorKind.FORBIDDEN,
        sentence=f"the journal {path} cannot be written; make the file and its directory writable "
        "for this user, on a file system that is not read-only",
    )


def _cannot_open(path: Path) -> Fault:
    if not path.parent.is_dir():
        why = f"there is no directory {path.parent}; create it, or mount the volume"
    else:
        why = "make the file and its directory readable and writable for this user"
    return Fault(
        mode=JournalMode.BROKEN,
        kind=ErrorKind.UNAVAILABLE,
        sentence=f"the journal {path} cannot be opened: {why}",
    )
