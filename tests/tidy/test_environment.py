"""A fresh machine: how a Python is chosen, what is installed, when .venv is made anew."""

import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[2]
REQUIREMENTS = ROOT / "requirements"
SHELL = shutil.which("sh") or "/bin/sh"

Run = Callable[..., subprocess.CompletedProcess[str]]

PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)


class Machine:
    """A search path on which only chosen interpreters exist."""

    def __init__(self, folder: Path, run: Run) -> None:
        self.run = run
        self.bin = folder / "a bin"
        self.bin.mkdir()
        (self.bin / "tail").symlink_to(shutil.which("tail") or "/usr/bin/tail")

    def add(self, name: str, complaint: str = "") -> Path:
        path = self.bin / name
        path.write_text(f"#!{SHELL}\necho '{complaint}'\n[ -z '{complaint}' ]\n")
        path.chmod(0o755)
        return path

    def choose(self, python: str | None = None) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": str(self.bin)} | ({} if python is None else {"PYTHON": python})
        return self.run(SHELL, str(REQUIREMENTS / "choose-python"), environment=environment)


@pytest.fixture
def machine(tmp_path: Path, run: Run) -> Machine:
    return Machine(tmp_path, run)


def test_the_newest_python_that_works_is_chosen(machine: Machine) -> None:
    machine.add("python3.13", "has no module ensurepip")
    newest = machine.add("python3.12")
    machine.add("python3.11")
    machine.add("python3")
    assert machine.choose().stdout.strip() == str(newest)


def test_the_python_named_by_hand_wins(machine: Machine) -> None:
    machine.add("python3.12")
    own = machine.add("my python")
    assert machine.choose(str(own)).stdout.strip() == str(own)


def test_the_python_of_these_tests_would_do(machine: Machine) -> None:
    assert machine.choose(sys.executable).stdout.strip() == sys.executable


def test_a_machine_without_a_usable_python_is_told_why_and_what_to_do(machine: Machine) -> None:
    machine.add("python3.11", "has no module ensurepip")
    machine.add("python3", "is Python 3.9.2")
    refusal = machine.choose()
    assert refusal.returncode == 1
    assert refusal.stdout == ""
    assert refusal.stderr.count("\n") == 1
    for part in (
        "needs Python 3.11 or later",
        "python3.13 is not there",
        "python3.11 has no module ensurepip",
        "python3 is Python 3.9.2",
        "apt install python3 python3-venv",
        "make PYTHON=",
    ):
        assert part in refusal.stderr


def pins(name: str) -> dict[str, tuple[str, ...]]:
    """The versions of each package: more than one where Pythons differ."""
    found: dict[str, tuple[str, ...]] = {}
    for package, version in PIN.findall((REQUIREMENTS / name).read_text(encoding="utf-8")):
        found[package] = (*found.get(package, ()), version)
    assert found
    return found


@pytest.mark.parametrize("name", ["runtime.txt", "image.txt", "develop.txt", "lock.txt"])
def test_every_pinned_package_has_a_hash(name: str) -> None:
    text = (REQUIREMENTS / name).read_text(encoding="utf-8")
    blocks = re.split(r"^(?=[A-Za-z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(blocks) == sum(map(len, pins(name).values()))
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


def test_developers_run_what_users_run() -> None:
    develop = pins("develop.txt")
    for smaller in ("runtime.txt", "image.txt"):
        assert {name: develop.get(name) for name in pins(smaller)} == pins(smaller)


def test_the_pins_satisfy_what_the_project_declares() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    groups = project["dependency-groups"]
    behind = [
        f"{wish} is pinned to {version}"
        for pinned, wishes in (
            (pins("runtime.txt"), project["project"]["dependencies"]),
            (pins("develop.txt"), groups["test"] + groups["check"]),
        )
        for wish in map(Requirement, wishes)
        for version in pinned.get(wish.name.lower(), ("nothing",))
        if version == "nothing" or Version(version) not in wish.specifier
    ]
    assert behind == [], "run make lock"


class Checkout:
    """The Makefile in a folder of its own, with a .venv that looks complete."""

    def __init__(self, folder: Path, run: Run) -> None:
        self.run = run
        self.folder = folder / "a checkout"
        self.bin = self.folder / ".venv" / "bin"
        self.bin.mkdir(parents=True)
        shutil.copy(ROOT / "Makefile", self.folder)
        (self.bin / "python").symlink_to(sys.executable)
        (self.bin / "pip").write_text(f"#!{self.bin}/python\n")
        for name in (".made.stamp", ".runtime.stamp", ".develop.stamp"):
            (self.folder / ".venv" / name).touch()

    def stamps_after_make(self) -> int:
        assert self.run("make", "help", folder=self.folder).returncode == 0
        return len(list((self.folder / ".venv").glob(".*.stamp")))


@pytest.fixture
def checkout(tmp_path: Path, run: Run) -> Checkout:
    return Checkout(tmp_path, run)


def test_a_sound_environment_is_kept(checkout: Checkout) -> None:
    assert checkout.stamps_after_make() == 3


def test_an_environment_made_elsewhere_is_made_anew(checkout: Checkout) -> None:
    (checkout.bin / "pip").write_text("#!/elsewhere/.venv/bin/python\n")
    assert checkout.stamps_after_make() == 0


def test_an_environment_whose_python_is_gone_is_made_anew(checkout: Checkout) -> None:
    (checkout.bin / "python").unlink()
    (checkout.bin / "python").symlink_to("/gone/python3.11")
    assert checkout.stamps_after_make() == 0


def test_an_environment_interrupted_while_being_made_is_made_anew(checkout: Checkout) -> None:
    (checkout.bin / "pip").unlink()
    assert checkout.stamps_after_make() == 0
