"""What a release must say of itself, what is listed as part of it, and what an audit says."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def script(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, ROOT / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


release = script("deploy/release.py")
audit = script("requirements/audit.py")

NEW = "# Changelog\n\n## [Unreleased]\n\n### Added\n\n- A thing.\n"
RELEASED = f"{NEW}\n## [0.2.0] - 2026-12-01\n\n- More.\n\n## [0.1.0] - 2026-11-01\n\n- All.\n"
CLEAN = RELEASED.replace("### Added\n\n- A thing.\n", "")


def problems(text: str, version: str = "0.2.0", *, is_tagged: bool = False) -> list[str]:
    return list(release.changelog_problems(text, version, is_tagged=is_tagged))


def test_the_changelog_is_in_order() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version = release.project_version((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert problems(text, version) == []


def test_what_is_new_may_be_unreleased_or_all_of_it_released() -> None:
    assert problems(NEW, "0.1.0") == []
    assert problems(RELEASED, "0.3.0") == []
    assert problems(RELEASED, "0.2.0") == []
    assert problems(CLEAN, "0.2.0", is_tagged=True) == []


@pytest.mark.parametrize(
    ("text", "version", "is_tagged", "sentence"),
    [
        (NEW, "0.1.0", True, "no heading for 0.1.0, which this commit is tagged as"),
        (RELEASED, "0.2.0", True, "something is left under Unreleased"),
        (CLEAN, "0.2.0", False, "0.2.0 is released, and this is not it, but says nothing new"),
        (NEW.replace("[Unreleased]", "[0.1.0] - 2026-11-01"), "0.1.0", True, "first heading"),
        (RELEASED.replace(" - 2026-12-01", ""), "0.3.0", False, "0.2.0 is no version"),
        (RELEASED.replace("0.2.0", "0.2"), "0.3.0", False, "0.2 is no version"),
        (RELEASED.replace("[0.2.0]", "0.2.0"), "0.3.0", False, "is not `## [1.2.3]"),
        (RELEASED.replace("0.2.0", "0.0.9"), "0.3.0", False, "do not go down"),
        (RELEASED.replace("0.2.0", "0.1.0"), "0.3.0", False, "one is there twice"),
    ],
)
def test_a_changelog_that_does_not_fit_its_version_is_named(
    text: str, version: str, is_tagged: bool, sentence: str
) -> None:
    assert any(sentence in one for one in problems(text, version, is_tagged=is_tagged))


@pytest.mark.parametrize("name", release.LISTS)
def test_what_only_the_build_needs_is_no_part_of_a_release(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    pins = re.compile(r"^([\w.-]+)==", re.MULTILINE)
    gone = set(pins.findall(text)) - set(pins.findall(release.shipped(text)))
    assert gone == {
        "editables",
        "hatchling",
        "packaging",
        "pathspec",
        "pluggy",
        "tomlkit",
        "trove-classifiers",
    }


def test_what_both_the_build_and_the_daemon_need_is_part_of_it() -> None:
    both = "packaging==1 \\\n    --hash=sha256:0\n    # via\n    #   hatchling\n    #   rich\n"
    assert release.shipped(both) == both


def an_answer(*packages: dict[str, Any]) -> str:
    return json.dumps({"dependencies": list(packages)})


@pytest.mark.parametrize(
    ("answer", "errors", "code", "said"),
    [
        ("", "ConnectionError: no such host\n", 0, "not audited for known vulnerabilities: Conn"),
        ("", "", 0, "not audited for known vulnerabilities: nothing was answered"),
        ("[]", "", 0, "not audited"),
        (an_answer({"name": "a", "skip_reason": "not found"}), "", 0, "knows none"),
        (
            an_answer({"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": ""}),
            "",
            0,
            "1 packages audited, 0 vulnerabilities, 1 packages unknown",
        ),
        (
            an_answer(
                {
                    "name": "a",
                    "version": "1",
                    "vulns": [{"id": "CVE-1", "fix_versions": ["1.1"]}, {"id": "CVE-2"}],
                }
            ),
            "Found 2 known vulnerabilities",
            1,
            "a 1: CVE-1, mended in 1.1\na 1: CVE-2, mended in no version yet\n1 packages audited, 2",
        ),
    ],
)
def test_an_audit_fails_for_what_is_known_and_never_for_what_is_not(
    answer: str, errors: str, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert audit.verdict(answer, errors) == code
    assert said in capsys.readouterr().out
