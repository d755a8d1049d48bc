"""The syntax tree of a CEL expression, read from the engine's own serialisation.

The engine's Python binding offers no access to the tree, but it writes it out as the protocol buffer
``cel.expr.CheckedExpr``, or ``ParsedExpr`` where types were not checked
(https://github.com/google/cel-spec, ``checked.proto`` and ``syntax.proto``, whose field numbers stand
below). Reading that needs varints and little else, and no protobuf runtime.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPTH_MAX = 100
"""Macros expand to several levels each; far below what recursion in Python allows."""


class Kind(Enum):
    """What a node of the tree is; the values are the field numbers of ``cel.expr.Expr``."""

    CONSTANT = 3
    NAME = 4
    SELECT = 5
    CALL = 6
    LIST = 7
    MAP = 8
    COMPREHENSION = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """One node. ``offset`` is where it stands in the text, in characters.

    ``text`` is the name, the selected field, the function's name or a constant text. ``is_test`` tells
    ``has(a.b)`` from ``a.b``. A comprehension's parts are its range and what is done for each item.
    """

    kind: Kind
    offset: int
    text: str = ""
    is_test: bool = False
    parts: tuple[Tree, ...] = ()

    def walk(self) -> Iterator[Tree]:
        """Go through this node and all below it."""
        yield self
        for part in self.parts:
            yield from part.walk()


class TooDeepError(ValueError):
    """The tree has more than ``DEPTH_MAX`` levels."""


def read_tree(serialized: bytes) -> Tree:
    """The tree in what ``Expression.serialize()`` gave. Raises ``TooDeepError``."""
    envelope = _message(serialized)  # google.protobuf.Any: type_url, value
    expr, source = (4, 5) if envelope.text(1).endswith(".CheckedExpr") else (2, 3)
    content = _message(envelope.bytes(2))
    offsets: dict[int, int] = {}
    for entry in _message(content.bytes(source)).all_bytes(4):  # SourceInfo.positions
        pair = _message(entry)
        offsets[pair.number(1)] = pair.number(2)
    return _Reader(offsets).node(content.bytes(expr), 0)


@dataclass(frozen=True, slots=True)
class _Message:
    """The fields of one protocol buffer message, undecoded."""

    fields: tuple[tuple[int, int | bytes], ...]

    def all_bytes(self, number: int) -> Iterator[bytes]:
        return (value for key, value in self.fields if key == number and isinstance(value, bytes))

    def bytes(self, number: int) -> bytes:
        return next(self.all_bytes(number), b"")

    def text(self, number: int) -> str:
        return self.bytes(number).decode()

    def number(self, number: int) -> int:
        found = (value for key, value in self.fields if key == number and isinstance(value, int))
        return next(found, 0)


@dataclass(frozen=True, slots=True)
class _Reader:
    offsets: dict[int, int]

    def node(self, content: bytes, depth: int) -> Tree:
        if depth > DEPTH_MAX:
            raise TooDeepError
        expr = _message(content)
        offset = self.offsets.get(expr.number(2), 0)
        for kind in Kind:
            body = next(expr.all_bytes(kind.value), None)
            if body is not None:
                return self._of_kind(kind, _message(body), offset, depth + 1)
        return Tree(kind=Kind.CONSTANT, offset=offset)

    def _of_kind(self, kind: Kind, body: _Message, offset: int, depth: int) -> Tree:
        text, is_test = "", False
        below: list[bytes] = []
        match kind:
            case Kind.CONSTANT:
                text = body.text(6)
            case Kind.NAME:
                text = body.text(1)
            case Kind.SELECT:
                text, is_test = body.text(2), bool(body.number(3))
                below = [*body.all_bytes(1)]
            case Kind.CALL:
                text = body.text(2)
                below = [*body.all_bytes(1), *body.all_bytes(3)]
            case Kind.LIST:
                below = [*body.all_bytes(1)]
            case Kind.MAP:
                entries = [_message(entry) for entry in body.all_bytes(2)]
                below = [
                    part for entry in entries for key in (3, 4) for part in entry.all_bytes(key)
                ]
            case Kind.COMPREHENSION:
                text = body.text(1)
                below = [body.bytes(2), body.bytes(6)]
        parts = tuple(self.node(part, depth) for part in below)
        return Tree(kind=kind, offset=offset, text=text, is_test=is_test, parts=parts)


def _message(content: bytes) -> _Message:
    """Split a message into its fields (https://protobuf.dev/programming-guides/encoding/)."""
    fields: list[tuple[int, int | bytes]] = []
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        wire_type = key & 7
        if wire_type == 0:
            value, at = _varint(content, at)
            fields.append((key >> 3, value))
            continue
        if wire_type == 2:
            length, at = _varint(content, at)
        else:
            length = {1: 8, 5: 4}[wire_type]
        fields.append((key >> 3, content[at : at + length]))
        at += length
    return _Message(tuple(fields))


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
