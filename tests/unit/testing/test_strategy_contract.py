"""Every strategy of ours keeps the published contract, and the contract notices who does not."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from typing import Any

import pytest

from trimtab.core.facts import Facts
from trimtab.core.proposals import JsonValue, View, Wish
from trimtab.core.strategies.ratio import Ratio
from trimtab.policy.registry import BUILT_IN, build_strategy
from trimtab.policy.rules import RuleDocument
from trimtab.testing import StrategyContract, broken_promises
from trimtab.testing.views import NAME

EXAMPLES: dict[str, list[dict[str, Any]]] = {
    "target": [
        {"signal": "load", "target": 5},
        {"signal": "load", "target": 0.001, "tolerance": 0.0},
    ],
    "panic-window": [{"signal": "load", "target": 5}],
    "queue": [{"signal": "load"}],
    "step": [{"signal": "load", "steps": ({"above": 50, "add": 2}, {"below": 5, "remove": 1})}],
    "threshold": [
        {"signal": "load", "upperBound": 5.0, "window": "5m", "delta": -1},
        {"signal": "load", "lowerBound": 50.0, "window": "1h", "percentage": 50.0},
    ],
    "pass-through": [{"signal": "load"}],
    "expression": [
        {"expression": "signals.load / 5.0"},
        {"expression": "signals.load / signals.queue - 1e300"},
        {"expression": "1.0 / (signals.load - 10.0)"},
        {"expression": "deployment.accelerators / (deployment.ready - 1) + time.hour"},
    ],
    "ratio": [
        {"of": NAME, "ratio": 1.5},
        {"of": "accounts/acme/deployments/other", "ratio": 1, "by": "ready"},
    ],
    "schedule": [
        {
            "timezone": "Europe/Berlin",
            "windows": (
                {"cron": "30 2 * * *", "for": "1h", "replicas": 4},
                {"cron": "0 0 29 2 *", "for": "1d", "replicas": 5, "exactly": True},
                {"from": "2026-03-29T02:30", "until": "2100-01-01T00:00", "replicas": 3},
            ),
        }
    ],
    "fixed": [{"replicas": 3}],
    "capacity": [
        {"requests": "load", "capacity": {"requestsPerSecond": 5}},
        {"inFlight": "load", "capacity": {"inFlight": 30}},
        {"requests": "load", "inFlight": "queue", "waiting": "queue"},
        {
            "promptTokens": "load",
            "outputTokens": "queue",
            "capacity": {"promptTokensPerSecond": 9, "outputTokensPerSecond": 4},
        },
    ],
}


def strategies(kind: str) -> list[Any]:
    rules = [
        RuleDocument.model_validate(
            {"name": "one", "role": "demand", "strategy": {"type": kind, **config}}
        )
        for config in EXAMPLES[kind]
    ]
    return [build_strategy(rule.strategy) for rule in rules]


@pytest.mark.parametrize("kind", BUILT_IN)
def test_each_strategy_keeps_the_contract(kind: str) -> None:
    for strategy in strategies(kind):
        learns = kind == "capacity"
        assert broken_promises(strategy, memory_bytes_max=200_000 if learns else 50_000) == ()


class TestInherited(StrategyContract):
    """As the author of a plug-in would write it."""

    strategies = (Ratio(of="accounts/acme/deployments/other", ratio=2.0),)


def test_a_contract_without_a_strategy_proves_nothing() -> None:
    class Empty(StrategyContract):
        pass

    with pytest.raises(AssertionError, match="`strategies` is empty"):
        Empty().test_there_is_a_strategy_to_test()


@dataclass
class Naughty:
    """Keeps the contract, unless told otherwise."""

    fault: str
    signals: Any = ("load",)
    asked: Any = field(default_factory=itertools.count, repr=False)
    seen: int = 0

    def propose(self, view: View, memory: JsonValue) -> Any:  # noqa: PLR0911  one for each fault
        match self.fault:
            case "raises":
                return Wish(replicas=int(1.0 / view.current), sentence="divides")
            case "negative":
                return Wish(replicas=view.current - 1, sentence="one fewer")
            case "fraction":
                return Wish(replicas=view.current / 2, sentence="half")
            case "truth":
                return Wish(replicas=True, sentence="yes")
            case "no wish":
                return 3
            case "silent":
                return Wish(replicas=None, sentence=" ")
            case "two lines":
                return Wish(replicas=None, sentence="one\ntwo")
            case "talkative":
                return Wish(replicas=None, sentence="very " * 1000)
            case "abstains and asks":
                return Wish(replicas=3, sentence="well", is_abstaining=True)
            case "no fact":
                facts = Facts(load_replicas=float("inf"))
                return Wish(replicas=None, sentence="well", facts=facts)
            case "random":
                return Wish(replicas=next(self.asked) + view.current, sentence="some")
            case "changes itself":
                self.seen += 1
            case "changes memory":
                if isinstance(memory, list):
                    memory.append(1)
                return Wish(replicas=None, sentence="kept", memory=memory or [1])
            case "changes the view":
                view.readings.pop("load", None)
            case "takes missing for zero":
                value = view.readings["load"].value or 0.0
                return Wish(replicas=int(min(value, 1e6)), sentence="counted")
            case "caps while missing":
                return Wish(replicas=view.current, at_most=0, sentence="capped")
            case "not JSON":
                return Wish(replicas=None, sentence="kept", memory={1: 2})
            case "not a number":
                return Wish(replicas=None, sentence="kept", memory=float("nan"))
            case "trusts its memory":
                count = 0 if memory is None else memory["count"]
                return Wish(replicas=None, sentence="kept", memory={"count": count})
            case "hoards":
                kept = memory if isinstance(memory, list) else []
                return Wish(replicas=None, sentence="kept", memory=[*kept, view.now])
        return Wish(replicas=view.current, sentence="as many as there are")


def test_who_keeps_the_contract_breaks_no_promise() -> None:
    assert broken_promises(Naughty("nothing")) == ()


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        ("raises", "raises ZeroDivisionError"),
        ("negative", "answers -1, which is no whole number from 0"),
        ("fraction", "answers 1.5, which is no whole number"),
        ("truth", "answers True, which is no whole number"),
        ("no wish", "answers 3, which is no Wish"),
        ("silent", "which is no sentence"),
        ("two lines", "which is no sentence"),
        ("talkative", "gives a reason of 5000 characters"),
        ("abstains and asks", "abstains and asks for 3 at once"),
        ("no fact", "gives inf for load_replicas"),
        ("random", "then; asked for"),
        ("changes itself", "changes itself; before it was"),
        ("changes memory", "changes the memory"),
        ("changes the view", "changes the view"),
        ("takes missing for zero", "answers 0 while data is missing"),
        ("caps while missing", "answers 0 while data is missing"),
        ("not JSON", "which comes back as {'1': 2}"),
        ("not a number", "which is not JSON"),
        ("trusts its memory", "with the memory True raises TypeError"),
        ("hoards", "bytes after 2000 evaluations; 20000 are allowed"),
    ],
)
def test_each_broken_promise_is_noticed(fault: str, what: str) -> None:
    broken = broken_promises(Naughty(fault), memory_bytes_max=20_000)
    assert any(what in sentence for sentence in broken), broken


@pytest.mark.parametrize("signals", [["load"], ("load", "load"), ("", "load"), "load"])
def test_signals_that_are_no_names_are_noticed(signals: Any) -> None:
    assert any("signal" in one for one in broken_promises(Naughty("nothing", signals=signals)))
