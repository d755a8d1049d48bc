"""What a policy comes to, and where each value is from: nothing is left out, nothing made up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from trimtab.policy import read_policy_texts
from trimtab.policy.diagnostics import FileText
from trimtab.policy.effective import EffectiveValue, Source, effective_values
from trimtab.policy.reading import read_text

FILES = [
    *(Path(__file__).parent / "valid").glob("*.yaml"),
    *(Path(__file__).parents[3] / "policies").glob("*.yaml"),
]

TEXT = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: chat}
spec:
  deployments: {match: {displayName: "chat-*"}}
  bounds:
    max: 8
  signals:
    requests: {source: gateway, query: rps, maxAge: 90s}
  rules:
    - name: busy
      role: demand
      strategy: {type: target, signal: requests, target: 12}
      cooldown: {up: 30s}
  behavior:
    scaleDown: {stabilization: 600s}
"""


def values_in(text: str) -> dict[str, EffectiveValue]:
    (place,) = read_text(FileText("chat.yaml", text)).places
    return {one.key: one for one in effective_values(place)}


def test_what_the_file_says_is_shown_as_written_with_its_line() -> None:
    values = values_in(TEXT)
    assert values["bounds.max"] == EffectiveValue("bounds.max", 8, Source.FILE, "chat.yaml:7")
    assert values["signals.requests.maxAge"].value == "90s"
    assert values["rules.busy.strategy.target"].origin == "chat.yaml:13"
    assert values["behavior.scaleDown.stabilization"].value == "600s"
    assert values["rules.busy.cooldown.up"].value == "30s"


def test_what_the_file_leaves_out_is_shown_with_its_default_as_people_would_write_it() -> None:
    values = values_in(TEXT)
    assert {values[key].source for key in ("mode", "signals.requests.per")} == {Source.DEFAULT}
    assert values["mode"].value == "enforce"
    assert values["expiry.minimumUsefulTime"].value == "10m"
    assert values["rules.busy.stabilization"].value == "0s"
    assert values["behavior.scaleUp.stabilization"].value == "0s"
    assert values["behavior.scaleUp.limits"].value == [
        {"percent": 100, "period": "1m"},
        {"replicas": 4, "period": "1m"},
    ]
    assert values["behavior.scaleDown.limits"].value == [{"percent": 50, "period": "1m"}]


ORDERS_AHEAD = TEXT.replace(
    "{type: target, signal: requests, target: 12}",
    "{type: capacity, requests: requests, capacity: {requestsPerSecond: 12}}",
)


def test_a_window_that_a_strategy_makes_needless_names_the_strategy() -> None:
    key = "behavior.scaleDown.stabilization"
    assert values_in(ORDERS_AHEAD)[key].source is Source.FILE
    unwritten = values_in(ORDERS_AHEAD.replace("{stabilization: 600s}", "{cooldown: 30s}"))
    assert unwritten[key] == EffectiveValue(key, "0s", Source.STRATEGY, "strategy capacity")
    assert unwritten["behavior.scaleDown.limits"].source is Source.DEFAULT
    usual = values_in(TEXT.replace("{stabilization: 600s}", "{cooldown: 30s}"))
    assert usual[key] == EffectiveValue(key, "5m", Source.DEFAULT, "default")


def test_a_bound_that_nobody_wrote_is_the_deployments_own() -> None:
    lower = values_in(TEXT)["bounds.min"]
    assert lower == EffectiveValue("bounds.min", None, Source.DEPLOYMENT, "deployment")


def test_a_feature_that_is_off_is_listed_as_off() -> None:
    values = values_in(TEXT)
    for key in ("accelerators", "fallback", "behavior.scaleToZero"):
        assert values[key] == EffectiveValue(key, None, Source.DEFAULT, "default")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_values_are_plain_data_with_one_origin_each(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    lines = text.split("\n")
    for place in read_text(FileText(path.name, text)).places:
        values = effective_values(place)
        assert len({one.key for one in values}) == len(values)
        for one in values:
            assert json.loads(json.dumps(one.value)) == one.value
            if one.source is Source.FILE:
                file, _, line = one.origin.rpartition(":")
                assert file == path.name
                assert one.key.rpartition(".")[2] in lines[int(line) - 1]


def test_what_is_shown_written_out_is_the_same_policy() -> None:
    """Defaults in the list are the ones that are used: a file that states them all says the same."""
    defaults = values_in(TEXT)
    up, down = (defaults[f"behavior.{way}.limits"].value for way in ("scaleUp", "scaleDown"))
    text = TEXT.replace(
        "    scaleDown: {stabilization: 600s}\n",
        f"    scaleUp: {{stabilization: 0s, limits: {json.dumps(up)}}}\n"
        f"    scaleDown: {{stabilization: 600s, limits: {json.dumps(down)}}}\n",
    )
    (stated,) = read_policy_texts([("chat.yaml", text)]).policies
    (left_out,) = read_policy_texts([("chat.yaml", TEXT)]).policies
    assert stated == left_out
