"""What all views are made of: frozen values whose form in JSON is written down beside each field.

A view is read twice: by the templates of the live page, as Python values, and by ``web/api``, which writes it
as JSON and describes it in the OpenAPI document. So a moment is UTC seconds here and RFC 3339 there, and the
sentence below a field is its description.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, TypeVar, dataclass_transform

from pydantic import BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema

T = TypeVar("T")


def as_text(moment: float) -> str:
    """Return a moment, in UTC seconds, as RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(moment, tz=UTC).isoformat(timespec="milliseconds")


def _from_text(moment: object) -> object:
    """Read what ``as_text`` wrote, in an answer of another member; leave anything else alone."""
    return datetime.fromisoformat(moment).timestamp() if isinstance(moment, str) else moment


Moment = Annotated[
    float,
    BeforeValidator(_from_text),
    PlainSerializer(as_text, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]
"""A moment: UTC seconds in Python, RFC 3339 in JSON. "Never" and "not known" are ``None``."""


@dataclass_transform(frozen_default=True, kw_only_default=True)
def view(kind: type[T]) -> type[T]:
    """Make ``kind`` a frozen, slotted dataclass that pydantic describes with its attribute docstrings."""
    kind.__pydantic_config__ = ConfigDict(use_attribute_docstrings=True)  # type: ignore[attr-defined]  # read by pydantic
    return dataclass(frozen=True, slots=True, kw_only=True)(kind)
