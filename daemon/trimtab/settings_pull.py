"""Sources that are asked for load: where each is, how to be let in, how often to ask.

Addresses and secrets stand here alone, so that whoever edits a policy cannot make the daemon call out.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    SecretStr,
    StringConstraints,
    field_validator,
    model_validator,
)
from yarl import URL

from trimtab.settings_values import FROZEN, between

Interval = Annotated[float, between(1, 3600)]
Timeout = Annotated[float, between(0.1, 50)]
"""Below the 60 s after which any poll is given up."""

Word = Annotated[str, StringConstraints(min_length=1, max_length=256)]


def _readable(file: Path) -> Path:
    """Refuse a file that cannot be read now; what it holds is read when it is needed."""
    try:
        with file.open("rb"):
            return file
    except OSError as error:
        raise ValueError(
            f"is a file that cannot be read ({error.strerror}); check path and permissions"
        ) from None


def _url_of(*schemes: str) -> AfterValidator:
    def checked(value: str) -> str:
        try:
            url = URL(value)
        except ValueError:
            url = URL()
        if url.scheme not in schemes or not url.host:
            raise ValueError(
                f"is not a URL of {' or '.join(schemes)}; write it as in {schemes[0]}://host"
            )
        if url.password is not None:
            raise ValueError("has a password in its URL; put it into a file and name that")
        return value.rstrip("/")

    return AfterValidator(checked)


def _not_empty(value: tuple[str, ...]) -> tuple[str, ...]:
    if not value:
        raise ValueError("names no server; name one at least")
    return value


ReadableFile = Annotated[Path, AfterValidator(_readable)]
HttpUrl = Annotated[str, _url_of("http", "https")]


class SourceSettings(BaseModel):
    """What every source that is asked has."""

    model_config = FROZEN

    interval: Interval = 15.0
    """From poll to poll; never undercut, whatever happens."""

    timeout: Timeout = 10.0
    """For each question."""


class HttpSettings(SourceSettings):
    """A source that speaks HTTP. Files are read again as they change."""

    bearer_token: SecretStr | None = None
    """Sent as ``Authorization: Bearer``; a file is safer."""

    bearer_token_file: ReadableFile | None = None
    """A file that holds the token and nothing else."""

    username: Word | None = None
    """For HTTP basic authentication."""

    password: SecretStr | None = None
    """To the username; a file is safer."""

    password_file: ReadableFile | None = None
    """A file that holds the password and nothing else."""

    headers: dict[str, SecretStr] = Field(default_factory=dict)
    """More headers, such as ``X-Scope-OrgID``; never shown, as they may hold secrets."""

    ca_file: ReadableFile | None = None
    """Who signs the server's certificate, instead of those whom the system trusts."""

    cert_file: ReadableFile | None = None
    """The client's certificate, where the server wants one."""

    key_file: ReadableFile | None = None
    """The key to it."""

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for name, secret in value.items():
            text = secret.get_secret_value()
            is_name = re.fullmatch(r"[A-Za-z0-9-]{1,64}", name) is not None
            if not (is_name and text.isascii() and text.isprintable()):
                raise ValueError("has a header that cannot be sent; write `Name: printable text`")
        return value

    @model_validator(mode="after")
    def _is_let_in_one_way(self) -> Self:
        bearers = [self.bearer_token, self.bearer_token_file]
        passwords = [self.password, self.password_file]
        if None not in bearers:
            raise ValueError("has both bearer_token and bearer_token_file; keep one, the file")
        if None not in passwords:
            raise ValueError("has both password and password_file; keep one, the file")
        if bearers != [None, None] and self.username is not None:
            raise ValueError("has both a bearer token and a username; keep one of the two")
        if passwords != [None, None] and self.username is None:
            raise ValueError("has a password but no username; set username")
        if (self.cert_file is None) != (self.key_file is None):
            raise ValueError("has one of cert_file and key_file; a client certificate needs both")
        return self


class PrometheusSettings(HttpSettings):
    """A Prometheus server, or what speaks like one."""

    type: Literal["prometheus"]
    url: HttpUrl
    """Without ``/api/v1``."""

    deployment_label: Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_]\w*$")] = "deployment"
    """Holds the full name or the id of the deployment that a series is about."""

    history: Annotated[float, between(0, 90 * 86_400)] = 14 * 86_400.0
    """How far back rules that begin without memory may ask what their signals were; ``0s``: not at all."""

    warnings: Literal["refuse", "accept"] = "refuse"
    """What to do with values that the server itself calls incomplete; told in either case."""


class EndpointsSettings(BaseModel):
    """Where the engines of one deployment are."""

    model_config = FROZEN

    urls: tuple[HttpUrl, ...] = ()
    """Of their metrics, path included."""

    dns: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9.-]+:[0-9]{1,5}$")] | None = None
    """``name:port``: each address that the name has is an endpoint."""

    path: Annotated[str, StringConstraints(pattern=r"^/")] = "/metrics"
    """Where the metrics are, at each address of ``dns``."""

    scheme: Literal["http", "https"] = "http"
    """How they are fetched there."""

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if not self.urls and self.dns is None:
            raise ValueError("names no endpoint; set urls or dns")
        return self


