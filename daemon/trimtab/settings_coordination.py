"""The section ``coordination``: whether this process is one of several, and on which service they meet."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, Field, field_validator, model_validator

from trimtab.coordination.buckets import BUCKETS
from trimtab.coordination.postgresql_session import SCHEMA, Database
from trimtab.settings_database import DatabaseSettings
from trimtab.settings_values import FROZEN, between

_NAME = r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$"


class PostgresqlCoordination(DatabaseSettings):
    """A PostgreSQL database in which members keep leases.

    The user needs the right to create a schema in the database, or owns one of that name. A pooler in
    transaction mode may stand in between.
    """

    section: ClassVar[str] = "coordination.postgresql"
    schema_name: str = SCHEMA

    @property
    def database(self) -> Database:
        """Where that is. Raises ``SettingsError`` where ``url_file`` cannot be read."""
        return Database(
            url=self.found_url, schema=self.schema_name, password_file=self.password_file
        )


class KubernetesCoordination(BaseModel):
    """A cluster in which members keep Leases. Inside of it nothing has to be said."""

    model_config = FROZEN

    namespace: Annotated[str, Field(pattern=_NAME)] | None = None
    """Where the Leases are. Left out, that of the pod, or of the kubeconfig's context."""

    group: Annotated[str, Field(pattern=_NAME)] = "default"
    """Members of one group share deployments; several groups may live in one namespace."""

    kubeconfig: Path | None = None
    """Outside of a cluster. Left out: the pod's service account, else ``KUBECONFIG`` or ``~/.kube/config``."""

    context: str | None = None
    """Of the kubeconfig, instead of its current one."""

    writes_per_second_max: Annotated[int, Field(ge=2, le=400)] = 100
    """How much this member may write to the API in any one second. It must suffice to renew every bucket in
    a third of the lease (64 buckets with leases of 15 s: 13); what it holds is handed over at this pace."""


class CoordinationSettings(BaseModel):
    """Whether this is one of several daemons that share the deployments, and how they agree who has which."""

    model_config = FROZEN

    service: Literal["none", "postgresql", "kubernetes"] = "none"
    """Where members meet. With ``none`` this process is alone and decides for everything."""

    buckets: Annotated[int, Field(ge=1, le=1024)] = BUCKETS
    """Into how many parts the deployments fall; each has one owner. All members must say the same, and
    it is changed only while none runs."""

    lease: Annotated[float, between(3, 300)] = 15.0
    """After how long without a renewal another member may take a bucket. Renewed three times as often."""

    member: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    """How this member is called, before what makes each start of it unique. Left out, its host's name."""

    address: str | None = None
    """The URL under which other members reach this one's HTTP API, as in ``http://10.0.0.3:9464``. Left
    out, its host's name and the port of ``listen``."""

    postgresql: PostgresqlCoordination | None = None
    """The server, for ``service: postgresql``."""

    kubernetes: KubernetesCoordination = KubernetesCoordination()
    """The API, for ``service: kubernetes``."""

    @field_validator("address")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        try:
            parts = urlsplit(value)
        except ValueError:
            parts = urlsplit("")
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise ValueError("is not an http(s) URL; write it as in http://10.0.0.3:9464")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _has_what_its_service_needs(self) -> Self:
        if self.service == "postgresql" and self.postgresql is None:
            raise ValueError(
                "names the service postgresql and not where it is; set coordination.postgresql.url"
            )
        return self
