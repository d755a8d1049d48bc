"""Push sources in the settings: who may push, how much, and how what is pushed becomes signals."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    PlainSerializer,
    SecretStr,
    field_validator,
    model_validator,
)

from trimtab.settings_secrets import long_secret, secret_of
from trimtab.settings_values import FROZEN, between
from trimtab.sources.json_pointer import PointerError, split_pointer
from trimtab.sources.push.webhook import Mapped
from trimtab.sources.series_query import Combine

SECRET_CHARACTERS_MIN = 16
"""A shorter one could be guessed over the network."""

_BYTES = {"KiB": 1024, "MiB": 1024**2}
_SIZE = re.compile(r"(\d{1,6}) ?(KiB|MiB)")


def body_size(value: object) -> int:
    """Read a size such as ``512KiB`` as bytes, from 1 KiB to 64 MiB."""
    found = _SIZE.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None:
        raise ValueError("is not a size; write it as in 512KiB or 4MiB")
    size = int(found[1]) * _BYTES[found[2]]
    if not 1024 <= size <= 64 * 1024**2:
        raise ValueError("is outside what works; use 1KiB to 64MiB")
    return size


def _pointer(value: object) -> str:
    """Check that a text is a JSON pointer."""
    if not isinstance(value, str):
        raise ValueError("is no JSON pointer; write it as in /labels/service")  # noqa: TRY004  pydantic's
    try:
        split_pointer(value)
    except PointerError as error:
        raise ValueError(str(error)) from None
    return value


BodySize = Annotated[int, BeforeValidator(body_size), PlainSerializer(lambda size: size)]
Pointer = Annotated[str, BeforeValidator(_pointer)]


class PushSettings(BaseModel):
    """What every type of push source has.

    Exactly one of three says who may push: ``token`` (``Authorization: Bearer …``), ``signing_key`` (an
    HMAC-SHA256 over timestamp and body), or ``loopback: true`` (programs on this machine). After loading,
    ``token`` and ``signing_key`` hold the secret wherever it came from. They are in no text of ours.
    """

    model_config = FROZEN

    type: str
    token: SecretStr | None = None
    """Whoever sends it as ``Authorization: Bearer`` may push; a file is safer."""

    token_file: Path | None = None
    """A file that holds the token and nothing else."""

    signing_key: SecretStr | None = None
    """Whoever signs with it may push; a file is safer."""

    signing_key_file: Path | None = None
    """A file that holds the key and nothing else."""

    loopback: bool = False
    """Programs on the same machine may push, without a secret."""

    replay_window: Annotated[float, between(5, 3600)] = 300.0
    """How far a signature's timestamp may be from now."""

    deployments: dict[str, str] = Field(default_factory=dict)
    """Other words by which pushes call deployments, and the full names or ids these stand for."""

    combine: Combine = Combine.SUM
    """What several series of one signal are together, where its query does not say."""

    rate_window: Annotated[float, between(1, 3600)] = 30.0
    """Over how long counters become rates."""

    forget_after: Annotated[float, between(5, 30 * 86_400)] = 300.0
    """A series that was silent for so long is no part of its signal any more."""

    age_max: Annotated[float, between(1, 30 * 86_400)] = 3600.0
    """Older samples are refused."""

    body_max: BodySize = 1024**2
    """A larger body is refused."""

    decompressed_max: BodySize = 8 * 1024**2
    """So is one that becomes larger than this."""

    body_timeout: Annotated[float, between(0.1, 300)] = 10.0
    """How long a body may take to arrive."""

    requests_in_flight_max: Annotated[int, Field(ge=1, le=256)] = 8
    """More at once are told to come again."""

    requests_per_second: Annotated[float, Field(gt=0, le=100_000)] = 100.0
    """More are told to come again."""

    samples_per_second: Annotated[float, Field(gt=0, le=10_000_000)] = 50_000.0
    """More are told to come again."""

    samples_per_request_max: Annotated[int, Field(ge=1, le=1_000_000)] = 20_000
    """A request with more is refused."""

    series_max: Annotated[int, Field(ge=1, le=1_000_000)] = 100_000
    """Series that are kept apart; what is beyond them is refused."""

    @field_validator("combine", mode="before")
    @classmethod
    def _is_a_word(cls, value: Any) -> Combine:
        if value not in list(Combine):
            raise ValueError(f"must be one of {', '.join(Combine)}")
        return Combine(value)

    @model_validator(mode="after")
    def _has_one_way_in(self) -> Self:
        for name in ("token", "signing_key"):
            if getattr(self, name) is not None and getattr(self, f"{name}_file") is not None:
                raise ValueError(f"has both {name} and {name}_file; keep one, the file if you can")
        has_token = self.token is not None or self.token_file is not None
        has_key = self.signing_key is not None or self.signing_key_file is not None
        if has_token + has_key + self.loopback != 1:
            raise ValueError(
                "must say who may push by exactly one of token_file, signing_key_file and "
                "loopback: true"
            )
        if has_token:
            object.__setattr__(self, "token", _secret(self.token, self.token_file, "token"))
        if has_key:
            key = _secret(self.signing_key, self.signing_key_file, "signing key")
            object.__setattr__(self, "signing_key", key)
        return self


