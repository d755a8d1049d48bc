"""Who decides waits for a journal that is behind, but not for one that hangs."""

from __future__ import annotations

import asyncio

import pytest

from trimtab.service import pace
from trimtab.service.pace import BEHIND_MAX, Pace


class Behind:
    """A journal that writes ``pace`` decisions between two looks."""

    def __init__(self, decisions: int, pace: int) -> None:
        self.decisions = decisions
        self.pace = pace
        self.looks = 0

    def __call__(self) -> int:
        self.looks += 1
        self.decisions = max(0, self.decisions - self.pace)
        return self.decisions


async def test_a_journal_that_keeps_up_is_not_waited_for() -> None:
    behind = Behind(BEHIND_MAX, pace=0)
    await Pace(behind).keep()
    assert behind.looks == 1


async def test_one_that_is_behind_is_waited_for_until_it_has_caught_up() -> None:
    behind = Behind(3 * BEHIND_MAX, pace=16)
    await Pace(behind).keep()
    assert behind.decisions <= BEHIND_MAX


async def test_one_that_hangs_is_waited_for_once_and_again_after_it_has_caught_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pace, "WAIT_SECONDS_MAX", 0.01)
    behind = Behind(3 * BEHIND_MAX, pace=0)
    kept = Pace(behind)
    await kept.keep()
    looks = behind.looks
    assert looks > 2
    await kept.keep()
    assert behind.looks == looks + 1
    behind.decisions = 0
    await kept.keep()
    behind.decisions = 2 * BEHIND_MAX
    task = asyncio.create_task(kept.keep())
    await asyncio.sleep(0)
    assert not task.done()
    await task
