"""What the document models are made of: their common rules, durations, names.

Models are strict (nothing is converted), frozen, and refuse unknown keys. Keys are camelCase in YAML
and snake_case here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetJsonSchemaHandler,
    StringConstraints,
)
from pydantic_core import CoreSchema, PydanticCustomError

from trimtab.policy.durations import PATTERN, duration_hint, format_duration, parse_duration

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo


class Part(BaseModel):
    """A section of a policy document."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )


def _seconds(value: object) -> float:
    seconds = parse_duration(value) if isinstance(value, str) else None
    if seconds is None:
        raise PydanticCustomError("duration", "not a duration", {"hint": duration_hint(value)})
    return seconds


DURATION_SCHEMA = {"type": "string", "pattern": PATTERN, "examples": ["500ms", "90s", "1h30m"]}


class _DurationSchema:
    """Makes the JSON Schema speak of durations as they are written, defaults included."""

    @classmethod
    def __get_pydantic_json_schema__(
        cls, _core: CoreSchema, _handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return dict(DURATION_SCHEMA)


Duration = Annotated[float, BeforeValidator(_seconds), _DurationSchema]
"""Seconds in the program, a number with its unit in the file."""


def is_duration(field: FieldInfo) -> bool:
    """Whether a field of a model holds seconds that are written as a duration."""
    return _DurationSchema in field.metadata


def within(at_least: float, at_most: float) -> AfterValidator:
    """Bounds of a duration, both ends included, in seconds."""

    def check(seconds: float) -> float:
        if at_least <= seconds <= at_most:
            return seconds
        limits = {"least": format_duration(at_least), "most": format_duration(at_most)}
        raise PydanticCustomError("duration_range", "between {least} and {most}", limits)

    return AfterValidator(check)


Word = Field(strict=False)
"""For choices: an enum's value as text. (Strict models would want the enum's member.)"""

PolicyName = Annotated[
    str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$", max_length=63)
]
"""Lower-case letters, digits and dashes: fit for a label, a file name and an address."""

RuleName = PolicyName

SignalName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=63)]
"""Letters, digits and underscores: fit for an expression."""

DeploymentName = Annotated[
    str,
    StringConstraints(
        pattern=r"^(accounts/[^/\s*?\[\]]+/deployments/[^/\s*?\[\]]+"
        r"|clusters/[^/\s*?\[\]]+/namespaces/[^/\s*?\[\]]+/[^/\s*?\[\]]+/[^/\s*?\[\]]+)$"
    ),
]
"""A full resource name, no pattern: of a Fireworks deployment, or of a workload of a Kubernetes cluster."""

AcceleratorType = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=63)
]
"""As the control plane writes it; which types there are is open."""

Text = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
PositiveCount = Annotated[int, Field(ge=1, le=1_000_000)]

DAY = 86_400.0
"""In seconds, for the limits of durations."""


def exactly_one(*keys: str) -> dict[str, Any]:
    """The JSON Schema for "exactly one of ``keys``", which a model validator checks as well."""
    return {"oneOf": [{"required": [key]} for key in keys]}


def require(part: Part, keys: tuple[str, ...], count: str) -> None:
    """Refuse ``part`` unless exactly one, or at least one, of ``keys`` was given."""
    given = [key for key in keys if getattr(part, key) is not None]
    if len(given) == 1 or (given and count == "at least one"):
        return
    names = [type(part).model_fields[key].alias or key for key in keys]
    raise PydanticCustomError(
        "one_of",
        "{count} of {names} is needed",
        {"count": count, "names": names, "given": len(given)},
    )


def contradiction(message: str, hint: str) -> PydanticCustomError:
    """The error for settings that cannot stand beside each other, as a sentence without a full stop."""
    # The text goes in as a value: braces in it are no places to fill.
    return PydanticCustomError("contradiction", "{text}", {"text": message, "hint": hint})
