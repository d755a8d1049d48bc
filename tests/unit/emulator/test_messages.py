from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.emulator import messages, schema
from trimtab.emulator.refusals import Refusal
from trimtab.emulator.switches import Switches

STRICT = Switches()


def parse(text: str, switches: Switches = STRICT) -> dict[str, Any]:
    raw = messages.decode(text)
    return messages.Parser(text, switches).parse(schema.DEPLOYMENT, raw)


def refusal(text: str, switches: Switches = STRICT) -> str:
    with pytest.raises(Refusal) as refused:
        parse(text, switches)
    assert refused.value.http_status == 400
    return refused.value.message


def test_an_unknown_field_is_refused_with_its_place() -> None:
    assert refusal('{"baseModel": "m",\n "loadTargets": {}}') == (
        'proto: (line 2:2): unknown field "loadTargets"'
    )


def test_an_unknown_field_deep_inside_is_refused_too() -> None:
    assert 'unknown field "scaleUp"' in refusal('{"autoscalingPolicy": {"scaleUp": "30s"}}')


def test_unknown_fields_pass_when_the_switch_says_so() -> None:
    assert parse('{"nonsense": 1}', Switches(reject_unknown_fields=False)) == {}


def test_both_spellings_are_understood_but_not_both_at_once() -> None:
    assert parse('{"min_replica_count": 2}') == parse('{"minReplicaCount": 2}')
    assert "duplicate field" in refusal('{"min_replica_count": 2, "minReplicaCount": 2}')
    assert "duplicate field" in refusal('{"baseModel": "a", "baseModel": "b"}')


def test_a_wrong_type_is_named_with_field_and_value() -> None:
    assert refusal('{"minReplicaCount": "many"}') == (
        'proto: (line 1:2): invalid value for int32 field minReplicaCount: "many"'
    )
    assert "enum field precision" in refusal('{"precision": "FP3"}')


def test_explicit_zeros_are_kept_apart_from_absence() -> None:
    assert parse('{"minReplicaCount": 0}') == {"minReplicaCount": 0}
    assert parse('{"minReplicaCount": null}') == {}


def test_read_only_fields_are_ignored() -> None:
    assert parse('{"state": "READY", "replicaCount": 9, "baseModel": "m"}') == {"baseModel": "m"}


@pytest.mark.parametrize(
    "text", ["[1]", "3", '"x"', "{", '{"a":}', "nul", '{"a": NaN}', "[" * 100_000, "9" * 5000]
)
def test_what_is_no_object_is_a_syntax_error(text: str) -> None:
    assert refusal(text).startswith("proto: syntax error (line 1:")


def test_no_body_is_an_empty_object() -> None:
    assert parse("  ") == {}


def test_zero_empty_and_unspecified_are_left_out() -> None:
    value = {
        "baseModel": "m",
        "displayName": "",
        "minReplicaCount": 0,
        "enableAddons": False,
        "precision": "PRECISION_UNSPECIFIED",
        "annotations": {},
        "replicaStats": {"readyReplicaCount": 0, "initializingReplicaCount": 1},
        "expireTime": None,
    }

    assert messages.render(schema.DEPLOYMENT, value, STRICT) == {
        "baseModel": "m",
        "replicaStats": {"initializingReplicaCount": 1},
    }


def test_what_the_document_requires_is_shown_at_zero_as_well() -> None:
    value = {"minReplicaCount": 0, "schedule": "0 8 * * *", "duration": 600.0, "timezone": "UTC"}

    assert messages.render(schema.SCHEDULE, value, STRICT) == {
        "minReplicaCount": 0,
        "schedule": "0 8 * * *",
        "duration": "600s",
        "timezone": "UTC",
    }


def test_everything_but_unset_messages_is_shown_with_emit_defaults() -> None:
    shown = messages.render(schema.DEPLOYMENT, {"baseModel": "m"}, Switches(emit_defaults=True))

    assert shown["minReplicaCount"] == 0
    assert shown["precision"] == "PRECISION_UNSPECIFIED"
    assert shown["annotations"] == {}
    assert "expireTime" not in shown
    assert "placement" not in shown


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELD_NAMES = st.sampled_from(sorted(schema.DEPLOYMENT.fields))


@given(st.dictionaries(FIELD_NAMES | st.text(), JSON_VALUES, max_size=5))
def test_any_json_is_either_understood_or_refused_and_then_renders(body: dict[str, Any]) -> None:
    text = json.dumps(body, allow_nan=True)
    value: dict[str, Any] = {}
    status = 200
    try:
        value = parse(text, Switches(reject_unknown_fields=False))
    except Refusal as refused:
        status = refused.http_status
    shown = messages.render(schema.DEPLOYMENT, value, STRICT)

    assert status in {200, 400}
    assert parse(json.dumps(shown)) == {
        name: item
        for name, item in value.items()
        if not messages.is_zero(schema.DEPLOYMENT.fields[name], item)
    }
