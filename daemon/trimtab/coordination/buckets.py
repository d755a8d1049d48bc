"""How many buckets there are, and the one whose owner leads. Which one a deployment falls into is the core's."""

from __future__ import annotations

from trimtab.core.buckets import LEADING_BUCKET
from trimtab.core.buckets import bucket_of as bucket_in

__all__ = ["BUCKETS", "LEADING_BUCKET", "bucket_of"]

BUCKETS = 64
"""How many there are unless the settings say otherwise. All members must say the same."""


def bucket_of(deployment: str, buckets: int = BUCKETS) -> int:
    """Return the bucket, from 0 to ``buckets`` - 1, of a deployment by its full name."""
    return bucket_in(deployment, buckets)