class EndpointSlicesSettings(BaseModel):
    """Engines of the workloads of a Kubernetes cluster, as its EndpointSlices tell where they are."""

    model_config = FROZEN

    cluster: Word
    """One of ``clusters``."""

    port: Annotated[int, Field(ge=1, le=65_535)] | Word | None = None
    """The port of the metrics, by number or by its name in the Service; by default ``metrics``,
    ``http-metrics``, ``http``, or the only one."""

    path: Annotated[str, StringConstraints(pattern=r"^/")] = "/metrics"
    """Where the metrics are, at each address of a slice."""

    scheme: Literal["http", "https"] = "http"
    """How they are fetched there."""


class OpenMetricsSettings(HttpSettings):
    """Inference engines and gateways that are scraped directly, all with the same credentials."""

    type: Literal["openmetrics"]
    interval: Interval = 5.0
    timeout: Timeout = 3.0
    engine: Literal["vllm", "sglang", "tgi"] | None = None
    """Whose short names (``waiting``, ``kv_use``, …) queries may use."""

    deployments: dict[Word, EndpointsSettings] = Field(default_factory=dict)
    """By full deployment name."""

    file: Path | None = None
    """A JSON file of targets as Prometheus' ``file_sd_configs`` read it, followed as it changes."""

    kubernetes: EndpointSlicesSettings | None = None
    """Find the engines of a cluster's workloads through its EndpointSlices."""

    missing_endpoints: Literal["unknown", "scale_up"] = "unknown"
    """What a sum is while some endpoints do not answer: unknown, or that of the others scaled up."""

    @model_validator(mode="after")
    def _is_somewhere(self) -> Self:
        if not self.deployments and self.file is None and self.kubernetes is None:
            raise ValueError("names no endpoints; set deployments, file or kubernetes")
        return self


class HttpJsonSettings(HttpSettings):
    """Any HTTP endpoint that answers in JSON."""

    type: Literal["http_json"]
    url: HttpUrl
    """With ``{deployment}`` or ``{deployment_id}`` in it, asked once for each deployment."""

    language: Literal["pointer", "jmespath"] = "pointer"
    """What queries are: JSON pointers (RFC 6901), or JMESPath, which needs the extra ``jmespath``."""

    deployment_field: Word = "deployment"
    """Where in an object the deployment is named, in full or by its id."""

    value_field: Word = "value"
    """Where its value is."""

    time_field: Word = "time"
    """Where in an object the parts of a value are. ``time`` is UTC seconds or RFC 3339."""


class RedisSettings(SourceSettings):
    """Lengths and backlogs of lists, streams and sorted sets in Redis."""

    type: Literal["redis"]
    interval: Interval = 5.0
    timeout: Timeout = 3.0
    url: Annotated[str, _url_of("redis", "rediss")]
    """``rediss`` is Redis over TLS; the path is the number of the database."""

    username: Word | None = None
    """Of its access control list, where there is one."""

    password_file: ReadableFile | None = None
    """A file that holds the password and nothing else."""

    ca_file: ReadableFile | None = None
    """Who signs the server's certificate, instead of those whom the system trusts."""


class PostgresqlSettings(SourceSettings):
    """Queries of a PostgreSQL database, written here and asked for by name."""

    type: Literal["postgresql"]
    url: Annotated[str, _url_of("postgresql", "postgres")]
    """As libpq reads it, without a password: ``postgresql://reader@host:5432/jobs``."""

    password_file: ReadableFile | None = None
    """A file that holds the password and nothing else."""

    queries: Annotated[dict[Word, Annotated[str, Field(min_length=1)]], Field(min_length=1)]
    """SQL by name. Each gives rows of a deployment, a value and, if it likes, a time."""


class RabbitmqSettings(HttpSettings):
    """Queues of RabbitMQ, through its management plug-in."""

    type: Literal["rabbitmq"]
    interval: Interval = 5.0
    url: HttpUrl
    """Of the management plug-in: ``http://host:15672``."""

    vhost: Word = "/"
    """The virtual host of the queues."""


class NatsSettings(HttpSettings):
    """Streams and consumers of NATS JetStream, through the monitoring port of its servers."""

    type: Literal["nats_jetstream"]
    interval: Interval = 5.0
    urls: Annotated[tuple[HttpUrl, ...], AfterValidator(_not_empty)]
    """The monitoring port of every server of the cluster: ``http://host:8222``."""

    account: Word = "$G"
    """Whose streams; ``$G`` is the one of servers without accounts."""


class KafkaSettings(SourceSettings):
    """Lag of consumer groups of Kafka."""

    type: Literal["kafka"]
    bootstrap_servers: Annotated[
        tuple[Annotated[str, StringConstraints(pattern=r"^[^:\s]+:[0-9]{1,5}$")], ...],
        AfterValidator(_not_empty),
    ]
    """Each ``host:port``."""

    uncommitted: Literal["unknown", "earliest", "latest"] = "unknown"
    """What a partition counts of which the group has committed nothing (its ``auto.offset.reset``)."""

    ca_file: ReadableFile | None = None
    """Who signs the brokers' certificates; with it the connection is TLS."""

    username: Word | None = None
    """For SASL."""

    password_file: ReadableFile | None = None
    """A file that holds the password and nothing else."""

    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    """How the password is shown to the brokers."""
