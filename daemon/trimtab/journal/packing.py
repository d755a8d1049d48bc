"""Values of the core as few bytes: one line of JSON, deflated with a dictionary that knows our words."""

from __future__ import annotations

import json
import zlib
from typing import Any, TypeVar, cast

from trimtab.journal.codec import UnknownWordError, decode, encode

FORMAT = b"\x01"
"""First byte of every packed value: JSON, deflated with the dictionary below."""

Value = TypeVar("Value")

_DICTIONARY = (
    b'"proposals":[{"rule":"","role":"demand","replicas":,"sentence":"","role":"floor","role":"ceiling"'
    b'"readings":[{"spec":{"name":"","source":"fireworks","query":"","max_age_seconds":90.0,"per":'
    b'"replica","deployment","missing_up":"ignore","missing_down":"block"},"freshness":"usable",'
    b'"value":,"age_seconds":0.0,"replicas":,"time":1767225600.0}],"bounds":{"lower":{"replicas":1,'
    b'"set_by":"the user"},"upper":{"replicas":10,"set_by":"the policy"}},"sentence":"hold at ","trail":'
    b'[["freshness",null,null,null,""],["propose",["combine",["override",["lifecycle",["behavior",'
    b'["bounds","steady","demand","stabilizing","missing_data","mode":"enforce","verdict":["Hold",'
    b'{"reason":"current":,"desired":,"wanted":,"policy":"","deployment":"accounts/'
    b'{"adopted_at":,"user":{"min_replicas":,"max_replicas":,"is_believed":true,"since":,"origin":'
    b'"wire"},"state":"READY","created_at":,"latest":{},"lows":[[],"highs":[[],"moves":[[],'
    b'"counted":,"rules":{},"damped":{},"demand_unknown_since":,"idle_since":'
)
"""Primes the compression of short texts; part of ``FORMAT``."""


def pack(kind: type[Value] | Any, value: Value, *, level: int = 1) -> bytes:
    """Return ``value`` of the declared type ``kind`` as bytes from which ``unpack`` restores it."""
    return compressed(as_text(kind, value).encode("ascii"), level=level)


def unpack(kind: type[Value] | Any, packed: bytes) -> Value:
    """Restore what ``pack`` gave.

    Raises ``UnknownWordError`` for what another version wrote and ``ValueError`` for damage.
    """
    value: Value = from_text(kind, decompressed(packed).decode("ascii"))
    return value


def as_text(kind: type[Value] | Any, value: Value) -> str:
    """Return ``value`` as one line of JSON, ASCII only (a lone surrogate survives as an escape)."""
    return json.dumps(encode(kind, value), separators=(",", ":"))


def from_text(kind: type[Value] | Any, text: str) -> Value:
    """Restore what ``as_text`` gave. Raises as ``unpack`` does."""
    return cast("Value", decode(kind, json.loads(text)))


def compressed(plain: bytes, *, level: int = 1) -> bytes:
    """Deflate; a checksum comes with it."""
    deflate = zlib.compressobj(level, zdict=_DICTIONARY)
    return FORMAT + deflate.compress(plain) + deflate.flush()


def decompressed(packed: bytes) -> bytes:
    """Undo ``compressed``. Raises ``ValueError`` for damage and ``UnknownWordError`` for a new form."""
    if packed[:1] != FORMAT:
        raise UnknownWordError(f"packed with form {packed[:1]!r}; this version reads {FORMAT!r}")
    inflate = zlib.decompressobj(zdict=_DICTIONARY)
    try:
        plain = inflate.decompress(packed[1:]) + inflate.flush()
    except zlib.error as error:
        raise ValueError(f"a packed value is damaged: {error}") from error
    if not inflate.eof:
        raise ValueError("a packed value is cut short")
    return plain
