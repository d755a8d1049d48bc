"""The section ``journal``: where, for how long, and whether it is needed."""

from pathlib import Path

import pytest

from trimtab.errors import SettingsError
from trimtab.journal.postgresql.database import Database
from trimtab.settings import load_settings


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_FIREWORKS__ACCOUNT_ID", "acme")
    monkeypatch.setenv("TRIMTAB_FIREWORKS__API_KEY", "made-up")


def test_without_a_word_it_is_kept_where_systemd_made_room(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path}:/elsewhere")
    assert load_settings().journal.file == tmp_path / "journal.db"


def test_else_below_the_state_directory_of_the_user_which_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    file = load_settings().journal.file
    assert file == tmp_path / ".local" / "state" / "trimtab" / "journal.db"
    assert file.parent.stat().st_mode & 0o777 == 0o700
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert load_settings().journal.file == tmp_path / "state" / "trimtab" / "journal.db"


def test_a_directory_that_was_named_is_not_made_as_it_may_be_a_volume_that_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TRIMTAB_JOURNAL__PATH", str(tmp_path / "volume" / "journal.db"))
    assert load_settings().journal.file == tmp_path / "volume" / "journal.db"
    assert not (tmp_path / "volume").exists()


def test_off_keeps_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_JOURNAL__PATH", "off")
    assert load_settings().journal.file is None


def test_it_is_needed_unless_somebody_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().journal.required
    monkeypatch.setenv("TRIMTAB_JOURNAL__REQUIRED", "false")
    assert not load_settings().journal.required


def test_sizes_are_bytes_and_ages_seconds_once_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_JOURNAL__RETENTION_SIZE", "512MiB")
    monkeypatch.setenv("TRIMTAB_JOURNAL__RETENTION_AGE", "90d")
    journal = load_settings().journal
    assert (journal.retention_size, journal.retention_age) == (512 * 2**20, 90 * 86_400.0)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("RETENTION_SIZE", "512", "is not a size; write it as in 512MiB or 2GiB"),
        ("RETENTION_SIZE", "1MiB", "use 16MiB to 16TiB"),
        ("RETENTION_AGE", "5m", "is outside what works"),
        ("PATH", "/var/lib/trimtab/", "is no path of a file; name one, or write off"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"TRIMTAB_JOURNAL__{variable}", value)
    with pytest.raises(SettingsError, match=said.replace("(", r"\(")) as refused:
        load_settings()
    assert f"TRIMTAB_JOURNAL__{variable}" in str(refused.value)


# -- in PostgreSQL --------------------------------------------------------------------------------

URL = "postgresql://trimtab@db.test:5432/trimtab?sslmode=verify-full"


def test_it_may_be_a_database_in_place_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIMTAB_JOURNAL__POSTGRESQL__URL", URL)
    journal = load_settings().journal
    assert journal.file is None
    assert journal.database == Database(URL)
    assert journal.database.name == "postgresql://db.test:5432/trimtab (schema trimtab_journal)"


def test_secrets_are_in_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    url, password = tmp_path / "url", tmp_path / "password"
    url.write_text("postgresql://trimtab:made-up@db.test/trimtab\n")
    password.write_text("made-up too\n")
    monkeypatch.setenv("TRIMTAB_JOURNAL__POSTGRESQL__URL_FILE", str(url))
    monkeypatch.setenv("TRIMTAB_JOURNAL__POSTGRESQL__PASSWORD_FILE", str(password))
    monkeypatch.setenv("TRIMTAB_JOURNAL__POSTGRESQL__SCHEMA_NAME", "fleet")
    database = load_settings().journal.database
    assert database is not None
    assert (database.url, database.password, database.schema) == (
        "postgresql://trimtab:made-up@db.test/trimtab",
        "made-up too",
        "fleet",
    )
    assert "made-up" not in database.name


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"POSTGRESQL__URL": URL, "PATH": "journal.db"}, "names a path and postgresql"),
        ({"POSTGRESQL__URL": URL, "POSTGRESQL__URL_FILE": "url"}, "either url or url_file"),
        ({"POSTGRESQL__SCHEMA_NAME": "fleet"}, "either url or url_file"),
        ({"POSTGRESQL__URL": "mysql://db.test"}, "is not a URL of postgresql"),
        ({"POSTGRESQL__URL": "postgresql://me:made-up@db.test"}, "has a password in its URL"),
        ({"POSTGRESQL__URL": URL, "POSTGRESQL__SCHEMA_NAME": "a-b"}, "is no name of a schema"),
    ],
)
def test_a_database_that_cannot_be_meant_is_refused(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], said: str
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(f"TRIMTAB_JOURNAL__{name}", value)
    with pytest.raises(SettingsError, match=said) as refused:
        load_settings()
    assert "made-up" not in str(refused.value)


@pytest.mark.parametrize(("text", "said"), [(None, "cannot be read"), ("db.test", "holds no URL")])
def test_a_file_with_the_url_that_is_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str | None, said: str
) -> None:
    if text is not None:
        (tmp_path / "url").write_text(text)
    monkeypatch.setenv("TRIMTAB_JOURNAL__POSTGRESQL__URL_FILE", str(tmp_path / "url"))
    journal = load_settings().journal
    with pytest.raises(SettingsError, match=said):
        _ = journal.database
