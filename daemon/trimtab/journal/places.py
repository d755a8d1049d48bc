"""Where a journal may be: in a file, or in a database; and what either must offer to who reads it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from trimtab.journal.file_reading import FileReading
from trimtab.journal.postgresql.database import Database, is_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.journal.connection import Connection
    from trimtab.journal.faults import Fault
    from trimtab.journal.port import Recollection
    from trimtab.journal.sequence import Run

Place: TypeAlias = str | Path | Database
"""A file's path, a database, or as people write either: ``postgresql://host/db`` is a database's URL."""


class Reading(Protocol):
    """A journal opened for reading: it is seen as it was at one moment. Raises what the database raises."""

    @property
    def connection(self) -> Connection:
        """What statements are put to."""
        ...

    @property
    def format(self) -> int:
        """Of the tables."""
        ...

    @property
    def name(self) -> str:
        """What people call it, without secrets."""
        ...

    @property
    def file(self) -> Path | None:
        """The file, if it is one."""
        ...

    def runs(self, since: float | None = None) -> list[Run]:
        """What each writer wrote that went on after ``since``, the first that began first."""
        ...

    def recollection(self) -> Recollection:
        """What the next start would be given."""
        ...

    def newest_at(self) -> float | None:
        """When it was last written to (UTC seconds)."""
        ...

    def damage(self) -> list[str]:
        """Inconsistencies that the database itself finds."""
        ...

    def size_bytes(self) -> int:
        """How much room it takes."""
        ...

    def writer(self) -> str | None:
        """Who writes to it, in words; ``None`` for nobody."""
        ...

    def turns(self, since: float, until: float) -> Iterator[tuple[float, bytes]]:
        """Yield when turns between two moments were, and their documents packed, the newest first."""
        ...

    def seconds(self) -> float:
        """How long it took so far, from an arbitrary start on."""
        ...

    def limit(self, seconds: float) -> None:
        """End whatever is asked once so many ``seconds`` are over."""
        ...

    def is_late(self, error: BaseException | None) -> bool:
        """Whether ``error`` is that end."""
        ...

    def fault_of(self, error: BaseException) -> Fault | None:
        """Say what ``error`` means; ``None`` where it is none of the journal's."""
        ...

    def close(self) -> None:
        """Let go of it. Safe to call twice."""
        ...


def as_document(place: Place) -> Any:
    """Return what another process needs in order to find ``place``, as JSON values."""
    return place.as_document() if isinstance(place, Database) else str(Path(place).absolute())


def from_document(document: Any) -> Place:
    """Restore what ``as_document`` gave."""
    return document if isinstance(document, str) else Database.from_document(document)


def reading_of(place: Place) -> Reading:
    """Open the journal at ``place`` for reading. Raises ``JournalError``."""
    if isinstance(place, str) and is_url(place):
        place = Database(place)
    if isinstance(place, Database):
        from trimtab.journal.postgresql.reading import DatabaseReading

        return DatabaseReading(place)
    return FileReading(Path(place))
