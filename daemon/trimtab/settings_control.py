"""Settings: who may look at the daemon, and control it, over HTTP."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from trimtab.settings_secrets import long_secret, secret_of
from trimtab.settings_values import FROZEN
from trimtab.web.tokens import Access, Scope, Token

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN_CHARACTERS_MIN = 16
"""A shorter one could be guessed over the network."""

TOKENS_MAX = 100

UNNAMED = "control"
"""How the token of the short form (``token``, ``token_file``) is called where its use is written down."""

_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._@-]{0,63}", re.ASCII)


class TokenSettings(BaseModel):
    """One token: what it opens, and where it is. After loading, ``token`` holds it wherever it came from."""

    model_config = FROZEN

    scope: Scope
    """What it opens: ``read`` looks, ``operate`` gives orders as well."""

    token: SecretStr | None = None
    """The token itself; a file is safer."""

    token_file: Path | None = None
    """A file that holds the token and nothing else. It is read again at each reload."""

    @field_validator("scope", mode="before")
    @classmethod
    def _is_a_scope(cls, value: object) -> object:
        return Scope(value) if isinstance(value, str) and value in tuple(Scope) else value

    @model_validator(mode="after")
    def _holds_a_token(self) -> Self:
        _exactly_one(self.token, self.token_file)
        object.__setattr__(self, "token", SecretStr(_secret(self.token, self.token_file)))
        return self


class ControlSettings(BaseModel):
    """Who may read ``/v1`` and the pages, and who may give overrides and have the policies reloaded.

    ``http`` is about control. ``token``: whoever sends ``Authorization: Bearer <token>`` with a token that may
    operate. ``loopback``: programs on the same machine too, though none whose request a proxy passed on.
    ``off``: nobody. Left out, it is ``token`` where one is set, and ``off`` where none is.
    After loading, ``token`` holds the token wherever it came from. It is in no text of ours.
    """

    model_config = FROZEN

    http: Literal["off", "loopback", "token"] | None = None
    """Who may control; see above."""

    read: Literal["loopback", "token"] = "loopback"
    """Who may look: programs on the same machine without a token, or nobody without one. From elsewhere a
    token of any scope is needed in either case."""

    token: SecretStr | None = None
    """A token that may operate; a file is safer."""

    token_file: Path | None = None
    """A file that holds a token that may operate, and nothing else. Short for one of ``tokens``."""

    tokens: dict[str, TokenSettings] = Field(default_factory=dict)
    """Further ones by their names, which are written down with what they are used for."""

    @field_validator("tokens")
    @classmethod
    def _names_are_names(cls, value: dict[str, TokenSettings]) -> dict[str, TokenSettings]:
        if len(value) > TOKENS_MAX:
            raise ValueError(f"has more than {TOKENS_MAX} tokens; give people of one kind one")
        for name in value:
            if not _NAME.fullmatch(name) or name in (UNNAMED, "loopback"):
                raise ValueError(f"has {name!r}, which is no name for a token; write it as in ana")
        return value

    @model_validator(mode="after")
    def _has_a_token_exactly_if_needed(self) -> Self:
        if self.token is not None and self.token_file is not None:
            raise ValueError("has both token and token_file; keep one, the file where you can")
        is_given = self.token is not None or self.token_file is not None
        if is_given and self.http in ("off", "loopback"):
            raise ValueError("has a token that nothing asks for; set http to token")
        if is_given:
            secret = _secret(self.token, self.token_file)
            object.__setattr__(self, "token", SecretStr(secret))
        may_operate = any(one.scope is Scope.OPERATE for one in self.tokens.values())
        if self.http == "token" and not is_given and not may_operate:
            raise ValueError(
                "asks for a token but has none; set token_file to a file that holds it"
            )
        return self

    def access(self) -> Access:
        """Return who may what, as the settings were loaded."""
        return self._access(self._loaded())

    def read_again(self) -> tuple[Access, tuple[str, ...]]:
        """Read the files again: who may what now, and why not, in sentences, for those that cannot be read.

        A token whose file is gone or bad opens nothing until it is read again. Blocking.
        """
        found: list[Token] = []
        problems: list[str] = []
        for name, scope, token, file in self._stated():
            try:
                found.append(Token(name, scope, _secret(None if file else token, file)))
            except ValueError as error:
                problems.append(f"the token {name} {error}")
        return self._access(found), tuple(problems)

    def _access(self, tokens: list[Token]) -> Access:
        may_operate = self.http != "off"
        return Access(
            tokens=tuple(
                one if may_operate else Token(one.name, Scope.READ, one.secret) for one in tokens
            ),
            is_reading_open_to_loopback=self.read == "loopback",
            is_operating_open_to_loopback=self.http == "loopback",
        )

    def _loaded(self) -> list[Token]:
        return [
            Token(name, scope, token.get_secret_value())
            for name, scope, token, _ in self._stated()
            if token is not None
        ]

    def _stated(self) -> Iterator[tuple[str, Scope, SecretStr | None, Path | None]]:
        if self.token is not None or self.token_file is not None:
            yield UNNAMED, Scope.OPERATE, self.token, self.token_file
        for name, one in self.tokens.items():
            yield name, one.scope, one.token, one.token_file


def _exactly_one(token: SecretStr | None, file: Path | None) -> None:
    if token is not None and file is not None:
        raise ValueError("has both token and token_file; keep one, the file where you can")
    if token is None and file is None:
        raise ValueError("has no token; set token_file to a file that holds it")


def _secret(token: SecretStr | None, file: Path | None) -> str:
    """Return the token. Raises ``ValueError`` if there is none worth the name."""
    text = secret_of(token, file, "a token")
    return long_secret(text, "token", characters_min=TOKEN_CHARACTERS_MIN)
