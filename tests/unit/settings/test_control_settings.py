"""Who may look and control over HTTP: nobody controls without a token unless the settings say otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from trimtab.errors import SettingsError
from trimtab.settings import load_settings
from trimtab.web.tokens import CLOSED, Access, Scope, Token

TOKEN = "correct-horse-battery-staple"


@pytest.fixture(autouse=True)
def _account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_FIREWORKS__ACCOUNT_ID", "acme")
    monkeypatch.setenv("TRIMTAB_FIREWORKS__API_KEY", "fw_test_key")


def test_by_default_programs_on_the_same_machine_may_look_and_nobody_may_control() -> None:
    control = load_settings().control
    assert (control.http, control.token) == (None, None)
    assert control.access() == Access(is_reading_open_to_loopback=True)


def test_control_without_a_token_is_for_who_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_CONTROL__HTTP", "loopback")
    assert load_settings().control.access().opens_to_loopback(Scope.OPERATE)


def test_looking_can_ask_for_a_token_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_CONTROL__READ", "token")
    assert load_settings().control.access() == CLOSED


def test_several_tokens_have_names_and_scopes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n", encoding="utf-8")
    monkeypatch.setenv("TRIMTAB_CONTROL__TOKENS__DASHBOARDS__SCOPE", "read")
    monkeypatch.setenv("TRIMTAB_CONTROL__TOKENS__DASHBOARDS__TOKEN", TOKEN + "2")
    monkeypatch.setenv("TRIMTAB_CONTROL__TOKENS__ANA__SCOPE", "operate")
    monkeypatch.setenv("TRIMTAB_CONTROL__TOKENS__ANA__TOKEN_FILE", str(file))
    settings = load_settings()
    assert set(settings.control.access().tokens) == {
        Token("dashboards", Scope.READ, TOKEN + "2"),
        Token("ana", Scope.OPERATE, TOKEN),
    }
    assert TOKEN not in repr(settings)


def test_control_that_is_off_leaves_a_token_to_look_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_CONTROL__HTTP", "off")
    monkeypatch.setenv("TRIMTAB_CONTROL__TOKENS__ANA__SCOPE", "operate")
    monkeypatch.setenv("TRIMTAB_CONTROL__TOKENS__ANA__TOKEN", TOKEN)
    assert load_settings().control.access().tokens == (Token("ana", Scope.READ, TOKEN),)


def test_files_are_read_again_and_one_that_is_gone_opens_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.write_text(TOKEN, encoding="utf-8")
    second.write_text(TOKEN + "2", encoding="utf-8")
    monkeypatch.setenv("TRIMTAB_CONTROL__TOKEN_FILE", str(first))
    monkeypatch.setenv("TRIMTAB_CONTROL__TOKENS__BO__SCOPE", "read")
    monkeypatch.setenv("TRIMTAB_CONTROL__TOKENS__BO__TOKEN_FILE", str(second))
    control = load_settings().control
    first.write_text(TOKEN + "3", encoding="utf-8")
    second.unlink()
    access, problems = control.read_again()
    assert access.tokens == (Token("control", Scope.OPERATE, TOKEN + "3"),)
    assert len(problems) == 1
    assert "the token bo has a token file" in problems[0]
    assert len(control.access().tokens) == 2, "what was loaded stays as it was"


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
        ({"HTTP": "off", "TOKEN": TOKEN}, "set http to token"),
        ({"TOKENS__ANA__SCOPE": "read"}, "has no token"),
        ({"TOKENS__ANA__TOKEN": TOKEN}, "scope"),
        ({"TOKENS__ANA__SCOPE": "root", "TOKENS__ANA__TOKEN": TOKEN}, "'read' or 'operate'"),
        ({"TOKENS__LOOPBACK__SCOPE": "read", "TOKENS__LOOPBACK__TOKEN": TOKEN}, "no name for"),
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
    assert load_settings().control.http is None
