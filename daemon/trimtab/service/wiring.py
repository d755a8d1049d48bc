"""From settings to the daemon: one target and one source of load for each account."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.fleet_policy import NO_FLEET_POLICY, FleetPolicy
from trimtab.core.lead_time import LeadTimes, StartValue
from trimtab.errors import SettingsError
from trimtab.journal.ownership import why_not_ours
from trimtab.journal.port import VolatileJournal
from trimtab.journal.postgresql.journal import PostgresqlJournal
from trimtab.journal.retention import Retention
from trimtab.journal.sqlite import SqliteJournal
from trimtab.service.cluster_wiring import Clusters
from trimtab.service.coordination_wiring import bucket_function, coordination_of
from trimtab.service.daemon import Daemon
from trimtab.service.pull_wiring import pull_sources
from trimtab.service.push_wiring import push_sources
from trimtab.service.timing import Timing
from trimtab.sources.fireworks import NAME as FIREWORKS
from trimtab.sources.fireworks import FireworksMetrics
from trimtab.targets.fireworks import FireworksAccount, FireworksTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from random import Random

    from trimtab.clock import Clock
    from trimtab.core.decision import Tick
    from trimtab.core.policy import Policy
    from trimtab.journal.port import Journal
    from trimtab.service.reload import PolicyFiles
    from trimtab.settings import AccountSettings, Settings

SOURCE_NAMES = frozenset({FIREWORKS})
"""What a policy may say after ``source:`` whatever the settings."""


def build_daemon(
    settings: Settings,
    policies: Iterable[Policy],
    clock: Clock,
    random: Random,
    *,
    fleet_policy: FleetPolicy = NO_FLEET_POLICY,
    policy_files: PolicyFiles | None = None,
    on_tick: Callable[[Tick], None] | None = None,
) -> Daemon:
    """Wire a daemon for the accounts and clusters of ``settings``, with its journal. Raises ``SettingsError``.

    ``policy_files`` is where ``policies`` and ``fleet_policy`` came from, if they are to be followed as
    they change.
    """
    journal = _journal(settings, clock)
    coordination = coordination_of(settings, clock, random, journal)
    targets = [
        FireworksTarget(_account(name, one), clock, annotate=one.annotate, rng=random)
        for name, one in settings.accounts.items()
    ]
    sources = [
        FireworksMetrics(
            clock,
            account_id=name,
            scrape=target.client.scrape_metrics,
            interval_seconds=max(settings.metrics_interval, _seconds_between_scrapes(one)),
        )
        for (name, one), target in zip(settings.accounts.items(), targets, strict=True)
    ]
    clusters = Clusters(settings.clusters, clock, random)
    return Daemon(
        clock=clock,
        targets=[*targets, *clusters.targets()],
        sources=[*sources, *pull_sources(settings.sources, clock, clusters.slices)],
        push_sources=push_sources(settings.sources),
        policies=policies,
        fleet_policy=fleet_policy,
        policy_files=policy_files,
        timing=Timing(
            tick_interval_seconds=settings.tick_interval,
            fleet_refresh_interval_seconds=settings.fleet_refresh_interval,
            quota_refresh_interval_seconds=settings.quota_refresh_interval,
            shutdown_timeout_seconds=settings.shutdown_timeout,
        ),
        lead_times=LeadTimes(
            default_seconds=settings.lead_time.default,
            starts=tuple(
                StartValue(one.time, one.accelerator, one.parameters_max)
                for one in settings.lead_time.start_values
            ),
        ),
        random=random,
        journal=journal,
        is_journal_required=settings.journal.required,
        plugins=settings.strategy_plugins,
        writes_in_flight_max=settings.writes_in_flight_max,
        coordination=coordination,
        on_tick=on_tick,
    )


def _journal(settings: Settings, clock: Clock) -> Journal:
    said = settings.journal
    retention = Retention(age_seconds=said.retention_age, size_bytes=said.retention_size)
    database, buckets = said.database, bucket_function(settings.coordination)
    if database is not None:
        return PostgresqlJournal(
            database,
            clock,
            bucket_of=buckets,
            grace_seconds=0.0 if buckets is None else settings.coordination.lease,
            retention=retention,
        )
    file = said.file
    if file is None:
        return VolatileJournal(since=clock.now())
    foreign = why_not_ours(file)
    if foreign is not None:
        raise SettingsError(foreign)
    return SqliteJournal(file, clock, retention=retention)


def _account(account_id: str, one: AccountSettings) -> FireworksAccount:
    return FireworksAccount(
        account_id=account_id,
        api_key="" if one.api_key is None else one.api_key.get_secret_value(),
        api_key_file=one.api_key_file,
        base_url=one.base_url,
        proxy=one.proxy,
        control_per_minute=one.control_requests_per_minute,
        metrics_per_minute=one.metrics_requests_per_minute,
    )


def _seconds_between_scrapes(one: AccountSettings) -> float:
    """One scrape a minute of those that the limit allows stays free, for people."""
    return 60.0 / (one.metrics_requests_per_minute - 1)
