"""The container file, carried out step by step on a Debian system; and what comes out, as a container runs it.

No container engine is needed: debootstrap makes the system that stands for the base image.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Self

import pytest
from container_file import (
    ROOT,
    Builder,
    Image,
    can_make_namespaces,
    container,
    health_command,
    instructions,
    size_bytes,
)
from control_plane import KEY, ControlPlane
from machine_pip import machine_pip
from running import Trimtab, account_environment, write_policy
from tests.servers.process import binary, free_port

pytestmark = pytest.mark.timeout(600)

USER = 65532


def suite() -> str:
    """The Debian that the base image is made from."""
    (name,) = [
        one.rest.rpartition("-")[2]
        for one in instructions()
        if one.rest.startswith("PYTHON_IMAGE=")
    ]
    return name


def mirror() -> str:
    """Where this machine gets Debian packages from."""
    listed = subprocess.run(  # noqa: S603  our own command
        [binary("apt-get"), "indextargets", "--format", "$(REPO_URI)", "Origin: Debian"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = [one for one in dict.fromkeys(listed.stdout.split()) if "security" not in one]
    if not found:
        pytest.skip("apt knows no Debian here, so nothing can stand for the base image")
    return found[0]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    if os.geteuid() != 0 or not can_make_namespaces():
        pytest.skip("only root, and with the right to mount, may make a system and change into it")
    folder = tmp_path_factory.mktemp("image")
    made_before = os.environ.get("IMAGE_BASE")
    base = Path(made_before) if made_before else _debootstrapped(folder)
    python = base / "usr/local/bin/python"
    if not python.is_symlink():
        python.symlink_to("/usr/bin/python3")
    shutil.copy("/etc/resolv.conf", base / "etc/resolv.conf")
    pip = machine_pip()
    builder = Builder(
        base,
        folder,
        outside=pip.variables,
        mounts={path: str(path) for path in pip.files},
        arguments={"REVISION": "of a test"},
    )
    yield builder.build()
    shutil.rmtree(folder, ignore_errors=True)


def _debootstrapped(folder: Path) -> Path:
    """A system as small as the base image's, with the Python of the same Debian."""
    base = folder / "base"
    with (folder / "debootstrap.log").open("wb") as log:
        made = subprocess.run(  # noqa: S603  our own command
            [
                *(binary("debootstrap"), "--variant=minbase", "--include=python3,python3-venv"),
                *(suite(), base, mirror()),
            ],
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
        )
    assert made.returncode == 0, (folder / "debootstrap.log").read_text()[-3000:]
    return base


