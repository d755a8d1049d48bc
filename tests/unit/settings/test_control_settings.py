"""Who may control trimtab over HTTP is who is on its machine, unless the settings say otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from trimtab.errors import SettingsError
from trimtab.settings import load_settings

TOKEN = "correct-horse-battery-staple"


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_FIREWORKS__ACCOUNT_ID", "acme")
    monkeypatch.setenv("TRIMTAB_FIREWORKS__API_KEY", "fw_test_key")


def test_by_default_programs_on_the_same_machine_may() -> None:
    control = load_settings().control
    assert (control.http, control.token) == ("loopback", None)


def test_the_token_may_come_from_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n", encoding="utf-8")
    monkeypatch.setenv("TRIMTAB_CONTROL__HTTP", "token")
    monkeypatch.setenv("TRIMTAB_CONTROL__TOKEN_FILE", str(file))
    settings = load_settings()
    assert settings.control.token is not None
    assert settings.control.token.get_secret_value() == TOKEN
    assert TOKEN not in repr(settings)


@pytest.mark.parametrize(
    ("variables", "remedy"),
    [
        ({"HTTP": "token"}, "set token_file"),
        ({"HTTP": "token", "TOKEN": "short"}, "openssl rand -hex 32"),
        ({"HTTP": "token", "TOKEN": TOKEN, "TOKEN_FILE": "x"}, "keep one"),
        ({"HTTP": "token", "TOKEN_FILE": "/nowhere/token"}, "check path and permissions"),
        ({"TOKEN": TOKEN}, "set http to token"),
        ({"HTTP": "everybody"}, "'off', 'loopback' or 'token'"),
    ],
)
def test_a_half_set_door_is_refused(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], remedy: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"TRIMTAB_CONTROL__{name}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert remedy in str(caught.value)
    assert TOKEN not in str(caught.value)


def test_what_commands_need_to_reach_the_daemon_may_be_set_for_the_daemon_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """On one machine both read the same environment."""
    monkeypatch.setenv("TRIMTAB_URL", "http://127.0.0.1:9464")
    monkeypatch.setenv("TRIMTAB_TOKEN_FILE", "token")
    assert load_settings().control.http == "loopback"
