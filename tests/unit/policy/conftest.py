"""A valid policy that uses every key that can matter, and the small change that a test is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from trimtab.policy import LoadReport, read_policy_texts

if TYPE_CHECKING:
    from collections.abc import Callable

EVERY_KEY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata:
  name: chat-prod
  owner: ml-platform
spec:
  deployments:
    match: {baseModel: "accounts/fireworks/models/llama-*", displayName: "chat-*", region: [US_IOWA_1]}
  mode: advise
  actuation: scale
  bounds: {min: 0, max: 12}
  accelerators: {max: 48}
  signals:
    requests:
      source: gateway
      query: requests_per_second
      maxAge: 15s
    concurrency:
      source: fireworks
      query: requests_coordinator_concurrent_count:avg_by_deployment
      per: replica
      maxAge: 1m30s
      missing: {up: block, down: ignore}
  rules:
    - name: busy-day
      role: demand
      strategy: {type: target, signal: concurrency, target: 24, tolerance: 0.2}
    - name: rate
      role: demand
      strategy: {type: target, signal: requests, target: 5.6}
      stabilization: {up: 30s, down: 20m}
      cooldown: 2m
    - name: at-least
      role: floor
      strategy: {type: target, signal: requests, target: 50}
    - name: at-most
      role: ceiling
      strategy: {type: fixed, replicas: 10}
  behavior:
    scaleUp: {stabilization: 30s, limits: [{percent: 400, period: 15s}, {replicas: 4, period: 60s}], select: min}
    scaleDown: {stabilization: 10m, cooldown: 5m, limits: [{percent: 50, period: 1m}], select: max}
    scaleToZero: {after: 15m, wakeOn: [requests]}
  fallback: {after: 5m, replicas: 6}
  whileUpdating: up
  expiry: {minimumUsefulTime: 15m, atExpiry: drain}
"""

FEWEST_KEYS = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: still}
spec:
  deployments: {name: accounts/acme/deployments/still}
  rules: [{name: two, role: demand, strategy: {type: fixed, replicas: 2}}]
"""


@pytest.fixture
def every_key() -> str:
    return EVERY_KEY


@pytest.fixture
def fewest_keys() -> str:
    return FEWEST_KEYS


@pytest.fixture
def diagnose() -> Callable[..., LoadReport]:
    def read(text: str, *, sources: set[str] | None = None) -> LoadReport:
        return read_policy_texts([("policy.yaml", text)], sources=sources)

    return read
