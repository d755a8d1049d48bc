"""The section ``sources``: what is asked for load."""

from __future__ import annotations

from pathlib import Path

import pytest

from trimtab.clock import ManualClock
from trimtab.errors import SettingsError
from trimtab.service.pull_wiring import FACTORIES, pull_sources
from trimtab.service.query_checks import known_sources
from trimtab.settings import Settings, load_settings

EVERY_TYPE = """
sources:
  prom: {type: prometheus, url: "https://prom.test/prefix/", bearer_token_file: SECRET, warnings: accept}
  engines:
    type: openmetrics
    engine: vllm
    deployments:
      accounts/acme/deployments/chat: {dns: "vllm.chat:8000"}
  gateway: {type: http_json, url: "http://gw.test/load/{deployment_id}", language: jmespath}
  cache: {type: redis, url: "redis://reader@cache.test:6379/1", password_file: SECRET}
  jobs:
    type: postgresql
    url: postgresql://reader@db.test/jobs
    queries: {depth: "SELECT deployment, count(*) FROM jobs GROUP BY 1"}
  rabbit: {type: rabbitmq, url: "http://rabbit.test:15672", username: me, password_file: SECRET}
  nats: {type: nats_jetstream, urls: ["http://a.test:8222", "http://b.test:8222"], interval: 10s}
  kafka: {type: kafka, bootstrap_servers: ["k.test:9092"], uncommitted: earliest}
"""


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_FIREWORKS__ACCOUNT_ID", "acme")
    monkeypatch.setenv("TRIMTAB_FIREWORKS__API_KEY", "made-up-key-made-up")


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text("made-up-secret\n")
    return file


def load(tmp_path: Path, text: str) -> Settings:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    return load_settings(file)


async def test_every_type_of_source_is_made_under_its_name(tmp_path: Path, secret: Path) -> None:
    settings = load(tmp_path, EVERY_TYPE.replace("SECRET", str(secret)))
    sources = pull_sources(settings.sources, ManualClock())
    assert [(one.name, one.endpoint) for one in sources] == [
        ("prom", "https://prom.test/prefix"),
        ("engines", "vllm"),
        ("gateway", "http://gw.test/load/{deployment_id}"),
        ("cache", "redis://cache.test:6379/1"),
        ("jobs", "postgresql://db.test/jobs"),
        ("rabbit", "http://rabbit.test:15672 vhost /"),
        ("nats", "http://a.test:8222"),
        ("kafka", "k.test:9092"),
    ]
    assert {type(one) for one in settings.sources.values()} == set(FACTORIES)
    assert [one.interval_seconds for one in sources] == [15, 5, 15, 5, 15, 5, 10, 15]
    assert set(known_sources(settings)) == {"fireworks", *settings.sources}
    assert "made-up-secret" not in repr(settings)
    for one in sources:
        await one.close()


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("{url: x}", "`sources.s` says no type; write `type:`"),
        (
            "{type: promtheus}",
            "`sources.s` has a type that does not exist; did you mean `prometheus`?",
        ),
        ("{type: prometheus}", "`sources.s.url` is missing"),
        (
            "{type: prometheus, url: gateway}",
            "is not a URL of http or https; write it as in http://host",
        ),
        (
            "{type: prometheus, url: 'http://u:made-up@h'}",
            "`sources.s.url` has a password in its URL",
        ),
        (
            "{type: prometheus, url: 'http://h', intervall: 5s}",
            "did you mean `sources.s.interval`?",
        ),
        (
            "{type: prometheus, url: 'http://h', interval: 5}",
            "`sources.s.interval` is not a duration",
        ),
        ("{type: prometheus, url: 'http://h', timeout: 2m}", "use 100ms to 50s"),
        (
            "{type: prometheus, url: 'http://h', bearer_token: a, username: b}",
            "`sources.s` has both a bearer token and a username",
        ),
        (
            "{type: prometheus, url: 'http://h', password: a}",
            "has a password but no username; set username",
        ),
        (
            "{type: prometheus, url: 'http://h', bearer_token_file: /absent}",
            "is a file that cannot be read (No such file or directory)",
        ),
        (
            '{type: prometheus, url: "http://h", headers: {X: "made-up\\n"}}',
            "has a header that cannot be sent",
        ),
        (
            "{type: openmetrics}",
            "`sources.s` names no endpoints; set deployments, file or kubernetes",
        ),
        (
            "{type: openmetrics, deployments: {d: {}}}",
            "`sources.s.deployments.d` names no endpoint; set urls or dns",
        ),
        ("{type: redis, url: 'http://h'}", "is not a URL of redis or rediss"),
        ("{type: postgresql, url: 'postgresql://h', queries: {}}", "`sources.s.queries`"),
        ("{type: kafka, bootstrap_servers: [k]}", "is not written as it has to be"),
    ],
)
def test_whatever_is_wrong_is_one_sentence_with_its_place(
    tmp_path: Path, source: str, sentence: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load(tmp_path, f"sources:\n  s: {source}\n")
    assert sentence in str(caught.value)
    assert "settings.yaml:2" in str(caught.value)
    assert "made-up" not in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [("fireworks", "the name of the accounts' own metrics"), ("Gate Way", "no source can have")],
)
def test_names_are_plain_and_not_taken(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        load(tmp_path, f'sources:\n  "{name}": {{type: prometheus, url: "http://h"}}\n')


def test_a_source_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_SOURCES__PROM__TYPE", "prometheus")
    monkeypatch.setenv("TRIMTAB_SOURCES__PROM__URL", "http://prom.test")
    [source] = pull_sources(load_settings().sources, ManualClock())
    assert (source.name, source.endpoint) == ("prom", "http://prom.test")
