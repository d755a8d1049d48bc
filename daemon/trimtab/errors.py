"""What can go wrong, drawn once.

::

    TrimtabError
    ├── WorldError                the world failed; has a kind and knows whether a retry is safe
    │   ├── SourceError           load could not be read
    │   ├── TargetError           deployments could not be read or written
    │   ├── JournalError          memory could not be kept
    │   └── CoordinationError     who owns what could not be asked or said
    ├── AuthorError               a person wrote something that cannot be meant
    │   ├── PolicyError           carries every diagnostic of every policy file
    │   ├── SettingsError         the process was set up wrongly
    │   └── OverrideError         an override that cannot be given
    └── InvariantViolation        a bug: one deployment is isolated, counted and reported

Expected situations are not here: they are values (``Hold(reason)``).
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

BODY_CHARACTERS_MAX = 256
"""How much of a foreign answer may appear in a message: enough to recognise, too little to leak."""


class TrimtabError(Exception):
    """The root: whatever trimtab raises on purpose."""


class ErrorKind(StrEnum):
    """How the world failed. Closed: it is a metric label and an anchor in the documentation."""

    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"
    CONFLICT = "conflict"
    NOT_FOUND = "not_found"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    RATE_LIMITED = "rate_limited"
    QUOTA_EXCEEDED = "quota_exceeded"
    REJECTED = "rejected"
    BAD_RESPONSE = "bad_response"


RETRYABLE_KINDS = frozenset({ErrorKind.UNAVAILABLE, ErrorKind.TIMEOUT, ErrorKind.RATE_LIMITED})


class WorldError(TrimtabError):
    """Something outside failed.

    ``retryable`` says whether asking again may help; ``retry_after_seconds`` is the other side's own
    wish, ``None`` when it stated none.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: ErrorKind,
        retryable: bool | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.retryable = kind in RETRYABLE_KINDS if retryable is None else retryable
        self.retry_after_seconds = retry_after_seconds


class SourceError(WorldError):
    """Load could not be read."""


class TargetError(WorldError):
    """Deployments could not be read or written."""


class JournalError(WorldError):
    """Memory could not be kept."""


class CoordinationError(WorldError):
    """Who owns which deployments could not be asked or said."""


class AuthorError(TrimtabError):
    """A person wrote something that cannot be meant; the message says what to change."""


class SettingsError(AuthorError):
    """The process cannot run as it was set up (exit code 78)."""


class OverrideError(AuthorError):
    """An override cannot be given as it was meant; nothing was changed."""


class PolicyError(AuthorError):
    """One or more policy files are invalid; ``diagnostics`` holds all of them, in file order."""

    def __init__(self, diagnostics: Sequence[object]) -> None:
        super().__init__("\n".join(str(diagnostic) for diagnostic in diagnostics))
        self.diagnostics = tuple(diagnostics)


class InvariantViolation(TrimtabError):  # noqa: N818  the architecture's word for it
    """A promise of the core was about to be broken; nothing was written."""


def excerpt(text: str, characters_max: int = BODY_CHARACTERS_MAX) -> str:
    """Return ``text`` on one line, cut to ``characters_max`` characters, for use in a message.

    Whatever a log or a terminal could choke on (control characters, halves of surrogate pairs,
    marks that turn the direction of writing) becomes U+FFFD. Of a long text only the start is read.
    """
    start = text.lstrip()[: characters_max * 4]
    line = " ".join(start.split())
    if not line.isprintable():
        line = "".join(letter if letter.isprintable() else "\ufffd" for letter in line)
    if len(line) <= characters_max and len(start) == len(text.lstrip()):
        return line
    return line[: characters_max - 1] + "…"
