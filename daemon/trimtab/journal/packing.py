"""Values of the core as bytes: JSON, deflated with a dictionary that knows our words where that pays.

What is written for each decision stays as it is: deflating 400 bytes takes longer than writing them.
A checksum is with all of it, as SQLite has none for what a row holds.
"""

from __future__ import annotations

import json
import zlib
from typing import Any, TypeVar, cast

from trimtab.journal.codec import UnknownWordError, decode, encode
from trimtab.journal.rows import as_row, from_row

FORMAT = b"\x01"
"""First byte of a packed value: JSON as in ``codec.py``, deflated with the dictionary below."""

PLAIN_ROW = b"\x02"
"""First byte of a value by position (``rows.py``): four bytes of CRC-32, and the JSON as it is."""

DEFLATED_ROW = b"\x03"
"""First byte of a value by position, deflated with the dictionary below."""

LARGE = b"\x04"
"""First byte of JSON as in ``codec.py`` that is deflated without a dictionary, as it needs none."""

LARGE_BYTES_MIN = 2048
"""So large is what needs none: words of its own come again in it."""

PLAIN_BYTES_MAX = 4096
"""Larger rows are deflated."""

_FORMS = (FORMAT, PLAIN_ROW, DEFLATED_ROW, LARGE)
_ROWS = (PLAIN_ROW, DEFLATED_ROW)
_CHECKSUM_END = 5

Value = TypeVar("Value")

_DICTIONARY = (
    b'{"adopted_at":1767225600.0,"user":{"min_replicas":1,"max_replicas":10,"is_believed":true,"since":'
    b'1767225600.0,"origin":"found on the deployment"},"state":"READY","created_at":1767225600.0,"written"'
    b':{"min_replicas":2,"max_replicas":2,"before_min_replicas":1,"before_max_replicas":10,"at":1767225600'
    b'.0},"latest":{"":[1767225600.0,1.0,null]},"lows":[[1767225600.0,2]],"highs":[[1767225600.0,2]],'
    b'"moves":[[1767225600.0,1]],"counted":2,"rules":{},"damped":{},"demand_unknown_since":,"idle_since":'
    b'"watched":{"shape":{"accelerator_type":"NVIDIA_H100_80GB","accelerators_per_replica":4},"ready":2,'
    b'"moved_at":1767225600.0}}"missing_data","stabilizing","rate_limited","cooldown","at_max","at_min"'
    b'{"order":{"deployment":"accounts/","policy":"","at":1767225600.0,"actuation":"pin","from_replicas":1,'
    b'"to_replicas":2,"min_replicas":2,"max_replicas":2,"expected_state":"READY","expected_min_replicas":1,'
    b'"expected_max_replicas":1,"lower":1,"upper":10,"user_min_replicas":1,"user_max_replicas":10,"reason":'
    b'"demand","sentence":"scale up 1 \\u2192 2: ","rule":""},"at":1767225600.0,"status":"applied",'
    b'{"deployment":"accounts/","policy":"","mode":"enforce","at":1767225600.0,"verdict":["ScaleDown",'
    b'{"reason":"demand"}],"verdict":["Hold",{"reason":"steady"}],"current":1,"desired":2,"wanted":2,'
    b'"bounds":{"lower":{"replicas":1,"set_by":"the deployment\'s own minimum"},"upper":{"replicas":10,'
    b'"set_by":"the deployment\'s own maximum"}},"set_by":"the policy\'s minimum""sentence":"scale up 1 '
    b'\\u2192 2: hold at 2: highest wish of the last 300 s goes no further than 2","trail":[["freshness",'
    b'2,2,null," 0 s old; "],["propose",2,2,null,"demand demand:  in all, target 10 a replica: wants 2"],'
    b'["propose",2,2,null," on each of 2 ready, target 10: wants 2"],["combine",2,2,"demand","wants 2"],'
    b'["lifecycle",2,2,null,"READY: may act"],["override",["behavior",2,2,null,"within the limits"],'
    b'["behavior",2,2,"stabilizing","highest wish of the last 300 s goes no further than 2"],["bounds",'
    b"2,2,null,\"within 1 (the deployment's own minimum) \\u2026 10 (the deployment's own maximum)\"]],"
    b'"rule":"","proposals":[{"rule":"","role":"demand","replicas":2,"sentence":"","is_abstaining":false},'
    b'{"rule":"","role":"floor","replicas":2,"sentence":"","is_abstaining":false}],"readings":[{"spec":'
    b'{"name":"","source":"fireworks","query":"","max_age_seconds":90.0,"per":"replica","missing_up":'
    b'"ignore","missing_down":"block"},"freshness":"usable","value":1.0,"age_seconds":0.0,"time":'
    b'1767225600.0},{"spec":{"name":"","source":"fireworks","query":"","max_age_seconds":150.0,"per":'
    b'"deployment","missing_up":"ignore","missing_down":"block"},"freshness":"usable","value":1.0,'
    b'"age_seconds":0.0,"time":1767225600.0}]}'
)
"""Primes the compression of short texts; part of ``FORMAT``."""


