"""What an HTTP answer means: pure, from status, headers and body to a ``FireworksError``.

Two shapes of error body exist: the gateway's ``{"code": 5, "message": …, "details": […]}`` on the
control plane and ``{"error": {"message", "code", …}}`` on inference. In between sit proxies with
HTML, and connections that end in the middle of a word. Only a body that is the API's own counts as
the API's word: a 404 page of some proxy does not mean that a deployment is gone.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from trimtab.errors import ErrorKind, excerpt
from trimtab.targets.fireworks.errors import GRPC_CODES, FireworksError, Limit
from trimtab.targets.fireworks.parse import load_json

if TYPE_CHECKING:
    from collections.abc import Mapping

ABORTED = 10
ALREADY_EXISTS = 6
RESOURCE_EXHAUSTED = 8
NOT_IMPLEMENTED_STATUS = 501
DETAILS_MAX = 8
TITLE_WITHIN_CHARACTERS = 4096
"""Where a page's title is looked for: a page of nothing but ``<title`` must not take its square."""

REQUEST_ID_HEADERS = ("x-request-id", "request-id", "x-amzn-requestid", "cf-ray")

_QUOTA_TEXT = re.compile(
    r"\bquota:|\bin use:\s*\d|\brequesting:\s*\d|-count for account|(gpu|accelerator)s? quota",
    re.IGNORECASE,
)
_HTML_START = re.compile(r"\s*(<!doctype|<html|<head|<\?xml)", re.IGNORECASE)
_HTML_TITLE = re.compile(r"<title[^>]*>([^<]*)", re.IGNORECASE)


class Bucket(StrEnum):
    """Which of the account's limits on requests a call counts against."""

    CONTROL = "control"
    METRICS = "metrics"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request to make. ``doing`` is a phrase such as "reading deployment …" for sentences.

    ``is_patient``: part of a long reading, which others may overtake.
    """

    doing: str
    operation: str
    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    is_write: bool = False
    is_patient: bool = False
    bucket: Bucket = Bucket.CONTROL
    account_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An HTTP answer that arrived whole; header names are lower case."""

    status: int
    headers: Mapping[str, str]
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What an error body says. ``is_ours`` is false for anything that the API did not write."""

    is_ours: bool
    code: int | None = None
    message: str = ""
    details: tuple[str, ...] = ()
    is_inference: bool = False


def explain(call: Call, answer: Answer, *, now: float) -> FireworksError:
    """Return the error that an answer outside 200..299 stands for."""
    fault = read_fault(answer.text)
    limit = _limit(call, answer.status, fault)
    kind = _kind(answer.status, fault, limit)
    code_name = GRPC_CODES[fault.code] if fault.code is not None else None
    said = excerpt(fault.message) or "no message"
    return FireworksError(
        f"{_start(call)} failed: the control plane answered {answer.status}"
        f"{f' {code_name}' if code_name else ''} ({said}); {_remedy(call, kind, limit)}.",
        kind=kind,
        retryable=_is_retryable(answer, fault, limit),
        retry_after_seconds=retry_after_seconds(answer.headers, now=now),
        is_ambiguous=call.is_write and _is_ambiguous(answer.status),
        http_status=answer.status,
        grpc_code=fault.code,
        server_message=said,
        details=fault.details,
        request_id=request_id(answer.headers),
        limit=limit,
    )


def unreadable(call: Call, answer: Answer, why: str) -> FireworksError:
    """Return the error for a success whose body cannot be meant; a write's may have worked."""
    return FireworksError(
        f"{_start(call)} failed: the control plane answered {answer.status} with {why}; "
        f"check that the base URL is a Fireworks control plane and that no proxy answers for it.",
        kind=ErrorKind.BAD_RESPONSE,
        is_ambiguous=call.is_write,
        http_status=answer.status,
        request_id=request_id(answer.headers),
    )


def no_answer(
    call: Call, why: str, *, kind: ErrorKind, was_sent: bool, retryable: bool = True
) -> FireworksError:
    """Return the error for a connection that failed before a whole answer had arrived."""
    return FireworksError(
        f"{_start(call)} failed: {excerpt(why)}; {_remedy(call, kind, None)}.",
        kind=kind,
        retryable=retryable,
        is_ambiguous=call.is_write and was_sent,
    )


def read_fault(text: str) -> Fault:
    """Read an error body of either shape; what is neither is described, not quoted at length."""
    try:
        body = load_json(text)
    except ValueError:
        return Fault(is_ours=False, message=describe(text))
    if not isinstance(body, dict):
        return Fault(is_ours=False, message=f"not a JSON object: {excerpt(text)}")
    inner = body.get("error")
    if isinstance(inner, dict):
        return _fault(inner, is_inference=True)
    fault = _fault(body, is_inference=False)
    if not fault.message:
        message = inner if isinstance(inner, str) else f"no message: {excerpt(text)}"
        return replace(fault, message=message)
    return fault


def describe(text: str) -> str:
    """Say what a body is that is not JSON: empty, a page, or something else, cut short."""
    if not text.strip():
        return "an empty body"
    if _HTML_START.match(text):
        title = _HTML_TITLE.search(text, 0, TITLE_WITHIN_CHARACTERS)
        return "an HTML page" + (f' titled "{excerpt(title.group(1), 80)}"' if title else "")
    return f"a body that is not JSON: {excerpt(text)}"


