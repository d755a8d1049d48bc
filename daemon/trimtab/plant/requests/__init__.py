"""The plant request by request: continuous batching by iteration, and a time for every request.

Slower than the fluid, and what the fluid is held against: here nothing is a mean. Same serving
models, same replicas, same workloads.
"""

from trimtab.plant.requests.arrivals import (
    Arrival,
    Arrivals,
    CountedArrivals,
    DrawnArrivals,
    Lengths,
    RecordedArrivals,
)
from trimtab.plant.requests.batching import BatchingReplica
from trimtab.plant.requests.by_second import RequestsBySecond
from trimtab.plant.requests.deployment import RequestDeployment
from trimtab.plant.requests.ledger import Ledger, Means
from trimtab.plant.requests.request import Request
from trimtab.plant.requests.router import Router

__all__ = [
    "Arrival",
    "Arrivals",
    "BatchingReplica",
    "CountedArrivals",
    "DrawnArrivals",
    "Ledger",
    "Lengths",
    "Means",
    "RecordedArrivals",
    "Request",
    "RequestDeployment",
    "RequestsBySecond",
    "Router",
]
