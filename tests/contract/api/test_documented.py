"""Every example of docs/api.md runs as it stands against a daemon, and comes to something."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from pathlib import Path

import pytest
from tests.worlds.lived_in import OPERATOR, lived_in

DOCUMENT = Path(__file__).parents[3] / "docs" / "api.md"
DEFAULT_URL = "http://127.0.0.1:9464"
EXAMPLES = re.findall(r"```sh\n(.*?)```", DOCUMENT.read_text(encoding="utf-8"), re.DOTALL)

for program in ("curl", "jq"):
    if shutil.which(program) is None:
        pytest.skip(
            f"there is no {program}; install the Debian package {program}: the examples of the "
            "documentation are NOT being tested",
            allow_module_level=True,
        )


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 7


async def test_every_example_runs_and_says_something(tmp_path: Path) -> None:
    async with lived_in(tmp_path) as world:
        for example in EXAMPLES:
            script = example.replace(DEFAULT_URL, world.url)
            process = await asyncio.create_subprocess_exec(
                "bash",
                "-euo",
                "pipefail",
                "-c",
                script,
                cwd=tmp_path,
                env={"PATH": os.environ["PATH"], "TOKEN": OPERATOR},
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            said, why = await process.communicate()
            assert process.returncode == 0, (example, why.decode(), said.decode()[:500])
            assert said.strip(), example
            assert b"null" not in said.split(b"\n")[0], (example, said)
            assert b"about:blank" not in said, (example, said)
