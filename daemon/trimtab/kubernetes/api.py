"""What is asked of a cluster's API, by whatever connection: one call, or a stream of changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from trimtab.errors import ErrorKind, WorldError, excerpt

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

JSON = "application/json"
MERGE_PATCH = "application/merge-patch+json"


class KubernetesError(WorldError):
    """The API could not be asked, refused, or answered something that cannot be meant.

    ``status`` is the HTTP status (``None``: no answer arrived), ``reason`` and ``server_message`` the
    API's own words. ``is_ambiguous``: a write may or may not have been carried out.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: ErrorKind,
        status: int | None = None,
        reason: str = "",
        server_message: str = "",
        retryable: bool | None = None,
        retry_after_seconds: float | None = None,
        is_ambiguous: bool = False,
    ) -> None:
        super().__init__(
            message, kind=kind, retryable=retryable, retry_after_seconds=retry_after_seconds
        )
        self.status = status
        self.reason = reason
        self.server_message = server_message
        self.is_ambiguous = is_ambiguous

    @property
    def is_gone(self) -> bool:
        """Whether the version that was asked for is compacted: only a new list helps."""
        return self.status == 410


_KINDS = {
    401: ErrorKind.UNAUTHENTICATED,
    403: ErrorKind.FORBIDDEN,
    404: ErrorKind.NOT_FOUND,
    409: ErrorKind.CONFLICT,
    410: ErrorKind.CONFLICT,
    429: ErrorKind.RATE_LIMITED,
    504: ErrorKind.TIMEOUT,
}
_REFUSED_WITHOUT_DOING = frozenset({400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 429})
_SERVER_ERROR = 500


def error_of(
    what: str, status: int, document: Any, *, retry_after_seconds: float | None = None
) -> KubernetesError:
    """Return the error for an answer with ``status`` whose body is a Status object, or anything.

    ``what`` names the call: ``GET /apis/apps/v1/…``.
    """
    body = document if isinstance(document, dict) else {}
    message, reason = body.get("message"), body.get("reason")
    message = excerpt(message) if isinstance(message, str) else ""
    reason = excerpt(reason, 64) if isinstance(reason, str) else ""
    default = ErrorKind.UNAVAILABLE if status >= _SERVER_ERROR else ErrorKind.REJECTED
    words = ": ".join(word for word in (reason, message) if word) or "no reason given"
    return KubernetesError(
        f"{what} was answered {status}: {words}",
        kind=_KINDS.get(status, default),
        status=status,
        reason=reason,
        server_message=message,
        retry_after_seconds=retry_after_seconds,
        is_ambiguous=status not in _REFUSED_WITHOUT_DOING,
    )


class Api(Protocol):
    """A connection to the API of one cluster. Every call raises ``KubernetesError``."""

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        content_type: str = JSON,
    ) -> Mapping[str, Any]:
        """Send one request, once, and return the object that it is answered with."""
        ...

    def watch(
        self, path: str, query: Mapping[str, str], on_open: Callable[[], None] | None = None
    ) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the events of one watch (``type`` and ``object``) until the server ends it.

        ``on_open`` is called once the server has taken the watch on, which may be long before any event.
        """
        ...

    async def close(self) -> None:
        """Release connections; safe to call twice."""
        ...
