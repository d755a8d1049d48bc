"""The API's failures as those of a target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.errors import TargetError

if TYPE_CHECKING:
    from trimtab.kubernetes.api import KubernetesError


def target_error(error: KubernetesError) -> TargetError:
    """Return ``error`` as whoever uses a target knows it."""
    return TargetError(
        str(error),
        kind=error.kind,
        retryable=error.retryable,
        retry_after_seconds=error.retry_after_seconds,
    )
