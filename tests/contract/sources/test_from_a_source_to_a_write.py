"""Settings and a policy, a real Prometheus and a real Redis, and what arrives at the control plane."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest
import redis.asyncio
from tests.integration.control_plane import ACCOUNT, KEY, ControlPlane
from tests.servers.prometheus import PrometheusServer

from trimtab.clock import SystemClock
from trimtab.core.decision import Tick
from trimtab.policy import read_policy_texts
from trimtab.service.query_checks import known_sources
from trimtab.service.wiring import build_daemon
from trimtab.settings import load_settings

SETTINGS = """\
accounts: {ACCOUNT: {base_url: "PLANE", api_key_file: KEY_FILE}}
journal: {path: off, required: false}
sources:
  prom: {type: prometheus, url: "PROMETHEUS", interval: 1s}
  jobs: {type: redis, url: "REDIS", password_file: PASSWORD_FILE, interval: 1s}
"""
POLICY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: chat, owner: tests}
spec:
  deployments: {match: {displayName: "chat*"}}
  signals:
    length: {source: prom, query: 'by_pod{pod="a"} * 15', maxAge: 60s}
    jobs: {source: jobs, query: 'LLEN work-for-{deployment_id}', maxAge: 60s}
  rules:
    - {name: length, role: demand, strategy: {type: target, signal: length, target: 10}}
    - {name: jobs, role: demand, strategy: {type: target, signal: jobs, target: 10}}
"""


@pytest.mark.parametrize(("jobs", "replicas"), [(0, 3), (35, 4)])
async def test_load_in_prometheus_and_redis_becomes_replicas(
    prometheus: PrometheusServer, redis_url: str, tmp_path: Path, jobs: int, replicas: int
) -> None:
    client = redis.asyncio.Redis.from_url(redis_url, password="made-up-password")
    await client.delete("work-for-chat")
    for number in range(jobs):
        await client.rpush("work-for-chat", number)
    await client.aclose()
    (tmp_path / "key").write_text(KEY)
    (tmp_path / "password").write_text("made-up-password")
    async with ControlPlane() as plane:
        plane.deployment |= {"desiredReplicaCount": 1, "replicaCount": 1}
        plane.deployment["replicaStats"] = {"readyReplicaCount": 1}
        text = SETTINGS.replace("PASSWORD_FILE", str(tmp_path / "password"))
        text = text.replace("KEY_FILE", str(tmp_path / "key")).replace("ACCOUNT", ACCOUNT)
        text = text.replace("PLANE", plane.base_url).replace("PROMETHEUS", prometheus.url)
        (tmp_path / "settings.yaml").write_text(text.replace("REDIS", redis_url))
        settings = load_settings(tmp_path / "settings.yaml")
        report = read_policy_texts([("policy.yaml", POLICY)], sources=known_sources(settings))
        assert report.is_valid, report.diagnostics
        ticks: list[Tick] = []
        daemon = build_daemon(
            settings, report.policies, SystemClock(), Random(1), on_tick=ticks.append
        )
        async with daemon, asyncio.timeout(20):
            while not plane.patches or plane.deployment["minReplicaCount"] < replicas:  # noqa: ASYNC110  it happens in other processes
                await asyncio.sleep(0.05)
    assert plane.deployment["minReplicaCount"] == replicas
