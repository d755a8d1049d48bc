"""The demo's marks where an output cannot show them: others that mean the same, never those of something else."""

from __future__ import annotations

import codecs

PLAIN = "trimtab-plain"
"""The name under which streams know how to write what their encoding does not have."""

PLAIN_MARKS = {
    "▲": "^", "▼": "v", "→": "->", "·": ".", "…": "...", "▽": "v", "─": "-",
    "█": "#", "▓": "=", "▒": "-", "░": ".",
}  # fmt: skip
"""``?`` is none of them: it is the mark of advice."""

OTHER = "*"


def plain(error: UnicodeError) -> tuple[str, int]:
    """Return what to write in place of the signs that cannot be encoded, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    signs = error.object[error.start : error.end]
    return "".join(PLAIN_MARKS.get(sign, OTHER) for sign in signs), error.end


codecs.register_error(PLAIN, plain)
