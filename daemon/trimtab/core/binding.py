"""What set an end of the effective bounds, as one word of a closed list.

The bounds say it in a sentence, for people and for the journal. A metric needs a word: this reads it off the
sentences' beginnings, which ``core/effective_bounds.py`` and ``core/allocation/words.py`` write.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trimtab.core.bounds import Bound


class Setter(StrEnum):
    """What set an end of the bounds. Closed: it is a metric label."""

    DEPLOYMENT = "deployment"
    POLICY = "policy"
    ACCELERATORS = "accelerators"
    SCHEDULE = "schedule"
    LAST_REPLICA = "last_replica"
    NO_MAXIMUM = "no_maximum"
    QUOTA = "quota"
    FLEET = "fleet"


NOTHING_BINDS = "none"
"""In place of a setter: what is wanted lies within both ends."""

_BEGINNINGS = (
    (re.compile(r"policy "), Setter.POLICY),
    (re.compile(r"the deployment's own m"), Setter.DEPLOYMENT),
    (re.compile(r"\d+ accelerators?, "), Setter.ACCELERATORS),
    (re.compile(r"the platform's schedule "), Setter.SCHEDULE),
    (re.compile(r"scaling to zero is off|the last replica "), Setter.LAST_REPLICA),
    (re.compile(r"no maximum is stated"), Setter.NO_MAXIMUM),
    (re.compile(r"quota "), Setter.QUOTA),
)


def setter_of(bound: Bound) -> Setter:
    """Return what set ``bound``; ``FLEET`` is the share that the fleet's limits have left."""
    for beginning, setter in _BEGINNINGS:
        if beginning.match(bound.set_by):
            return setter
    return Setter.FLEET
