"""Every value in effect has one origin: a line of the file, a default, or the deployment."""

from __future__ import annotations

from pathlib import Path

import pytest

from trimtab.policy.diagnostics import FileText
from trimtab.policy.effective import EffectiveValue, effective_values
from trimtab.policy.reading import read_content, read_text

POLICIES = Path(__file__).parents[3] / "policies"
FILES = [*POLICIES.glob("*.yaml"), *(POLICIES / "examples").glob("*.yaml")]

POLICY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: chat}
spec:
  deployments: {match: {displayName: "chat*"}}
  bounds: {max: 8}
  signals:
    load: {source: fireworks, query: q, maxAge: 90s}
  rules:
    - name: rate
      role: demand
      strategy: {type: queue, signal: load, target: 10}
      cooldown: 2m
  behavior:
    scaleDown: {limits: [{percent: 20, period: 60s}]}
"""


def of(text: str) -> dict[str, EffectiveValue]:
    (place,) = read_text(FileText("chat.yaml", text)).places
    return {one.key: one for one in effective_values(place)}


@pytest.mark.parametrize(
    ("key", "value", "origin"),
    [
        ("deployments.match.displayName", "chat*", "chat.yaml:5"),
        ("bounds.min", "the deployment's own", "deployment"),
        ("bounds.max", 8, "chat.yaml:6"),
        ("mode", "enforce", "default"),
        ("signals.load.maxAge", "90s", "chat.yaml:8"),
        ("signals.load.missing.down", "block", "default"),
        ("rules[0].strategy.target", 10, "chat.yaml:12"),
        ("rules[0].strategy.downscaleDelay", "10m", "default"),
        ("rules[0].cooldown", "2m", "chat.yaml:13"),
        ("behavior.scaleDown.limits[0].percent", 20, "chat.yaml:15"),
        ("behavior.scaleDown.stabilization", "5m", "default"),
        ("behavior.scaleUp.stabilization", "0s", "default"),
        (
            "behavior.scaleUp.limits",
            [{"percent": 100, "period": "1m"}, {"replicas": 4, "period": "1m"}],
            "default",
        ),
        ("fallback", "none: the count stays", "default"),
        ("expiry.minimumUsefulTime", "10m", "default"),
    ],
)
def test_a_value_and_its_origin(key: str, value: object, origin: str) -> None:
    assert of(POLICY)[key] == EffectiveValue(key, value, origin)


def test_what_is_simply_not_there_is_not_listed() -> None:
    assert {"deployments.name", "behavior.scaleDown.limits[0].replicas"} & of(
        POLICY
    ).keys() == set()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_value_of_the_shipped_policies_is_listed_twice_or_without_origin(path: Path) -> None:
    for place in read_content(str(path), path.read_bytes()).places:
        values = effective_values(place)
        assert len({one.key for one in values}) == len(values)
        for one in values:
            assert one.value is not None
            assert one.origin in ("default", "deployment") or one.origin.startswith(f"{path}:")
