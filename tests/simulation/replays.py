"""What the journal says a world's daemons were told makes them decide the same again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.journal.history import History
from trimtab.service.replay import replay

if TYPE_CHECKING:
    from tests.simulation.world import World


def check_replay(world: World) -> None:
    """Replay the journal that is left; it need not reach back to the beginning."""
    for process in world.processes:
        process.journal.die()
    if not world.disk.path.exists():
        world.auditor.violated("the journal can be read", "", "there is none")
        return
    with History(world.disk.path) as history:
        damage = history.damage()
        if damage:
            world.auditor.violated("the journal can be read", "", "; ".join(damage))
            return
        replayed = replay(history.sequence())
    world.counts["replayed_decisions"] += replayed.decisions
    world.counts["replayed_turns"] += replayed.turns
    if replayed.difference is not None:
        text = f"entry {replayed.difference.seq}: {replayed.difference.sentence}"
        world.auditor.violated("the journal replays exactly", "", text)
    elif replayed.problems:
        world.auditor.violated("the journal replays exactly", "", "; ".join(replayed.problems))
