"""Which strategies a policy can name. Explicit: nothing is scanned for, nothing registers itself."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from trimtab.policy.strategies.fixed import FixedConfig
from trimtab.policy.strategies.panic_window import PanicWindowConfig
from trimtab.policy.strategies.pass_through import PassThroughConfig
from trimtab.policy.strategies.queue import QueueConfig
from trimtab.policy.strategies.step import StepConfig
from trimtab.policy.strategies.target import TargetConfig
from trimtab.policy.strategies.threshold import ThresholdConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from trimtab.core.strategies.interface import Strategy
    from trimtab.policy.strategies.interface import StrategyConfig


@dataclass(frozen=True, slots=True)
class StrategyKind:
    """One algorithm that a rule can use: its configuration, how it is built, one line about it."""

    config: type[StrategyConfig]
    build: Callable[[Any], Strategy]  # takes an instance of ``config``
    summary: str


STRATEGIES: Mapping[str, StrategyKind] = MappingProxyType(
    {
        "target": StrategyKind(
            config=TargetConfig,
            build=TargetConfig.build,
            summary="keeps a signal at a target per replica, in proportion (Kubernetes HPA)",
        ),
        "panic-window": StrategyKind(
            config=PanicWindowConfig,
            build=PanicWindowConfig.build,
            summary="averages over a long and a short window; bursts only raise (Knative KPA)",
        ),
        "queue": StrategyKind(
            config=QueueConfig,
            build=QueueConfig.build,
            summary="follows the ongoing requests, smoothed and after a delay (Ray Serve)",
        ),
        "step": StrategyKind(
            config=StepConfig,
            build=StepConfig.build,
            summary="adds and removes by fixed steps after breaches in a row (AWS step scaling)",
        ),
        "threshold": StrategyKind(
            config=ThresholdConfig,
            build=ThresholdConfig.build,
            summary="moves once when enough samples lie within bounds (Nomad)",
        ),
        "pass-through": StrategyKind(
            config=PassThroughConfig,
            build=PassThroughConfig.build,
            summary="takes the signal itself for the count (Nomad)",
        ),
        "fixed": StrategyKind(
            config=FixedConfig,
            build=FixedConfig.build,
            summary="always asks for the same count",
        ),
    }
)
"""Every strategy by the ``type`` that names it in a policy."""


def build_strategy(config: StrategyConfig) -> Strategy:
    """The algorithm that ``config`` describes."""
    return STRATEGIES[config.type].build(config)
