"""Settings: who may control the daemon over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, SecretStr, model_validator

from trimtab.settings_values import FROZEN

TOKEN_CHARACTERS_MIN = 16
"""A shorter one could be guessed over the network."""


class ControlSettings(BaseModel):
    """Who may give and lift overrides (``/v1/overrides``) and have the policies reloaded (``/-/reload``).

    ``loopback``: programs on the same machine, though none whose request a proxy passed on. ``token``:
    whoever sends ``Authorization: Bearer <token>``. ``off``: nobody. After loading, ``token`` holds the
    token wherever it came from. It is in no text of ours.
    """

    model_config = FROZEN

    http: Literal["off", "loopback", "token"] = "loopback"
    token: SecretStr | None = None
    token_file: Path | None = None
    """A file that holds the token and nothing else."""

    @model_validator(mode="after")
    def _has_a_token_exactly_if_needed(self) -> Self:
        if self.token is not None and self.token_file is not None:
            raise ValueError("has both token and token_file; keep one, the file where you can")
        is_given = self.token is not None or self.token_file is not None
        if is_given and self.http != "token":
            raise ValueError("has a token that nothing asks for; set http to token")
        if self.http != "token":
            return self
        if not is_given:
            raise ValueError(
                "asks for a token but has none; set token_file to a file that holds it"
            )
        token = _secret_in(self.token_file) if self.token is None else self.token.get_secret_value()
        token = token.strip()
        if len(token) < TOKEN_CHARACTERS_MIN or not (token.isascii() and token.isprintable()):
            raise ValueError(
                f"has no token of {TOKEN_CHARACTERS_MIN} or more printable ASCII characters; make one "
                "with `openssl rand -hex 32`"
            )
        object.__setattr__(self, "token", SecretStr(token))
        return self


def _secret_in(path: Path | None) -> str:
    assert path is not None  # noqa: S101  checked by the caller
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ValueError(
            f"has a token file {path} that cannot be read ({why}); check path and permissions"
        ) from None  # a chain could carry the content
