"""Every bad setting of a push source is a sentence; every good one arrives where it counts."""

from __future__ import annotations

from pathlib import Path

import pytest

from trimtab.errors import SettingsError
from trimtab.service.push_wiring import push_sources
from trimtab.settings import load_settings

TOKEN = "0123456789abcdef"


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_FIREWORKS__ACCOUNT_ID", "acme")
    monkeypatch.setenv("TRIMTAB_FIREWORKS__API_KEY", "fw_key")


def problems(tmp_path: Path, source: str) -> str:
    path = tmp_path / "settings.yaml"
    path.write_text(f"sources:\n  gateway: {source}\n", encoding="utf-8")
    with pytest.raises(SettingsError) as error:
        load_settings(path)
    return str(error.value)


def test_what_the_settings_say_is_what_the_desk_gets(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("a-key-of-enough-characters\n", encoding="utf-8")
    path = tmp_path / "settings.yaml"
    path.write_text(
        f"""\
sources:
  gateway: {{type: remote_write, token: {TOKEN}, combine: avg, deployment_label: svc, body_max: 2MiB}}
  alerts: {{type: alertmanager, loopback: true, watchdog: Watchdog}}
  queue:
    type: webhook
    signing_key_file: {tmp_path / "key"}
    replay_window: 60s
    deployment: /a~1b
    value: ""
    signal_name: queued
    time_unit: ms
""",
        encoding="utf-8",
    )
    gateway, alerts, queue = push_sources(load_settings(path).sources)
    assert (gateway.access.token, gateway.rules.combine, gateway.rules.deployment_label) == (
        TOKEN,
        "avg",
        "svc",
    )
    assert gateway.limits.body_bytes_max == 2 * 1024**2
    assert (alerts.rules.heartbeat, alerts.rules.combine) == ("Watchdog", "max")
    assert alerts.access.is_open_to_loopback
    assert queue.access.signing_key == "a-key-of-enough-characters"
    assert queue.access.replay_window_seconds == 60.0


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("{type: json}", "must say who may push by exactly one of"),
        ("{type: json, loopback: true, token: 0123456789abcdef}", "exactly one of"),
        ("{type: json, token: short}", "has no token of 16 or more"),
        ("{type: json, token_file: /nowhere/token}", "cannot be read"),
        ("{type: json, token: 0123456789abcdef, token_file: /x}", "both token and token_file"),
        ("{type: json, signing_key: ' '}", "has no signing key of 16 or more"),
        ("{type: json, loopback: true, body_max: 3}", "is not a size; write it as in 512KiB"),
        ("{type: json, loopback: true, body_max: 65MiB}", "use 1KiB to 64MiB"),
        ("{type: json, loopback: true, combine: median}", "must be one of sum, avg, max"),
        ("{type: json, loopback: true, deployment_label: a}", "is not a setting"),
        ("{type: otlp, loopback: true, series_max: 0}", "greater than or equal to 1"),
        ("{type: otlp, loopback: true, rate_window: 30}", "is not a duration"),
        ("{type: webhook, loopback: true, deployment: /d, value: /v}", "signal and signal_name"),
        ("{type: webhook, loopback: true, value: /v, signal_name: q}", "is missing"),
        (
            "{type: webhook, loopback: true, deployment: d, value: /v, signal_name: q}",
            "is no JSON pointer; begin it with /",
        ),
        (
            "{type: webhook, loopback: true, deployment: /d~2, value: /v, signal_name: q}",
            "write ~ as ~0",
        ),
    ],
)
def test_each_mistake_is_a_sentence_with_its_remedy(tmp_path: Path, source: str, said: str) -> None:
    assert said in problems(tmp_path, source)


def test_no_secret_is_in_any_text(tmp_path: Path) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(f"sources: {{a: {{type: json, token: {TOKEN}}}}}\n", encoding="utf-8")
    settings = load_settings(path)
    assert TOKEN not in repr(settings)
    assert TOKEN not in repr(push_sources(settings.sources))
    assert "very-secret" not in problems(tmp_path, "{type: json, token: very-secret}")
