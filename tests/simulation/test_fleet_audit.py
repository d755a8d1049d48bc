"""What those who watch a whole fleet expect of a write: neither more than the daemon can know, nor less."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest
from tests.simulation.auditor import Auditor, Look, Watch
from tests.simulation.fleet_audit import KNOWN_SECONDS, FleetAuditor
from tests.simulation.fleet_files import H100, FleetBook, draw_fleet
from tests.simulation.trail import Trail

from trimtab.targets.fireworks.answers import Answer, Call

READING_SECONDS = 60.0


@dataclass
class Told:
    """A world of two accounts, in which only what is told to a process happens."""

    at: float = 0.0
    booted_at: float = 0.0
    process: None = None
    account_ids: tuple[str, ...] = ("acme", "globex")
    plan: Any = field(default_factory=lambda: SimpleNamespace(clock_steps_per_hour=1.0))
    broken: Counter[str] = field(default_factory=Counter)

    def now(self) -> float:
        return self.at

    @property
    def auditor(self) -> Any:
        return SimpleNamespace(moment=self.now, violated=self._violated)

    def _violated(self, promise: str, _subject: str, _text: str) -> None:
        self.broken[promise] += 1


def shown(asked: int) -> Look:
    return Look(
        process=1,
        at=0.0,
        state="READY",
        minimum=asked,
        maximum=asked,
        desired=asked,
        expires_at=None,
        is_ending=False,
        accelerators=1,
        floors=frozenset(),
        kind=H100,
        ready=asked,
    )


def auditor_of(world: Told, folder: Path, *quotas: tuple[str, int]) -> FleetAuditor:
    book = FleetBook(folder, deployments=4)
    book.write(0.0, replace(draw_fleet(Random(1), 4), quotas=quotas))
    told: Any = world
    return FleetAuditor(told, book)


def tell_for_long(watching: FleetAuditor, world: Told, quotas: dict[str, int]) -> None:
    """Let the accounts' endpoints say this until a process must know it."""
    while world.at <= KNOWN_SECONDS + READING_SECONDS:
        world.at += READING_SECONDS
        for account, value in quotas.items():
            row = {"name": f"accounts/{account}/quotas/global--h100-count", "value": str(value)}
            watching.told_quotas(account, json.dumps({"quotas": [row]}))


def test_an_account_that_holds_more_than_its_lowered_quota_takes_nothing_from_another(
    tmp_path: Path,
) -> None:
    world = Told()
    watching = auditor_of(world, tmp_path)
    watching.saw("accounts/acme/deployments/d0", shown(6))
    watching.saw("accounts/globex/deployments/d1", shown(7))
    tell_for_long(watching, world, {"acme": 5, "globex": 8})

    watching.sending("accounts/globex/deployments/d1", shown(7), (8, 8), is_repeated=False)

    assert not world.broken


def test_an_account_has_no_use_for_what_is_left_of_another(tmp_path: Path) -> None:
    world = Told()
    watching = auditor_of(world, tmp_path)
    watching.saw("accounts/acme/deployments/d0", shown(1))
    watching.saw("accounts/globex/deployments/d1", shown(8))
    tell_for_long(watching, world, {"acme": 5, "globex": 8})

    watching.sending("accounts/globex/deployments/d1", shown(8), (9, 9), is_repeated=False)

    assert world.broken == {"never more accelerators than the account tells": 1}


def end_write(watching: FleetAuditor, world: Told, answer: Answer | None, name: str) -> None:
    """Let process 1 be told how its write to ``name`` ended, and nothing else of it."""
    wire: Any = SimpleNamespace(now=world.now, fleet_auditor=watching, process=None)
    no_policies: Any = SimpleNamespace()
    auditor = Auditor(1, Trail(world.now), no_policies, wire)
    auditor.watches[name] = Watch("p0", [(0.0, (1, 9))], sender=1)
    call = Call(doing="writing", operation="update_deployment", method="PATCH", path=name)
    auditor.answered(1, call, answer, was_sent=True)


def told_to_hold(asked: int, name: str, *, share: float = 1.0) -> Answer:
    """Answer 200 to a write, of which only a ``share`` of the body arrives."""
    body = json.dumps(
        {
            "name": name,
            "state": "READY",
            "minReplicaCount": asked,
            "maxReplicaCount": asked,
            "desiredReplicaCount": asked,
            "acceleratorCount": 1,
            "acceleratorType": H100,
        }
    )
    return Answer(status=200, headers={}, text=body[: round(share * len(body))])


def test_what_the_answer_to_a_write_gave_up_is_there_for_others(tmp_path: Path) -> None:
    world, (one, other) = Told(), ("accounts/acme/deployments/d0", "accounts/acme/deployments/d1")
    watching = auditor_of(world, tmp_path, (H100, 12))
    watching.saw(one, shown(8))
    watching.saw(other, shown(4))
    world.at = 1000.0
    watching.sending(one, shown(8), (7, 7), is_repeated=False)
    end_write(watching, world, told_to_hold(7, one), one)

    watching.sending(other, shown(4), (5, 5), is_repeated=False)
    assert not world.broken
    watching.sending(other, shown(4), (6, 6), is_repeated=False)
    assert world.broken == {"never more accelerators than the file allows": 1}


@pytest.mark.parametrize(
    "answer", [None, told_to_hold(7, "accounts/acme/deployments/d0", share=0.9)]
)
def test_what_a_write_was_to_give_up_is_not_there_before_anything_says_so(
    answer: Answer | None, tmp_path: Path
) -> None:
    world, (one, other) = Told(), ("accounts/acme/deployments/d0", "accounts/acme/deployments/d1")
    watching = auditor_of(world, tmp_path, (H100, 12))
    watching.saw(one, shown(8))
    watching.saw(other, shown(4))
    world.at = 1000.0
    watching.sending(one, shown(8), (7, 7), is_repeated=False)
    end_write(watching, world, answer, one)

    watching.sending(other, shown(4), (5, 5), is_repeated=False)

    assert world.broken == {"never more accelerators than the file allows": 1}
