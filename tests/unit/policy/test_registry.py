"""Every strategy that a policy can name is complete."""

from __future__ import annotations

from typing import get_args

import pytest

from trimtab.policy.registry import STRATEGIES, build_strategy
from trimtab.policy.strategies.capacity import CapacityConfig
from trimtab.policy.strategies.expression import ExpressionConfig
from trimtab.policy.strategies.fixed import FixedConfig
from trimtab.policy.strategies.panic_window import PanicWindowConfig
from trimtab.policy.strategies.pass_through import PassThroughConfig
from trimtab.policy.strategies.queue import QueueConfig
from trimtab.policy.strategies.ratio import RatioConfig
from trimtab.policy.strategies.schedule import ScheduleConfig
from trimtab.policy.strategies.step import StepConfig, StepDocument
from trimtab.policy.strategies.target import TargetConfig
from trimtab.policy.strategies.threshold import ThresholdConfig

EXAMPLES = {
    "capacity": CapacityConfig.model_validate(
        {"type": "capacity", "requests": "requests", "capacity": {"requestsPerSecond": 8}}
    ),
    "target": TargetConfig(type="target", signal="requests", target=5),
    "step": StepConfig(
        type="step", signal="requests", steps=(StepDocument.model_validate({"above": 8, "add": 1}),)
    ),
    "threshold": ThresholdConfig.model_validate(
        {
            "type": "threshold",
            "signal": "requests",
            "upperBound": 1,
            "window": "5m",
            "delta": -1,
        }
    ),
    "pass-through": PassThroughConfig(type="pass-through", signal="requests"),
    "fixed": FixedConfig(type="fixed", replicas=3),
    "panic-window": PanicWindowConfig(type="panic-window", signal="requests", target=5),
    "expression": ExpressionConfig(type="expression", expression="signals.requests / 5.0"),
    "ratio": RatioConfig(type="ratio", of="accounts/acme/deployments/chat", ratio=0.5),
    "schedule": ScheduleConfig.model_validate(
        {
            "type": "schedule",
            "timezone": "Europe/Berlin",
            "windows": ({"cron": "0 8 * * MON-FRI", "for": "10h", "replicas": 4},),
        }
    ),
    "queue": QueueConfig(type="queue", signal="requests"),
}


@pytest.mark.parametrize("kind", STRATEGIES)
def test_the_type_in_the_file_is_the_name_in_the_registry(kind: str) -> None:
    annotation = STRATEGIES[kind].config.model_fields["type"].annotation
    assert get_args(annotation) == (kind,)


@pytest.mark.parametrize("kind", STRATEGIES)
def test_what_is_built_reads_the_signals_that_its_configuration_names(kind: str) -> None:
    config = EXAMPLES[kind]
    strategy = build_strategy(config)
    assert strategy.signals == tuple(name for _, name in config.reads())


@pytest.mark.parametrize("kind", STRATEGIES)
def test_the_places_of_its_signals_are_keys_of_its_configuration(kind: str) -> None:
    config = EXAMPLES[kind]
    for path, name in config.reads():
        assert name in getattr(config, str(path[0]))


@pytest.mark.parametrize("kind", STRATEGIES)
def test_each_is_described_in_one_line(kind: str) -> None:
    assert 10 < len(STRATEGIES[kind].summary) < 100
    assert "\n" not in STRATEGIES[kind].summary
