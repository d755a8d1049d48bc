"""Rows of a service as they are read, before anybody judged them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseRow:
    """A lease: who holds it (``None``: released or never held), in which term, for how long each time.

    ``version`` changes with every claim, renewal and release. ``lease_seconds`` is what the last holder
    counts on, which may be other than what this member's settings say.
    """

    bucket: int
    holder: str | None
    term: int
    version: int
    lease_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRow:
    """A member and what it says of itself, as JSON; ``age_seconds`` by the server's clock."""

    member: str
    says: str
    version: int
    lease_seconds: float
    age_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PostingRow:
    """A posting, its body as JSON; ``age_seconds`` by the server's clock."""

    member: str
    term: int
    body: str
    version: int
    age_seconds: float
