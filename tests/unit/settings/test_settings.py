from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from pydantic import ValidationError

from trimtab.errors import SettingsError
from trimtab.settings import Settings, load_settings

if TYPE_CHECKING:
    from pathlib import Path

KEY = "fw_secret_0123456789"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("TRIMTAB_", "FIREWORKS_")):
            monkeypatch.delenv(name)


@pytest.fixture
def one_account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_FIREWORKS__ACCOUNT_ID", "acme")
    monkeypatch.setenv("TRIMTAB_FIREWORKS__API_KEY", KEY)


def write(folder: Path, text: str) -> Path:
    path = folder / "trimtab.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def problems(path: Path | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_settings(path)
    return str(caught.value).splitlines()


def key_of(settings: Settings, account: str = "acme") -> str:
    key = settings.accounts[account].api_key
    assert key is not None
    return key.get_secret_value()


# -- where values come from ----------------------------------------------------------------------


@pytest.mark.usefixtures("one_account")
def test_the_short_form_in_the_environment_is_enough() -> None:
    settings = load_settings()
    assert key_of(settings) == KEY
    assert settings.accounts["acme"].base_url == "https://api.fireworks.ai"
    assert (settings.tick_interval, settings.metrics_interval) == (15.0, 30.0)
    assert settings.listen_address == ("127.0.0.1", 9464)


def test_what_the_official_sdk_reads_is_enough_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREWORKS_ACCOUNT_ID", "acme")
    monkeypatch.setenv("FIREWORKS_API_KEY", KEY)
    monkeypatch.setenv("FIREWORKS_BASE_URL", "http://127.0.0.1:8600/prefix/")
    settings = load_settings()
    assert key_of(settings) == KEY
    assert settings.accounts["acme"].base_url == "http://127.0.0.1:8600/prefix"


def test_our_own_variables_win_over_those_of_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_FIREWORKS__ACCOUNT_ID", "ours")
    monkeypatch.setenv("FIREWORKS_ACCOUNT_ID", "theirs")
    monkeypatch.setenv("FIREWORKS_API_KEY", KEY)
    assert set(load_settings().accounts) == {"ours"}


