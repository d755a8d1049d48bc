"""Where the journal is kept, for how long, and whether anything may be written without it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import BaseModel, BeforeValidator, field_validator, model_validator

from trimtab.journal.postgresql.database import SCHEMA, Database
from trimtab.settings_database import DatabaseSettings
from trimtab.settings_values import FROZEN, between, size_bytes

FILE_NAME = "journal.db"


class PostgresqlJournalSettings(DatabaseSettings):
    """A PostgreSQL database as the journal, which several trimtabs may share.

    The user needs the right to create a schema in the database, or owns one of that name.
    """

    section: ClassVar[str] = "journal.postgresql"
    schema_name: str = SCHEMA

    @property
    def database(self) -> Database:
        """Where that is. Raises ``SettingsError`` where ``url_file`` cannot be read."""
        return Database(self.found_url, self.schema_name, self.password_file)


class JournalSettings(BaseModel):
    """The durable record: what is remembered over a restart, and what was decided and written, and why.

    A relative ``path`` is relative to the working directory; its directory must exist, as a missing one
    is a volume that was not mounted more often than not.
    """

    model_config = FROZEN

    path: str | None = None
    """The file, or ``off``. By default ``journal.db`` in the directory that systemd made for us
    (``$STATE_DIRECTORY``), else in ``trimtab`` below ``$XDG_STATE_HOME`` or ``~/.local/state``, which is
    made; ``/var/lib/trimtab`` for a user without a home."""

    postgresql: PostgresqlJournalSettings | None = None
    """A PostgreSQL database in place of the file."""

    required: bool = True
    """Whether nothing is written to deployments while the journal cannot be."""

    retention_age: Annotated[float, between(3600, 10 * 365 * 86_400)] = 30 * 86_400.0
    """For how long what happened is kept."""

    retention_size: Annotated[int, BeforeValidator(size_bytes)] = 1024**3
    """The oldest goes when there is more, in bytes once loaded."""

    @field_validator("path")
    @classmethod
    def _is_a_path(cls, value: str | None) -> str | None:
        if value is not None and (not value.strip() or "\0" in value or value.endswith("/")):
            raise ValueError("is no path of a file; name one, or write off")
        return value

    @model_validator(mode="after")
    def _is_in_one_place(self) -> Self:
        if self.path is not None and self.postgresql is not None:
            raise ValueError("names a path and postgresql, and there is one journal; leave one out")
        return self

    @property
    def database(self) -> Database | None:
        """The database that the journal is kept in, if it is one. Raises ``SettingsError``."""
        return None if self.postgresql is None else self.postgresql.database

    @property
    def file(self) -> Path | None:
        """The file that the journal is kept in, if it is one and not off. The default's directory is made."""
        if self.path == "off" or self.postgresql is not None:
            return None
        if self.path is not None:
            return Path(self.path)
        if state := os.environ.get("STATE_DIRECTORY"):
            return Path(state.split(":")[0]) / FILE_NAME
        if state := os.environ.get("XDG_STATE_HOME"):
            folder = Path(state) / "trimtab"
        elif home := os.environ.get("HOME"):
            folder = Path(home) / ".local" / "state" / "trimtab"
        else:
            folder = Path("/var/lib/trimtab")
        with suppress(OSError):  # the journal says so, in its own words
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder / FILE_NAME
