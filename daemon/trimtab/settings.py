"""How the process runs: environment over file, secrets from files, every problem at once.

A setting ``tick_interval`` is the key ``tick_interval`` in the YAML file that ``--config`` or
``TRIMTAB_CONFIG`` names, and the variable ``TRIMTAB_TICK_INTERVAL``; one inside a section has two
underscores between (``TRIMTAB_LOG__LEVEL``). What is scaled, and how, is in policies, not here.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as EnvironmentValueError

from trimtab.errors import SettingsError
from trimtab.settings_control import ControlSettings
from trimtab.settings_coordination import CoordinationSettings
from trimtab.settings_journal import JournalSettings
from trimtab.settings_kubernetes import ClusterSettings, are_cluster_names
from trimtab.settings_problems import (
    PREFIX,
    FileValues,
    read_file,
    sentences,
    unknown_variables,
)
from trimtab.settings_secrets import secret_of
from trimtab.settings_sources import AnySource, are_source_names
from trimtab.settings_values import FROZEN as _FROZEN
from trimtab.settings_values import between as _between
from trimtab.sources.fireworks import INTERVAL_SECONDS_MIN

if TYPE_CHECKING:
    from pydantic_settings import PydanticBaseSettingsSource

SDK_VARIABLES = {
    "account_id": "FIREWORKS_ACCOUNT_ID",
    "api_key": "FIREWORKS_API_KEY",
    "base_url": "FIREWORKS_BASE_URL",
}
"""What the official SDK reads; used for whatever the short form ``fireworks`` leaves out."""


class AccountSettings(BaseModel):
    """One account of the control plane, with its own key and limits.

    After loading, ``api_key`` holds the key wherever it came from. It is in no text of ours.
    """

    model_config = _FROZEN

    api_key: SecretStr | None = None
    """The key itself; a file is safer, as environments are shown."""

    api_key_file: Path | None = None
    """A file that holds the key and nothing else, as secrets are mounted. It is read again when the key is
    taken no more."""

    base_url: str = "https://api.fireworks.ai"
    """Of the API; the emulator, or a proxy, for another."""

    proxy: str | None = None
    """The URL of a proxy to reach it through, as in ``http://proxy:3128``; variables of the environment are not
    asked."""

    control_requests_per_minute: Annotated[int, Field(ge=100, le=6000)] = 6000
    """The most that is asked of the control plane, reads and writes together."""

    metrics_requests_per_minute: Annotated[int, Field(ge=2, le=6)] = 6
    """The most that is asked of the metrics endpoint; it refuses more than 6."""

    annotate: bool = True
    """Note the user's bounds on the deployment when overwriting them."""

    @field_validator("base_url")
    @classmethod
    def _is_a_url(cls, value: str) -> str:
        if not value.startswith(("https://", "http://")) or len(value.split("//", 1)[1]) == 0:
            raise ValueError("is not an http(s) URL; write it as in https://api.fireworks.ai")
        return value.rstrip("/")

    @field_validator("proxy")
    @classmethod
    def _is_a_proxy(cls, value: str | None) -> str | None:
        if value is not None and ("@" in value or not value.startswith(("https://", "http://"))):
            raise ValueError("is no proxy without a password; write it as in http://proxy:3128")
        return value

    @model_validator(mode="after")
    def _has_a_key(self) -> Self:
        if self.api_key is not None and self.api_key_file is not None:
            raise ValueError("has both api_key and api_key_file; keep one, the file where you can")
        if self.api_key is None and self.api_key_file is None:
            raise ValueError("has no API key; set api_key_file to a file that holds it")
        key = secret_of(self.api_key, self.api_key_file, "an API key")
        if not key:
            where = "api_key" if self.api_key_file is None else f"file {self.api_key_file}"
            raise ValueError(f"has an empty API key; put the key into {where}")
        if not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError("has an API key with characters that no key has; copy it again")
        object.__setattr__(self, "api_key", SecretStr(key))
        return self


