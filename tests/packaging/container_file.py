"""The Dockerfile as a list of instructions, and a builder that carries them out without a container engine.

A folder with a Debian system stands for the base image, a chroot in namespaces of its own for a container. An
instruction or an option that is not understood is an error: what is built is what the file says, or nothing.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

NAMESPACE = ("unshare", "--pid", "--fork", "--mount-proc")
"""What makes a command process 1 of a namespace of its own."""


def can_make_namespaces() -> bool:
    """Whether this machine lets us; a container without the right to mount does not."""
    if shutil.which("unshare") is None or shutil.which("nsenter") is None:
        return False
    made = subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False)  # noqa: S603  our own command
    return made.returncode == 0


@dataclass(frozen=True)
class Instruction:
    word: str
    rest: str

    @property
    def words(self) -> list[str]:
        """The rest as JSON if it is in exec form, else split at spaces."""
        if self.rest.startswith("["):
            return [str(one) for one in json.loads(self.rest)]
        return self.rest.split()


def instructions(path: Path = ROOT / "Dockerfile") -> list[Instruction]:
    """Every instruction of a container file, continuation lines joined, comments dropped."""
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line[:1] != "#"]
    joined = "\n".join(lines).replace("\\\n", "")
    return [
        Instruction(word, rest.strip())
        for word, _, rest in (line.partition(" ") for line in joined.splitlines() if line.strip())
    ]


def health_command() -> list[str]:
    """What the container engine asks whether it lives."""
    (health,) = [one.rest for one in instructions() if one.word == "HEALTHCHECK"]
    found: list[str] = json.loads(health.partition("CMD ")[2])
    return found


@dataclass
class Image:
    """A file system, and how a container of it begins."""

    root: Path
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": PATH})
    folder: str = "/"
    user: str = "0:0"
    entrypoint: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)


def container(
    image: Image,
    command: Sequence[str],
    *,
    user: str | None = None,
    environment: Mapping[str, str] | None = None,
    mounts: Mapping[Path, str] | None = None,
    volumes: Mapping[Path, str] | None = None,
    is_read_only: bool = False,
) -> list[str]:
    """Return the command that runs ``command`` as process 1 of a container; to be run as root.

    ``mounts`` are seen read-only at a path in it, ``volumes`` may be written to.
    """
    root = image.root
    steps = ["set -e", "mount --make-rprivate /", f"mount --bind '{root}' '{root}'"]
    for kind, places in (("ro", mounts or {}), ("rw", volumes or {})):
        for source, place in places.items():
            target = root / place.lstrip("/")
            # The engine makes mount points; a root that is read-only then has them already.
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                target.mkdir() if source.is_dir() else target.touch()
            steps.append(f"mount --bind '{source}' '{target}'")
            if kind == "ro":
                steps.append(f"mount -o remount,bind,ro '{target}'")
    for name in ("null", "zero", "random", "urandom"):
        device = root / "dev" / name
        device.touch()
        steps.append(f"mount --bind /dev/{name} '{device}'")
    steps.append(f"mount -t proc proc '{root}/proc'")
    if is_read_only:
        steps.append(f"mount -o remount,bind,ro '{root}'")
    # chroot(1) changes to the new root's /, so the working directory is entered inside.
    steps.append('exec chroot --userspec="$0" ' + f"'{root}'" + ' env -i --chdir="$1" "${@:2}"')
    variables = image.environment | dict(environment or {})
    return [
        *("unshare", "--mount", "--pid", "--fork", "--kill-child"),
        *("bash", "-c", "\n".join(steps), user or image.user, image.folder),
        *(f"{name}={value}" for name, value in variables.items()),
        *command,
    ]


class Builder:
    """Builds the stages of a container file one after the other.

    ``base`` is the folder that stands for the base image, ``folder`` where stages are made. ``outside`` and
    ``mounts`` are variables and files that every step sees and no layer keeps, as a builder's proxy settings are.
    """

    def __init__(
        self,
        base: Path,
        folder: Path,
        *,
        outside: Mapping[str, str] | None = None,
        mounts: Mapping[Path, str] | None = None,
        arguments: Mapping[str, str] | None = None,
    ) -> None:
        self._base, self._folder = base, folder
        self._outside, self._mounts = dict(outside or {}), dict(mounts or {})
        self._given = dict(arguments or {})
        self._arguments: dict[str, str] = {}
        self._stages: dict[str, Image] = {}
        self._ignored = _ignored()

    def build(self) -> Image:
        image: Image | None = None
        for one in instructions():
            if one.word == "FROM":
                image = self._begin(one.words)
            elif one.word == "ARG":
                name, _, default = one.rest.partition("=")
                self._arguments[name] = self._given.get(name, default)
            else:
                assert image is not None, f"{one.word} before FROM"
                self._carry_out(image, one)
        assert image is not None
        return image

    def _begin(self, words: list[str]) -> Image:
        assert re.fullmatch(r"python:3\.\d+-slim-\w+", self._resolved(words[0])), words
        name = words[2] if words[1:2] == ["AS"] else f"stage {len(self._stages)}"
        root = self._folder / name
        # Hard links: nothing that a step does changes a file of the base in place.
        subprocess.run(["cp", "--archive", "--link", self._base, root], check=True)  # noqa: S603, S607  our own command
        self._stages[name] = Image(root)
        return self._stages[name]

    def _resolved(self, text: str, image: Image | None = None) -> str:
        known = self._arguments | (image.environment if image else {})
        return re.sub(r"\$(?:\{(\w+)\}|(\w+))", lambda found: known[found[1] or found[2]], text)

    def _carry_out(self, image: Image, one: Instruction) -> None:
        match one.word:
            case "ENV" | "LABEL":
                into = image.environment if one.word == "ENV" else image.labels
                for name, quoted, plain in re.findall(r'([\w.]+)=(?:"([^"]*)"|(\S+))', one.rest):
                    into[name] = self._resolved(quoted or plain, image)
            case "WORKDIR":
                image.folder = one.rest
                (image.root / one.rest.lstrip("/")).mkdir(parents=True, exist_ok=True)
            case "USER":
                image.user = one.rest
            case "ENTRYPOINT":
                image.entrypoint = one.words
            case "CMD":
                image.command = one.words
            case "COPY":
                self._copy(image, one.words)
            case "RUN":
                self._run(image, one.words)
            case "EXPOSE" | "HEALTHCHECK" | "STOPSIGNAL":
                pass  # for the engine
            case _:
                raise AssertionError(f"{one.word} is not understood")

    def _run(self, image: Image, command: list[str]) -> None:
        ran = subprocess.run(  # noqa: S603  the container file's command
            container(image, command, environment=self._outside, mounts=self._mounts),
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, f"{command}:\n{ran.stdout[-3000:]}\n{ran.stderr[-3000:]}"

    def _copy(self, image: Image, words: list[str]) -> None:
        options = dict(word[2:].split("=") for word in words if word.startswith("--"))
        assert options.keys() <= {"from", "chown", "chmod"}, options
        *sources, place = [word for word in words if not word.startswith("--")]
        target = (
            image.root / image.folder.lstrip("/") / place
            if place[0] != "/"
            else (image.root / place.lstrip("/"))
        )
        for source in sources:
            if "from" in options:
                found = self._stages[options["from"]].root / source.lstrip("/")
            else:
                found = ROOT / source
                assert source in self._admitted, f"{source} is not sent to the builder"
            is_into = place.endswith("/") or len(sources) > 1
            into = target / found.name if is_into and found.is_file() else target
            into.parent.mkdir(parents=True, exist_ok=True)
            if found.is_dir():
                is_context = "from" not in options
                shutil.copytree(
                    found,
                    into,
                    symlinks=True,
                    dirs_exist_ok=True,
                    ignore=self._ignored if is_context else None,
                )
            else:
                shutil.copy2(found, into)
            if "chown" in options:
                user, group = map(int, options["chown"].split(":"))
                os.chown(into, user, group)
            if "chmod" in options:
                into.chmod(int(options["chmod"], 8))

    @property
    def _admitted(self) -> set[str]:
        lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        return {line[1:] for line in lines if line.startswith("!")}


def _ignored():  # type: ignore[no-untyped-def]  # noqa: ANN202  what shutil says it is
    """The rule of .dockerignore for names anywhere."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    return shutil.ignore_patterns(*(line[3:] for line in lines if line.startswith("**/")))


def size_bytes(folder: Path) -> int:
    """What is in it, in bytes, each file once however many links it has."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for path in folder.rglob("*"):
        found = path.lstat()
        if path.is_file() and not path.is_symlink() and (found.st_dev, found.st_ino) not in seen:
            seen.add((found.st_dev, found.st_ino))
            total += found.st_size
    return total
