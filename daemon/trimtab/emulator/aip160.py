"""List filters (https://google.aip.dev/160): a parser that yields a predicate over messages.

Supported: ``= != < > <= >= :``, AND, OR, NOT, ``-``, parentheses, quoted strings, bare words,
dotted paths, ``*`` at either end of a string, presence (``field:*``), maps and lists with ``:``.
As the grammar says, OR binds tighter than AND. Functions are refused.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trimtab.emulator import fields, masks
from trimtab.emulator.fields import Field, Kind, WrongValueError
from trimtab.emulator.messages import Value, is_zero
from trimtab.emulator.refusals import Refusal, invalid

if TYPE_CHECKING:
    from trimtab.emulator.messages import Message
    from trimtab.emulator.switches import Switches

Predicate = Callable[[Value], bool]

NESTING_MAX = 50
LENGTH_MAX = 8192
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
    |(?P<op><=|>=|!=|=|<|>|:)|(?P<paren>[()])|(?P<comma>,)
    |(?P<text>[^\s()=<>!:,"']+))""",
    re.VERBOSE | re.DOTALL,
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def compile_filter(text: str, message: Message, switches: Switches) -> Predicate:
    """Return the predicate that ``text`` describes; an empty filter lets everything pass.

    Raises ``Refusal`` (400) with the place of the mistake.
    """
    if len(text) > LENGTH_MAX:
        raise invalid(f"invalid filter: longer than {LENGTH_MAX} characters")
    if not text.strip():
        return lambda _: True
    parser = _Parser(_tokens(text), message, switches)
    predicate = parser.expression(0)
    parser.expect_end()
    return predicate


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        hit = _TOKEN.match(text, position)
        if hit is None or hit.lastgroup is None:
            raise invalid(f"invalid filter: unexpected {text[position : position + 8]!r}")
        start = hit.start(hit.lastgroup)
        tokens.append(_Token(hit.lastgroup, hit.group(hit.lastgroup), start, hit.end()))
        position = hit.end()
    return tokens


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL)


class _Parser:
    def __init__(self, tokens: list[_Token], message: Message, switches: Switches) -> None:
        self._tokens = tokens
        self._index = 0
        self._message = message
        self._switches = switches

    def _peek(self) -> _Token | None:
        return self._tokens[self._index] if self._index < len(self._tokens) else None

    def _take(self) -> _Token:
        token = self._peek()
        if token is None:
            raise invalid("invalid filter: unexpected end")
        self._index += 1
        return token

    def _is_word(self, word: str) -> bool:
        token = self._peek()
        return token is not None and token.kind == "text" and token.text == word

    def expect_end(self) -> None:
        token = self._peek()
        if token is not None:
            raise invalid(f"invalid filter: unexpected {token.text!r} at {token.start}")

    def expression(self, depth: int) -> Predicate:
        """Sequences joined by AND."""
        if depth > NESTING_MAX:
            raise invalid(f"invalid filter: nested deeper than {NESTING_MAX}")
        parts = [self._factor(depth)]
        while (token := self._peek()) is not None and token.text != ")":
            if self._is_word("AND"):
                self._take()
            parts.append(self._factor(depth))
        return parts[0] if len(parts) == 1 else lambda value: all(part(value) for part in parts)

    def _factor(self, depth: int) -> Predicate:
        parts = [self._term(depth)]
        while self._is_word("OR"):
            self._take()
            parts.append(self._term(depth))
        return parts[0] if len(parts) == 1 else lambda value: any(part(value) for part in parts)

    def _term(self, depth: int) -> Predicate:
        if self._is_word("NOT"):
            self._take()
            negated = self._simple(depth)
            return lambda value: not negated(value)
        token = self._peek()
        if token is not None and token.kind == "text" and token.text.startswith("-"):
            if token.text == "-":
                self._take()
            else:
                trimmed = _Token("text", token.text[1:], token.start + 1, token.end)
                self._tokens[self._index] = trimmed
            negated = self._simple(depth)
            return lambda value: not negated(value)
        return self._simple(depth)

    def _simple(self, depth: int) -> Predicate:
        token = self._take()
        if token.text == "(" and token.kind == "paren":
            inner = self.expression(depth + 1)
            closing = self._take()
            if closing.text != ")":
                raise invalid(f"invalid filter: expected ')' at {closing.start}")
            return inner
        if token.kind not in {"text", "string"} or token.text in {"AND", "OR", "NOT"}:
            raise invalid(f"invalid filter: unexpected {token.text!r} at {token.start}")
        return self._restriction(token)

    def _restriction(self, token: _Token) -> Predicate:
        path = self._path(token)
        following = self._peek()
        if following is not None and following.text == "(" and following.start == token.end:
            raise invalid(f"invalid filter: function {token.text!r} is not supported")
        if following is None or following.kind != "op":
            return self._bare(token, path)
        comparator = self._take().text
        literal = self._take()
        if literal.kind not in {"text", "string"}:
            raise invalid(f"invalid filter: expected a value at {literal.start}")
        quoted = literal.kind == "string"
        text = _unquote(literal.text) if quoted else literal.text
        names, field = masks.find(self._message, path, self._switches, "filter")
        is_star = text == "*" and not quoted
        test = _test(field, comparator, text, is_star=is_star)
        message = self._message
        return lambda value: test(masks.value_at(message, value, names))

    def _path(self, token: _Token) -> str:
        """Join ``annotations."a.b/c"``: a quoted segment right after a dot."""
        if token.kind == "string":
            return _unquote(token.text)
        following = self._peek()
        if token.text.endswith(".") and following is not None:
            is_adjacent = following.kind == "string" and following.start == token.end
            if is_adjacent:
                return token.text + _unquote(self._take().text)
        return token.text

    def _bare(self, token: _Token, text: str) -> Predicate:
        """A word alone: a boolean field's own value, else a search in all text fields."""
        if token.kind == "text":
            try:
                names, field = masks.find(self._message, text, self._switches, "filter")
            except Refusal:
                field = None
            else:
                if field is not None and field.kind is Kind.BOOL:
                    message = self._message
                    return lambda value: bool(masks.value_at(message, value, names))
        searched = [f.name for f in self._message.fields.values() if _is_searchable(f)]
        needle = text.lower()
        return lambda value: any(needle in str(value.get(name, "")).lower() for name in searched)


