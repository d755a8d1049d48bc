"""Who is looking at the page: a cookie without meaning, and what it stands for in memory.

A visitor types a token once; it is kept here, in the memory of the daemon, until the visitor signs out,
the time is over, or the daemon ends. The browser only ever holds a random name. Whether the token still
opens anything is asked anew at each request, so one that was withdrawn is withdrawn here as well.

Every form carries a value that belongs to the visitor's cookie and that only this process can make
(HMAC of a secret drawn at its start), so that a form in somebody else's page cannot be sent in a
visitor's name. After "Cross-Site Request Forgery Prevention", OWASP cheat sheets: the signed variant,
with SameSite cookies and a look at ``Origin`` beside it.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trimtab.web.access import as_sent

if TYPE_CHECKING:
    from trimtab.clock import Clock
    from trimtab.web.pages.rendering import Notice

SIGNED_IN_SECONDS_MAX = 8 * 3_600.0
"""A shift; then the token is asked for again."""

NOTICES_MAX = 1_000
"""Visitors who have something to read yet; of more, the oldest is forgotten."""

SIGNED_IN_MAX = 1_000
"""Visitors whose tokens are kept; of more, the one who signed in first has to do so again."""

_NAME = re.compile(r"[0-9a-f]{32}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Visitor:
    """One browser. ``token`` is what was typed, ``None`` where nothing was; ``is_new`` has no cookie yet."""

    name: str
    token: str | None = field(default=None, repr=False)
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class _SignedIn:
    token: str = field(repr=False)
    until: float


class Visitors:
    """Knows the visitors of one process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._secret = secrets.token_bytes(32)
        self._signed_in: dict[str, _SignedIn] = {}
        self._notices: dict[str, Notice] = {}

    def known_by(self, cookie: str | None) -> Visitor:
        """Return who comes with this cookie; somebody new where it is none of ours."""
        if cookie is None or not _NAME.fullmatch(cookie):
            return Visitor(secrets.token_hex(16), is_new=True)
        kept = self._signed_in.get(cookie)
        if kept is not None and kept.until <= self._clock.monotonic():
            del self._signed_in[cookie]
            kept = None
        return Visitor(cookie, None if kept is None else kept.token)

    def sign_in(self, visitor: Visitor, token: str) -> Visitor:
        """Keep what the visitor typed, under a new name: one that was planted is worth nothing."""
        self.sign_out(visitor)
        while len(self._signed_in) >= SIGNED_IN_MAX:
            del self._signed_in[next(iter(self._signed_in))]
        name = secrets.token_hex(16)
        self._signed_in[name] = _SignedIn(token, self._clock.monotonic() + SIGNED_IN_SECONDS_MAX)
        return Visitor(name, token, is_new=True)

    def sign_out(self, visitor: Visitor) -> None:
        """Forget what the visitor typed."""
        self._signed_in.pop(visitor.name, None)

    def form_key(self, visitor: Visitor) -> str:
        """Return what each form of this visitor carries."""
        return hmac.new(self._secret, visitor.name.encode(), hashlib.sha256).hexdigest()

    def sent_by(self, visitor: Visitor, form_key: str) -> bool:
        """Whether a form with this value is one that we gave to this visitor."""
        return hmac.compare_digest(self.form_key(visitor).encode(), as_sent(form_key))

    def tell(self, visitor: Visitor, notice: Notice) -> None:
        """Leave a notice for the next page of the visitor."""
        while len(self._notices) >= NOTICES_MAX:
            del self._notices[next(iter(self._notices))]
        self._notices[visitor.name] = notice

    def told(self, visitor: Visitor) -> Notice | None:
        """Return what was left for the visitor, once."""
        return self._notices.pop(visitor.name, None)
