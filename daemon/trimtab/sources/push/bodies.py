"""Decompressing bodies within limits: the size is known, or bounded, before memory is spent.

Snappy (the block format, as remote-write has it) states the size at its beginning: a claim beyond the
limit is refused unread, and so is one that no compressed body of that length could keep. Gzip is
inflated piece by piece and abandoned at the limit.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from trimtab.errors import SettingsError
from trimtab.sources.push.points import Refusal, Refused, malformed
from trimtab.sources.push.wire import varint

if TYPE_CHECKING:
    from collections.abc import Callable

SNAPPY_RATIO_MAX = 64
"""A copy of 64 bytes takes two bytes at least, so this is generous."""


MEMBERS_MAX = 64
"""Of a gzip body. What is behind a member is copied, so that many small ones would be copied for long."""


def load_snappy() -> Callable[[bytes], bytes]:
    """Return the decompressor of the extra ``push``. Raises ``SettingsError`` when it is missing."""
    try:
        from cramjam import snappy
    except ImportError:
        raise SettingsError(
            "a source of type remote_write needs the extra `push`; "
            "install it with: pip install 'trimtab[push]'"
        ) from None

    def decompress(body: bytes) -> bytes:
        return bytes(snappy.decompress_raw(body))

    return decompress


def unsnappy(body: bytes, bytes_max: int, decompress: Callable[[bytes], bytes]) -> bytes:
    """Return a snappy block decompressed. Raises ``Refused``."""
    size, start = varint(body, 0, len(body))
    if size > bytes_max:
        raise _too_large(bytes_max)
    if size > (len(body) - start) * SNAPPY_RATIO_MAX:
        raise malformed("the body is no snappy block: it claims more than it can hold")
    if not size:
        return b""
    try:
        found = decompress(body)
    except Exception as error:  # the library documents no error type of its own
        raise malformed("the body is no snappy block (framed snappy is something else)") from error
    if len(found) != size:
        raise malformed("the body is no snappy block: it holds another size than it claims")
    return found


def gunzip(body: bytes, bytes_max: int) -> bytes:
    """Return a gzip body decompressed, all its members. Raises ``Refused``."""
    out = bytearray()
    rest = body
    for _ in range(MEMBERS_MAX):
        if not rest:
            return bytes(out)
        member = zlib.decompressobj(wbits=31)
        try:
            out += member.decompress(rest, bytes_max + 1 - len(out))
        except zlib.error as error:
            raise malformed("the body is not gzip, though its Content-Encoding says so") from error
        if len(out) > bytes_max:
            raise _too_large(bytes_max)
        if not member.eof:
            raise malformed("the gzip body is cut short")
        rest = member.unused_data
    if rest:
        raise malformed(f"the gzip body has more than {MEMBERS_MAX} members; send one")
    return bytes(out)


def _too_large(bytes_max: int) -> Refused:
    return Refused(
        Refusal.TOO_LARGE,
        f"the body decompresses to more than {bytes_max} bytes; send smaller batches",
    )