class ShortAccount(BaseModel):
    """The short form ``fireworks`` for a single account, when its id is missing: only to say so."""

    model_config = ConfigDict(extra="allow", frozen=True)

    account_id: Annotated[str, Field(min_length=1)]


class LeadTimeStart(BaseModel):
    """A start value for some deployments: those on ``accelerator`` with up to ``parameters_max``."""

    model_config = _FROZEN

    time: Annotated[float, _between(1, 7200)]
    """From asking for a replica until it serves."""

    accelerator: str | None = None
    """As the control plane writes it (``NVIDIA_H100_80GB``). Left out, any."""

    parameters_max: Annotated[int, Field(ge=1)] | None = None
    """Of the model, as its shape states them. Left out, any, known or not."""


class LeadTimeSettings(BaseModel):
    """Start values for the time from asking for a replica until it serves, until enough starts were seen."""

    model_config = _FROZEN

    default: Annotated[float, _between(1, 7200)] = 300.0
    """For whatever no start value fits."""

    start_values: tuple[LeadTimeStart, ...] = ()
    """In order: the first that fits a deployment counts, ``default`` where none does."""


class LogSettings(BaseModel):
    """What is logged, and in which form: ``auto`` is JSON unless standard output is a terminal."""

    model_config = _FROZEN

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least that is logged."""

    format: Literal["auto", "json", "console"] = "auto"
    """``json`` has one object a line, ``console`` is for people."""


class Settings(BaseSettings):
    """Everything about how the process runs. Immutable. Durations are seconds once loaded."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        validate_default=False,
    )

    policies: Path = Path("policies")
    """A file or directory of policies."""

    strategy_plugins: Annotated[tuple[str, ...], NoDecode] = ()
    """Strategies of other packages that policies may use, by their entry-point names. None is used
    that is not named here: a plug-in runs with all the rights of the daemon. In the environment, with
    commas between: ``TRIMTAB_STRATEGY_PLUGINS=headroom,other``."""

    clusters: dict[str, ClusterSettings] = Field(default_factory=dict)
    """Kubernetes clusters whose workloads are scaled, by the names that stand in full names."""

    accounts: dict[str, AccountSettings] = Field(default_factory=dict, validate_default=True)
    """Fireworks accounts whose deployments are scaled. One at least, unless there are clusters."""

    fireworks: ShortAccount | None = None
    """Short form for one account: ``TRIMTAB_FIREWORKS__ACCOUNT_ID``, ``…__API_KEY_FILE`` and so on."""

    tick_interval: Annotated[float, _between(1, 3600)] = 15.0
    """How often everything is evaluated even if nothing happens."""

    fleet_refresh_interval: Annotated[float, _between(1, 3600)] = 15.0
    """How often the deployments of each account are listed."""

    quota_refresh_interval: Annotated[float, _between(1, 86400)] = 300.0
    """How often each account is asked for its accelerator quotas, while there is a fleet file."""

    metrics_interval: Annotated[float, _between(INTERVAL_SECONDS_MIN, 3600)] = 30.0
    """How often each account's metrics are read; its values change every 30 s."""

    sources: dict[str, AnySource] = Field(default_factory=dict)
    """Where load is heard besides the accounts' own metrics; by the names that policies use."""

    lead_time: LeadTimeSettings = LeadTimeSettings()
    """Start values, until starts were seen."""

    journal: JournalSettings = JournalSettings()
    """What is remembered."""

    listen: str = "127.0.0.1:9464"
    """Host and port for ``/metrics``, ``/livez``, ``/readyz``, ``/v1`` (overrides, pushes) and
    ``/-/reload``, or ``off``."""

    control: ControlSettings = ControlSettings()
    """Who may look, and who may give orders."""

    coordination: CoordinationSettings = CoordinationSettings()
    """Whether this is one of several daemons, and where they meet."""

    writes_in_flight_max: Annotated[int, Field(ge=1, le=256)] = 16
    """Over all deployments; one of a deployment at any time."""

    log: LogSettings = LogSettings()
    """What is logged, and how."""

    shutdown_timeout: Annotated[float, _between(1, 300)] = 10.0
    """How long a clean stop may take; writes in flight get nine tenths of it."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Let the environment win over the file, whose values come in as arguments."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings

    @model_validator(mode="before")
    @classmethod
    def _take_in_short_form(cls, values: Any) -> Any:
        """Turn the short form and the SDK's variables into an account like any other."""
        short = values.get("fireworks")
        if short is not None and not isinstance(short, dict):
            return values
        short = dict(short or {})
        if not short and values.get("accounts"):
            return values
        for key, variable in SDK_VARIABLES.items():
            is_stated = key in short or (key == "api_key" and "api_key_file" in short)
            if not is_stated and os.environ.get(variable):
                short[key] = os.environ[variable]
        if not short.get("account_id"):
            return {**values, "fireworks": short} if short else values
        account_id = str(short.pop("account_id"))
        accounts = {**(values.get("accounts") or {}), account_id: short}
        return {**{k: v for k, v in values.items() if k != "fireworks"}, "accounts": accounts}

    @field_validator("strategy_plugins", mode="before")
    @classmethod
    def _are_names(cls, value: Any) -> tuple[str, ...]:
        names = value.split(",") if isinstance(value, str) else value
        if not isinstance(names, list | tuple) or not all(isinstance(one, str) for one in names):
            raise ValueError("is no list of names; write it as in [headroom]")
        stripped = tuple(one.strip() for one in names)
        if not all(stripped) or len(set(stripped)) < len(stripped):
            raise ValueError("has an empty name or one twice; name each plug-in once")
        return stripped

    @field_validator("clusters")
    @classmethod
    def _clusters_have_names(cls, value: dict[str, ClusterSettings]) -> dict[str, ClusterSettings]:
        return are_cluster_names(value)

    @field_validator("accounts")
    @classmethod
    def _ids_are_ids(
        cls, value: dict[str, AccountSettings], info: ValidationInfo
    ) -> dict[str, AccountSettings]:
        if not value and not info.data.get("clusters", True):
            raise PydanticCustomError("too_short", "there is nothing to scale")
        for account_id in value:
            if not account_id or set(account_id) & set("/:?#% \t"):
                raise ValueError(
                    f"has {account_id!r}, which is no account id; write it as in accounts/<id>"
                )
        return value

    @field_validator("sources")
    @classmethod
    def _names_are_names(cls, value: dict[str, Any]) -> dict[str, Any]:
        return are_source_names(value)

    @field_validator("listen")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        is_address = bool(host) and port.isascii() and port.isdigit() and int(port) < 65536
        if value != "off" and not is_address:
            raise ValueError("is not an address; write host:port as in 127.0.0.1:9464, or off")
        return value

    @property
    def listen_address(self) -> tuple[str, int] | None:
        """Host and port to serve on; ``None`` when the HTTP surface is off."""
        if self.listen == "off":
            return None
        host, _, port = self.listen.rpartition(":")
        return host.removeprefix("[").removesuffix("]"), int(port)


def load_settings(config: Path | None = None) -> Settings:
    """Read the file ``config`` (else that of ``TRIMTAB_CONFIG``, else none) and the environment.

    Raises ``SettingsError`` with one sentence a line for every problem found.
    """
    if config is None and (named := os.environ.get(f"{PREFIX}CONFIG")):
        config = Path(named)
    file = FileValues() if config is None else read_file(config)
    problems = list(file.problems)
    problems += unknown_variables(os.environ, Settings.model_fields)
    try:
        settings = Settings(**file.values)
    except ValidationError as error:
        problems += sentences(error, file, os.environ, Settings)
    except EnvironmentValueError as error:
        problems.append(
            f"{PREFIX}… in the environment: {error}; write sections with two underscores"
        )
    else:
        if not problems:
            return settings
    raise SettingsError("\n".join(problems))
