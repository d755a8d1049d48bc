"""Where the journal is kept, for how long, and whether anything may be written without it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, field_validator

from trimtab.settings_values import FROZEN, between, size_bytes

FILE_NAME = "journal.db"


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

    @property
    def file(self) -> Path | None:
        """Where the journal is kept; ``None`` when it is off. The default's directory is made."""
        if self.path == "off":
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
