"""The section ``coordination``: alone, or one of several, and where they meet."""

from __future__ import annotations

from pathlib import Path

import pytest

from trimtab.coordination.postgresql_session import Database
from trimtab.errors import SettingsError
from trimtab.settings import load_settings


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_FIREWORKS__ACCOUNT_ID", "acme")
    monkeypatch.setenv("TRIMTAB_FIREWORKS__API_KEY", "made-up")


def written(folder: Path, text: str) -> Path:
    path = folder / "trimtab.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_word_it_is_alone() -> None:
    coordination = load_settings().coordination
    assert (coordination.service, coordination.buckets, coordination.lease) == ("none", 64, 15.0)


def test_on_postgresql_with_a_url_and_a_file_for_the_password(tmp_path: Path) -> None:
    file = written(
        tmp_path,
        f"""
        coordination:
          service: postgresql
          lease: 30s
          address: http://10.0.0.3:9464/
          postgresql:
            url: postgresql://trimtab@db.internal/trimtab?sslmode=verify-full
            password_file: {tmp_path}/password
            schema_name: fleet_a
        """,
    )
    coordination = load_settings(file).coordination
    assert coordination.lease == 30.0
    assert coordination.address == "http://10.0.0.3:9464"
    assert coordination.postgresql is not None
    assert coordination.postgresql.database == Database(
        url="postgresql://trimtab@db.internal/trimtab?sslmode=verify-full",
        schema="fleet_a",
        password_file=tmp_path / "password",
    )


def test_a_url_with_its_password_comes_from_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "url"
    secret.write_text("postgresql://trimtab:made-up@db/trimtab\n", encoding="utf-8")
    monkeypatch.setenv("TRIMTAB_COORDINATION__SERVICE", "postgresql")
    monkeypatch.setenv("TRIMTAB_COORDINATION__POSTGRESQL__URL_FILE", str(secret))
    section = load_settings().coordination.postgresql
    assert section is not None
    assert section.database.url == "postgresql://trimtab:made-up@db/trimtab"
    assert "made-up" not in section.database.name
    secret.write_text("made-up", encoding="utf-8")
    with pytest.raises(SettingsError, match="holds no URL") as refused:
        _ = section.database
    assert "made-up" not in str(refused.value)
    secret.unlink()
    with pytest.raises(SettingsError, match="cannot be read"):
        _ = section.database


def test_kubernetes_needs_no_more_words_inside_of_a_cluster(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TRIMTAB_COORDINATION__SERVICE", "kubernetes")
    assert load_settings().coordination.kubernetes.group == "default"


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ("service: etcd", "service"),
        ("service: postgresql", "set coordination.postgresql.url"),
        ("buckets: 0", "greater than or equal to 1"),
        ("lease: 1s", "use 3s to 5m"),
        ("address: 10.0.0.3:9464", "is not an http"),
        ("postgresql: {}", "needs either url or url_file"),
        ("postgresql: {url: mysql://db/x}", "is not a URL of postgresql"),
        ("postgresql: {url: 'postgresql://['}", "is not a URL of postgresql"),
        ("postgresql: {url: postgresql://u:made-up@db/x}", "password in its URL"),
        ("postgresql: {url: postgresql://db/x, schema_name: pg_x}", "is no name of a schema"),
        ("postgresql: {url: postgresql://db/x, schema_name: 'a\"b'}", "is no name of a schema"),
        ("kubernetes: {group: Fleet_A}", "group"),
        ("kubernetes: {writes_per_second_max: 1}", "greater than or equal to 2"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_a_sentence(
    lines: str, sentence: str, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError) as refused:
        load_settings(written(tmp_path, f"coordination:\n  {lines}\n"))
    assert sentence in str(refused.value)
    assert "made-up" not in str(refused.value)
