"""Which database, without connecting to it. Importing this costs nothing."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from trimtab.errors import SettingsError

SCHEMA = "trimtab_journal"
"""The schema of the tables where nothing else is said."""


@dataclass(frozen=True, slots=True)
class Database:
    """A database by its URL as libpq reads it, the schema there, and a file with the password if need be.

    Without a file the password is that of the URL, of ``PGPASSWORD``, or of ``PGPASSFILE``.
    """

    url: str
    schema: str = SCHEMA
    password_file: Path | None = None

    @property
    def name(self) -> str:
        """What people call it: host, port, database and schema, and no secret."""
        parts = urlsplit(self.url)
        return f"postgresql://{parts.netloc.rpartition('@')[2]}{parts.path} (schema {self.schema})"

    @property
    def password(self) -> str | None:
        """The password in the file, read anew each time. Raises ``OSError``."""
        if self.password_file is None:
            return None
        return self.password_file.read_text(encoding="utf-8").strip()

    def as_document(self) -> dict[str, str | None]:
        """Return what another process needs in order to open it, as JSON values."""
        file = self.password_file
        return {
            "url": self.url,
            "schema": self.schema,
            "password_file": None if file is None else str(file.absolute()),
        }

    @classmethod
    def from_document(cls, document: dict[str, str | None]) -> Self:
        """Restore what ``as_document`` gave."""
        file = document["password_file"]
        return cls(
            document["url"] or "",
            document["schema"] or SCHEMA,
            None if file is None else Path(file),
        )


def is_url(text: str) -> bool:
    """Whether ``text`` is the URL of a database and not a file's path."""
    return text.startswith(("postgresql://", "postgres://"))


def driver() -> Any:
    """Import asyncpg. Raises ``SettingsError`` where it is not installed."""
    try:
        return importlib.import_module("asyncpg")
    except ImportError as error:
        raise SettingsError(
            "a journal in PostgreSQL needs a package that is not installed: install "
            f"trimtab[postgresql] ({error})"
        ) from error
