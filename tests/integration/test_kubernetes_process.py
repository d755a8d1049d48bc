"""``trimtab run`` as a process: settings, a kubeconfig, engines behind a Service, and a workload that follows them."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from aiohttp import ClientSession
from running import clean_environment, trimtab_run, write_policy
from tests.contract.kubernetes_target.cluster_world import NAME, World
from tests.contract.kubernetes_target.test_engines import endpoint, engine, sliced
from tests.servers.kubernetes_api.serving import served

if TYPE_CHECKING:
    from pathlib import Path

POLICY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: chat, owner: tests}
spec:
  deployments: {name: clusters/prod/namespaces/llm/deployments.apps/chat}
  signals:
    waiting: {source: engines, query: sum(waiting), maxAge: 30s}
  rules:
    - {name: queue, role: demand, strategy: {type: target, signal: waiting, target: 10}}
"""


async def test_engines_are_found_and_their_workload_follows_what_waits_there(
    tmp_path: Path,
) -> None:
    config = tmp_path / "trimtab.yaml"
    async with served() as server, AsyncExitStack() as stack, engine("127.0.0.2", 35) as port:
        world = World(server, tmp_path, stack)
        world.workload(replicas=2, max_replicas="9")
        sliced(world, endpoint("127.0.0.2"), port=port)
        kubeconfig = str(server.kubeconfig(tmp_path / "kubeconfig"))
        engines = {"type": "openmetrics", "engine": "vllm", "interval": "1s"}
        settings = {
            "clusters": {"prod": {"kubeconfig": kubeconfig}},
            "sources": {"engines": {**engines, "kubernetes": {"cluster": "prod"}}},
        }
        config.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
        environment = clean_environment(TRIMTAB_CONFIG=str(config))
        policies = write_policy(tmp_path / "policies", POLICY)
        async with trimtab_run(environment, policies) as process, ClientSession() as session:
            started = await process.wait_for("started")
            write = await process.wait_for("write", outcome="applied")
            url = f"http://{started['listen']}"
            async with session.get(f"{url}/v1/deployments/{NAME}") as response:
                shown = await response.json()
            async with session.get(f"{url}/readyz") as response:
                assert (response.status, await response.text()) == (200, "ready\n")
            process.process.terminate()
            assert await process.ended() == 0
        assert (write["deployment"], write["to_replicas"]) == (NAME, 4)
        assert world.replicas() == 4
        assert shown["name"] == NAME
        assert process.errors == ""
        assert [one["reason"] for one in world.events()] == ["ScaledUp"]