def pack(kind: type[Value] | Any, value: Value, *, level: int = 1) -> bytes:
    """Return ``value`` of the declared type ``kind`` as bytes from which ``unpack`` restores it."""
    return compressed(as_text(kind, value).encode("ascii"), level=level)


def pack_row(value: Any, *, is_deflated: bool = False) -> bytes:
    """Return ``value`` by position, as bytes from which ``unpack`` restores it."""
    plain = as_row(value).encode("ascii")
    if is_deflated or len(plain) > PLAIN_BYTES_MAX:
        return _deflated(DEFLATED_ROW, plain, level=1)
    return PLAIN_ROW + zlib.crc32(plain).to_bytes(4, "big") + plain


def unpack(kind: type[Value] | Any, packed: bytes) -> Value:
    """Restore what ``pack`` or ``pack_row`` gave.

    Raises ``UnknownWordError`` for what another version wrote and ``ValueError`` for damage.
    """
    text = decompressed(packed).decode("ascii")
    value: Value = from_row(kind, text) if packed[:1] in _ROWS else from_text(kind, text)
    return value


def as_text(kind: type[Value] | Any, value: Value) -> str:
    """Return ``value`` as one line of JSON, ASCII only (a lone surrogate survives as an escape)."""
    return json.dumps(encode(kind, value), separators=(",", ":"))


def from_text(kind: type[Value] | Any, text: str) -> Value:
    """Restore what ``as_text`` gave. Raises as ``unpack`` does."""
    try:
        return cast("Value", decode(kind, json.loads(text)))
    except RecursionError:
        raise ValueError("a value is nested too deeply to be ours") from None


def compressed(plain: bytes, *, level: int = 1) -> bytes:
    """Deflate; a checksum comes with it."""
    if len(plain) >= LARGE_BYTES_MIN:
        return LARGE + zlib.compress(plain, level)
    return _deflated(FORMAT, plain, level=level)


def _deflated(form: bytes, plain: bytes, *, level: int) -> bytes:
    deflate = zlib.compressobj(level, zdict=_DICTIONARY)
    return form + deflate.compress(plain) + deflate.flush()


def decompressed(packed: bytes) -> bytes:
    """Return the JSON that was packed.

    Raises ``ValueError`` for damage and ``UnknownWordError`` for a new form.
    """
    form = packed[:1]
    if form not in _FORMS:
        raise UnknownWordError(f"packed with form {form!r}; this version reads {_FORMS!r}")
    if form == PLAIN_ROW:
        plain = packed[_CHECKSUM_END:]
        if zlib.crc32(plain).to_bytes(4, "big") != packed[1:_CHECKSUM_END]:
            raise ValueError("a packed value is damaged: its checksum is not that of its content")
        return plain
    inflate = zlib.decompressobj() if form == LARGE else zlib.decompressobj(zdict=_DICTIONARY)
    try:
        plain = inflate.decompress(packed[1:]) + inflate.flush()
    except zlib.error as error:
        raise ValueError(f"a packed value is damaged: {error}") from error
    if not inflate.eof:
        raise ValueError("a packed value is cut short")
    return plain
