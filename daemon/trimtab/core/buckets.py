"""Into which bucket a deployment falls: the same for every process, version and machine."""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

LEADING_BUCKET = 0
"""Whoever owns it shares out what the whole fleet has in common: quotas and money."""


def bucket_of(deployment: str, buckets: int) -> int:
    """Return the bucket, from 0 to ``buckets`` - 1, of a deployment by its full name."""
    digest = blake2b(deployment.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % buckets


class Holding(NamedTuple):
    """Of all ``buckets`` those that one of several engines decides for."""

    buckets: int
    held: frozenset[int] = frozenset()

    def has(self, deployment: str) -> bool:
        """Whether ``deployment`` is in one of them."""
        return bucket_of(deployment, self.buckets) in self.held

    def with_bucket(self, bucket: int) -> Holding:
        """Return the same and ``bucket``."""
        return self._replace(held=self.held | {bucket})

    def without(self, bucket: int) -> Holding:
        """Return the same but ``bucket``."""
        return self._replace(held=self.held - {bucket})
