"""How the control plane fails, as one typed exception that knows what may be done about it."""

from __future__ import annotations

from enum import StrEnum

from trimtab.errors import ErrorKind, TargetError
from trimtab.targets.permit import refusal

GRPC_CODES = (
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
)
"""The names of the canonical codes, at the index that an error body's integer ``code`` gives."""


class Limit(StrEnum):
    """The four things that a 429 can mean; only the first two pass by themselves in a minute."""

    METRICS = "metrics"
    """The account's metrics endpoint was read more often than 6 times a minute."""

    REQUESTS = "requests"
    """The account's envelope of requests per minute over the whole API is used up."""

    QUOTA = "quota"
    """No accelerators are left to the account: asking again cannot help, a person must act."""

    SATURATION = "saturation"
    """A deployment's replicas are full; said by inference, never by the control plane."""


class FireworksError(TargetError):
    """The control plane could not be asked, refused, or answered something that cannot be meant.

    ``retryable`` says whether the same request may help later. ``is_ambiguous`` is true when a
    write may or may not have been applied, so that it must be read back, not resent.
    ``http_status`` is ``None`` when no answer arrived; ``grpc_code`` and ``server_message`` are the
    server's own words, ``details`` its attachments as JSON text, ``limit`` which 429 it was.
    """

    def __init__(
        self,
        message: str,
        *,
        kind: ErrorKind,
        retryable: bool | None = None,
        retry_after_seconds: float | None = None,
        is_ambiguous: bool = False,
        http_status: int | None = None,
        grpc_code: int | None = None,
        server_message: str = "",
        details: tuple[str, ...] = (),
        request_id: str | None = None,
        limit: Limit | None = None,
    ) -> None:
        super().__init__(
            message, kind=kind, retryable=retryable, retry_after_seconds=retry_after_seconds
        )
        self.is_ambiguous = is_ambiguous
        self.http_status = http_status
        self.grpc_code = grpc_code
        self.server_message = server_message
        self.details = details
        self.request_id = request_id
        self.limit = limit

    @property
    def grpc_name(self) -> str | None:
        """The canonical name of ``grpc_code``, or ``None`` when the body had no known code."""
        if self.grpc_code is None or not 0 <= self.grpc_code < len(GRPC_CODES):
            return None
        return GRPC_CODES[self.grpc_code]


def unsent(reason: str) -> FireworksError:
    """Return the error for a request that was refused before it left: the caller's own mistake."""
    return FireworksError(f"Nothing was sent: {reason}.", kind=ErrorKind.REJECTED)


def check_permit() -> None:
    """Raise ``FireworksError`` where a change that was about to leave may no longer be made."""
    why = refusal()
    if why is not None:
        raise FireworksError(f"Nothing was sent: {why}.", kind=ErrorKind.CONFLICT, retryable=False)
