#!/usr/bin/env python3
"""Build what a release is made of from a commit, and nothing else: the same commit, the same bytes.

    deploy/release.py                     wheel, sdist, lists of what is in them, checksums; into dist/
    deploy/release.py --commit v1.2.3     of another commit than the one that is checked out

What lies around in the working tree has no part in it. Times are those of the commit. It runs with the packages of
requirements/release.txt and asks no index for anything.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[1]
GIT = shutil.which("git") or "/usr/bin/git"

LISTS = {
    "runtime.txt": "trimtab-{version}.cdx.json",
    "image.txt": "trimtab-image-{version}.cdx.json",
}
"""Requirements → the list, in the CycloneDX format, of what a wheel or an image brings along."""

HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\](?: - (?P<date>\d{4}-\d{2}-\d{2}))?$")
VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


class ReleaseError(Exception):
    """What stands in the way of a release, in a sentence."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--to", type=Path, default=ROOT / "dist", metavar="DIRECTORY")
    parser.add_argument("--commit", default="HEAD")
    options = parser.parse_args(arguments)
    try:
        release(options.to, options.commit)
    except ReleaseError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def release(to: Path, commit: str) -> None:
    """Build everything of ``commit`` into ``to``, which holds nothing else afterwards."""
    revision = _git("rev-parse", "--verify", f"{commit}^{{commit}}")
    if commit == "HEAD" and _git("status", "--porcelain", "--untracked-files=no"):
        sys.stderr.write(f"what is changed and not committed is not in it; it is of {revision}\n")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source"
        _export(revision, source)
        version = project_version((source / "pyproject.toml").read_text(encoding="utf-8"))
        is_tagged = f"v{version}" in _git("tag", "--points-at", revision).split()
        changelog = (source / "CHANGELOG.md").read_text(encoding="utf-8")
        if problems := list(changelog_problems(changelog, version, is_tagged=is_tagged)):
            raise ReleaseError("\n".join(problems))
        built = Path(folder) / "built"
        built.mkdir()
        environment = _environment(_git("show", "--no-patch", "--format=%ct", revision))
        _build(source, built, environment)
        for requirements, name in LISTS.items():
            _list_packages(source, requirements, built / name.format(version=version), environment)
        sums = "".join(
            f"{hashlib.sha256(one.read_bytes()).hexdigest()}  {one.name}\n"
            for one in sorted(built.iterdir())
        )
        (built / "SHA256SUMS").write_text(sums, encoding="utf-8")
        shutil.rmtree(to, ignore_errors=True)
        shutil.copytree(built, to)
    sys.stdout.write(f"trimtab {version} of {revision} in {to}:\n{sums}")


def project_version(pyproject: str) -> str:
    """Return the version that the project says it has."""
    return str(tomllib.loads(pyproject)["project"]["version"])


def changelog_problems(text: str, version: str, *, is_tagged: bool) -> Iterator[str]:
    """Yield what is wrong with the changelog, in sentences.

    A commit that is tagged ``v<version>`` is that version: it has a heading with a date, and nothing
    is left unreleased. Any other is on its way there: what is new is under ``Unreleased``.
    """
    headings = [found for line in text.splitlines() if line.startswith("## ") if (found := line)]
    parsed = [HEADING.match(line) for line in headings]
    bad = [line for line, match in zip(headings, parsed, strict=True) if match is None]
    yield from (f"CHANGELOG.md: {line!r} is not `## [1.2.3] - 2026-01-31`" for line in bad)
    names = [match["version"] for match in parsed if match is not None]
    dates = {match["version"]: match["date"] for match in parsed if match is not None}
    if names[:1] != ["Unreleased"]:
        yield "CHANGELOG.md: the first heading is not `## [Unreleased]`"
    released = [name for name in names if name != "Unreleased"]
    for name in released:
        if not VERSION.fullmatch(name) or dates[name] is None:
            yield f"CHANGELOG.md: {name} is no version of the form 1.2.3, or has no date"
    numbers = [tuple(map(int, name.split("."))) for name in released if VERSION.fullmatch(name)]
    if numbers != sorted(set(numbers), reverse=True):
        yield "CHANGELOG.md: versions do not go down from the newest, or one is there twice"
    unreleased = _between(text, "## [Unreleased]")
    if is_tagged and version not in released:
        yield f"CHANGELOG.md has no heading for {version}, which this commit is tagged as"
    if is_tagged and unreleased:
        yield f"CHANGELOG.md: something is left under Unreleased although this is {version}"
    if not is_tagged and version in released and not unreleased:
        yield f"CHANGELOG.md: {version} is released, and this is not it, but says nothing new"


def _between(text: str, heading: str) -> str:
    return text.partition(f"{heading}\n")[2].partition("\n## ")[0].strip()


def shipped(requirements: str) -> str:
    """Return the requirements without those that only the build needs: hatchling, editables and theirs."""
    blocks = re.split(r"^(?=[A-Za-z0-9])", requirements, flags=re.MULTILINE)
    return "".join(one for one in blocks if not _is_for_the_build(one))


def _is_for_the_build(block: str) -> bool:
    asked_by = {one.strip() for one in re.findall(r"^    # (?:via|  )(.*)$", block, re.MULTILINE)}
    asked_by = {one for one in asked_by if one and not one.startswith("-c ")}
    return bool(asked_by) and asked_by <= {"-r requirements/build.in", "hatchling"}


def _environment(epoch: str) -> dict[str, str]:
    """Return the environment without what could make two builds differ."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return kept | {
        "SOURCE_DATE_EPOCH": epoch,
        "PYTHONHASHSEED": "0",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }


def _git(*arguments: str) -> str:
    ran = subprocess.run(  # noqa: S603  our own command
        [GIT, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if ran.returncode:
        raise ReleaseError(f"git {' '.join(arguments)}: {ran.stderr.strip()}")
    return ran.stdout.strip()


def _export(revision: str, to: Path) -> None:
    """Write the files of a commit, with the rights that git keeps and no others."""
    archive = subprocess.run(  # noqa: S603  our own command
        [GIT, "archive", "--format=tar", revision], cwd=ROOT, capture_output=True, check=True
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        files.extractall(to, filter="data")
    for path in to.rglob("*"):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)


def _build(source: Path, to: Path, environment: Mapping[str, str]) -> None:
    command = ["-m", "build", "--no-isolation", "--sdist", "--wheel", "--outdir", str(to)]
    _python([*command, str(source)], environment)


def _list_packages(
    source: Path, requirements: str, to: Path, environment: Mapping[str, str]
) -> None:
    path = source / "requirements" / requirements
    path.write_text(shipped(path.read_text(encoding="utf-8")), encoding="utf-8")
    _python(
        [
            *("-m", "cyclonedx_py", "requirements", "--output-reproducible", "--of", "JSON"),
            *("--pyproject", str(source / "pyproject.toml"), "--mc-type", "application"),
            *("--output-file", str(to), str(path)),
        ],
        environment,
    )


def _python(arguments: Sequence[str], environment: Mapping[str, str]) -> None:
    ran = subprocess.run(  # noqa: S603  our own command
        [sys.executable, *arguments],
        env=dict(environment),
        umask=0o022,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        raise ReleaseError(f"{' '.join(arguments[:3])}:\n{ran.stdout}{ran.stderr}")


if __name__ == "__main__":
    raise SystemExit(main())