def _is_searchable(field: Field) -> bool:
    is_single = not (field.is_map or field.is_repeated)
    return is_single and field.kind in {Kind.STRING, Kind.ENUM}


def _test(
    field: Field | None, comparator: str, text: str, *, is_star: bool
) -> Callable[[Any], bool]:
    """Return a test of the value at a path. ``field`` is ``None`` for a key of a map."""
    chosen = Field("key", Kind.STRING) if field is None else field
    if comparator == ":" and is_star:
        return lambda value: value is not None and not is_zero(chosen, value)
    if chosen.is_map or chosen.is_repeated:
        if comparator != ":":
            raise invalid(f"invalid filter: {chosen.name} holds many; use ':' or name a key")
        return lambda value: any(str(item) == text for item in value)
    if chosen.kind is Kind.MESSAGE:
        raise invalid(f"invalid filter: {chosen.name} is a message; name one of its fields")
    if chosen.kind is Kind.STRING:
        if comparator == ":":
            needle = text.lower()
            return lambda value: needle in str(value or "").lower()
        if comparator in {"=", "!="} and "*" in (text[:1], text[-1:]):
            return _wildcard(text, is_negated=comparator == "!=")
    return _comparison(chosen, comparator, text)


def _comparison(field: Field, comparator: str, text: str) -> Callable[[Any], bool]:
    literal = _literal(field, text)
    compare = _COMPARE["=" if comparator == ":" else comparator]
    is_unordered = field.kind in {Kind.BOOL, Kind.ENUM}
    if is_unordered and comparator not in {"=", "!=", ":"}:
        raise invalid(f"invalid filter: {comparator!r} does not apply to {field.name}")

    def holds(value: Any) -> bool:
        return comparator == "!=" if value is None else compare(value, literal)

    return holds


def _wildcard(text: str, *, is_negated: bool) -> Callable[[Any], bool]:
    open_start, open_end = text.startswith("*"), text.endswith("*")
    core = text[1:] if open_start else text
    core = core[:-1] if open_end and core.endswith("*") else core
    pattern = ".*" * open_start + re.escape(core) + ".*" * open_end
    match = re.compile(pattern, re.DOTALL).fullmatch
    return lambda value: (match(value or "") is None) == is_negated


def _literal(field: Field, text: str) -> Any:
    value: Any = text
    if field.kind is Kind.BOOL:
        value = {"true": True, "false": False}.get(text.lower())
    try:
        return fields.parse_scalar(field, value)
    except WrongValueError:
        raise invalid(
            f"invalid filter: {text!r} is not a value of {field.kind.value} field {field.name}"
        ) from None
