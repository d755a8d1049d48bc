"""The account's quotas as the core counts accelerators: pools by type and region. Pure.

A quota is known by its name only. Two forms are known, one seen live and one documented:
``global--h200-count`` and ``h100-us-iowa-1``. In place of ``global`` stands a part of the world where the quota
is granted for one (``us``, ``europe``, ``apac``): it counts every region in it. Only the first part of a type's name is in it, so ``a100`` is
taken for the one of 80 GB, which is what accounts are given. Whatever else may be of accelerators is not
guessed at but named: it limits nothing, until a refusal teaches what it does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from trimtab.core.account_quotas import QuotaReading
from trimtab.core.fleet_policy import Pool, Quota, QuotaSource
from trimtab.targets.fireworks.vocabulary import AcceleratorType, MultiRegion, Region
from trimtab.targets.port import AccountQuotas

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trimtab.targets.fireworks.resources import QuotaResource

_WORLD = re.compile(r"(?P<place>global|us|europe|apac)--(?P<part>[a-z0-9-]+)-count\Z")
_PLACE = re.compile(r"[a-z]+--[a-z0-9-]+-count\Z")
_REFUSAL = re.compile(
    r"(?P<id>[a-z0-9][a-z0-9-]{1,80}) for account \S{1,80}, in use: (?P<used>\d{1,9}(\.\d{1,6})?), "
    r"quota: (?P<quota>\d{1,9}), requesting: \d{1,9}",
    re.IGNORECASE,
)


def _type_by_part() -> dict[str, str]:
    """Return each type under ``h100``, ``h100-80gb`` and ``nvidia-h100-80gb``; the largest of a part wins."""
    found: dict[str, str] = {}
    for word in AcceleratorType:
        vendor, _, rest = word.lower().replace("_", "-").partition("-")
        part, _, memory = rest.partition("-")
        if word is not AcceleratorType.ACCELERATOR_TYPE_UNSPECIFIED:
            for name in (part, f"{part}-{memory}", f"{vendor}-{part}-{memory}"):
                found[name] = word.value  # of two A100, the one of 80 GB is listed last
    return found


REGIONS_BEGIN: Mapping[str, str] = {
    MultiRegion.US: "US",
    MultiRegion.EUROPE: "EU",
    MultiRegion.APAC: "AP",
}
"""With what the names of all regions of a part of the world begin."""

TYPE_BY_PART: Mapping[str, str] = _type_by_part()
_REGION_BY_PART = {word.lower().replace("_", "-"): word.value for word in Region}
_PARTS = re.compile(
    r"(?:\A|-)(?:" + "|".join(map(re.escape, sorted(TYPE_BY_PART, key=len))) + r")(?:-|\Z)|"
    r"(?:\A|-)(?:gpu|accelerator)s?(?:-|\Z)"
)


def pool_of(quota_id: str) -> Pool | None:
    """Return what a quota of that id counts, or ``None`` when that is not known."""
    name = quota_id.lower()
    granted = _WORLD.match(name)
    if granted is not None:
        kind = TYPE_BY_PART.get(granted["part"])
        return None if kind is None else Pool(kind, REGIONS_BEGIN.get(granted["place"].upper()))
    for part, kind in TYPE_BY_PART.items():
        region = _REGION_BY_PART.get(name.removeprefix(f"{part}-"))
        if region is not None and name.startswith(f"{part}-"):
            return Pool(kind, region)
    return None


def account_quotas(resources: Iterable[QuotaResource], at: float) -> AccountQuotas:
    """Return what the account said at ``at``; of two quotas on one pool the smaller counts.

    Zeros are left out of answers, so a quota of 0 that nobody could raise either cannot be told from one that
    says nothing: it is not believed, as missing is never zero.
    """
    readings: dict[Pool, QuotaReading] = {}
    not_understood: list[str] = []
    for one in resources:
        quota_id = one.name.rpartition("/")[2]
        pool = pool_of(quota_id)
        if pool is None:
            if is_of_accelerators(quota_id):
                not_understood.append(quota_id)
            continue
        if one.value < 0 or one.usage < 0:
            not_understood.append(quota_id)
            continue
        if one.value == 0 and one.max_value == 0:
            continue
        reading = QuotaReading(Quota(pool, one.value, QuotaSource.ACCOUNT), one.usage, at)
        known = readings.get(pool)
        if known is None or reading.quota.accelerators < known.quota.accelerators:
            readings[pool] = reading
    return AccountQuotas(
        at=at,
        readings=tuple(readings[pool] for pool in sorted(readings, key=str)),
        not_understood=tuple(sorted(set(not_understood))),
    )


def is_of_accelerators(quota_id: str) -> bool:
    """Whether a quota that has no pool may be of accelerators all the same; spend and rates are not."""
    name = quota_id.lower()
    return _PLACE.match(name) is not None or _PARTS.search(name) is not None


def refusal_of(message: str, at: float) -> QuotaReading | None:
    """Return the quota that a refusal is for, from its text; ``None`` where that does not say.

    Seen live: ``global--h200-count for account acct, in use: 14, quota: 16, requesting: 4``.
    """
    found = _REFUSAL.search(message)
    pool = None if found is None else pool_of(found["id"])
    if found is None or pool is None:
        return None
    quota = Quota(pool, int(found["quota"]), QuotaSource.REFUSAL)
    return QuotaReading(quota, float(found["used"]), at)
