"""What an error of PostgreSQL or of the way to it means: a mode, whether waiting may help, a remedy.

Codes: https://www.postgresql.org/docs/current/errcodes-appendix.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.errors import ErrorKind, excerpt
from trimtab.journal.faults import DamagedFileError, Fault, ForeignFileError
from trimtab.journal.port import JournalMode

if TYPE_CHECKING:
    from trimtab.journal.postgresql.database import Database

AWAY = frozenset({ErrorKind.UNAVAILABLE, ErrorKind.TIMEOUT})
"""Kinds of errors after which one may hope that the server comes back as it was."""


class FencedError(Exception):
    """Another process took over what this one writes."""


class LostPastError(Exception):
    """The database lacks what it had confirmed: it was restored, or a standby without the last of it took over."""


def is_of_the_world(error: BaseException) -> bool:
    """Whether ``error`` is one that a server, or the way to it, may cause."""
    # The driver's errors are known by their module, which may not be installed.
    is_drivers = type(error).__module__.startswith("asyncpg")
    return is_drivers or isinstance(
        error, OSError | DamagedFileError | ForeignFileError | FencedError | LostPastError
    )


def fault_of(error: BaseException, database: Database) -> Fault:
    """Say what ``error`` means for the journal in ``database``."""
    name = database.name
    said = excerpt(str(error))
    state = str(getattr(error, "sqlstate", None) or "")
    if isinstance(error, FencedError):
        return Fault(mode=JournalMode.LOCKED, kind=ErrorKind.CONFLICT, sentence=str(error))
    if state:
        return _of_state(state, said, name)
    if isinstance(error, ForeignFileError):
        kind, sentence = ErrorKind.REJECTED, str(error)
    elif isinstance(error, LostPastError):
        kind = ErrorKind.UNAVAILABLE
        sentence = (
            f"the journal {name} lacks what it had confirmed ({said}), as after a standby took over; it is "
            "written anew"
        )
    elif isinstance(error, DamagedFileError):
        kind = ErrorKind.BAD_RESPONSE
        sentence = f"the journal {name} is damaged ({said}); restore the database from a backup"
    elif isinstance(error, TimeoutError):
        kind = ErrorKind.TIMEOUT
        sentence = f"the journal {name} did not answer in time; look at the database server"
    elif is_of_the_world(error):
        kind = ErrorKind.UNAVAILABLE
        sentence = f"the journal {name} cannot be reached ({said}); look at the database server"
    else:
        kind = ErrorKind.BAD_RESPONSE
        sentence = f"the journal {name} failed with {type(error).__name__}: {said}; this is a bug, please report it"
    return Fault(mode=JournalMode.BROKEN, kind=kind, sentence=sentence)


_STATES: tuple[tuple[tuple[str, ...], JournalMode, ErrorKind, str], ...] = (
    (
        ("53100",),
        JournalMode.FULL,
        ErrorKind.QUOTA_EXCEEDED,
        "the disk of the journal {name} is full; free some space there",
    ),
    (
        ("25006",),
        JournalMode.READ_ONLY,
        ErrorKind.FORBIDDEN,
        (
            "the journal {name} cannot be written, as its server is read-only; name the primary "
            "(target_session_attrs=read-write finds it among several)"
        ),
    ),
    (
        ("42501", "3F000"),
        JournalMode.READ_ONLY,
        ErrorKind.FORBIDDEN,
        (
            "the journal {name} cannot be written ({said}); let the user create a schema in the database, or "
            "make one that it owns"
        ),
    ),
    (
        ("42P01",),
        JournalMode.BROKEN,
        ErrorKind.UNAVAILABLE,
        "tables of the journal {name} are gone ({said}); they are made anew",
    ),
    (
        ("3D000",),
        JournalMode.BROKEN,
        ErrorKind.NOT_FOUND,
        "there is no database for the journal {name}; make it",
    ),
    (
        ("28",),
        JournalMode.BROKEN,
        ErrorKind.UNAUTHENTICATED,
        "the journal {name} does not let us in ({said}); look at user, password and pg_hba.conf",
    ),
    (
        ("57014", "55P03"),
        JournalMode.BROKEN,
        ErrorKind.TIMEOUT,
        "the journal {name} did not answer in time ({said}); look at the database server",
    ),
    (
        ("08", "53", "57P", "58", "40", "25P"),
        JournalMode.BROKEN,
        ErrorKind.UNAVAILABLE,
        "the journal {name} cannot be used now ({said}); look at the database server",
    ),
    (
        ("",),
        JournalMode.BROKEN,
        ErrorKind.BAD_RESPONSE,
        "the journal {name} refused a statement ({said}); this is a bug, please report it",
    ),
)
"""What states begin with, the first that fits, and what they mean."""


def _of_state(state: str, said: str, name: str) -> Fault:
    mode, kind, sentence = next(
        (mode, kind, sentence)
        for starts, mode, kind, sentence in _STATES
        if state.startswith(starts)
    )
    return Fault(mode=mode, kind=kind, sentence=sentence.format(name=name, said=said))
