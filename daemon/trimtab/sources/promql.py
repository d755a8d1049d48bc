"""What is surely wrong with a PromQL query, as far as that can be told without a server.

No parser: brackets that do not match, a text without an end, and a placeholder that is none.
"""

from __future__ import annotations

import re

PLACEHOLDERS = ("deployment", "deployment_id")

_CLOSING = {")": "(", "]": "[", "}": "{"}
_TEXT = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`[^`]*`|#[^\n]*")
_WORD_IN_BRACES = re.compile(r"\{\s*(\w+)\s*\}")


def trouble_with(query: str) -> str | None:
    """Say what is wrong, as the second half of a sentence; ``None``: nothing that could be seen.

    A word alone in braces is no PromQL, so it is meant as one of the ``PLACEHOLDERS``.
    """
    plain = _TEXT.sub("", query)
    for found in _WORD_IN_BRACES.finditer(query):
        if found[0] not in [f"{{{word}}}" for word in PLACEHOLDERS]:
            known = " and ".join(f"{{{word}}}" for word in PLACEHOLDERS)
            return f"has {found[0]}, which is filled in by nobody; there are {known}"
    opened: list[str] = []
    for letter in plain:
        if letter in "([{":
            opened.append(letter)
        elif letter in _CLOSING and (not opened or opened.pop() != _CLOSING[letter]):
            return f"has a {letter} that closes nothing"
        elif letter in "\"'`":
            return f"has a text that begins with {letter} and does not end"
    return f"has a {opened[-1]} that is not closed" if opened else None
