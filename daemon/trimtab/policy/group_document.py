"""A Group as SREs write it: deployments that serve the same traffic. The model is the format."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from trimtab.policy.fleet_document import FleetMetadata, UsdAnHour
from trimtab.policy.parts import DeploymentName, Duration, Part, contradiction, within

MEMBERS_MIN = 2


class MemberDocument(Part):
    """One deployment of a group. It has a policy like any other."""

    deployment: DeploymentName = Field(
        description="Its full resource name.", examples=["accounts/acme/deployments/chat-h200"]
    )
    requests_per_second: Annotated[float, Field(gt=0, le=1e9)] | None = Field(
        alias="requestsPerSecond",
        default=None,
        description="What one of its replicas carries; left out, as its own rule has learned it.",
    )
    usd_per_hour: UsdAnHour | None = Field(
        alias="usdPerHour",
        default=None,
        description="What one of its replicas costs; left out, its accelerators at the fleet's prices.",
    )


def _with_a_choice(members: tuple[MemberDocument, ...]) -> tuple[MemberDocument, ...]:
    if len(members) < MEMBERS_MIN:
        raise contradiction(
            "there is nothing to choose between with fewer than two members",
            "name all deployments that serve this traffic, or remove the group",
        )
    return members


class GroupSpec(Part):
    """Who serves the traffic, and what a change of the mix must save."""

    members: Annotated[tuple[MemberDocument, ...], AfterValidator(_with_a_choice)] = Field(
        description="Two deployments at least; what costs the same goes to the first.",
        json_schema_extra={"minItems": MEMBERS_MIN},
    )
    horizon: Annotated[Duration, within(60, 7 * 86_400)] = Field(
        default=3600.0, description="Over how long a cheaper mix must pay for the switch to it."
    )
    miss_price: Annotated[float, Field(gt=0, le=1e6)] = Field(
        alias="missPrice",
        default=20.0,
        description="What a second of load that nobody serves costs, in times of what serving it costs "
        "on the cheapest member.",
    )


class GroupDocument(Part):
    """Deployments that serve the same traffic on different hardware, by the cheapest mix."""

    api_version: Literal["trimtab.dev/v1"] = Field(
        alias="apiVersion", description="The version of this format."
    )
    kind: Literal["Group"] = Field(description="What the document is.")
    metadata: FleetMetadata = Field(description="What it is called.")
    spec: GroupSpec = Field(description="What it orders.")
