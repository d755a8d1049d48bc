"""Every kind of document that this version reads, by the word that names it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from trimtab.policy.document import ScalingPolicy
from trimtab.policy.fleet_document import FleetDocument
from trimtab.policy.group_document import GroupDocument

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.policy.parts import Part

KINDS: Mapping[str, type[Part]] = MappingProxyType(
    {"ScalingPolicy": ScalingPolicy, "Fleet": FleetDocument, "Group": GroupDocument}
)
