"""A group is mixed the same in a replay, from each checkpoint, as it was in life."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from tests.unit.journal.checkpoints_replayed import it_is_replayed_from_every_checkpoint
from tests.worlds.journal_world import POLICY, Life, name_of

from trimtab.clock import ManualClock
from trimtab.core.decision import Reason
from trimtab.journal import recorder
from trimtab.journal.sqlite import SqliteJournal
from trimtab.journal.worker import InlineWorker

GROUP = f"""\
---
apiVersion: trimtab.dev/v1
kind: Group
metadata: {{name: chat}}
spec:
  members:
    - {{deployment: {name_of(0)}, requestsPerSecond: 10, usdPerHour: 30}}
    - {{deployment: {name_of(1)}, requestsPerSecond: 8, usdPerHour: 9}}
    - {{deployment: {name_of(2)}, requestsPerSecond: 12}}
"""


@pytest.mark.parametrize("seed", range(3))
async def test_groups_are_replayed_exactly_from_each_checkpoint(
    path: Path, clock: ManualClock, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """What members asked for is memory; the rest of a mix is seen again."""
    monkeypatch.setattr(recorder, "CHECKPOINT_TURNS", 7)
    journal = SqliteJournal(path, clock, worker=InlineWorker())
    await journal.open()
    life = Life(journal.note, policy=POLICY + GROUP, deployments=4, random=Random(seed))
    life.put_in_force()
    told = []
    for _ in range(20):
        told += [one.verdict.reason for one in life.turn().decisions]
        life.act()
    for _ in range(60):
        life.happen()
    await journal.close()
    assert Reason.GROUP in told
    await it_is_replayed_from_every_checkpoint(path, clock, life)
