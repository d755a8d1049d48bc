"""Every value of the core comes back equal, floats bit for bit, whatever the text.

Seen to catch: text written as UTF-8 (``ensure_ascii=False``: lone surrogates).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import cache
from typing import Any, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.core.decision import Decision, Event, Order, Outcome
from trimtab.core.deployment import Deployment
from trimtab.core.lead_time import LeadTimes
from trimtab.core.maximum import FORMER_NO_MAXIMUM
from trimtab.core.memory import DeploymentMemory, Memory
from trimtab.core.overrides import Override
from trimtab.core.signals import Sample
from trimtab.journal.codec import UnknownWordError, decode, encode, hints_of, reads_maximum
from trimtab.journal.packing import DEFLATED_ROW, FORMAT, PLAIN_ROW, pack, pack_row, unpack

KINDS: list[Any] = [
    Decision, Event, Order, Outcome, Deployment, LeadTimes, DeploymentMemory, Memory, Override, Sample,
]  # fmt: skip

TEXTS = st.text(st.characters(), max_size=6) | st.just("\ud800")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=4,
)


@cache
def values(kind: Any) -> st.SearchStrategy[Any]:
    """Arbitrary values of a class, by its declarations."""
    plain = {Any: JSON, float: st.floats(allow_nan=False), str: TEXTS, type(None): st.none()}
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in plain:
        found = plain[kind]
    elif origin is tuple and arguments[-1] is Ellipsis:
        found = st.lists(values(arguments[0]), max_size=2).map(tuple)
    elif origin is tuple:
        found = st.tuples(*map(values, arguments))
    elif origin is Mapping:
        found = st.dictionaries(values(arguments[0]), values(arguments[1]), max_size=2)
    elif arguments:
        found = st.one_of(*map(values, arguments))
    elif hasattr(kind, "__dataclass_fields__") or hasattr(kind, "_fields"):
        found = st.builds(kind, **{name: _field(name, one) for name, one in hints_of(kind).items()})
    else:
        found = st.from_type(kind)
    return found


def _field(name: str, hint: Any) -> st.SearchStrategy[Any]:
    found = values(hint)
    # The number that earlier versions wrote for "none" is read as that.
    return (
        found.filter(lambda one: one != FORMER_NO_MAXIMUM) if reads_maximum(name, hint) else found
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=25)
@given(data=st.data())
def test_it_comes_back_equal(kind: Any, data: st.DataObject) -> None:
    value = data.draw(values(kind))
    again: Any = unpack(kind, pack(kind, value))
    assert again == value


@pytest.mark.parametrize("kind", [DeploymentMemory, Deployment, Decision], ids=lambda k: k.__name__)
@settings(max_examples=25)
@given(data=st.data(), is_deflated=st.booleans())
def test_it_comes_back_equal_by_position(
    kind: Any, data: st.DataObject, *, is_deflated: bool
) -> None:
    value = data.draw(values(kind))
    again: Any = unpack(kind, pack_row(value, is_deflated=is_deflated))
    assert again == value


@given(st.floats(allow_nan=False))
def test_a_number_comes_back_bit_for_bit(number: float) -> None:
    sample = Sample("d", "s", number, number)
    again: Sample = unpack(Sample, pack(Sample, sample))
    assert struct.pack("<dd", again.time, again.value) == struct.pack("<dd", number, number)


@given(st.binary(max_size=200))
def test_damage_is_an_error_of_values_and_nothing_else(content: bytes) -> None:
    for packed in (content, *(form + content for form in (FORMAT, PLAIN_ROW, DEFLATED_ROW))):
        with pytest.raises(ValueError, match=r"\w"):
            unpack(Order, packed)


def test_a_word_of_another_version_is_told_from_damage() -> None:
    document = encode(Event, Event(deployment="d", at=1.0, kind="adopted", sentence="s"))  # type: ignore[arg-type]  # as written
    with pytest.raises(UnknownWordError, match="has no 'teleported'"):
        decode(Event, document | {"kind": "teleported"})
    with pytest.raises(UnknownWordError, match="has no field 'colour'"):
        decode(Event, document | {"colour": "blue"})
    with pytest.raises(ValueError, match="this is no Event"):
        decode(Event, [])


def test_what_was_written_before_a_field_existed_can_be_read() -> None:
    assert decode(Deployment, {"name": "d"}) == Deployment(name="d")


def test_the_order_of_fields_of_short_tuples_is_part_of_the_format() -> None:
    assert Sample._fields == ("deployment", "signal", "time", "value", "replicas")
