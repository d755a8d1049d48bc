"""What people say of a workload in its annotations, all under ``trimtab.dev/``."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MIN_REPLICAS = "trimtab.dev/min-replicas"
MAX_REPLICAS = "trimtab.dev/max-replicas"
DISPLAY_NAME = "trimtab.dev/display-name"
BASE_MODEL = "trimtab.dev/base-model"
ACCELERATORS = "trimtab.dev/accelerators-per-replica"
ACCELERATOR_TYPE = "trimtab.dev/accelerator-type"

COUNTS = (MIN_REPLICAS, MAX_REPLICAS, ACCELERATORS)
"""Annotations that hold a whole number."""

COUNT_MAX = 1_000_000
KEPT_CHARACTERS_MAX = 1024
"""Longer annotations (applied configurations, certificates) are no business of ours."""

_COUNT = re.compile(r"[0-9]{1,7}", re.ASCII)


def written_count(annotations: Mapping[str, str], key: str) -> int | None:
    """Return the whole number that an annotation holds; ``None`` where it is missing or holds none."""
    found = _COUNT.fullmatch(annotations.get(key, "").strip())
    count = None if found is None else int(found[0])
    return count if count is not None and count <= COUNT_MAX else None


def faults(annotations: Mapping[str, str]) -> str:
    """Return what is wrong with what people wrote, in a sentence; ``""`` where nothing is."""
    for key in COUNTS:
        if key in annotations and written_count(annotations, key) is None:
            shown = annotations[key][:40]
            return f"annotation {key} is {shown!r}; write a whole number up to {COUNT_MAX}"
    return ""


def kept(annotations: Mapping[str, str]) -> dict[str, str]:
    """Return the annotations that are worth keeping in memory."""
    return {
        key: value
        for key, value in annotations.items()
        if len(value) <= KEPT_CHARACTERS_MAX and key != _APPLIED
    }


_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
