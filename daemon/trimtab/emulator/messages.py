"""Messages: strict parsing of JSON bodies and rendering with zero values left out.

A message value is a plain ``dict`` from field name (camelCase) to canonical value (see
``fields``). Keys are accepted in camelCase and snake_case; anything unknown is refused with the
text of the live API, position included.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from trimtab.emulator import fields
from trimtab.emulator.fields import Field, Kind, WrongValueError
from trimtab.emulator.refusals import invalid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.emulator.switches import Switches

Value = dict[str, Any]
NESTING_MAX = 100


class Message:
    """One message type: its name and its fields in the order they are rendered."""

    def __init__(self, name: str, message_fields: Iterable[Field]) -> None:
        self.name = name
        self.fields = {field.name: field for field in message_fields}
        self._by_any_name = {field.snake_name: field for field in self.fields.values()}
        self._by_any_name.update(self.fields)

    def find(self, key: str) -> Field | None:
        """Return the field named ``key``, in either spelling."""
        return self._by_any_name.get(key)

    @property
    def mutable(self) -> list[Field]:
        """The fields a caller may write."""
        return [field for field in self.fields.values() if not field.is_read_only]


def decode(text: str) -> dict[str, Any]:
    """Read a JSON object, or refuse as the proto parser would. Empty text is an empty object."""
    if not text.strip():
        return {}
    try:
        raw = json.loads(text, parse_constant=_reject_constant, object_pairs_hook=_unique)
    except json.JSONDecodeError as wrong:
        rest = text[wrong.pos : wrong.pos + 16]
        what = f"unexpected token {rest}" if rest.strip() else "unexpected EOF"
        raise invalid(f"proto: syntax error (line {wrong.lineno}:{wrong.colno}): {what}") from None
    except (RecursionError, ValueError):
        raise invalid("proto: syntax error (line 1:1): exceeded maximum recursion depth") from None
    if not isinstance(raw, dict):
        raise invalid(f"proto: syntax error (line 1:1): unexpected token {text.strip()[:16]}")
    return raw


def _reject_constant(name: str) -> Any:
    raise json.JSONDecodeError(f"unexpected token {name}", name, 0)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise invalid(f'proto: duplicate field "{key}"')
        found[key] = value
    return found


def encode(answer: object) -> str:
    """Return the JSON text of an answer, as short as it can be."""
    return json.dumps(answer, ensure_ascii=False, separators=(",", ":"))


class Parser:
    """Reads one body. ``text`` serves to say where in it something is wrong."""

    def __init__(self, text: str, switches: Switches) -> None:
        self._text = text
        self._is_strict = switches.reject_unknown_fields
        self._is_enum_strict = switches.reject_unknown_enums

    def parse(self, message: Message, raw: dict[str, Any], *, depth: int = 0) -> Value:
        """Return the value of ``raw``; read-only fields are checked for type and dropped."""
        if depth > NESTING_MAX:  # pragma: no cover  no message nests that deep
            raise invalid("proto: exceeded maximum recursion depth")
        value: Value = {}
        for key, item in raw.items():
            field = message.find(key)
            if field is None:
                if self._is_strict:
                    raise invalid(f'proto: {self._at(key)}: unknown field "{key}"')
                continue
            if field.name in value:
                raise invalid(f'proto: {self._at(key)}: duplicate field "{key}"')
            if item is None:
                continue
            parsed = self._field(field, item, key, depth)
            if not field.is_read_only:
                value[field.name] = parsed
        return value

    def _field(self, field: Field, item: Any, key: str, depth: int) -> Any:
        if field.is_repeated:
            if not isinstance(item, list):
                raise self._wrong(field, item, key)
            return [self._single(field, part, key, depth) for part in item]
        if field.is_map:
            if not isinstance(item, dict):
                raise self._wrong(field, item, key)
            return {
                self._map_key(name, key): self._single(field, part, key, depth)
                for name, part in item.items()
            }
        return self._single(field, item, key, depth)

    def _map_key(self, name: str, key: str) -> str:
        try:
            name.encode("utf-8")
        except UnicodeEncodeError:
            raise invalid(f"proto: {self._at(key)}: invalid UTF-8") from None
        return name

    def _single(self, field: Field, item: Any, key: str, depth: int) -> Any:
        if field.kind is Kind.MESSAGE:
            if not isinstance(item, dict) or field.message is None:
                raise self._wrong(field, item, key)
            return self.parse(field.message, item, depth=depth + 1)
        try:
            return fields.parse_scalar(field, item, is_enum_strict=self._is_enum_strict)
        except WrongValueError:
            raise self._wrong(field, item, key) from None

    def _wrong(self, field: Field, item: Any, key: str) -> Exception:
        shown = json.dumps(item)[:64]
        return invalid(
            f"proto: {self._at(key)}: invalid value for {field.kind.value} field {field.name}: {shown}"
        )

    def _at(self, key: str) -> str:
        """Return ``(line 1:203)``: where ``key`` first stands as a key in the body."""
        hit = re.search(re.escape(json.dumps(key)) + r"\s*:", self._text)
        start = 0 if hit is None else hit.start()
        line = self._text.count("\n", 0, start) + 1
        column = start - (self._text.rfind("\n", 0, start) + 1) + 1
        return f"(line {line}:{column})"


_FACTS = frozenset({Kind.MESSAGE, Kind.TIMESTAMP, Kind.DURATION})
"""Kinds whose absence is itself a fact."""

_AS_THEY_ARE = frozenset({Kind.STRING, Kind.BOOL, Kind.INT32, Kind.ENUM})
"""Kinds whose canonical value is its JSON form; most fields, so worth a short way."""


def render(message: Message, value: Value, switches: Switches) -> dict[str, Any]:
    """Return the JSON form of ``value``: zero, empty and unspecified fields are left out.

    Except those that the API's document requires.
    """
    out: dict[str, Any] = {}
    for field in message.fields.values():
        is_always_shown = field.is_required or switches.emit_defaults
        item = value.get(field.name)
        if item is None:
            item = fields.default_of(field) if is_always_shown else None
            if item is None:
                continue
        if not is_always_shown and is_zero(field, item):
            continue
        out[field.name] = _render_field(field, item, switches)
    return out


def is_zero(field: Field, item: Any) -> bool:
    """Say whether proto3 JSON leaves this value out. A message that is set is never zero."""
    if field.is_repeated or field.is_map:
        return not item
    if field.kind in _FACTS:
        return False
    if field.kind is Kind.ENUM:
        return bool(item == fields.default_of(field))
    return not item


def _render_field(field: Field, item: Any, switches: Switches) -> Any:
    if field.is_repeated:
        return [_render_single(field, part, switches) for part in item]
    if field.is_map:
        return {key: _render_single(field, part, switches) for key, part in item.items()}
    return _render_single(field, item, switches)


def _render_single(field: Field, item: Any, switches: Switches) -> Any:
    if field.message is not None:
        return render(field.message, item, switches)
    if field.kind in _AS_THEY_ARE:
        return item
    return fields.render_scalar(field, item, has_float32_noise=switches.float32_noise)