def test_accounts_in_the_file_are_not_joined_by_the_sdks(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FIREWORKS_ACCOUNT_ID", "theirs")
    monkeypatch.setenv("FIREWORKS_API_KEY", KEY)
    path = write(tmp_path, f"accounts: {{acme: {{api_key: {KEY}}}}}\n")
    assert set(load_settings(path).accounts) == {"acme"}


def test_the_environment_wins_over_the_file_key_by_key(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = write(
        tmp_path,
        f"tick_interval: 20s\nlog: {{level: debug, format: json}}\n"
        f"accounts: {{acme: {{api_key: {KEY}, base_url: 'https://file.example'}}}}\n",
    )
    monkeypatch.setenv("TRIMTAB_LOG__LEVEL", "warning")
    monkeypatch.setenv("TRIMTAB_ACCOUNTS__ACME__BASE_URL", "https://env.example")
    settings = load_settings(path)
    assert settings.tick_interval == 20.0
    assert (settings.log.level, settings.log.format) == ("warning", "json")
    assert settings.accounts["acme"].base_url == "https://env.example"
    assert key_of(settings) == KEY


def test_the_file_may_be_named_in_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = write(tmp_path, f"tick_interval: 1m30s\naccounts: {{acme: {{api_key: {KEY}}}}}\n")
    monkeypatch.setenv("TRIMTAB_CONFIG", str(path))
    assert load_settings().tick_interval == 90.0


def test_several_accounts_each_have_their_own_key_and_limits(tmp_path: Path) -> None:
    (tmp_path / "a").write_text(f"{KEY}-a\n", encoding="utf-8")
    path = write(
        tmp_path,
        "accounts:\n"
        f"  acme: {{api_key_file: {tmp_path / 'a'}, control_requests_per_minute: 600}}\n"
        f"  beta: {{api_key: {KEY}-b, metrics_requests_per_minute: 3, annotate: false}}\n",
    )
    settings = load_settings(path)
    assert (key_of(settings, "acme"), key_of(settings, "beta")) == (f"{KEY}-a", f"{KEY}-b")
    assert settings.accounts["acme"].control_requests_per_minute == 600
    assert settings.accounts["beta"].metrics_requests_per_minute == 3
    assert not settings.accounts["beta"].annotate


@pytest.mark.usefixtures("one_account")
def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_TICK_INTERVAL", "")
    assert load_settings().tick_interval == 15.0


@pytest.mark.usefixtures("one_account")
def test_a_listen_address_may_be_ipv6_or_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_LISTEN", "[::1]:9000")
    assert load_settings().listen_address == ("::1", 9000)
    monkeypatch.setenv("TRIMTAB_LISTEN", "off")
    assert load_settings().listen_address is None


@pytest.mark.usefixtures("one_account")
def test_settings_cannot_be_changed_afterwards() -> None:
    settings = load_settings()
    with pytest.raises(ValidationError):
        settings.tick_interval = 1.0  # type: ignore[misc]  # that it is frozen is the point
    with pytest.raises(ValidationError):
        settings.accounts["acme"].annotate = False  # type: ignore[misc]  # that it is frozen is the point


@pytest.mark.usefixtures("one_account")
def test_variables_that_kubernetes_adds_for_a_service_of_our_name_are_not_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("PORT", "PORT_9464_TCP_ADDR", "SERVICE_HOST", "SERVICE_PORT_METRICS"):
        monkeypatch.setenv(f"TRIMTAB_{name}", "10.0.0.1")
    load_settings()


# -- what can be wrong ---------------------------------------------------------------------------


def test_without_any_account_both_ways_to_set_one_are_named() -> None:
    [problem] = problems()
    assert "TRIMTAB_FIREWORKS__ACCOUNT_ID" in problem
    assert "`accounts`" in problem


def test_a_key_without_an_account_asks_for_the_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FIREWORKS_API_KEY", KEY)
    assert problems() == [
        "the account's id is not set: set TRIMTAB_FIREWORKS__ACCOUNT_ID (or FIREWORKS_ACCOUNT_ID)"
    ]


def test_all_problems_of_file_and_environment_are_told_at_once_in_a_sentence_each(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = write(
        tmp_path,
        "tick_intervall: 15s\n"
        "metrics_interval: 5s\n"
        "fleet_refresh_interval: 20\n"
        "accounts:\n"
        "  acme: {api_key_file: /nowhere/key}\n"
        "  beta: {api_key: x, metrics_requests_per_minute: 7}\n"
        "  gamma: {api_keyy: z}\n"
        "log: {format: xml}\n",
    )
    monkeypatch.setenv("TRIMTAB_LOG__LEVLE", "info")
    monkeypatch.setenv("TRIMTAB_SHUTDOWN_TIMEOUT", "10 s")
    monkeypatch.setenv("TRIMTAB_POLICY", "x")
    found = problems(path)
    expected = [
        "TRIMTAB_POLICY is not a setting; did you mean TRIMTAB_POLICIES?",
        "TRIMTAB_LOG__LEVLE is not a setting; did you mean TRIMTAB_LOG__LEVEL?",
        "TRIMTAB_SHUTDOWN_TIMEOUT is '10 s', which is not a duration; write `10s`",
        f"{path}:1: `tick_intervall` is not a setting; did you mean `tick_interval`?",
        f"{path}:2: `metrics_interval` is '5s', which is outside what works; use 12s to 1h",
        (
            f"{path}:3: `fleet_refresh_interval` is 20, which is not a duration; "
            "say which unit: `20s`, `20m` or `20h`"
        ),
        (
            f"{path}:5: `accounts.acme` has an API key file /nowhere/key that cannot be read "
            "(No such file or directory); check path and permissions"
        ),
        (
            f"{path}:6: `accounts.beta.metrics_requests_per_minute` is 7; "
            "it must be less than or equal to 6"
        ),
        (
            f"{path}:7: `accounts.gamma.api_keyy` is not a setting; "
            "did you mean `accounts.gamma.api_key`?"
        ),
        f"{path}:8: `log.format` is 'xml'; it must be 'auto', 'json' or 'console'",
    ]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a\n- b\n", "is not a mapping of settings"),
        ("tick_interval: 15s\ntick_interval: 20s\n", ":2: "),
        ("tick_interval: [15s\n", "trimtab.yaml:"),
        ("tick_interval: 15s\n---\nlisten: off\n", "2 documents"),
        ("listen: nowhere\n", "is 'nowhere', which is not an address; write host:port"),
        ("listen: 127.0.0.1:99999\n", "is not an address"),
        ("accounts: {a/b: {api_key: k}}\n", "no account id"),
        ("accounts: {acme: {api_key: k, base_url: ftp://x}}\n", "is not an http(s) URL"),
        (
            "accounts: {acme: {api_key: k, proxy: 'proxy:3128'}}\n",
            "write it as in http://proxy:3128",
        ),
        ("accounts: {acme: {api_key: k, api_key_file: f}}\n", "keep one"),
        ("accounts: {acme: {}}\n", "has no API key"),
        ("accounts: {acme: {api_key: 'two words'}}\n", "characters that no key has"),
        ("accounts: {acme: {api_key: ' '}}\n", "empty API key"),
        ("policies: {a: b}\n", "`policies`"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(
    tmp_path: Path, text: str, words: str
) -> None:
    found = problems(write(tmp_path, text))
    assert any(words in problem for problem in found), found


def test_a_file_that_is_not_there_is_named_with_the_ways_it_was_named(tmp_path: Path) -> None:
    found = problems(tmp_path / "none.yaml")
    assert f"{tmp_path}/none.yaml: cannot be read (No such file or directory)" in found[0]


def test_a_key_file_that_is_a_directory_says_so(tmp_path: Path) -> None:
    path = write(tmp_path, f"accounts: {{acme: {{api_key_file: {tmp_path}}}}}\n")
    assert "cannot be read (Is a directory)" in problems(path)[0]


# -- secrets -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        f"accounts: {{acme: {KEY}}}\n",
        f"accounts: {{acme: {{api_key: [{KEY}]}}}}\n",
        f"accounts: {{acme: {{api_key: '{KEY} {KEY}'}}}}\n",
        f"accounts: {{acme: {{api_keyy: {KEY}}}}}\n",
        f"accounts: {KEY}\n",
        f"fireworks: {KEY}\n",
        f"fireworks: {{api_key: {KEY}}}\n",
        f"accounts: {{acme: {{api_key: k, base_url: 'ftp://u:{KEY}@h'}}}}\n",
        f"log: {KEY}\n",
    ],
)
def test_a_secret_in_the_wrong_place_is_in_no_message(tmp_path: Path, text: str) -> None:
    assert KEY not in "\n".join(problems(write(tmp_path, text)))


@pytest.mark.usefixtures("one_account")
def test_a_secret_is_in_no_representation() -> None:
    settings = load_settings()
    assert KEY not in f"{settings!r} {settings} {settings.model_dump_json()}"


@given(
    values=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.dictionaries(
                st.sampled_from(["accounts", "acme", "api_key", "log", "level", "listen", "x"]),
                inner,
            )
            | st.lists(inner, max_size=3)
        ),
        max_leaves=12,
    )
)
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_yaml_is_settings_or_sentences(values: object, tmp_path: Path) -> None:
    import json

    path = write(tmp_path, json.dumps(values))
    try:
        load_settings(path)
    except SettingsError as error:
        assert str(error)  # noqa: PT017  either way is right
