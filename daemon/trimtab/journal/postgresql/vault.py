"""The database as a place to keep things: begun, gone on with after trouble, and shared bucket by bucket."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from trimtab.errors import ErrorKind, JournalError
from trimtab.journal.keeper import Carried
from trimtab.journal.postgresql.faults import FencedError, fault_of
from trimtab.journal.postgresql.fences import (
    check_alone,
    retake,
    shut_out_alone,
    take_alone,
    take_bucket,
)
from trimtab.journal.postgresql.recollecting import (
    put_into_buckets,
    recollect_all,
    recollect_bucket,
    recollect_common,
)
from trimtab.journal.postgresql.recorder import LEADING_BUCKET
from trimtab.journal.postgresql.runs import IdsByTime, begin_run, is_there
from trimtab.journal.postgresql.schema import migrate
from trimtab.journal.postgresql.session import Session
from trimtab.journal.postgresql.store import DatabaseStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from trimtab.core.decision import Outcome
    from trimtab.journal.faults import Fault
    from trimtab.journal.port import Recollection
    from trimtab.journal.postgresql.database import Database
    from trimtab.journal.postgresql.fences import Fences

STATEMENT_SECONDS_MAX = 10.0
"""What a statement of the journal's may take; it writes as much as half a second brings."""


class DatabaseVault:
    """A ``Vault`` in ``database``. ``connect`` makes sessions, and is there for tests."""

    def __init__(
        self,
        database: Database,
        fences: Fences,
        *,
        connect: Callable[..., Session] = Session,
    ) -> None:
        self._database = database
        self._fences = fences
        self._connect = connect
        self._session: Session | None = None
        self._store: DatabaseStore | None = None
        self.ids = IdsByTime(0)
        """Numbers the rows of this run."""

    @property
    def name(self) -> str:
        """The database, without secrets."""
        return self._database.name

    def why_held(self) -> None:
        """Return nothing: whoever begins shuts the others out of what it takes."""

    def fault_of(self, error: Exception) -> Fault:
        """Say what ``error`` means."""
        return fault_of(error, self._database)

    def begin(self, at: float) -> tuple[DatabaseStore, Recollection, Carried, str]:
        """Make the tables where there are none, and begin a run with what is remembered."""
        session = self._opened()
        migrate(session)
        session.begin()
        fences = self._fences
        overtaken: tuple[Outcome, ...] = ()
        self._begin_run(session, at)
        if fences.bucket_of is None:
            # Others are shut out first: what they wrote until then is read.
            take_alone(session, fences)
            recollection, overtaken = recollect_all(session, but_for=fences.run)
        else:
            shut_out_alone(session, fences)
            put_into_buckets(session, fences.bucket_of, now=at, own_run=fences.run)
            recollection = recollect_common(session, but_for=fences.run)
        store = DatabaseStore(session, fences, self.ids)
        carried = Carried.of(recollection)
        store.begin(at, carried, overtaken)
        self._store = store
        return store, recollection, carried, f"everything is kept in {self.name}"

    def _begin_run(self, session: Session, at: float) -> None:
        self._fences.run, self._fences.begun_at = begin_run(session, at), at
        self.ids = IdsByTime(self._fences.run)

    def go_on(self, at: float, carried: Carried) -> tuple[DatabaseStore, str]:
        """Connect again, and write what must stand there; also to a database that lost what it had confirmed."""
        session = self._opened()
        migrate(session)
        session.begin()
        if not is_there(session, self._fences.run, self._fences.begun_at):
            self._begin_run(session, at)
        retake(session, self._fences)
        check_alone(session, self._fences)
        store = DatabaseStore(session, self._fences, self.ids)
        store.go_on(at, carried)
        self._store = store
        return store, f"everything is kept in {self.name}"

    def recollect_anyway(self) -> None:
        """Return nothing: without the database nobody knows what is remembered, and it is waited for."""

    def take_over(self, bucket: int, term: int) -> Recollection:
        """Shut earlier owners of ``bucket`` out, and return what they left. Raises ``JournalError``."""
        session = self._store_now().session
        session.begin()
        try:
            take_bucket(session, self._fences, bucket, term)
        except FencedError as error:
            session.rollback()
            raise JournalError(str(error), kind=ErrorKind.CONFLICT) from error
        recollection, overtaken = recollect_bucket(
            session, bucket, has_shared=bucket == LEADING_BUCKET
        )
        for outcome in overtaken:
            self._store_now().recorder.finish(outcome)
        session.commit()
        self._fences.terms = {**self._fences.terms, bucket: term}
        return recollection

    def let_go_of(self, bucket: int, term: int) -> None:
        """Write nothing more of ``bucket``, if it is held in ``term``."""
        if self._fences.terms.get(bucket) == term:
            self._fences.terms = {
                one: held for one, held in self._fences.terms.items() if one != bucket
            }

    def let_go(self, error: Exception | None = None) -> None:
        """Close the connection."""
        del error
        self._store = None
        if self._session is not None:
            self._session.close()
            self._session = None

    def end(self, at: float) -> None:
        """Write that this run is over. Where that cannot be done, nobody misses it."""
        if self._store is None:
            return
        with suppress(Exception):
            session = self._store.session
            session.begin()
            session.execute("UPDATE runs SET ended_at = ? WHERE run = ?", (at, self._fences.run))
            session.commit()

    def _opened(self) -> Session:
        self.let_go()
        self._session = self._connect(
            self._database, label="trimtab journal", seconds=STATEMENT_SECONDS_MAX
        )
        self._session.open()
        return self._session

    def _store_now(self) -> DatabaseStore:
        assert self._store is not None  # noqa: S101  the keeper asks only while it is open
        return self._store
