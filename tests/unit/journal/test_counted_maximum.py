"""A file from when "no maximum" was the number 1,000,000 is opened, read, replayed and gone on with.

``files/counted_maximum.sql`` is the life of one workload under a policy with ``actuation: scale``: adopted without
a maximum, scaled twice, given a maximum of 8 by somebody who then took it back, and one write that has no end.
"""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.journal.conftest import MakeJournal
from tests.worlds.engine_world import a_deployment

from trimtab.core.deployment import Deployment
from trimtab.journal.history import History
from trimtab.journal.packing import pack, pack_row, unpack
from trimtab.service.replay import replay

FILE = Path(__file__).parent / "files" / "counted_maximum.sql"
NAME = "clusters/prod/namespaces/llm/deployments.apps/chat"


@pytest.fixture
def old(path: Path) -> Path:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(FILE.read_text("utf-8"))
    return path


@pytest.mark.usefixtures("old")
async def test_what_is_remembered_of_it_has_no_maximum(make: MakeJournal) -> None:
    journal = make()
    recollection = await journal.open()
    remembered = recollection.memory.deployments[NAME]
    assert (remembered.user.min_replicas, remembered.user.max_replicas) == (0, None)
    (order,) = recollection.unfinished
    assert (order.max_replicas, order.expected_max_replicas, order.user_max_replicas) == (None,) * 3
    await journal.close()


def test_every_turn_of_it_is_decided_and_told_again_as_it_was(old: Path) -> None:
    with History(old) as history:
        replayed = replay(history.sequence())
        writes, events = history.writes(), history.events()
    assert (replayed.turns, replayed.orders, replayed.turns_unchecked) == (6, 3, 0)
    assert (replayed.difference, replayed.problems) == (None, [])
    assert {one.order.max_replicas for one in writes} == {None}
    assert "0-1000000" in {one.after for one in events}, "what was said then is what was said"


def by_name(value: Deployment) -> bytes:
    return pack(Deployment, value)


@pytest.mark.parametrize("written", [by_name, pack_row])
def test_a_maximum_comes_back_in_both_forms_as_it_was_meant(
    written: Callable[[Deployment], bytes],
) -> None:
    free = a_deployment(2, min_replicas=0, max_replicas=None)
    former = replace(free, max_replicas=1_000_000)
    assert unpack(Deployment, written(free)) == free
    assert unpack(Deployment, written(former)) == free
