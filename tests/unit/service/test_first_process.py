"""What falls to process 1: burying orphans, and nobody else."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from trimtab.service import first_process
from trimtab.service.first_process import bury_orphans, burying_orphans


def is_there(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="there is no /proc here")
async def test_a_child_in_a_session_of_its_own_is_buried_when_it_ends() -> None:
    with burying_orphans(is_first=True):
        child = subprocess.Popen([sys.executable, "-c", ""], start_new_session=True)  # noqa: ASYNC220  not waited for
        async with asyncio.timeout(30):
            while is_there(child.pid):  # noqa: ASYNC110  seen by looking
                await asyncio.sleep(0.01)
    assert child.wait() == 0  # nothing is left to ask: Popen takes that for 0


async def test_a_child_of_our_own_is_left_to_who_started_it() -> None:
    with burying_orphans(is_first=True):
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", "raise SystemExit(7)")
        assert await asyncio.wait_for(child.wait(), 30) == 7


async def test_whoever_is_not_process_1_leaves_all_alone() -> None:
    assert os.getpid() != 1
    with burying_orphans():
        seven = [sys.executable, "-c", "raise SystemExit(7)"]
        child = subprocess.Popen(seven, start_new_session=True)  # noqa: ASYNC220, S603  waited for below
        assert await asyncio.to_thread(child.wait) == 7


def test_what_is_odd_in_proc_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, stat in (
        (
            "17",
            f"17 (a) Z (b) Z {os.getpid()} 0 99999 x",
        ),  # a name with brackets; not ours to wait for
        ("18", f"18 (sleep) S {os.getpid()} 0 99999 x"),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "stat").write_text(stat, encoding="utf-8")
    (tmp_path / "19").mkdir()
    (tmp_path / "self").mkdir()
    monkeypatch.setattr(first_process, "PROC", tmp_path)
    assert list(first_process._ended_orphans()) == [17]
    bury_orphans()
    monkeypatch.setattr(first_process, "PROC", tmp_path / "nowhere")
    bury_orphans()
