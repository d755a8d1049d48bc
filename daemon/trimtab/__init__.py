"""trimtab: an event-driven autoscaling daemon for GPU inference deployments.

The names below are the public, stable API for embedding the engine::

    engine = Engine(load_policies("policies/"))
    tick = engine.step(now=..., fleet={...}, samples=[...])
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.core.decision import Decision, Hold, Reason, ScaleDown, ScaleUp, Tick
from trimtab.core.deployment import Deployment, Pipeline, Shape, State
from trimtab.core.engine import Engine
from trimtab.core.memory import Memory
from trimtab.core.signals import Sample

if TYPE_CHECKING:
    from trimtab.policy import load_policies

__all__ = [
    "Decision",
    "Deployment",
    "Engine",
    "Hold",
    "Memory",
    "Pipeline",
    "Reason",
    "Sample",
    "ScaleDown",
    "ScaleUp",
    "Shape",
    "State",
    "Tick",
    "load_policies",
]


def __getattr__(name: str) -> object:
    # Reading policy files needs pydantic and YAML; embedding the bare engine does not.
    if name == "load_policies":
        from trimtab.policy import load_policies

        return load_policies
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