def retry_after_seconds(headers: Mapping[str, str], *, now: float) -> float | None:
    """Return how long the server asks us to wait, from ``retry-after-ms`` or ``Retry-After``.

    The latter is seconds or an HTTP date (RFC 9110, 10.2.3); what is neither is no wish at all.
    """
    for header, seconds_per_unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        text = headers.get(header, "").strip()
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
            return float(text) * seconds_per_unit
    try:
        at = parsedate_to_datetime(headers.get("retry-after", ""))
        return max(0.0, at.timestamp() - now)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return the id under which the other side may find the request again."""
    for header in REQUEST_ID_HEADERS:
        if header in headers:
            return excerpt(headers[header], 80)
    return None


def _fault(body: Mapping[str, object], *, is_inference: bool) -> Fault:
    code = body.get("code")
    message = body.get("message")
    details = body.get("details")
    if isinstance(code, str) and code in GRPC_CODES:
        code = GRPC_CODES.index(code)
    known = code if type(code) is int and 0 <= code < len(GRPC_CODES) else None
    return Fault(
        # A message alone is what any proxy says in JSON; the code is what makes it the API's.
        is_ours=isinstance(message, str) and (known is not None or is_inference),
        code=known,
        message=message if isinstance(message, str) else "",
        details=tuple(excerpt(json.dumps(item)) for item in details[:DETAILS_MAX])
        if isinstance(details, list)
        else (),
        is_inference=is_inference,
    )


def _limit(call: Call, status: int, fault: Fault) -> Limit | None:
    if status != 429 and fault.code != RESOURCE_EXHAUSTED:
        return None
    if _QUOTA_TEXT.search(fault.message):
        return Limit.QUOTA
    if call.bucket is Bucket.METRICS:
        return Limit.METRICS
    return Limit.SATURATION if fault.is_inference else Limit.REQUESTS


def _kind(status: int, fault: Fault, limit: Limit | None) -> ErrorKind:
    if limit is not None:
        return ErrorKind.QUOTA_EXCEEDED if limit is Limit.QUOTA else ErrorKind.RATE_LIMITED
    # Gone for good is a heavy word: it counts only out of the API's own mouth.
    if status in {404, 410}:
        return ErrorKind.NOT_FOUND if fault.is_ours else ErrorKind.BAD_RESPONSE
    by_status = {
        401: ErrorKind.UNAUTHENTICATED,
        402: ErrorKind.FORBIDDEN,
        403: ErrorKind.FORBIDDEN,
        408: ErrorKind.TIMEOUT,
        409: ErrorKind.CONFLICT,
        412: ErrorKind.FORBIDDEN,
        499: ErrorKind.TIMEOUT,
        NOT_IMPLEMENTED_STATUS: ErrorKind.REJECTED,
        504: ErrorKind.TIMEOUT,
    }
    if status in by_status:
        return by_status[status]
    if status >= 500:
        return ErrorKind.UNAVAILABLE
    return ErrorKind.REJECTED if status >= 400 else ErrorKind.BAD_RESPONSE


def _is_retryable(answer: Answer, fault: Fault, limit: Limit | None) -> bool:
    if answer.headers.get("x-should-retry", "").strip().lower() == "false":
        return False
    if limit is not None:
        return limit is not Limit.QUOTA
    if answer.status == 409:
        return fault.code == ABORTED
    return answer.status in {408, 499} or (
        answer.status >= 500 and answer.status != NOT_IMPLEMENTED_STATUS
    )


def _is_ambiguous(status: int) -> bool:
    return status in {408, 499} or (status >= 500 and status != NOT_IMPLEMENTED_STATUS)


def _start(call: Call) -> str:
    return call.doing[:1].upper() + call.doing[1:]


def _remedy(call: Call, kind: ErrorKind, limit: Limit | None) -> str:
    by_limit = {
        Limit.METRICS: "scrape the account once for all its deployments, at most 6 times a minute",
        Limit.REQUESTS: f"the request limit of account {call.account_id} is used up; it passes",
        Limit.QUOTA: "it will not be tried again: raise the accelerator quota or lower a maximum",
        Limit.SATURATION: "the replicas are full; it passes when load falls or replicas arrive",
    }
    if limit is not None:
        return by_limit[limit]
    by_kind = {
        ErrorKind.UNAUTHENTICATED: f"check the API key of account {call.account_id}",
        ErrorKind.FORBIDDEN: f"check what the API key of account {call.account_id} may do and "
        f"that the account is not suspended",
        ErrorKind.NOT_FOUND: "it does not exist, or not for this API key",
        ErrorKind.CONFLICT: "read it again and decide anew",
        ErrorKind.TIMEOUT: "see whether the control plane is slow or a proxy stands in between",
        ErrorKind.UNAVAILABLE: "see whether the control plane is up and reachable from here",
        ErrorKind.BAD_RESPONSE: "check the base URL and any proxy before it",
    }
    return by_kind.get(kind, "the request has to change before it can be accepted")
