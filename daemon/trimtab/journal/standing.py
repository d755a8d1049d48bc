"""How an engine stands as of one entry, followed from entry to entry by what each says has changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from trimtab.core.fleet_memory import NO_FLEET_MEMORY, FleetMemory
from trimtab.core.memory import Memory
from trimtab.journal.entries import (
    Ended,
    Evaluated,
    Lost,
    OfMembers,
    Overridden,
    Primed,
    QuotasRead,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from trimtab.core.decision import Order
    from trimtab.core.deployment import Deployment
    from trimtab.core.lead_time import Learned
    from trimtab.core.memory import DeploymentMemory
    from trimtab.core.overrides import Override
    from trimtab.core.succession import Membership
    from trimtab.journal.entries import Item

Value = TypeVar("Value")


@dataclass(slots=True)
class Standing:
    """Fleet and memory by full name, and the order that each deployment is held by.

    ``resumed`` are those held by an order of an earlier run, whose end the engine tells from others.
    ``membership`` is what it knows as one of several, ``None``: it decides for everything.
    """

    fleet: dict[str, Deployment] = field(default_factory=dict)
    memory: dict[str, DeploymentMemory] = field(default_factory=dict)
    overrides: tuple[Override, ...] = ()
    lead_times: Mapping[str, Learned] = field(default_factory=dict)
    shared: FleetMemory = NO_FLEET_MEMORY
    in_flight: dict[str, Order] = field(default_factory=dict)
    resumed: set[str] = field(default_factory=set)
    membership: Membership | None = None

    def copy(self) -> Standing:
        """Return one that is followed on its own from here."""
        return Standing(
            dict(self.fleet),
            dict(self.memory),
            self.overrides,
            self.lead_times,
            self.shared,
            dict(self.in_flight),
            set(self.resumed),
            self.membership,
        )

    def as_memory(self) -> Memory:
        """Return what the engine remembers."""
        return Memory(dict(self.memory), self.overrides, self.lead_times, self.shared)

    def take_in(self, item: Item) -> None:
        """Follow one entry."""
        if isinstance(item, Evaluated):
            self._take_changes(item)
            for order in item.tick.orders:
                self.in_flight[order.deployment] = order
        elif isinstance(item, Ended | Primed | QuotasRead):
            self._take_told(item)
        elif isinstance(item, Overridden):
            self.overrides = self.overrides if item.overrides is None else item.overrides
        elif isinstance(item, Lost):
            for name in item.fleet_gone:
                self.fleet.pop(name, None)
            self._take_changes(item)
            self._take_flights(item.flights)
        elif isinstance(item, OfMembers):
            self._take_memory_changes(item)
            self._take_flights(item.flights)
            self.resumed.update(name for name, one in item.flights.items() if one is not None)

    def _take_flights(self, flights: Mapping[str, Order | None]) -> None:
        for name, flight in flights.items():
            self._end(name)
            if flight is not None:
                self.in_flight[name] = flight

    def _take_told(self, item: Ended | Primed | QuotasRead) -> None:
        if isinstance(item, Ended):
            self._end(item.outcome.order.deployment)
        if not isinstance(item, QuotasRead):
            put(self.memory, item.memory_changes)
        if not isinstance(item, Primed) and item.shared is not None:
            self.shared = item.shared

    def _end(self, name: str) -> None:
        self.in_flight.pop(name, None)
        self.resumed.discard(name)

    def _take_changes(self, item: Evaluated | Lost) -> None:
        put(self.fleet, item.fleet_changes)
        if item.fleet_order is not None:
            put_in_order(self.fleet, item.fleet_order)
        self._take_memory_changes(item)

    def _take_memory_changes(self, item: Evaluated | OfMembers | Lost) -> None:
        put(self.memory, item.memory_changes)
        if item.overrides is not None:
            self.overrides = item.overrides
        if item.lead_times is not None:
            self.lead_times = item.lead_times
        if item.shared is not None:
            self.shared = item.shared
        if not isinstance(item, Evaluated) and item.membership is not None:
            self.membership = item.membership

    @classmethod
    def of(cls, memory: Memory, unfinished: Iterable[Order]) -> Standing:
        """How an engine stands that was given ``memory`` and took over ``unfinished``."""
        in_flight = {order.deployment: order for order in unfinished}
        return cls(
            memory=dict(memory.deployments),
            overrides=memory.overrides,
            lead_times=memory.lead_times,
            shared=memory.shared,
            in_flight=in_flight,
            resumed=set(in_flight),
        )


def put(values: dict[str, Value], changes: Mapping[str, Value | None]) -> None:
    """Carry out changes by name; ``None`` removes."""
    for name, value in changes.items():
        if value is None:
            values.pop(name, None)
        else:
            values[name] = value


def put_in_order(values: dict[str, Value], order: Iterable[str]) -> None:
    """Bring ``values`` into ``order``; who is not named in it stays behind the others."""
    ordered = {name: values[name] for name in order if name in values} | values
    values.clear()
    values.update(ordered)
