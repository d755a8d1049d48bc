"""What the control plane says of a quota: how many accelerators it allows, and how many it counts as in use.

It says so when it is asked (``QuotaSource.ACCOUNT``), and when it refuses a write (``REFUSAL``), with the
same two numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from trimtab.core.fleet_policy import Quota


class QuotaReading(NamedTuple):
    """One quota as the control plane told it at ``at`` (UTC seconds).

    ``used`` is in accelerators and as told: it counts everything in the account, also what no deployment holds
    (training), so what is in use elsewhere is the part of it that deployments did not hold at ``at``. It may be
    more than the quota, which was lowered then.
    """

    quota: Quota
    used: float
    at: float
