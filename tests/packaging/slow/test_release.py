"""`make release`: what is in it, and that it is the same each time."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.timeout(300)


def tracked(folder: str) -> set[str]:
    listing = subprocess.run(  # noqa: S603  our own command
        ["git", "ls-tree", "-r", "--name-only", "HEAD", folder],  # noqa: S607  whichever is there
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(listing.stdout.split())


def one(folder: Path, pattern: str) -> Path:
    (found,) = folder.glob(pattern)
    return found


def test_two_builds_are_the_same_bytes_whoever_builds_where(released: Path, tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location(
        "dist_again", Path(__file__).parent / "conftest.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    before = os.umask(0o077)
    try:
        again = module.release_into(
            tmp_path / "dist", TZ="Asia/Tokyo", LC_ALL="C", HOME=str(tmp_path)
        )
    finally:
        os.umask(before)
    assert {path.name: path.read_bytes() for path in again.iterdir()} == {
        path.name: path.read_bytes() for path in released.iterdir()
    }


def test_the_checksums_are_those_of_everything_else(released: Path) -> None:
    lines = (released / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    stated = {name: digest for digest, name in (line.split("  ") for line in lines)}
    others = [path for path in released.iterdir() if path.name != "SHA256SUMS"]
    assert stated == {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in others}
    assert len(stated) == 4


def test_the_wheel_has_every_file_of_the_package_and_nothing_else(released: Path) -> None:
    with zipfile.ZipFile(one(released, "*.whl")) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        (metadata,) = [name for name in wheel.namelist() if name.endswith("METADATA")]
        text = wheel.read(metadata).decode()
    assert names == {name.removeprefix("daemon/") for name in tracked("daemon/trimtab")}
    assert "License-Expression: Apache-2.0" in text
    extras = set(re.findall(r"^Provides-Extra: (\S+)$", text, re.MULTILINE))
    assert {"expressions", "kubernetes", "postgresql"} <= extras


def test_the_source_has_what_is_needed_to_run_it_and_read_about_it(released: Path) -> None:
    with tarfile.open(one(released, "*.tar.gz")) as source:
        names = {name.partition("/")[2] for name in source.getnames()}
        owners = {(member.uid, member.gid, member.uname) for member in source.getmembers()}
    assert owners == {(0, 0, "")}
    for folder in ("daemon", "deploy", "docs", "policies"):
        assert tracked(folder) <= names
    assert {"README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml"} <= names
    assert not any(name.startswith(("tests/", "requirements/", ".ci")) for name in names)


@pytest.mark.parametrize(
    ("pattern", "requirements", "needed"),
    [
        ("trimtab-[0-9]*.cdx.json", "runtime.txt", {"aiohttp", "pydantic", "numpy"}),
        ("trimtab-image-*.cdx.json", "image.txt", {"aiohttp", "asyncpg", "lightkube"}),
    ],
)
def test_the_list_of_packages_is_what_is_pinned_and_shipped(
    released: Path, pattern: str, requirements: str, needed: set[str]
) -> None:
    document: dict[str, Any] = json.loads(one(released, pattern).read_text(encoding="utf-8"))
    assert document["bomFormat"] == "CycloneDX"
    assert document["metadata"]["component"]["name"] == "trimtab"
    listed = {(each["name"], each["version"]) for each in document["components"]}
    text = (ROOT / "requirements" / requirements).read_text(encoding="utf-8")
    pinned = set(re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE))
    assert listed <= pinned
    names = {name for name, _ in listed}
    assert needed <= names
    assert {name for name, _ in pinned} - names >= {"hatchling", "editables", "pluggy"}
    hashes = [each["externalReferences"][0]["hashes"] for each in document["components"]]
    assert all(hashes)
