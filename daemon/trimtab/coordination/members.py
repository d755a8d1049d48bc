"""The name of a member: whoever starts anew is somebody new."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

NAME_CHARACTERS_MAX = 50


def unique_member(host: str, random: Random) -> str:
    """Return a name of this start of the process: that of its host, and 48 bits of chance.

    ``random`` must differ from start to start. Two processes on one host, or one that was restarted, are
    two members, so that neither takes a lease of the other for its own. The name can be part of one in
    Kubernetes: small letters, digits, ``-`` and ``.``, 63 characters at most.
    """
    plain = re.sub(r"[^a-z0-9.-]+", "-", host.lower())[:NAME_CHARACTERS_MAX].strip(".-")
    return f"{plain or 'trimtab'}-{random.getrandbits(48):012x}"