def ran(image: Image, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  our own command
        container(image, command, is_read_only=True),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_trimtab_answers_as_the_user_of_the_image_on_a_system_that_is_read_only(
    image: Image,
) -> None:
    answer = ran(image, *image.entrypoint, "--version")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert answer.stdout == f"trimtab {image.labels['org.opencontainers.image.version']}\n"
    assert ran(image, "id", "-u").stdout.strip() == str(USER)
    assert ran(image, "touch", "/opt/trimtab/x").returncode != 0


def test_every_extra_that_deploy_needs_is_there_and_no_tool_to_install_more(image: Image) -> None:
    there = "import asyncpg, cel_expr_python, lightkube, lightkube.models, numpy, trimtab"
    answer = ran(image, "/opt/trimtab/bin/python", "-c", there)
    assert (answer.returncode, answer.stderr) == (0, "")
    for gone in ("pip", "hatchling", "packaging"):
        assert ran(image, "/opt/trimtab/bin/python", "-c", f"import {gone}").returncode != 0


def test_the_expressions_of_policies_are_understood(image: Image) -> None:
    policy = "examples/guarded-rollout.yaml"
    answer = subprocess.run(  # noqa: S603  our own command
        container(
            image,
            [*image.entrypoint, "check", f"/etc/trimtab/policies/{policy}"],
            mounts={ROOT / "policies": "/etc/trimtab/policies"},
            is_read_only=True,
        ),
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, answer.stdout + answer.stderr


def test_the_size_is_what_the_documentation_says(
    image: Image, capsys: pytest.CaptureFixture[str]
) -> None:
    site = next(image.root.glob("opt/trimtab/lib/python3*/site-packages"))
    parts = sorted(
        ((size_bytes(one) / 1e6, one.name) for one in site.iterdir() if one.is_dir()), reverse=True
    )
    total = size_bytes(image.root / "opt/trimtab") / 1e6
    with capsys.disabled():
        print(f"\n/opt/trimtab: {total:.0f} MB, of which")  # noqa: T201  for whoever reads the log
        for size, name in parts[:8]:
            print(f"  {size:6.1f} MB  {name}")  # noqa: T201  the same
    text = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
    (stated,) = re.findall(r"(\d+) MB on top of the base image", text)
    assert abs(total - int(stated)) < 0.1 * total, f"it is {total:.0f} MB, and {stated} are stated"


def test_its_user_owns_its_state_and_nothing_else(image: Image) -> None:
    state = image.root / "var/lib/trimtab"
    found = state.stat()
    assert (found.st_uid, found.st_gid, found.st_mode & 0o777) == (USER, USER, 0o700)
    assert list(state.iterdir()) == []
    loose = [
        path
        for path in (image.root / "opt/trimtab").rglob("*")
        if not path.is_symlink() and (path.stat().st_uid != 0 or path.stat().st_mode & 0o002)
    ]
    assert loose == []


def test_byte_code_is_made_beforehand_as_it_cannot_be_later(image: Image) -> None:
    sources = list(image.root.glob("opt/trimtab/lib/python3*/site-packages/trimtab/**/*.py"))
    assert len(sources) > 500
    bare = [one for one in sources if not list(one.parent.glob(f"__pycache__/{one.stem}.*.pyc"))]
    assert bare == []


class Contained(Trimtab):
    """The image's own command as process 1 of a container with a read-only root, a volume and a key."""

    def __init__(self, image: Image, variables: dict[str, str], folder: Path) -> None:
        super().__init__((), dict(os.environ))
        self._command = container(
            image,
            [*image.entrypoint, *image.command],
            environment=variables,
            mounts={folder / "policies": "/etc/trimtab/policies", folder / "keys": "/run/secrets"},
            volumes={folder / "state": "/var/lib/trimtab"},
            is_read_only=True,
        )

    async def __aenter__(self) -> Self:
        return await self.begin(*self._command)

    def signal(self, number: signal.Signals) -> None:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        os.kill(int(children.read_text().split()[0]), number)

    async def __aexit__(self, *_: object) -> None:
        with contextlib.suppress(ProcessLookupError, IndexError, OSError):
            self.signal(signal.SIGKILL)
        await super().__aexit__()


@contextlib.asynccontextmanager
async def running_container(
    image: Image, plane: ControlPlane, folder: Path
) -> AsyncIterator[tuple[Contained, int]]:
    port = free_port()
    variables = {
        name: value
        for name, value in account_environment(plane.base_url).items()
        if name.startswith("TRIMTAB_") and name != "TRIMTAB_JOURNAL__PATH" and "API_KEY" not in name
    }
    variables |= {
        "TRIMTAB_LISTEN": f"127.0.0.1:{port}",
        "TRIMTAB_FIREWORKS__API_KEY_FILE": "/run/secrets/fireworks-api-key",
    }
    async with Contained(image, variables, folder) as process:
        await process.wait_for("started")
        yield process, port
        process.signal(signal.SIGTERM)
        assert await process.ended() == 0
    assert process.errors == ""


async def test_it_runs_is_healthy_stops_and_goes_on_where_it_stopped(
    image: Image, tmp_path: Path
) -> None:
    write_policy(tmp_path / "policies")
    for name in ("keys", "state"):
        (tmp_path / name).mkdir()
    (tmp_path / "keys" / "fireworks-api-key").write_text(f"{KEY}\n", encoding="utf-8")
    os.chown(tmp_path / "state", USER, USER)
    async with ControlPlane() as plane:
        async with running_container(image, plane, tmp_path) as (process, port):
            await process.wait_for("write", outcome="applied")
            asked = await asyncio.create_subprocess_exec(
                *container(
                    image,
                    health_command(),
                    environment={"TRIMTAB_LISTEN": f"0.0.0.0:{port}"},
                    is_read_only=True,
                )
            )
            assert await asyncio.wait_for(asked.wait(), 30) == 0
        journal = tmp_path / "state" / "journal.db"
        assert journal.stat().st_uid == USER
        async with running_container(image, plane, tmp_path) as (process, _):
            opened = await process.wait_for("journal_opened")
            assert opened["deployments"] == 1
            await process.wait_for("hold")
    assert process.find("adopted") is None
    assert len(plane.patches) == 1
