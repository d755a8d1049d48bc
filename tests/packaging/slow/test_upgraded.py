"""Commands and daemon of this version on what earlier versions left behind."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import pytest
from earlier_versions import DEPLOYMENTS, ENTRIES, FILES, of_every_format, opened, unpack
from running import account_environment, trimtab_run


@pytest.fixture
def left(number: int, tmp_path: Path) -> Path:
    return unpack(number, tmp_path)


@of_every_format
def test_people_read_the_past_of_an_earlier_version(left: Path, number: int) -> None:
    def say(*command: str) -> str:
        ran = subprocess.run(  # noqa: S603  our own command
            [sys.executable, "-m", "trimtab", *command],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": "/usr/bin:/bin", "COLUMNS": "200", "NO_COLOR": "1"}
            | {"PYTHONPATH": str(FILES.parents[2] / "daemon")},
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    path = str(left / "journal.db")
    asyncio.run(opened(Path(path)))  # as the daemon does before people can
    said = say("journal", "verify", path)
    match = re.search(r"is sound: (\d+) entries can be read, 0 writes have no end", said)
    assert match is not None, said
    assert int(match[1]) >= ENTRIES[number]
    assert say("journal", "writes", path).count("applied") == 3
    assert "a launch" in say("journal", "overrides", path)


@of_every_format
async def test_the_daemon_goes_on_from_what_an_earlier_version_left(
    left: Path, number: int
) -> None:
    environment = account_environment("http://127.0.0.1:9")  # nobody is there
    environment["TRIMTAB_JOURNAL__PATH"] = str(left / "journal.db")
    async with trimtab_run(environment, left / "policies") as process:
        line = await process.wait_for("journal_opened")
        process.process.terminate()
        assert await process.ended() == 0
    assert line["deployments"] == len(DEPLOYMENTS)
    assert process.errors == "", number
