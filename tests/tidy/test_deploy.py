"""The container file and the systemd unit, as far as they can be judged without running them."""

import configparser
import json
import re
from pathlib import Path

import pytest

from trimtab.settings import AccountSettings, Settings

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def instructions() -> list[tuple[str, str]]:
    """The container file as (instruction, rest), continuation lines joined, comments dropped."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", "")
    return [
        (word, rest.strip())
        for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line.strip())
    ]


@pytest.fixture(scope="module")
def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None, delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd minds the case
    parser.read(ROOT / "deploy" / "systemd" / "trimtab.service", encoding="utf-8")
    return parser


def rests(instructions: list[tuple[str, str]], word: str) -> list[str]:
    return [rest for each, rest in instructions if each == word]


def test_the_image_copies_only_what_exists_and_is_sent_to_the_builder(
    instructions: list[tuple[str, str]],
) -> None:
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    admitted = {line[1:] for line in ignore if line.startswith("!")}
    assert "*" in ignore
    copied = {
        source
        for rest in rests(instructions, "COPY")
        if not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    assert copied == admitted
    assert [source for source in copied if not (ROOT / source).exists()] == []


def test_the_image_needs_no_shell(instructions: list[tuple[str, str]]) -> None:
    for word in ("RUN", "ENTRYPOINT", "CMD"):
        for rest in rests(instructions, word):
            assert isinstance(json.loads(rest), list), f"{word} {rest} is in shell form"
    (health,) = rests(instructions, "HEALTHCHECK")
    command = json.loads(health.partition("CMD ")[2])
    compile(command[2], "HEALTHCHECK", "exec")
    assert "/livez" in command[2]


def test_the_image_installs_only_what_is_pinned_and_hashed(
    instructions: list[tuple[str, str]],
) -> None:
    installs = [rest for rest in rests(instructions, "RUN") if '"install"' in rest]
    assert len(installs) == 2
    assert '"--require-hashes"' in installs[0]
    assert '"--no-deps"' in installs[1]
    assert '"--no-build-isolation"' in installs[1]


def test_the_image_runs_the_daemon_as_a_numbered_user_that_is_not_root(
    instructions: list[tuple[str, str]],
) -> None:
    (user,) = rests(instructions, "USER")
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    assert [json.loads(rests(instructions, word)[0]) for word in ("ENTRYPOINT", "CMD")] == [
        ["trimtab"],
        ["run"],
    ]


def test_wrong_settings_do_not_make_systemd_try_again(unit: configparser.ConfigParser) -> None:
    assert unit["Service"]["Restart"] == "on-failure"
    assert unit["Service"]["RestartPreventExitStatus"] == "78"


def test_systemd_waits_longer_than_a_clean_stop_takes(unit: configparser.ConfigParser) -> None:
    stop_seconds = Settings.model_fields["shutdown_timeout"].default
    assert int(unit["Service"]["TimeoutStopSec"]) > stop_seconds


@pytest.mark.parametrize(
    "name", ["Dockerfile", "deploy/README.md", "deploy/systemd/trimtab.service"]
)
def test_every_variable_that_is_set_is_a_setting(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    variables = re.findall(r"TRIMTAB_([A-Z_]+)\b", text)
    assert variables
    unknown = []
    for variable in variables:
        setting, *rest = variable.lower().split("__")
        is_known = setting in Settings.model_fields or setting == "config"
        if is_known and rest:
            section = Settings.model_fields[setting].annotation
            fields = getattr(section, "model_fields", {}).keys()
            # The short form for one account has that account's fields, and its id.
            account = {*AccountSettings.model_fields, "account_id"}
            is_known = rest[-1] in (account if setting in {"accounts", "fireworks"} else fields)
        if not is_known:
            unknown.append(variable)
    assert unknown == []
