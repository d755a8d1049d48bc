"""How a PostgreSQL database is named in the settings: for the journal, and for where members meet."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import BaseModel, field_validator, model_validator

from trimtab.errors import SettingsError
from trimtab.settings_values import FROZEN

_SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


class DatabaseSettings(BaseModel):
    """A database by a URL without secrets, or by a file that holds one with them.

    The user needs the right to create a schema in the database, or owns one of that name. A pooler in
    transaction mode may stand in between.
    """

    model_config = FROZEN

    section: ClassVar[str]
    """What the section is called, for errors that are found after loading."""

    url: str | None = None
    """As libpq reads it, without a password: ``postgresql://trimtab@host:5432/trimtab?sslmode=verify-full``."""

    url_file: Path | None = None
    """A file that holds the URL, which may have a password then. In place of ``url``."""

    password_file: Path | None = None
    """A file that holds the password, read at each connection. Without: ``PGPASSFILE`` or ``PGPASSWORD``."""

    schema_name: str
    """Where the tables are; it is made where it is missing. Members of one fleet say the same."""

    @field_validator("url")
    @classmethod
    def _is_a_url(cls, value: str | None) -> str | None:
        if value is not None:
            parts = _parts(value)
            if parts is None:
                raise ValueError(
                    "is not a URL of postgresql; write it as in postgresql://host/database"
                )
            if parts.password is not None:
                raise ValueError("has a password in its URL; put it into a file and name that")
        return value

    @field_validator("schema_name")
    @classmethod
    def _is_a_name(cls, value: str) -> str:
        if _SCHEMA_NAME.fullmatch(value) is None or value.startswith("pg_"):
            raise ValueError("is no name of a schema; use small letters, digits and _")
        return value

    @model_validator(mode="after")
    def _says_where_once(self) -> Self:
        if (self.url is None) == (self.url_file is None):
            raise ValueError("needs either url or url_file")
        return self

    @property
    def found_url(self) -> str:
        """The URL, from wherever it is. Raises ``SettingsError`` where ``url_file`` cannot be read."""
        if self.url is not None:
            return self.url
        assert self.url_file is not None  # noqa: S101  exactly one of the two
        where = f"{self.section}.url_file {self.url_file}"
        try:
            url = self.url_file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is not text"
            raise SettingsError(
                f"{where} cannot be read ({why}); check path and permissions"
            ) from None  # a chain could carry the content
        if _parts(url) is None:
            raise SettingsError(
                f"{where} holds no URL of a database; write "
                "postgresql://user:password@host/database into it"
            )
        return url


def _parts(text: str) -> SplitResult | None:
    """The parts of a URL of PostgreSQL; ``None`` where it is none."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    return parts if parts.scheme in ("postgresql", "postgres") and parts.netloc else None