def _secret(given: SecretStr | None, path: Path | None, what: str) -> SecretStr:
    text = secret_of(given, path, f"a {what}")
    return SecretStr(long_secret(text, what, characters_min=SECRET_CHARACTERS_MIN))


class LabelledSettings(PushSettings):
    """Push sources whose series have labels."""

    deployment_label: Annotated[str, Field(min_length=1, max_length=200)] = "deployment"
    """The label that names the deployment, in full or by an id that only it has."""


class RemoteWriteSettings(LabelledSettings):
    """Prometheus remote-write."""

    type: Literal["remote_write"]
    body_max: BodySize = 4 * 1024**2
    decompressed_max: BodySize = 16 * 1024**2


class OtlpSettings(LabelledSettings):
    """OTLP metrics over HTTP."""

    type: Literal["otlp"]
    body_max: BodySize = 4 * 1024**2
    decompressed_max: BodySize = 16 * 1024**2


class JsonSettings(PushSettings):
    """Plain JSON."""

    type: Literal["json"]


class AlertmanagerSettings(LabelledSettings):
    """Alertmanager's webhook. An alert counts until it is resolved, or not repeated for so long."""

    type: Literal["alertmanager"]
    combine: Combine = Combine.MAX
    forget_after: Annotated[float, between(5, 30 * 86_400)] = 86_400.0
    watchdog: Annotated[str, Field(min_length=1)] | None = None
    """The name of an alert that always fires: while it is heard, alerts that are not firing are 0."""


class WebhookSettings(PushSettings):
    """JSON of any form. The pointers (RFC 6901) lead from an item, or, without ``items``, from the top."""

    type: Literal["webhook"]
    items: Pointer | None = None
    """To the list of items; left out, the document is one."""

    deployment: Pointer
    """To the name of the deployment."""

    value: Pointer
    """To the number."""

    signal: Pointer | None = None
    """To the name of the signal."""

    signal_name: Annotated[str, Field(min_length=1)] | None = None
    """What policies call the signal in ``query``, where the document does not say."""

    time: Pointer | None = None
    """To the time; left out, it is when the document came."""

    time_unit: Literal["s", "ms", "us", "ns"] = "s"
    """Of a time that is a number; a text is RFC 3339."""

    @model_validator(mode="after")
    def _names_its_signal(self) -> Self:
        if (self.signal is None) == (self.signal_name is None):
            raise ValueError("must name its signal by exactly one of signal and signal_name")
        return self

    @property
    def mapped(self) -> Mapped:
        """Where in a document things stand."""
        scale = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9}[self.time_unit]
        return Mapped(
            deployment=split_pointer(self.deployment),
            value=split_pointer(self.value),
            signal=None if self.signal is None else split_pointer(self.signal),
            signal_name=self.signal_name,
            items=None if self.items is None else split_pointer(self.items),
            time=None if self.time is None else split_pointer(self.time),
            time_scale=scale,
        )


AnyPush: TypeAlias = (
    RemoteWriteSettings | OtlpSettings | JsonSettings | AlertmanagerSettings | WebhookSettings
)
"""All types of sources that are pushed to; each tells itself by its ``type``."""

PUSH_TYPES = frozenset({"remote_write", "otlp", "json", "alertmanager", "webhook"})
