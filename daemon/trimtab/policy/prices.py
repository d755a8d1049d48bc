"""What an accelerator costs an hour where no file says it: the shipped table, with where and when from.

List prices of dedicated deployments on demand. Reserved capacity costs something else, which only the
account's own contract says: write that into a Fleet. A type whose price is not published is not in the
table, because a guess would be counted as if it were known.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from trimtab.core.fleet_policy import NO_FLEET_POLICY, FleetPolicy, Price, merged

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trimtab.core.group import Group

LIST_PRICES_OF = "fireworks.ai/pricing, as recorded on 2026-05-08"

SHIPPED_PRICES: Mapping[str, Price] = MappingProxyType(
    {
        "NVIDIA_H100_80GB": Price(7.00, LIST_PRICES_OF),
        "NVIDIA_H200_141GB": Price(7.00, LIST_PRICES_OF),
        "NVIDIA_B200_180GB": Price(10.00, LIST_PRICES_OF),
        "NVIDIA_B300_288GB": Price(12.00, LIST_PRICES_OF),
    }
)
"""US dollars an accelerator-hour, by type."""

TYPES_WITHOUT_PUBLISHED_PRICE = (
    "NVIDIA_A100_80GB",  # 3.89 until 2024; not published since
    "NVIDIA_A100_40GB",
    "NVIDIA_A10G_24GB",
    "NVIDIA_L4_24GB",
    "AMD_MI300X_192GB",
    "AMD_MI325X_256GB",
    "AMD_MI350X_288GB",
)

KNOWN_TYPES = (*SHIPPED_PRICES, *TYPES_WITHOUT_PUBLISHED_PRICE)
"""Types that existed when this version was made. There may be others."""


def with_shipped_prices(fleet: FleetPolicy) -> FleetPolicy:
    """Return ``fleet`` with the shipped price of every type that it gives none for."""
    return merged((fleet, FleetPolicy(prices=SHIPPED_PRICES)))


SHIPPED_ALONE = FleetPolicy(prices=SHIPPED_PRICES)


def priced(fleet: FleetPolicy) -> FleetPolicy:
    """Return what tells the prices: ``fleet``, or the shipped table where no file orders anything.

    For whoever shows what things cost; nothing is shared and nothing limited for it.
    """
    return SHIPPED_ALONE if fleet == NO_FLEET_POLICY else fleet


def fleet_of(parts: Iterable[FleetPolicy], groups: Iterable[Group] = ()) -> FleetPolicy:
    """Return what all files order together; the shipped prices are beneath. No file: no orders at all."""
    found, together = tuple(parts), tuple(groups)
    if together:
        found = (*found, FleetPolicy(groups=together))
    return with_shipped_prices(merged(found)) if found else NO_FLEET_POLICY
