from __future__ import annotations

import copy
import json

import pytest

from trimtab.core.deployment import State
from trimtab.core.encoded import Encoded, as_plain, plain
from trimtab.core.memory import DeploymentMemory, Memory, UserRange
from trimtab.core.proposals import JsonValue
from trimtab.journal.packing import pack_row, unpack


class Sum(Encoded):
    """Counts how often somebody wanted its JSON form made."""

    __slots__ = ("made", "parts")

    def __init__(self, *parts: float) -> None:
        self.parts = parts
        self.made = 0

    def _encode(self) -> JsonValue:
        self.made += 1
        return {"parts": list(self.parts)}


def a_memory(remembered: JsonValue) -> DeploymentMemory:
    user = UserRange(min_replicas=1, max_replicas=9, is_believed=True, since=0.0, origin="test")
    return DeploymentMemory(
        adopted_at=0.0, user=user, state=State.READY, rules={"one": ["Sum", remembered]}
    )


def test_the_form_is_made_when_somebody_asks_and_once() -> None:
    one = Sum(0.1, 0.2)
    assert one.made == 0
    assert one.as_json() == one.as_json() == {"parts": [0.1, 0.2]}
    assert one.made == 1


def test_it_equals_what_comes_back_from_its_form_either_way_round() -> None:
    one = Sum(0.1, 0.2)
    restored = json.loads(json.dumps({"here": [one]}, default=as_plain))
    assert restored == {"here": [one]}
    assert {"here": [one]} == restored
    assert one == Sum(0.1, 0.2)
    assert one != Sum(0.1, 0.3)
    assert one != {"parts": [0.1]}


def test_comparing_something_with_itself_makes_no_form() -> None:
    one = Sum(0.1)
    same = one
    assert one == same
    assert one.made == 0


def test_a_copy_is_the_value_itself_as_it_never_changes() -> None:
    one = Sum(0.1)
    assert copy.deepcopy({"here": one})["here"] is one
    assert copy.copy(one) is one


def test_it_has_no_hash_as_what_it_equals_has_none() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(Sum(0.1))


def test_plain_reaches_everything_that_is_encoded_inside() -> None:
    value: JsonValue = {"a": [Sum(1.0), 2], "b": "text", "c": Sum(3.0), "d": None}
    assert plain(value) == {
        "a": [{"parts": [1.0]}, 2],
        "b": "text",
        "c": {"parts": [3.0]},
        "d": None,
    }
    assert not isinstance(plain(Sum(1.0)), Encoded)


def test_what_is_neither_json_nor_encoded_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="a memory holds a set"):
        json.dumps({"here": {1, 2}}, default=as_plain)


def test_the_memory_of_a_fleet_survives_json_with_encoded_values_in_it() -> None:
    memory = Memory(deployments={"chat": a_memory(Sum(0.1, 0.2))})
    document = json.loads(json.dumps(memory.to_json(), allow_nan=False))
    assert Memory.from_json(document) == memory


def test_a_row_of_the_journal_survives_with_encoded_values_in_it() -> None:
    memory = a_memory(Sum(0.1, 0.2))
    assert unpack(DeploymentMemory, pack_row(memory)) == memory
    assert unpack(DeploymentMemory, pack_row(memory, is_deflated=True)) == memory
