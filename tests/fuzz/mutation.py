"""Inputs that are nearly right: seeds changed in a few places, all of it drawn from one seed.

Random bytes die in the first line of every parser. What finds faults is a good input with one number,
one bracket, one type or one word changed, so that is what is made here: of texts by bytes, words and
lines, of JSON also by its nodes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from random import Random
from typing import Any

NUMBERS = (
    *(b"0", b"-0", b"1", b"-1", b"2147483647", b"2147483648", b"9223372036854775808", b"1e308"),
    *(b"1e309", b"-1e309", b"5e-324", b"NaN", b"+Inf", b"-Inf", b"Infinity", b"0x10", b"1_000"),
    *(
        b"007",
        b"1.",
        b".5",
        b"1e",
        b"9" * 40,
        b"9" * 400,
        b"9" * 5000,
        "\u0661\u0662".encode(),
        b"1e-400",
    ),
)
PIECES = (
    *(b"\x00", b"\xff", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\r\n", b"\n", b"\t", b" ", b"\\", b'"'),
    *(b"{", b"}", b"[", b"]", b",", b":", b"=", b"#", b"\x1b[2J", "\u2028".encode(), b"\x85"),
    *(b"\\ud800", b"\\u0000", b'\\"', b"null", b"true", b"[" * 200, b"{" * 200, b'{"a":' * 150),
    *("\u202e".encode(), "\U0001f600".encode(), "\u017f".encode(), "İ".encode(), b"-", b".", b"/"),
)
VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        0,
        -1,
        1,
        2**31 - 1,
        2**31,
        2**63,
        -(2**63) - 1,
        10**400,
        0.5,
        1e308,
        -0.0,
    ),
    *(
        "",
        "0",
        "-1",
        "007",
        "1e3",
        "NaN",
        "9" * 5000,
        " 1",
        "\ud800",
        "\x00",
        "\x1b[2J",
        "x" * 3000,
    ),
    *("2026-02-30T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:60Z", "300s", "-0.5s"),
    *("315576000001s", "1s\n", "accounts/a/deployments/b", "READY", "..", "\u202e", "İ"),
    *(
        [],
        {},
        [[]],
        [None],
        {"": None},
        {"default": 1e39},
        [{}],
        {"a": {"b": {}}},
        {"min_replicas": 1},
    ),
)
_NUMBER = re.compile(rb"-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
_STEPS_MAX = 6


class Mutator:
    """Makes inputs for one subject: ``seeds`` are good ones, ``words`` are what its language is of."""

    def __init__(
        self, seeds: Sequence[bytes], words: Sequence[bytes], *, is_json: bool, bytes_max: int
    ) -> None:
        self._seeds = tuple(seeds)
        self._words = (*words, *PIECES)
        self._bytes_max = bytes_max
        self._documents = [json.loads(seed) for seed in seeds] if is_json else []
        self._changes: tuple[Callable[[Random, bytes], bytes], ...] = (
            *(self._flip, self._cut, self._insert_word, self._insert_word, self._repeat),
            *(self._truncate, self._splice, self._number, self._number, self._lines, self._lines),
        )

    def inputs(self, rng: Random, count: int) -> Iterator[bytes]:
        """Yield ``count`` inputs: every seed as it is first, then changed ones."""
        yield from self._seeds[:count]
        for _ in range(count - len(self._seeds)):
            yield self.make(rng)

    def make(self, rng: Random) -> bytes:
        """Return one changed seed."""
        if self._documents and rng.random() < 0.6:
            data = self._grafted(rng)
            return data if rng.random() < 0.8 else self.change(rng, data)
        return self.change(rng, rng.choice(self._seeds))

    def change(self, rng: Random, data: bytes) -> bytes:
        """Change ``data`` in one place or a few."""
        for _ in range(min(_STEPS_MAX, 1 + int(rng.expovariate(0.7)))):
            data = rng.choice(self._changes)(rng, data)
        return data[: self._bytes_max]

    # -- bytes and words -----------------------------------------------------------------------

    def _flip(self, rng: Random, data: bytes) -> bytes:
        if not data:
            return bytes([rng.randrange(256)])
        at = rng.randrange(len(data))
        return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]

    def _cut(self, rng: Random, data: bytes) -> bytes:
        start, end = _range(rng, data, 40)
        return data[:start] + data[end:]

    def _insert_word(self, rng: Random, data: bytes) -> bytes:
        at = rng.randint(0, len(data))
        end = at + (rng.randrange(12) if rng.random() < 0.5 else 0)
        return data[:at] + rng.choice(self._words) + data[end:]

    def _repeat(self, rng: Random, data: bytes) -> bytes:
        start, end = _range(rng, data, 40)
        return data[:end] + data[start:end] * rng.choice((1, 1, 2, 30, 300)) + data[end:]

    def _truncate(self, rng: Random, data: bytes) -> bytes:
        return data[: rng.randint(0, len(data))]

    def _splice(self, rng: Random, data: bytes) -> bytes:
        other = rng.choice(self._seeds)
        return data[: rng.randint(0, len(data))] + other[rng.randint(0, len(other)) :]

    def _number(self, rng: Random, data: bytes) -> bytes:
        found = list(_NUMBER.finditer(data, 0, 20_000))
        if not found:
            return self._insert_word(rng, data)
        one = rng.choice(found)
        return data[: one.start()] + rng.choice(NUMBERS) + data[one.end() :]

    def _lines(self, rng: Random, data: bytes) -> bytes:
        lines = data.split(b"\n")
        at, to = rng.randrange(len(lines)), rng.randrange(len(lines))
        match rng.randrange(4):
            case 0:
                del lines[at]
            case 1:
                lines.insert(to, lines[at])
            case 2:
                lines[at], lines[to] = lines[to], lines[at]
            case _:
                stripped = lines[at].lstrip()
                lines[at] = b" " * rng.choice((0, 1, 2, 3, 4, 8)) + stripped
        return b"\n".join(lines)

    # -- JSON ----------------------------------------------------------------------------------

    def _grafted(self, rng: Random) -> bytes:
        document = json.loads(json.dumps(rng.choice(self._documents)))
        for _ in range(1 + int(rng.expovariate(1.0))):
            document = self._graft(rng, document)
        text = json.dumps(document, ensure_ascii=rng.random() < 0.8)
        return text.encode("utf-8", "surrogatepass")

    def _graft(self, rng: Random, document: Any) -> Any:
        places = list(_places(document))
        if not places:
            return deepcopy(rng.choice(VALUES))
        owner, key = rng.choice(places)
        chance = rng.random()
        if chance < 0.55:
            owner[key] = deepcopy(rng.choice(VALUES))
        elif chance < 0.7:
            other, other_key = rng.choice(places)
            owner[key] = json.loads(json.dumps(other[other_key]))
        elif chance < 0.85:
            del owner[key]
        elif isinstance(owner, dict):
            word = rng.choice(self._words).decode("utf-8", "replace").strip('"')
            owner[word] = owner.pop(key) if rng.random() < 0.3 else deepcopy(rng.choice(VALUES))
        else:
            owner.extend([owner[key]] * rng.choice((1, 2, 50)))
        return document


def _range(rng: Random, data: bytes, bytes_max: int) -> tuple[int, int]:
    start = rng.randint(0, len(data))
    return start, min(len(data), start + rng.randint(1, bytes_max))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every (owner, key) below ``value``."""
    keys: list[Any] = []
    if isinstance(value, dict | list):
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
    for key in keys:
        yield value, key
        yield from _places(value[key])


def smaller(
    data: bytes, is_still_wrong: Callable[[bytes], bool], *, tries_max: int = 4000
) -> bytes:
    """Return the smallest input found that is still wrong: pieces are left out while that holds."""
    tries, size = 0, max(1, len(data) // 2)
    while True:
        at, has_shrunk = 0, False
        while at < len(data) and tries < tries_max:
            tries += 1
            shorter = data[:at] + data[at + size :]
            if is_still_wrong(shorter):
                data, has_shrunk = shorter, True
            else:
                at += size
        if tries >= tries_max or (size == 1 and not has_shrunk):
            return data
        size = size if has_shrunk and size == 1 else max(1, size // 2)
