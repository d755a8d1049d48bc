"""From the settings of a source that is asked to the source itself: one table, type → how to make it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab.errors import SettingsError
from trimtab.settings_pull import (
    HttpJsonSettings,
    HttpSettings,
    KafkaSettings,
    NatsSettings,
    OpenMetricsSettings,
    PostgresqlSettings,
    PrometheusSettings,
    RabbitmqSettings,
    RedisSettings,
    SourceSettings,
)
from trimtab.sources.endpoints import Directories, Endpoints, Place
from trimtab.sources.http import Access, HttpReader
from trimtab.sources.http_json import JsonReader, jmespath_finder
from trimtab.sources.json_values import Fields, follow_pointer
from trimtab.sources.kafka_lag import KafkaReader
from trimtab.sources.nats_jetstream import NatsReader
from trimtab.sources.openmetrics import OpenMetrics
from trimtab.sources.polled import PolledSource, RecountingSource
from trimtab.sources.postgresql import PostgresqlReader
from trimtab.sources.prometheus import PrometheusReader
from trimtab.sources.prometheus_api import PrometheusApi
from trimtab.sources.rabbitmq import RabbitmqReader
from trimtab.sources.redis_lengths import RedisReader

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pydantic import SecretStr

    from trimtab.clock import Clock
    from trimtab.settings_pull import EndpointSlicesSettings
    from trimtab.sources.endpoints import Directory
    from trimtab.sources.port import Source


def pull_sources(
    settings: Mapping[str, object],
    clock: Clock,
    slices: Callable[[EndpointSlicesSettings], Directory] | None = None,
) -> list[Source]:
    """Return the sources that are asked, of all in ``settings``.

    ``slices`` finds the engines of a cluster's workloads. Raises ``SettingsError`` for one whose driver is
    not installed, and for one that looks into a cluster where there is none.
    """
    return [
        _openmetrics(name, one, clock, slices)
        if isinstance(one, OpenMetricsSettings)
        else FACTORIES[type(one)](name, one, clock)
        for name, one in settings.items()
        if isinstance(one, SourceSettings)
    ]


def _prometheus(name: str, one: PrometheusSettings, clock: Clock) -> Source:
    http = http_reader(one, one.url)
    reader = PrometheusReader(
        PrometheusApi(http, timeout_seconds=one.timeout),
        close=http.close,
        deployment_label=one.deployment_label,
        accepts_warnings=one.warnings == "accept",
    )
    return RecountingSource(
        clock,
        name=name,
        reader=reader,
        interval_seconds=one.interval,
        history_seconds=one.history,
    )


def _openmetrics(
    name: str,
    one: OpenMetricsSettings,
    clock: Clock,
    slices: Callable[[EndpointSlicesSettings], Directory] | None = None,
) -> Source:
    places = {
        deployment: Place(urls=at.urls, dns=at.dns, path=at.path, scheme=at.scheme)
        for deployment, at in one.deployments.items()
    }
    directory: Directory = Endpoints(places, one.file)
    if one.kubernetes is not None:
        if slices is None:
            raise SettingsError(f"source {name} looks into a cluster, and no `clusters` are set")
        directory = Directories(directory, slices(one.kubernetes))
    return OpenMetrics(
        clock,
        name=name,
        endpoints=directory,
        reader=http_reader(one, "http://engines"),  # each endpoint brings its own address
        engine=one.engine,
        interval_seconds=one.interval,
        scales_up=one.missing_endpoints == "scale_up",
    )


def _http_json(name: str, one: HttpJsonSettings, clock: Clock) -> Source:
    reader = JsonReader(
        http_reader(one, "http://json"),  # each request brings its own address
        one.url,
        fields=Fields(one.deployment_field, one.value_field, one.time_field),
        find=jmespath_finder() if one.language == "jmespath" else follow_pointer,
    )
    return PolledSource(clock, name=name, reader=reader, interval_seconds=one.interval)


def _redis(name: str, one: RedisSettings, clock: Clock) -> Source:
    reader = RedisReader(
        one.url,
        timeout_seconds=one.timeout,
        username=one.username,
        password_file=one.password_file,
        ca_file=one.ca_file,
    )
    return PolledSource(clock, name=name, reader=reader, interval_seconds=one.interval)


def _postgresql(name: str, one: PostgresqlSettings, clock: Clock) -> Source:
    reader = PostgresqlReader(
        one.url, one.queries, timeout_seconds=one.timeout, password_file=one.password_file
    )
    return PolledSource(clock, name=name, reader=reader, interval_seconds=one.interval)


def _rabbitmq(name: str, one: RabbitmqSettings, clock: Clock) -> Source:
    reader = RabbitmqReader(http_reader(one, one.url), vhost=one.vhost)
    return PolledSource(clock, name=name, reader=reader, interval_seconds=one.interval)


def _nats(name: str, one: NatsSettings, clock: Clock) -> Source:
    reader = NatsReader([http_reader(one, url) for url in one.urls], account=one.account)
    return PolledSource(clock, name=name, reader=reader, interval_seconds=one.interval)


def _kafka(name: str, one: KafkaSettings, clock: Clock) -> Source:
    reader = KafkaReader(
        one.bootstrap_servers,
        timeout_seconds=one.timeout,
        uncommitted=one.uncommitted,
        ca_file=one.ca_file,
        username=one.username,
        password_file=one.password_file,
        sasl_mechanism=one.sasl_mechanism,
    )
    return PolledSource(clock, name=name, reader=reader, interval_seconds=one.interval)


def http_reader(one: HttpSettings, url: str) -> HttpReader:
    """Return a reader of ``url`` with the credentials of ``one``."""
    access = Access(
        bearer=_text(one.bearer_token),
        bearer_file=one.bearer_token_file,
        username=one.username,
        password=_text(one.password),
        password_file=one.password_file,
        headers={key: value.get_secret_value() for key, value in one.headers.items()},
        ca_file=one.ca_file,
        cert_file=one.cert_file,
        key_file=one.key_file,
    )
    return HttpReader(url, access=access, timeout_seconds=one.timeout)


def _text(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


FACTORIES: dict[type[SourceSettings], Callable[[str, Any, Clock], Source]] = {
    PrometheusSettings: _prometheus,
    OpenMetricsSettings: _openmetrics,
    HttpJsonSettings: _http_json,
    RedisSettings: _redis,
    PostgresqlSettings: _postgresql,
    RabbitmqSettings: _rabbitmq,
    NatsSettings: _nats,
    KafkaSettings: _kafka,
}
