"""How the API says no: a ``Status`` body with a code, a reason and a sentence, word for word.

Clients branch on ``code`` and ``reason``; people and tests read ``message``. Wire facts of
https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/status/ and of the answers of
kube-apiserver 1.32.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tests.servers.kubernetes_api.kinds import Kind

Json = dict[str, Any]


class Refusal(Exception):  # noqa: N818  the word says what it is
    """An answer that is not a success. ``is_plain``: text instead of a Status, as some layers answer."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: Json | None = None,
        headers: Mapping[str, str] | None = None,
        is_plain: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason
        self.message = message
        self.details = details
        self.headers = dict(headers or {})
        self.is_plain = is_plain

    def body(self) -> Json:
        status: Json = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        }
        if self.reason:
            status["reason"] = self.reason
        if self.details:
            status["details"] = self.details
        status["code"] = self.code
        return status


def _of(kind: Kind, name: str, **more: Any) -> Json:
    details: Json = {"name": name} if name else {}
    if kind.group:
        details["group"] = kind.group
    details["kind"] = kind.plural
    return details | more


def not_found(kind: Kind, name: str) -> Refusal:
    return Refusal(404, "NotFound", f'{kind.resource} "{name}" not found', details=_of(kind, name))


def already_exists(kind: Kind, name: str) -> Refusal:
    return Refusal(
        409, "AlreadyExists", f'{kind.resource} "{name}" already exists', details=_of(kind, name)
    )


def conflict(kind: Kind, name: str, why: str | None = None) -> Refusal:
    why = why or (
        "the object has been modified; please apply your changes to the latest version and try again"
    )
    return Refusal(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on {kind.resource} "{name}": {why}',
        details=_of(kind, name),
    )


def invalid(kind: Kind, name: str, causes: Sequence[tuple[str, str]]) -> Refusal:
    """``causes`` are pairs of a field and a sentence such as ``Invalid value: -1: must be …``."""
    listed = [f"{field}: {sentence}" if field else sentence for field, sentence in causes]
    said = listed[0] if len(listed) == 1 else "[" + ", ".join(listed) + "]"
    group_kind = f"{kind.kind}.{kind.group}" if kind.group else kind.kind
    details = {
        "name": name,
        **({"group": kind.group} if kind.group else {}),
        "kind": kind.kind,
        "causes": [
            {"reason": _cause(sentence), "message": sentence, "field": field}
            for field, sentence in causes
        ],
    }
    return Refusal(422, "Invalid", f'{group_kind} "{name}" is invalid: {said}', details=details)


def _cause(sentence: str) -> str:
    if sentence.startswith("Required value"):
        return "FieldValueRequired"
    if sentence.startswith("Too long"):
        return "FieldValueTooLong"
    if sentence.startswith("Unsupported value"):
        return "FieldValueNotSupported"
    if sentence.startswith("Forbidden"):
        return "FieldValueForbidden"
    return "FieldValueInvalid"


def patch_does_not_apply() -> Refusal:
    """A JSON patch whose ``test`` fails or whose path is not there. The reason is not told."""
    sentence = "the server rejected our request due to an error in our request"
    return Refusal(422, "Invalid", sentence, details={})


def bad_request(message: str) -> Refusal:
    return Refusal(400, "BadRequest", message)


def unauthorized() -> Refusal:
    return Refusal(401, "Unauthorized", "Unauthorized")


def forbidden(
    *, user: str, verb: str, group: str, resource: str, namespace: str | None, name: str
) -> Refusal:
    plain = resource.partition("/")[0]
    named = f"{plain}{'.' + group if group else ''}" + (f' "{name}"' if name else "")
    scope = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    details: Json = {"name": name} if name else {}
    if group:
        details["group"] = group
    details["kind"] = plain
    return Refusal(
        403,
        "Forbidden",
        f'{named} is forbidden: User "{user}" cannot {verb} resource "{resource}" '
        f'in API group "{group}" {scope}',
        details=details,
    )


def path_forbidden(user: str, verb: str, path: str) -> Refusal:
    return Refusal(
        403,
        "Forbidden",
        f'forbidden: User "{user}" cannot {verb} path "{path}"',
        details={},
    )


def no_such_path() -> Refusal:
    return Refusal(404, "NotFound", "404 page not found", is_plain=True)


def method_not_allowed() -> Refusal:
    return Refusal(
        405,
        "MethodNotAllowed",
        "the server does not allow this method on the requested resource",
        details={},
    )


def unsupported_media_type(accepted: Sequence[str]) -> Refusal:
    return Refusal(
        415,
        "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: "
        + ", ".join(accepted),
    )


def too_large() -> Refusal:
    return Refusal(413, "RequestEntityTooLarge", "limit is 3145728")


def too_old(version: int, oldest: int) -> Refusal:
    """Within a watch: the stream opens, says this in an ``ERROR`` event, and ends."""
    return Refusal(410, "Expired", f"too old resource version: {version} ({oldest})")


def continue_too_old(fresh: str) -> Refusal:
    """``fresh`` goes on from the same key, but no longer in the same state of the world."""
    refusal = Refusal(
        410,
        "Expired",
        "The provided continue parameter is too old to display a consistent list result. You can "
        "start a new list without the continue parameter, or use the continue token in this "
        "response to retrieve the remainder of the results. Continuing with the provided token "
        "results in an inconsistent list.",
    )
    refusal.fresh_continue = fresh  # type: ignore[attr-defined]  # only this one has it
    return refusal


def version_too_large(version: int, current: int) -> Refusal:
    return Refusal(
        504,
        "Timeout",
        f"Too large resource version: {version}, current: {current}",
        details={
            "causes": [
                {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
            ],
            "retryAfterSeconds": 1,
        },
        headers={"Retry-After": "1"},
    )


def too_many_requests(retry_after_seconds: int = 1, *, is_plain: bool = True) -> Refusal:
    """Priority and fairness answers in plain text; evictions and webhooks answer with a Status."""
    headers = {"Retry-After": str(retry_after_seconds)}
    if is_plain:
        sentence = "Too many requests, please try again later."
        return Refusal(429, "TooManyRequests", sentence, headers=headers, is_plain=True)
    return Refusal(
        429,
        "TooManyRequests",
        "Too many requests: please try again later",
        details={"retryAfterSeconds": retry_after_seconds},
        headers=headers,
    )


def internal(message: str) -> Refusal:
    return Refusal(
        500,
        "InternalError",
        f"Internal error occurred: {message}",
        details={"causes": [{"message": message}]},
    )


def unavailable() -> Refusal:
    sentence = "the server is currently unable to handle the request"
    return Refusal(503, "ServiceUnavailable", sentence, details={})


def timed_out() -> Refusal:
    return Refusal(
        504,
        "Timeout",
        "Timeout: request did not complete within requested timeout",
        details={},
    )
