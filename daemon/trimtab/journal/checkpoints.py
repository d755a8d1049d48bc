"""Checkpoints: how an engine stood as of one entry, written piece by piece while others go on.

The entry comes first, with what is small, under a kind that says that it is not whole; each piece holds
some of the deployments; with the last piece the entry gets its kind. A reader starts at whole ones only.
Values do not change, so that pieces written later still are of the moment of the entry.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

from trimtab.core.decision import Order
from trimtab.core.deployment import Deployment
from trimtab.core.fleet_memory import NO_FLEET_MEMORY, FleetMemory
from trimtab.core.lead_time import Learned
from trimtab.core.memory import DeploymentMemory, Memory
from trimtab.core.overrides import Override
from trimtab.core.succession import Membership
from trimtab.journal.bulk import insert
from trimtab.journal.codec import decode, encode
from trimtab.journal.packing import decompressed, pack_row
from trimtab.journal.rows import read_row

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from trimtab.journal.connection import Connection
    from trimtab.journal.standing import Standing

BEGUN = "begun"
"""The kind of an entry whose pieces are not all there (yet)."""

PIECE_DEPLOYMENTS = 64
"""Deployments in one piece: about 2 ms of work, in which nothing else is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """All that an engine held. ``is_start``: a process began with it; its policies follow.

    ``resumed`` names the deployments whose order in flight is of an earlier run; ``membership`` is
    what it knew as one of several, ``None``: it decided for everything.
    """

    memory: Memory
    in_flight: tuple[Order, ...]
    is_start: bool
    fleet: Mapping[str, Deployment] = field(default_factory=dict)
    resumed: frozenset[str] = frozenset()
    membership: Membership | None = None


class CheckpointWriter:
    """Writes the pieces of one checkpoint, whose entry ``seq`` its maker wrote as ``BEGUN``."""

    def __init__(self, seq: int, kind: str, standing: Standing) -> None:
        self._seq = seq
        self._kind = kind
        self._pieces: Iterator[Any] = _pieces(dict(standing.memory), dict(standing.fleet))
        self._number = 0

    def write_piece(self, connection: Connection) -> bool:
        """Write one more piece; return whether the checkpoint is whole."""
        piece = next(self._pieces, None)
        if piece is None:
            connection.execute("UPDATE entries SET kind = ? WHERE seq = ?", (self._kind, self._seq))
            return True
        self._number += 1
        row = (self._seq, self._number, pack_row(piece, is_deflated=True))
        insert(connection, "INSERT INTO checkpoint_pieces (seq, piece, body)", [row])
        return False


def head_of(standing: Standing) -> dict[str, Any]:
    """The document of a checkpoint's entry."""
    members = standing.membership
    return {
        "overrides": encode(tuple[Override, ...], standing.overrides),
        "lead_times": {name: encode(Learned, one) for name, one in standing.lead_times.items()},
        "shared": encode(FleetMemory, standing.shared),
        "in_flight": [encode(Order, order) for order in standing.in_flight.values()],
        "resumed": sorted(standing.resumed),
        **({} if members is None else {"membership": encode(Membership, members)}),
    }


def read_checkpoint(
    connection: Connection, seq: int, document: Any, *, is_start: bool
) -> Checkpoint:
    """Restore a checkpoint, of whichever form. Raises ``ValueError`` and what the database raises."""
    in_flight = tuple(decode(Order, one) for one in document["in_flight"])
    if (
        "memory" in document
    ):  # of an earlier version: all in one entry, and nothing of who resumed what
        return Checkpoint(
            memory=decode(Memory, document["memory"]),
            in_flight=in_flight,
            is_start=is_start,
            fleet={name: decode(Deployment, one) for name, one in document["fleet"].items()},
            resumed=frozenset(order.deployment for order in in_flight),
        )
    memory: dict[str, DeploymentMemory] = {}
    fleet: dict[str, Deployment] = {}
    rows = connection.execute(
        "SELECT body FROM checkpoint_pieces WHERE seq = ? ORDER BY piece", (seq,)
    )
    for (body,) in rows:
        what, names, values = json.loads(decompressed(body))
        if what == "memory":
            memory |= zip(names, (read_row(DeploymentMemory, one) for one in values), strict=True)
        else:
            fleet |= zip(names, (read_row(Deployment, one) for one in values), strict=True)
    return Checkpoint(
        memory=Memory(
            deployments=memory,
            overrides=decode(tuple[Override, ...], document["overrides"]),
            lead_times={n: decode(Learned, one) for n, one in document["lead_times"].items()},
            shared=decode(FleetMemory, document["shared"])
            if "shared" in document
            else NO_FLEET_MEMORY,
        ),
        in_flight=in_flight,
        is_start=is_start,
        fleet=fleet,
        resumed=frozenset(document["resumed"]),
        membership=decode(Membership | None, document.get("membership")),
    )


def _pieces(memory: Mapping[str, Any], fleet: Mapping[str, Any]) -> Iterator[Any]:
    for what, values in (("memory", memory), ("fleet", fleet)):
        names: Iterable[str] = iter(values)
        while some := list(islice(names, PIECE_DEPLOYMENTS)):
            yield what, some, [values[name] for name in some]
