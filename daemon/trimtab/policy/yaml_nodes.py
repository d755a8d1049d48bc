"""YAML with positions: text in, one tree of nodes for each document out, every fault on the way noted.

The reader goes through libyaml's *events* and builds its own tree. PyYAML's ``compose()`` recurses in
C and a file of open brackets crashes the whole process with it; here the depth is bounded. Scalars
follow the YAML 1.2 core schema (https://yaml.org/spec/1.2.2/#103-core-schema), so ``no``, ``on`` and
``1:30`` are text. Nothing is ever constructed from a tag.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

from trimtab.errors import excerpt
from trimtab.policy import codes
from trimtab.policy.diagnostics import START, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.policy.diagnostics import Findings

NODES_MAX = 10_000
DEPTH_MAX = 50

EventReader: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(
    yaml, "CSafeLoader", yaml.SafeLoader
)
"""libyaml where PyYAML was built with it, else the same reader in Python. Only its events are used."""

Path: TypeAlias = tuple[str | int, ...]
"""The way from a document's root to a node: keys and list positions."""


class Node:
    """One node: its plain ``data``, where it stands, and its children by key or by position.

    Mappings keep the node of each key beside that of its value. Lists become tuples, so that nothing
    downstream can change them. ``size`` counts the nodes below, aliases written out.
    """

    __slots__ = ("_event", "children", "data", "size")

    def __init__(self, event: yaml.Event, data: object) -> None:
        self._event = event  # it knows the place, which is asked for only when something is wrong
        self.data = data
        self.size = 1
        self.children: dict[str, tuple[Node, Node]] | list[Node] | None = None

    @property
    def span(self) -> Span:
        """Where the node stands; for a mapping or a list, where it begins."""
        return _span(self._event)

    def find(self, path: Path) -> tuple[Node, Node, int]:
        """The key node and the value node at ``path``, as far as it exists, and how far that was."""
        key = value = self
        for depth, step in enumerate(path):
            children = value.children
            if isinstance(children, dict) and isinstance(step, str) and step in children:
                key, value = children[step]
            elif isinstance(children, list) and isinstance(step, int) and step < len(children):
                key = value = children[step]
            else:
                return key, value, depth
        return key, value, len(path)

    def key_span(self, path: Path) -> Span:
        """Where the key at ``path`` stands, or that of the nearest section around it."""
        return self.find(path)[0].span

    def value_span(self, path: Path) -> Span:
        """Where the value at ``path`` stands, or the key of the nearest section around it."""
        key, value, depth = self.find(path)
        return value.span if depth == len(path) else key.span


_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+", re.ASCII)
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)", re.ASCII)
_PLAIN_NUMBER_START = frozenset("-+.0123456789")
_DIGITS_MAX = 250
"""So that every whole number fits into a float, hexadecimal ones too. Longer ones stay text."""
_YAML = "tag:yaml.org,2002:"


def core_scalar(text: str) -> object:
    """The value of a plain scalar by the YAML 1.2 core schema; text is what nothing else is."""
    if text[:1] in _PLAIN_NUMBER_START and len(text) <= _DIGITS_MAX:
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
        if _BASED.fullmatch(text):
            return int(text, 0)
        if _NOT_FINITE.fullmatch(text):
            return float(text.replace(".", "", 1))
    return _WORDS.get(text, text)


@dataclass(slots=True)
class _Open:
    """A mapping or list whose end has not been read; ``key`` waits for its value."""

    node: Node
    anchor: str | None
    key: Node | None = None


class _DocumentAbandonedError(Exception):
    """The rest of the file is not worth reading; the reason has been noted."""


def read_nodes(findings: Findings) -> list[Node]:
    """The documents of the file that could be read to their end, empty ones left out."""
    documents: list[Node] = []
    try:
        for root in _Reader(findings).documents():
            if root.data is not None:
                documents.append(root)  # noqa: PERF401  those before a fault are kept
    except _DocumentAbandonedError:
        pass
    except yaml.MarkedYAMLError as error:
        _note_syntax(findings, error)
    except yaml.YAMLError as error:
        # Control characters and bad encodings are refused before; this is for what remains.
        findings.add(codes.YAML_SYNTAX, START, f"the text is not YAML: {excerpt(str(error))}")
    return documents


