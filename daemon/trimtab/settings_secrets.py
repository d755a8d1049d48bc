"""A secret as settings have it: stated, or in a file, and long enough to be one."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import SecretStr


def secret_of(given: SecretStr | None, path: Path | None, what: str) -> str:
    """Return what is ``given``, or else stands in the file at ``path``, without the space around it.

    One of the two is there. ``what`` names it with its article. Raises ``ValueError`` when it cannot be read.
    """
    if given is not None:
        return given.get_secret_value().strip()
    assert path is not None  # noqa: S101  checked by the caller
    try:
        return path.read_text(
            encoding="utf-8"
        ).strip()  # files end in a newline more often than not
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ValueError(
            f"has {what} file {path} that cannot be read ({why}); check path and permissions"
        ) from None  # a chain could carry the content


def long_secret(text: str, what: str, *, characters_min: int) -> str:
    """Return ``text`` if nobody guesses it. Raises ``ValueError`` if it is too short or not printable ASCII."""
    if len(text) < characters_min or not (text.isascii() and text.isprintable()):
        raise ValueError(
            f"has no {what} of {characters_min} or more printable ASCII characters; make one "
            "with `openssl rand -hex 32`"
        )
    return text
