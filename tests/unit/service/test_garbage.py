"""Old objects are walked seldom, and found all the same."""

from __future__ import annotations

import asyncio
import gc
import weakref
from typing import TYPE_CHECKING

import pytest
from scripted_world import START, pass_time

from trimtab.clock import ManualClock
from trimtab.service.garbage import (
    INTERVAL_SECONDS_MIN,
    OBJECT_SECONDS,
    PAUSE_SHARE_MAX,
    interval_seconds,
    keep_collecting,
    old_objects_left_alone,
)

if TYPE_CHECKING:
    from collections.abc import Iterator


class Node:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def an_old_cycle() -> Iterator[weakref.ref[Node]]:
    """Unreachable, and too old for the collector to come upon it by itself."""
    gc.disable()
    node = Node()
    reference = weakref.ref(node)
    gc.collect(1)
    gc.collect(1)
    del node
    yield reference
    gc.enable()
    gc.collect()


async def test_old_cycles_are_found_in_the_end_the_later_the_more_objects_there_are(
    an_old_cycle: weakref.ref[Node], monkeypatch: pytest.MonkeyPatch
) -> None:
    many = int(INTERVAL_SECONDS_MIN * 3 * PAUSE_SHARE_MAX / OBJECT_SECONDS)
    monkeypatch.setattr(gc, "get_objects", lambda: range(many))
    clock = ManualClock(START)
    task = asyncio.create_task(keep_collecting(clock))
    await pass_time(clock, INTERVAL_SECONDS_MIN + 1.0)
    await pass_time(clock, 2 * INTERVAL_SECONDS_MIN - 2.0)
    assert an_old_cycle() is not None
    await pass_time(clock, 2.0)
    assert an_old_cycle() is None
    task.cancel()


def test_young_cycles_are_found_and_old_ones_are_not_looked_for() -> None:
    walks: list[int] = []

    def note(phase: str, info: dict[str, int]) -> None:
        if phase == "start":
            walks.append(info["generation"])

    with old_objects_left_alone():
        gc.callbacks.append(note)
        kept = [[number] for number in range(300_000)]  # old objects by the hundred thousand
        gc.callbacks.remove(note)
        assert gc.get_freeze_count() > 0
    assert kept
    assert 0 in walks
    assert 1 in walks
    assert 2 not in walks


def test_afterwards_everything_is_as_before() -> None:
    before = gc.get_threshold()
    with old_objects_left_alone():
        assert gc.get_threshold() != before
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0


def test_walks_take_at_most_a_thousandth_of_all_time() -> None:
    assert interval_seconds(0.0) == INTERVAL_SECONDS_MIN
    assert interval_seconds(0.3) == pytest.approx(300.0)