class _Reader:
    """Builds nodes from events: no recursion, one visit to each."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._stack: list[_Open] = []
        self._anchors: dict[str, Node | None] = {}  # None: marked, but not yet closed
        self._root: Node | None = None

    def documents(self) -> Iterator[Node]:
        # As yaml.parse(), without its question before every event: the hot loop of every load.
        reader = EventReader(self._findings.file.text)
        read, place = reader.get_event, self._place
        kind: type[object] = object
        try:
            while kind is not yaml.StreamEndEvent:
                event: Any = read()  # of the kind that is asked for below
                kind = type(event)
                if kind is yaml.ScalarEvent:
                    if event.tag is None:
                        text = event.value
                        data = core_scalar(text) if event.implicit[0] else text
                        place(Node(event, data), event.anchor)
                    else:
                        place(self._tagged(event, event.tag), event.anchor)
                elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                    self._open(event)
                elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                    self._close()
                elif kind is yaml.AliasEvent:
                    self._alias(event)
                elif kind is yaml.DocumentStartEvent:
                    self._anchors, self._root = {}, None
                elif kind is yaml.DocumentEndEvent and self._root is not None:
                    yield self._root
        finally:
            reader.dispose()

    def _open(self, event: yaml.CollectionStartEvent) -> None:
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        expected = "map" if is_mapping else "seq"
        if event.tag not in (None, "!", _YAML + expected):
            self._findings.add(*_tag_fault(event.tag, _span(event)))
        if len(self._stack) >= DEPTH_MAX:
            message = f"the document is nested more than {DEPTH_MAX} deep"
            self._abandon(codes.TOO_LARGE, _span(event), message)
        node = Node(event, {} if is_mapping else ())
        node.children = {} if is_mapping else []
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._stack.append(_Open(node, event.anchor))

    def _close(self) -> None:
        done = self._stack.pop()
        if isinstance(done.node.children, list):
            done.node.data = tuple(child.data for child in done.node.children)
        self._place(done.node, done.anchor)

    def _alias(self, event: yaml.AliasEvent) -> None:
        span, name = _span(event), str(event.anchor)
        if name not in self._anchors:
            message = f"the alias `*{name}` has no anchor `&{name}` before it in this document"
            hint = "put text that begins with `*` in quotes; anchors do not reach across `---`"
            self._abandon(codes.ALIAS, span, message, hint)
        node = self._anchors[name]
        if node is None:
            message = f"the alias `*{name}` stands inside the node that `&{name}` marks"
            self._abandon(codes.ALIAS, span, message, "write the value out")
        else:
            self._place(node, None, span)

    def _place(self, node: Node, anchor: str | None, at: Span | None = None) -> None:
        """Hang a complete node into the open one, as its key, its value or its next item."""
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._stack:
            self._root = node
            return
        top = self._stack[-1]
        parent = top.node
        parent.size += node.size
        if parent.size > NODES_MAX:
            message = f"the document has more than {NODES_MAX} nodes, aliases written out"
            hint = "split it, or write out what the anchors repeat"
            self._abandon(codes.TOO_LARGE, at or node.span, message, hint)
        if isinstance(parent.children, list):
            parent.children.append(node)
        elif top.key is None:
            top.key = node
        else:
            self._place_value(parent, top.key, node)
            top.key = None

    def _place_value(self, mapping: Node, key: Node, value: Node) -> None:
        children, data, name = mapping.children, mapping.data, key.data
        assert isinstance(children, dict)  # noqa: S101  for the type checker: only mappings have keys
        assert isinstance(data, dict)  # noqa: S101  likewise
        if not isinstance(name, str):
            shown = "this" if isinstance(name, dict | tuple) else f"`{_written(name)}`"
            hint = f'put it in quotes: `"{_written(name)}"`' if shown != "this" else ""
            self._findings.add(codes.KEY_NOT_TEXT, key.span, f"{shown} is not text: no key", hint)
        elif name == "<<":
            message = "merge keys (`<<`) are not part of YAML 1.2"
            self._findings.add(codes.ALIAS, key.span, message, "repeat the keys")
        elif name in children:
            first = children[name][0].span.line
            message = f"`{name}` stands twice in this mapping, first on line {first}"
            self._findings.add(codes.DUPLICATE_KEY, key.span, message, "remove one of them")
        else:
            children[name] = (key, value)
            if value.data is None:
                message = f"`{name}` has no value"
                hint = "give it one, or remove the key to get the default"
                self._findings.add(codes.NO_VALUE, key.span, message, hint)
            else:
                data[name] = value.data

    def _tagged(self, event: yaml.ScalarEvent, tag: str) -> Node:
        text = event.value
        if tag in ("!", _YAML + "str"):
            return Node(event, text)
        value = core_scalar(text)
        if tag == _YAML + "float" and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        names = {bool: "bool", int: "int", float: "float", type(None): "null"}
        if tag != _YAML + names.get(type(value), "str"):
            self._findings.add(*_tag_fault(tag, _span(event)))
        return Node(event, value)

    def _abandon(self, code: codes.Code, span: Span, message: str, hint: str = "") -> None:
        self._findings.add(code, span, message, hint)
        raise _DocumentAbandonedError


def _span(event: yaml.Event) -> Span:
    start, end = event.start_mark, event.end_mark
    assert start is not None  # noqa: S101  for the type checker: events that were read have marks
    assert end is not None  # noqa: S101  likewise
    line, column = start.line, start.column
    length = end.column - column if end.line == line and end.column > column else 1
    return Span(line + 1, column + 1, length)


def _tag_fault(tag: str, span: Span) -> tuple[codes.Code, Span, str, str]:
    shown = tag.replace(_YAML, "!!")
    return codes.TAG, span, f"the tag `{excerpt(shown, 60)}` is not allowed here", "remove the tag"


def _written(value: object) -> str:
    words = {True: "true", False: "false", None: "null"}
    return words[value] if isinstance(value, bool | None) else str(value)


# libyaml's own words, and what the author of a policy can do about them.
_REMEDIES = {
    "could not find expected ':'": "a `:` is missing after a key, or the line before is not closed",
    "mapping values are not allowed in this context": (
        "put text that contains `: ` in quotes, and check the indentation"
    ),
    "did not find expected key": "check the indentation against the lines above",
    "did not find expected ',' or '}'": "a `,` or the closing `}` is missing",
    "did not find expected ',' or ']'": "a `,` or the closing `]` is missing",
    "did not find expected '-' indicator": "check the indentation against the lines above",
    "did not find expected node content": "a value is missing, or a bracket is not closed",
    "found unexpected end of stream": "a quote is not closed",
    "found character that cannot start any token": "put text that begins with this in quotes",
}


_LEFT_OPEN = frozenset({"did not find expected ',' or '}'", "did not find expected ',' or ']'"})


def _note_syntax(findings: Findings, error: yaml.MarkedYAMLError) -> None:
    span = _place_of_fault(findings, error)
    problem = error.problem or "the text ends too early"
    before = findings.file.line(span.line)[: span.column]
    if "\t" in before[len(before.rstrip()) :] or "tab character" in problem:
        findings.add(codes.TAB, span, "a tab is used for indentation", "use spaces")
        return
    # The Python reader says 'here' where libyaml says 'in this context'; both mean the same.
    problem = problem.replace("not allowed here", "not allowed in this context")
    message = f"the YAML cannot be read: {excerpt(problem)}"
    findings.add(codes.YAML_SYNTAX, span, message, _REMEDIES.get(problem, ""))


def _place_of_fault(findings: Findings, error: yaml.MarkedYAMLError) -> Span:
    """Where the reader gave up; what was left open, if that is the end or the line after."""
    mark, context = error.problem_mark or error.context_mark, error.context_mark
    if mark is None:
        return START
    if context is not None and (error.problem in _LEFT_OPEN or _is_blank(findings, mark.line)):
        mark = context
    if _is_blank(findings, mark.line):
        for number in range(mark.line, 0, -1):
            if line := findings.file.line(number).rstrip():
                return Span(number, len(line))
    return Span(mark.line + 1, mark.column + 1)


def _is_blank(findings: Findings, line_index: int) -> bool:
    return not findings.file.line(line_index + 1).strip()
