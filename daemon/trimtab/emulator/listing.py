"""Lists: filter, order, page. The same rules for every kind of resource.

A page token names the last item shown, so that items created or deleted between two pages
neither repeat nor hide another. A page that is not the last is never empty: the official SDK
stops at an empty page even when it carries a token.
"""

from __future__ import annotations

import base64
import bisect
import functools
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from trimtab.emulator import aip160, masks, messages
from trimtab.emulator.fields import Kind
from trimtab.emulator.refusals import invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from trimtab.emulator.messages import Message, Value
    from trimtab.emulator.switches import Switches

PAGE_SIZE_DEFAULT = 50
PAGE_SIZE_MAX = 200
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class ListQuery:
    """The parameters of a list call, as sent. ``extra`` are further ones that must repeat."""

    page_size: int = 0
    page_token: str = ""
    filter: str = ""
    order_by: str = ""
    read_mask: str = ""
    extra: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether everything is wanted, whole and in the default order."""
        return not (self.filter.strip() or self.order_by.strip() or self.read_mask.strip())

    @property
    def digest(self) -> str:
        """What every page of one listing has in common."""
        parts = [self.filter, self.order_by, *self.extra]
        text = json.dumps(parts)
        return hashlib.blake2s(text.encode("utf-8", "replace"), digest_size=6).hexdigest()


@dataclass(frozen=True, slots=True)
class _Order:
    path: masks.Path
    is_descending: bool


def list_page(
    key: str, message: Message, values: Iterable[Value], query: ListQuery, switches: Switches
) -> dict[str, Any]:
    """Return the response of a list call: ``{key: […], nextPageToken?, totalSize}``."""
    size = _size(query)
    keeps = aip160.compile_filter(query.filter, message, switches)
    orders = _parse_order(message, query.order_by, switches)
    mask = masks.parse(message, query.read_mask, switches, "read_mask")

    compare = _comparator(orders)
    rows = [(_sort_key(message, value, orders), value) for value in values if keeps(value)]
    key_of = functools.cmp_to_key(compare)
    rows.sort(key=lambda row: key_of(row[0]))
    total = len(rows)
    if query.page_token:
        after = _read_token(query)
        rows = [row for row in rows if _is_after(compare, row[0], after)]
    page = rows[:size]
    response: dict[str, Any] = {}
    rendered = [masks.narrow(messages.render(message, v, switches), mask) for _, v in page]
    if rendered or switches.emit_defaults:
        response[key] = rendered
    if len(rows) > size:
        response["nextPageToken"] = _write_token(page[-1][0], query)
    elif switches.emit_defaults:
        response["nextPageToken"] = ""
    if total or switches.emit_defaults:
        response["totalSize"] = total
    return response


def list_plainly(
    key: str,
    rows: Sequence[Row],
    place_of: Callable[[Row], tuple[float, str]],
    text_of: Callable[[Row], str],
    query: ListQuery,
    switches: Switches,
) -> str:
    """Return the JSON text of what ``list_page`` would return for a plain query, without a walk.

    ``rows`` are in the default order, by createTime and name, which ``place_of`` tells of each;
    ``text_of`` renders those of the page.
    """
    size = _size(query)
    begin = 0
    if query.page_token:
        match _read_token(query):
            case [int() | float() as created_at, str() as name]:
                begin = bisect.bisect_right(rows, (created_at, name), key=place_of)
            case _:
                raise invalid("invalid page_token")
    page = rows[begin : begin + size]
    members = []
    if page or switches.emit_defaults:
        members.append(f'"{key}":[{",".join(text_of(row) for row in page)}]')
    if len(rows) > begin + size:
        members.append(f'"nextPageToken":"{_write_token([*place_of(page[-1])], query)}"')
    elif switches.emit_defaults:
        members.append('"nextPageToken":""')
    if rows or switches.emit_defaults:
        members.append(f'"totalSize":{len(rows)}')
    return f"{{{','.join(members)}}}"


def _size(query: ListQuery) -> int:
    if query.page_size < 0:
        raise invalid(f"page_size must be non-negative, got {query.page_size}")
    return min(query.page_size or PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX)


def _parse_order(message: Message, text: str, switches: Switches) -> list[_Order]:
    orders: list[_Order] = []
    for part in text.split(",") if text.strip() else []:
        words = part.split()
        if not words or len(words) > 2 or (len(words) == 2 and words[1] not in {"asc", "desc"}):
            raise invalid(f"invalid order_by: {part.strip()!r}; write 'field' or 'field desc'")
        path, field = masks.find(message, words[0], switches, "order_by")
        if field is None or field.is_map or field.is_repeated or field.kind is Kind.MESSAGE:
            raise invalid(f"invalid order_by: {words[0]!r} has no order")
        orders.append(_Order(path, is_descending=words[-1] == "desc" and len(words) == 2))
    if not orders:
        default = "createTime" if "createTime" in message.fields else "name"
        orders.append(_Order((default,), is_descending=False))
    orders.append(_Order(("name",), is_descending=False))
    return orders


def _sort_key(message: Message, value: Value, orders: list[_Order]) -> list[Any]:
    return [masks.value_at(message, value, order.path) for order in orders]


def _comparator(orders: list[_Order]) -> Any:
    def compare(left: list[Any], right: list[Any]) -> int:
        for a, b, order in zip(left, right, orders, strict=True):
            if a == b:
                continue
            # What is absent comes first, as the zero of its type.
            smaller = a is None or (b is not None and a < b)
            return -1 if smaller != order.is_descending else 1
        return 0

    return compare


def _is_after(compare: Any, key: list[Any], after: list[Any]) -> bool:
    try:
        return bool(compare(key, after) > 0)
    except (TypeError, ValueError):
        raise invalid("invalid page_token") from None


def _write_token(key: list[Any], query: ListQuery) -> str:
    text = json.dumps({"q": query.digest, "k": key})
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_token(query: ListQuery) -> list[Any]:
    try:
        padded = query.page_token + "=" * (-len(query.page_token) % 4)
        token = json.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
        digest, key = token["q"], token["k"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise invalid("invalid page_token") from None
    if not isinstance(key, list):
        raise invalid("invalid page_token")
    if digest != query.digest:
        raise invalid("page_token does not belong to these list parameters; repeat the first call")
    return key
