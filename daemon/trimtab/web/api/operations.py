"""One address of the API as a value, and how a request for it is answered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from aiohttp import hdrs, web
from pydantic import TypeAdapter

from trimtab.web.access import as_json, audit_peer
from trimtab.web.problem import ProblemError
from trimtab.web.tokens import Scope

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from trimtab.clock import Clock
    from trimtab.web.access import Caller, Gate
    from trimtab.web.api.parameters import Parameter

BODY_BYTES_MAX = 16 * 1024
JSON = "application/json"
NEVER_PART_OF_A_MESSAGE = 100
"""Characters of what a client sent that a message shows."""


class Call(NamedTuple):
    """A request that was let in and could be read: its values by argument, its body, and who sent it."""

    request: web.Request
    values: Mapping[str, Any]
    body: Mapping[str, object]
    caller: Caller

    @property
    def peer(self) -> str:
        """Where it came from, as it is written down."""
        return audit_peer(self.request, self.caller)


Answering: TypeAlias = "Callable[[Call], Awaitable[object]]"
"""Returns a view, which is written as JSON; a pair of a status and JSON values; or a response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Body:
    """What the body of a request must be: JSON, an object, so long at most, described by ``schema``."""

    schema: Mapping[str, Any]
    example: Mapping[str, Any]
    bytes_max: int = BODY_BYTES_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method of one address.

    ``path`` is as OpenAPI writes it; ``rest`` names a part that may have slashes, ``but`` a part and what it is
    not, as that is another address. ``answer`` is the type of the view that a good answer is; ``None``: what ``content_type`` says, described in
    words. ``refusals`` are the statuses of problems beside those that every operation has.
    """

    id: str
    method: str
    path: str
    summary: str
    scope: Scope
    answering: Answering
    tag: str
    answer: Any = None
    parameters: tuple[Parameter, ...] = ()
    rest: str | None = None
    but: tuple[str, str] | None = None
    body: Body | None = None
    status: int = 200
    content_type: str = JSON
    answer_description: str = ""
    refusals: tuple[int, ...] = ()
    description: str = ""

    @property
    def pattern(self) -> str:
        """The path as the router writes it."""
        shapes = {} if self.rest is None else {self.rest: ".+"}
        if self.but is not None:
            part, other = self.but
            shapes[part] = f"(?!{other}$)[^/]+"
        pattern = self.path
        for part, shape in shapes.items():
            pattern = pattern.replace(f"{{{part}}}", f"{{{part}:{shape}}}")
        return pattern

    @property
    def changes_something(self) -> bool:
        """Whether it is a write, of which is written down who did it."""
        return self.scope is Scope.OPERATE


async def answer_to(operation: Operation, request: web.Request, gate: Gate, clock: Clock) -> Any:
    """Let the request in, read it, and return what ``operation`` answers. Raises ``ProblemError``."""
    caller = gate.admit(request, operation.scope)
    values = _values(operation, request, clock.now())
    body = {} if operation.body is None else await _read_body(operation.body, request)
    return await operation.answering(Call(request, values, body, caller))


def as_response(operation: Operation, answered: Any) -> web.StreamResponse:
    """Return the response with what an operation answered."""
    if isinstance(answered, web.StreamResponse):
        return answered
    if isinstance(answered, tuple):
        return _told(*answered)
    written = _adapter(operation.answer).dump_json(answered)
    return web.Response(
        status=operation.status, body=written + b"\n", content_type=operation.content_type
    )


def _told(status: int, said: Mapping[str, object]) -> web.Response:
    """Return what a desk answered: its values, or its refusal as a problem."""
    if status < HTTPStatus.BAD_REQUEST:
        return as_json(status, said)
    sentence = str(said.get("error", ""))
    more = {name: value for name, value in said.items() if name != "error"}
    raise ProblemError(HTTPStatus(status), sentence, more=more)


@cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _values(operation: Operation, request: web.Request, now: float) -> dict[str, Any]:
    """Read what stands in the path and behind the question mark."""
    known = {one.name: one for one in operation.parameters if one.place == "query"}
    for name in request.query:
        if name not in known:
            names = ", ".join(known) or "no parameter"
            raise _bad(f"there is no parameter {_shown(name)}; here there is {names}")
        if len(request.query.getall(name)) > 1:
            raise _bad(f"{name} is given more than once; give it once")
    values: dict[str, Any] = {}
    for one in operation.parameters:
        given = request.match_info.get(one.name) if one.place == "path" else None
        given = request.query.get(one.name) if one.place == "query" else given
        if given is None:
            if one.is_required:
                raise _bad(f"{one.name} is missing; {one.description}")
            continue
        try:
            values[one.field or one.name] = one.read(given, now)
        except ValueError as error:
            raise _bad(f"{one.name} {_shown(given)} is {error}") from None
    return values


async def _read_body(wanted: Body, request: web.Request) -> dict[str, object]:
    if request.content_type != JSON:
        why = "send JSON, with `Content-Type: application/json`"
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, why)
    if hdrs.CONTENT_ENCODING in request.headers:
        why = "send the body as it is, without a Content-Encoding"
        raise ProblemError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, why)
    text = b""
    while len(text) <= wanted.bytes_max and not request.content.at_eof():
        text += await request.content.read(wanted.bytes_max + 1 - len(text))
    if len(text) > wanted.bytes_max:
        why = f"the body has more than {wanted.bytes_max} bytes, which is the most here"
        raise ProblemError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, why)
    try:
        body = json.loads(text, object_pairs_hook=_each_key_once, parse_constant=_no_json)
    except (ValueError, RecursionError):
        raise _bad("the body is not JSON") from None
    if not isinstance(body, dict):
        raise _bad("the body is not a JSON object")
    return body


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse an object of which one reader takes the first and another the last."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _bad(f"the body has {_shown(key)} more than once; give it once")
        found[key] = value
    return found


def _no_json(constant: str) -> object:
    raise ValueError(constant)  # NaN and Infinity are Python's, not JSON's


def _bad(sentence: str) -> ProblemError:
    return ProblemError(HTTPStatus.BAD_REQUEST, sentence)


def _shown(given: str) -> str:
    cut = given[:NEVER_PART_OF_A_MESSAGE]
    return repr(cut.encode("utf-8", "backslashreplace").decode())
