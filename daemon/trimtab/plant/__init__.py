"""The controlled system in software: replicas that start slowly and batch requests; load that arrives.

Shared by the emulator (behind an HTTP surface) and the simulation (behind the engine). It imports
nothing else of ours and reads no clock: whoever drives it says what time it is.
"""

from trimtab.plant.day import DayWorkload
from trimtab.plant.deployment import Offered, PlantDeployment
from trimtab.plant.replicas import Replica, ReplicaSet, ReplicaState
from trimtab.plant.serving import FluidQueue
from trimtab.plant.serving_model import (
    SERVING_MODELS,
    ServingModel,
    Slo,
    capacity_requests_per_second,
)
from trimtab.plant.start_times import StartTimes, start_times_for
from trimtab.plant.totals import StepRecord, Totals
from trimtab.plant.trace import TraceError, TraceWorkload, read_trace
from trimtab.plant.window import Histogram, Window
from trimtab.plant.workload import (
    ConstantWorkload,
    Load,
    PastTheEnd,
    SteppedWorkload,
    Workload,
)

__all__ = [
    "SERVING_MODELS",
    "ConstantWorkload",
    "DayWorkload",
    "FluidQueue",
    "Histogram",
    "Load",
    "Offered",
    "PastTheEnd",
    "PlantDeployment",
    "Replica",
    "ReplicaSet",
    "ReplicaState",
    "ServingModel",
    "Slo",
    "StartTimes",
    "StepRecord",
    "SteppedWorkload",
    "Totals",
    "TraceError",
    "TraceWorkload",
    "Window",
    "Workload",
    "capacity_requests_per_second",
    "read_trace",
    "start_times_for",
]
