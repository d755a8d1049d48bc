"""From the settings of a push source to what its desk needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.service.push import PushSource
from trimtab.settings_push import (
    AlertmanagerSettings,
    LabelledSettings,
    OtlpSettings,
    PushSettings,
    RemoteWriteSettings,
    WebhookSettings,
)
from trimtab.sources.push import protocols
from trimtab.sources.push.book import BookRules
from trimtab.sources.push.webhook import webhook
from trimtab.web.push import PushLimits
from trimtab.web.push_access import PushAccess

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.sources.push.protocols import Open


def push_sources(settings: Mapping[str, object]) -> tuple[PushSource, ...]:
    """Return the push sources among the sources of the settings. Raises ``SettingsError``."""
    return tuple(
        _push_source(name, one) for name, one in settings.items() if isinstance(one, PushSettings)
    )


def _open(one: PushSettings) -> Open:
    match one:
        case RemoteWriteSettings():
            return protocols.open_remote_write()
        case OtlpSettings():
            return protocols.open_otlp
        case AlertmanagerSettings():
            return protocols.ALERTS
        case WebhookSettings():
            return protocols.open_json(webhook(one.mapped))
    return protocols.SIGNALS


def _push_source(name: str, one: PushSettings) -> PushSource:
    return PushSource(
        name=name,
        type=one.type,
        open=_open(one),
        access=PushAccess(
            is_open_to_loopback=one.loopback,
            token=None if one.token is None else one.token.get_secret_value(),
            signing_key=None if one.signing_key is None else one.signing_key.get_secret_value(),
            replay_window_seconds=one.replay_window,
        ),
        rules=BookRules(
            deployment_label=(
                one.deployment_label if isinstance(one, LabelledSettings) else "deployment"
            ),
            deployments=one.deployments,
            combine=one.combine,
            rate_window_seconds=one.rate_window,
            forget_after_seconds=one.forget_after,
            age_seconds_max=one.age_max,
            series_max=one.series_max,
            is_newest_time=isinstance(one, AlertmanagerSettings),
            heartbeat=one.watchdog if isinstance(one, AlertmanagerSettings) else None,
        ),
        limits=PushLimits(
            body_bytes_max=one.body_max,
            body_seconds_max=one.body_timeout,
            requests_in_flight_max=one.requests_in_flight_max,
            requests_per_second=one.requests_per_second,
        ),
        decompressed_bytes_max=one.decompressed_max,
        samples_per_request_max=one.samples_per_request_max,
        samples_per_second=one.samples_per_second,
    )
