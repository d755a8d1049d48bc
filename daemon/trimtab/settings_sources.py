"""The section ``sources``: the names that policies use after ``source:``, and what each is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

from pydantic import Field

from trimtab.settings_pull import (
    HttpJsonSettings,
    KafkaSettings,
    NatsSettings,
    OpenMetricsSettings,
    PostgresqlSettings,
    PrometheusSettings,
    RabbitmqSettings,
    RedisSettings,
)
from trimtab.settings_push import AnyPush
from trimtab.sources.fireworks import NAME as FIREWORKS

if TYPE_CHECKING:
    from collections.abc import Mapping

AnyPull: TypeAlias = (
    PrometheusSettings
    | OpenMetricsSettings
    | HttpJsonSettings
    | RedisSettings
    | PostgresqlSettings
    | RabbitmqSettings
    | NatsSettings
    | KafkaSettings
)
"""All types of sources that are asked; each tells itself by its ``type``."""

AnySource: TypeAlias = Annotated[AnyPull | AnyPush, Field(discriminator="type")]
"""One section of ``sources``."""


def are_source_names(sources: Mapping[str, Any]) -> dict[str, Any]:
    """Refuse names that are taken or cannot be written."""
    for name in sources:
        if name == FIREWORKS:
            raise ValueError(f"has {name!r}, which is the name of the accounts' own metrics")
        if re.fullmatch(r"[a-z][a-z0-9_-]{0,62}", name) is None:
            raise ValueError(
                "has a name that no source can have; use a-z, 0-9, - and _, beginning with a letter"
            )
    return dict(sources)
