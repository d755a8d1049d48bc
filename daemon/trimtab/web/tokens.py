"""Who may do what over HTTP, as values: tokens with names and scopes, and what is open without one."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Scope(StrEnum):
    """What a request needs, and what a token opens."""

    READ = "read"
    """See what the daemon knows."""

    OPERATE = "operate"
    """Give and lift overrides, have the policies reloaded; and read."""

    def covers(self, needed: Scope) -> bool:
        """Whether who has this scope may do what ``needed`` names."""
        return self is Scope.OPERATE or needed is Scope.READ


@dataclass(frozen=True, slots=True)
class Token:
    """A secret that opens a scope, and the name under which its use is written down."""

    name: str
    scope: Scope
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may: whoever knows one of ``tokens``; and programs on this machine, as far as that is open."""

    tokens: tuple[Token, ...] = ()
    is_reading_open_to_loopback: bool = False
    is_operating_open_to_loopback: bool = False

    def opens_to_loopback(self, scope: Scope) -> bool:
        """Whether programs on this machine need no token."""
        if scope is Scope.READ:
            return self.is_reading_open_to_loopback or self.is_operating_open_to_loopback
        return self.is_operating_open_to_loopback


CLOSED = Access()
"""Nobody may anything."""
