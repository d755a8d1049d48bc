"""One request, read the way grpc-gateway reads it: path, query, body, key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import web

from trimtab.emulator import masks, messages
from trimtab.emulator.fields import snake
from trimtab.emulator.listing import ListQuery, list_page
from trimtab.emulator.refusals import Code, Refusal, invalid, not_found

if TYPE_CHECKING:
    from collections.abc import Iterable

    from trimtab.emulator.account import Account
    from trimtab.emulator.emulation import Emulation
    from trimtab.emulator.messages import Message, Value

WILDCARD = "-"
_TRUE = frozenset({"1", "t", "T", "TRUE", "true", "True"})
_FALSE = frozenset({"0", "f", "F", "FALSE", "false", "False"})


@dataclass(slots=True)
class Call:
    """What a handler works with. ``key`` is the caller's API key, already known to be valid."""

    emulation: Emulation
    request: web.Request
    operation: str
    key: str = ""

    # -- path --------------------------------------------------------------------------------

    @property
    def target(self) -> str:
        """The resource's full name, as far as the path tells; for fault matching."""
        path = self.request.path.removeprefix("/v1/").removeprefix("/")
        head, _, last = path.rpartition("/")
        return f"{head}/{last.partition(':')[0]}" if head else last.partition(":")[0]

    def id(self, name: str) -> str:
        """Return the path's id ``name``; what a full resource name there means is a switch."""
        text = self.request.match_info[name]
        if "/" in text:
            if self.emulation.switches.full_name_ids == "tolerate":
                return text.rsplit("/", 1)[-1]
            raise not_found(name, text)
        return text

    def account(self, *, is_read_of_public: bool = False) -> Account:
        """Return the account in the path, or refuse: not the caller's, or none at all.

        ``is_read_of_public``: the account that owns the public shapes may be read by everyone.
        """
        account_id = self.id("account")
        account = self.emulation.accounts.get(account_id)
        if account is not None and account.is_opened_by(self.key):
            return account
        if account is not None and account.is_public and is_read_of_public:
            return account
        if self.emulation.switches.foreign_account == "not_found":
            raise not_found("account", f"accounts/{account_id}")
        raise Refusal(
            Code.PERMISSION_DENIED, f"the caller has no permission on account {account_id!r}"
        )

    def accounts(self) -> list[Account]:
        """Return the account in the path; with the wildcard all that the caller may read."""
        if self.request.match_info["account"] != WILDCARD:
            return [self.account(is_read_of_public=True)]
        everyone = self.emulation.accounts.values()
        return [a for a in everyone if a.is_public or a.is_opened_by(self.key)]

    # -- query -------------------------------------------------------------------------------

    def text(self, name: str) -> str:
        """Return a query parameter given in either spelling; empty if absent."""
        query = self.request.query
        values = query.getall(name, []) + (
            query.getall(snake(name), []) if snake(name) != name else []
        )
        if len(values) > 1:
            shown = ", ".join(values)[:80]
            raise invalid(f'too many values for field "{snake(name)}": {shown}')
        try:
            "".join(values).encode("utf-8")
        except UnicodeEncodeError:
            raise invalid(f"type mismatch, parameter: {name}, error: invalid UTF-8") from None
        return values[0] if values else ""

    def integer(self, name: str) -> int:
        """Return an int32 parameter; 0 if absent."""
        text = self.text(name)
        if not text:
            return 0
        digits = text.removeprefix("-").removeprefix("+")
        what = "invalid syntax"
        if digits.isascii() and digits.isdigit():
            if len(digits) <= 10 and -(2**31) <= int(text) < 2**31:
                return int(text)
            what = "value out of range"
        raise invalid(
            f"type mismatch, parameter: {name}, error: parsing field {snake(name)!r}: "
            f'strconv.ParseInt: parsing "{text[:40]}": {what}'
        )

    def flag(self, name: str) -> bool:
        """Return a boolean parameter; false if absent."""
        text = self.text(name)
        if text in _TRUE:
            return True
        if not text or text in _FALSE:
            return False
        raise invalid(
            f"type mismatch, parameter: {name}, error: parsing field {snake(name)!r}: "
            f'strconv.ParseBool: parsing "{text[:40]}": invalid syntax'
        )

    def list_query(self, *extra: str) -> ListQuery:
        """Return the list parameters."""
        return ListQuery(
            page_size=self.integer("pageSize"),
            page_token=self.text("pageToken"),
            filter=self.text("filter"),
            order_by=self.text("orderBy"),
            read_mask=self.text("readMask"),
            extra=(self.request.path, *extra),
        )

    # -- body --------------------------------------------------------------------------------

    async def body(self, message: Message) -> tuple[dict[str, Any], Value]:
        """Return the JSON object and its parsed value."""
        data = await self.request.read()
        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError:
            raise invalid("proto: syntax error (line 1:1): invalid UTF-8") from None
        raw = messages.decode(text)
        return raw, messages.Parser(text, self.emulation.switches).parse(message, raw)

    # -- answer ------------------------------------------------------------------------------

    def rendered(self, message: Message, value: Value) -> dict[str, Any]:
        """Return one resource as JSON, narrowed by the call's readMask."""
        switches = self.emulation.switches
        paths = masks.parse(message, self.text("readMask"), switches, "read_mask")
        return masks.narrow(messages.render(message, value, switches), paths)

    def page(
        self, key: str, message: Message, values: Iterable[Value], *extra: str
    ) -> dict[str, Any]:
        """Return one page of a list."""
        query = self.list_query(*extra)
        return list_page(key, message, values, query, self.emulation.switches)


def as_json(text: str) -> web.Response:
    """Return an answer whose JSON text is there already."""
    return web.Response(text=text, content_type="application/json")


def update_paths(call: Call, message: Message, raw: dict[str, Any]) -> list[masks.Path]:
    """Return what a PATCH of a simple resource changes: its updateMask, else the body's keys."""
    text = call.text("updateMask")
    if text.strip():
        paths = masks.parse(message, text, call.emulation.switches, "update_mask")
        return masks.everything(message) if paths is None else paths
    return masks.body_paths(message, raw)
