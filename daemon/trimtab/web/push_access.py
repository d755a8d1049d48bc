"""Who may push: programs on this machine, whoever knows a token, or whoever can sign.

A signature is the HMAC-SHA256, in hexadecimal, of ``<timestamp>.<body as sent>`` with a shared key;
the timestamp (UTC seconds) travels beside it. One from outside the replay window, or seen before within
it, is refused. All comparisons take the same time whatever they compare.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trimtab.web.access import as_sent, is_local, knows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp import web

TIMESTAMP, SIGNATURE = "X-Trimtab-Timestamp", "X-Trimtab-Signature"
SEEN_MAX = 100_000
"""Signatures remembered; when there are more within a window, further ones are refused."""


@dataclass(frozen=True, slots=True)
class PushAccess:
    """Who may push to a source. Exactly one of the three is set."""

    is_open_to_loopback: bool = False
    token: str | None = field(default=None, repr=False)
    signing_key: str | None = field(default=None, repr=False)
    replay_window_seconds: float = 300.0


class Doorkeeper:
    """Judges the requests for one source."""

    def __init__(self, access: PushAccess) -> None:
        self._access = access
        self._seen: dict[bytes, float] = {}

    def before_body(self, request: web.Request) -> str | None:
        """Say why a request is not let in, as far as its headers tell; ``None``: they are right."""
        access = self._access
        if "Origin" in request.headers:
            return "a page in a browser may not push"
        if access.token is not None:
            is_right = knows(access.token, request)
            return None if is_right else "send the token: `Authorization: Bearer <token>`"
        if access.signing_key is not None:
            has_both = TIMESTAMP in request.headers and SIGNATURE in request.headers
            return None if has_both else f"sign the request: {TIMESTAMP} and {SIGNATURE}"
        return None if is_local(request) else "only programs on the same machine may push here"

    def after_body(self, headers: Mapping[str, str], body: bytes, now: float) -> str | None:
        """Say why a signed request is not let in; ``None``: it is, or needs no signature.

        One that is let in is not let in again, unless ``was_not_taken`` follows.
        """
        key = self._access.signing_key
        if key is None:
            return None
        expected, stated = sign(key, headers[TIMESTAMP], body), headers[TIMESTAMP]
        given = headers[SIGNATURE].removeprefix("sha256=").lower()
        if not hmac.compare_digest(expected.encode(), as_sent(given)):
            return "the signature is not of this body with the shared key"
        if not (stated.isascii() and stated.isdigit() and len(stated) <= 12):
            return f"{TIMESTAMP} is no time in whole UTC seconds"
        window = self._access.replay_window_seconds
        if abs(now - int(stated)) > window:
            return f"{TIMESTAMP} is more than {window:.0f} s from now; check the sender's clock"
        return self._note(bytes.fromhex(expected), float(stated), now)

    def _note(self, signature: bytes, stated_at: float, now: float) -> str | None:
        """Remember a signature, or say why it must not be used."""
        if signature in self._seen:
            return "this signature was used before; sign every request anew"
        self._forget(now)
        if len(self._seen) >= SEEN_MAX:
            return "too many signed requests within the replay window"
        self._seen[signature] = stated_at
        return None

    def was_not_taken(self, headers: Mapping[str, str]) -> None:
        """Let a signed request that was let in, but not taken, be sent again as it is."""
        if self._access.signing_key is not None:
            given = headers[SIGNATURE].removeprefix("sha256=").lower()
            self._seen.pop(bytes.fromhex(given), None)

    def _forget(self, now: float) -> None:
        if len(self._seen) >= SEEN_MAX:
            oldest = now - self._access.replay_window_seconds
            self._seen = {one: at for one, at in self._seen.items() if at >= oldest}


def sign(key: str, timestamp: str, body: bytes) -> str:
    """Return the signature of a body, in hexadecimal."""
    return hmac.new(key.encode(), as_sent(timestamp) + b"." + body, hashlib.sha256).hexdigest()
