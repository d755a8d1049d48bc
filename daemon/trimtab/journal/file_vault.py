"""The journal's file as a place to keep things: its lock, and what to do when it is damaged, lost, or shut."""

from __future__ import annotations

import re
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.journal.faults import LostFileError, fault_of
from trimtab.journal.found import completed
from trimtab.journal.intention_log import log_path, read_log
from trimtab.journal.keeper import Carried
from trimtab.journal.lock import WriterLock
from trimtab.journal.port import Recollection
from trimtab.journal.salvage import salvage
from trimtab.journal.store import FileStore, recollect_from_copy

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.clock import Clock
    from trimtab.journal.entries import Intended
    from trimtab.journal.faults import Fault

DAMAGED_FILES_KEPT = 3
"""So many files that were put aside are kept, the newest; a disk that damages all is not filled up."""


class FileVault:
    """A ``Vault`` in the file ``path``: owns the lock, and opens the file."""

    def __init__(
        self, path: Path, clock: Clock, *, connect: Callable[..., sqlite3.Connection]
    ) -> None:
        self._path = path
        self._clock = clock
        self._connect = connect
        self._lock = WriterLock(path)
        self._store: FileStore | None = None

    @property
    def name(self) -> str:
        """The path."""
        return str(self._path)

    def why_held(self) -> str | None:
        """Take the lock; a sentence where another process has it."""
        if self._lock.acquire():
            return None
        return (
            f"{self._lock.holder()} holds the journal {self._path}; end it, or give this one "
            "another journal.path; waiting"
        )

    def fault_of(self, error: Exception) -> Fault:
        """Say what ``error`` means."""
        return fault_of(error, self._path)

    def let_go(self, error: Exception | None = None) -> None:
        """Close what failed to begin; release the lock at the end, or with a file that was lost."""
        if self._store is not None:
            self._store.close()
            self._store = None
        if error is None or isinstance(error, LostFileError):
            self._lock.release()  # its file may be gone as well, and another process hold a new one

    def begin(self, at: float) -> tuple[FileStore, Recollection, Carried, str]:
        """Open the file and begin a run; a damaged one is put aside and a new one begun."""
        store, recollection, aside, sentence = self._open_file()
        if aside is None:
            # A log beside a new file is of one that somebody took away.
            missing = () if recollection.until is None else self._missing(recollection)
            recollection, found = completed(recollection, missing)
            carried = Carried.of(recollection)
            store.begin(at, carried, found)
        else:
            recollection = salvage(aside, now=self._clock.now(), connect=self._connect)
            recollection, _ = completed(recollection, self._missing(recollection))
            sentence = f"{sentence}: {_in_words(recollection)}"
            carried = Carried.of(recollection)
            store.go_on(at, carried, ())
        return store, recollection, carried, sentence

    def go_on(self, at: float, carried: Carried) -> tuple[FileStore, str]:
        """Open the file again, and write what must stand in it."""
        if not self._lock.acquire():
            raise sqlite3.OperationalError("database is locked by another trimtab")
        store, recollection, aside, sentence = self._open_file()
        if aside is not None:
            sentence = f"{sentence} with all that this process knows"
        known = [one.order for one in carried.intended]
        strangers = [order for order in recollection.unfinished if order not in known]
        store.go_on(at, carried, strangers)
        return store, sentence

    def recollect_anyway(self) -> Recollection:
        """After a failure to open: what can be read from a copy, else nothing."""
        recollection = Recollection()
        try:
            recollection = recollect_from_copy(self._path, connect=self._connect)
            if recollection.until is not None:
                recollection, _ = completed(recollection, self._missing(recollection))
        except Exception as error:  # noqa: BLE001  the status says already that nothing is kept
            del error
        return recollection

    def _open_file(self) -> tuple[FileStore, Recollection, Path | None, str]:
        """Open the file; the path of a damaged one that was put aside, and nothing is remembered then."""
        self._store = store = FileStore(self._path, connect=self._connect)
        try:
            return store, store.open(), None, f"everything is kept in {self._path}"
        except Exception as error:
            fault = fault_of(error, self._path)
            if not fault.is_damage:
                raise
            store.close()
            aside = self._put_aside()
            store.open()
            sentence = f"{fault.sentence}; it was put aside as {aside.name} and a new one begun"
            return store, Recollection(), aside, sentence

    def _missing(self, recollection: Recollection) -> tuple[Intended, ...]:
        try:
            found = read_log(log_path(self._path))
        except OSError:
            return ()  # whoever opens it for writing says why
        return found.missing(recollection.last_intention)

    def _put_aside(self) -> Path:
        """Rename the damaged file and what belongs to it; drop the oldest of those put aside."""
        moment = datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y%m%dT%H%M%SZ")
        aside, number = Path(f"{self._path}.corrupt-{moment}"), 1
        while aside.exists():
            number += 1
            aside = Path(f"{self._path}.corrupt-{moment}-{number}")
        for suffix in ("-wal", "-shm", ""):
            part = Path(f"{self._path}{suffix}")
            if part.exists():
                part.rename(f"{aside}{suffix}")
        for old in damaged_files(self._path)[:-DAMAGED_FILES_KEPT]:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{old}{suffix}").unlink(missing_ok=True)
        return aside


def damaged_files(path: Path) -> list[Path]:
    """The files that were put aside, oldest first."""
    name = re.compile(re.escape(path.name) + r"\.corrupt-\d{8}T\d{6}Z(-\d+)?")
    try:
        names = [one.name for one in path.parent.iterdir()]
    except OSError:
        return []
    found = [path.parent / one for one in names if name.fullmatch(one)]
    return sorted(found, key=lambda one: (one.stat().st_mtime_ns, one.name))


def _in_words(salvaged: Recollection) -> str:
    """Say what people must see to after a file was found damaged."""
    if salvaged.until is None:
        return (
            "nothing of it can be read, so windows, cooldowns and people's orders from before are "
            "forgotten; give orders that are to hold once more"
        )
    known, orders = len(salvaged.memory.deployments), len(salvaged.memory.overrides)
    return (
        f"{known} deployments and {orders} orders of people could be read from it and are kept; see "
        "whether any is missing (trimtab overrides)"
    )
