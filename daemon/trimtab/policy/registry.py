"""Which strategies a policy can name. Explicit: nothing is scanned for, nothing registers itself."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from trimtab.policy.strategies.capacity import CapacityConfig
from trimtab.policy.strategies.expression import ExpressionConfig
from trimtab.policy.strategies.fixed import FixedConfig
from trimtab.policy.strategies.panic_window import PanicWindowConfig
from trimtab.policy.strategies.pass_through import PassThroughConfig
from trimtab.policy.strategies.queue import QueueConfig
from trimtab.policy.strategies.ratio import RatioConfig
from trimtab.policy.strategies.schedule import ScheduleConfig
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


BUILT_IN: Mapping[str, StrategyKind] = MappingProxyType(
    {
        "capacity": StrategyKind(
            config=CapacityConfig,
            build=CapacityConfig.build,
            summary="orders ahead: what its own past says will be needed when a replica serves",
        ),
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
        "expression": StrategyKind(
            config=ExpressionConfig,
            build=ExpressionConfig.build,
            summary="a formula of one's own over signals, deployment and time (CEL)",
        ),
        "ratio": StrategyKind(
            config=RatioConfig,
            build=RatioConfig.build,
            summary="follows the replicas of another deployment",
        ),
        "schedule": StrategyKind(
            config=ScheduleConfig,
            build=ScheduleConfig.build,
            summary="a count at certain times of the week or the year, in a time zone",
        ),
        "fixed": StrategyKind(
            config=FixedConfig,
            build=FixedConfig.build,
            summary="always asks for the same count",
        ),
    }
)
"""Every strategy of ours by the ``type`` that names it in a policy."""

_known: dict[str, StrategyKind] = dict(BUILT_IN)

STRATEGIES: Mapping[str, StrategyKind] = MappingProxyType(_known)
"""Those and the plug-ins that the settings allow; a live view."""


def set_plugins(kinds: Mapping[str, StrategyKind]) -> None:
    """Know exactly ``kinds`` beside the built-in ones. For ``trimtab.policy.plugins`` alone."""
    _known.clear()
    _known.update(BUILT_IN)
    _known.update(kinds)


def build_strategy(config: StrategyConfig) -> Strategy:
    """The algorithm that ``config`` describes."""
    return STRATEGIES[config.type].build(config)
