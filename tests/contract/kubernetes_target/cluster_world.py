"""A cluster with a few workloads, served over HTTP, and the target that reads and writes them."""

from __future__ import annotations

import asyncio
import copy
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING, Any

from tests.servers.kubernetes_api.rbac import service_account

from trimtab.clock import SystemClock
from trimtab.core.decision import Order, Reason
from trimtab.core.policy import Actuation
from trimtab.kubernetes.access import Access
from trimtab.kubernetes.connection import Connection
from trimtab.targets.kubernetes.adapter import KubernetesTarget
from trimtab.targets.kubernetes.cluster import Cluster

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AsyncExitStack
    from pathlib import Path

    from tests.servers.kubernetes_api.serving import Server

    from trimtab.core.deployment import Deployment

TOKEN = "token-of-trimtab"
PATIENCE_SECONDS = 20.0
NAME = "clusters/prod/namespaces/llm/deployments.apps/chat"

LWS = "leaderworkersets.leaderworkerset.x-k8s.io"


def pods(gpus: int = 8, **spec: Any) -> dict[str, Any]:
    limits = {"nvidia.com/gpu": str(gpus)} if gpus else {}
    return {
        "metadata": {"labels": {"app": "chat"}},
        "spec": {
            "containers": [{"name": "engine", "image": "vllm", "resources": {"limits": limits}}],
            "nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"},
            **spec,
        },
    }


def definition(plural: str, group: str, kind: str, path: str = ".spec.replicas") -> dict[str, Any]:
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {
                "plural": plural,
                "singular": kind.lower(),
                "kind": kind,
                "listKind": f"{kind}List",
            },
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "x-kubernetes-preserve-unknown-fields": True,
                        }
                    },
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": path,
                            "statusReplicasPath": ".status.replicas",
                        },
                    },
                }
            ],
        },
    }


class World:
    """``server`` has the workloads; ``target`` reads and writes them; tests look into both."""

    def __init__(self, server: Server, folder: Path, stack: AsyncExitStack) -> None:
        self.server = server
        self.api = server.api
        self.faults = server.service.faults
        self.clock = SystemClock()
        self.cluster = Cluster(name="prod")
        self._folder = folder
        self._stack = stack

    def target(self, *, token: str | None = None, **settings: Any) -> KubernetesTarget:
        path = self._folder / f"kubeconfig-{len(list(self._folder.iterdir()))}"
        given = {} if token is None else {"token": token}
        access = Access(kubeconfig=self.server.kubeconfig(path, **given))
        target = KubernetesTarget(
            replace(self.cluster, **settings),
            Connection(self.clock, access),
            self.clock,
            random=Random(1),
        )
        self._stack.push_async_callback(target.close)
        return target

    def add(self, thing: dict[str, Any], namespace: str = "llm") -> dict[str, Any]:
        return self.api.add(thing, namespace)  # type: ignore[no-any-return]  # the fake's

    def workload(
        self,
        name: str = "chat",
        *,
        replicas: int = 2,
        namespace: str = "llm",
        kind: str = "Deployment",
        managed: bool = True,
        status: dict[str, Any] | None = None,
        **annotations: str,
    ) -> dict[str, Any]:
        ready = {"observedGeneration": 1, "replicas": replicas, "readyReplicas": replicas}
        counted = {key: count for key, count in ready.items() if count}
        thing = {
            "apiVersion": "apps/v1",
            "kind": kind,
            "metadata": {
                "name": name,
                "labels": {"trimtab.dev/managed": "true"} if managed else {},
                "annotations": {
                    f"trimtab.dev/{key.replace('_', '-')}": value
                    for key, value in annotations.items()
                },
            },
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": "chat"}},
                "template": pods(),
            },
            "status": status if status is not None else counted | {"updatedReplicas": replicas},
        }
        if kind == "StatefulSet":
            thing["spec"]["serviceName"] = name
        return self.add(thing, namespace)

    def autoscaler(self, scales: str = "chat", *, name: str = "chat-hpa") -> None:
        self.add(
            {
                "apiVersion": "autoscaling/v2",
                "kind": "HorizontalPodAutoscaler",
                "metadata": {"name": name},
                "spec": {
                    "scaleTargetRef": {
                        "apiVersion": "apps/v1",
                        "kind": "Deployment",
                        "name": scales,
                    },
                    "maxReplicas": 4,
                },
            }
        )

    def replicas(self, name: str = "chat", namespace: str = "llm") -> int:
        found = self.api.store.read(("apps", "deployments"), (namespace, name))
        return found["spec"]["replicas"]  # type: ignore[no-any-return]  # the fake's

    def set(self, plural: str, name: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change an object as somebody with all rights does."""
        kind = self.api.kinds.stored("apps", plural)
        found = copy.deepcopy(self.api.objects.get(kind, ("llm", name)))
        change(found)
        self.api.objects.replace(kind, ("llm", name), found)

    def scale_by_hand(self, replicas: int, name: str = "chat") -> None:
        def change(found: dict[str, Any]) -> None:
            found["spec"]["replicas"] = replicas

        self.set("deployments", name, change)

    def grant(self, *rules: dict[str, Any], namespace: str | None = None) -> str:
        """Give trimtab's service account a role; return its token."""
        self.api.gatekeeper.let_in(TOKEN, service_account("trimtab", "trimtab"))
        kind = "ClusterRole" if namespace is None else "Role"
        number = sum(
            1 for _ in self.api.store.all(("rbac.authorization.k8s.io", f"{kind.lower()}s"))
        )
        group = "rbac.authorization.k8s.io"
        meta = {"name": f"trimtab-{number}"}
        self.add(
            {"apiVersion": f"{group}/v1", "kind": kind, "metadata": meta, "rules": list(rules)},
            namespace or "default",
        )
        self.add(
            {
                "apiVersion": f"{group}/v1",
                "kind": f"{kind}Binding",
                "metadata": dict(meta),
                "roleRef": {"apiGroup": group, "kind": kind, "name": meta["name"]},
                "subjects": [{"kind": "ServiceAccount", "name": "trimtab", "namespace": "trimtab"}],
            },
            namespace or "default",
        )
        return TOKEN

    async def until(
        self, target: KubernetesTarget, fits: Callable[[dict[str, Deployment]], bool]
    ) -> dict[str, Deployment]:
        """Read the fleet as it changes, until it fits."""
        fleet: dict[str, Deployment] = {}
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while True:
                    fleet = dict(await target.read_fleet())
                    if fits(fleet):
                        return fleet
                    await target.changed()
        except TimeoutError:
            raise AssertionError(f"the fleet stayed {fleet}") from None

    async def comes(self, holds: Callable[[], bool]) -> None:
        """Wait until something holds."""
        for _ in range(400):
            if holds():
                return
            await asyncio.sleep(0.05)
        raise AssertionError("it never came")

    def events(self) -> list[dict[str, Any]]:
        return [thing for _, thing in self.api.store.all(("", "events"))]


def order_for(deployment: Deployment, to: int, **changes: Any) -> Order:
    """Return an order as the engine gives it for ``deployment``."""
    made = Order(
        deployment=deployment.name,
        policy="chat",
        at=deployment.observed_at or 0.0,
        actuation=Actuation.SCALE,
        from_replicas=deployment.desired_replicas,
        to_replicas=to,
        min_replicas=deployment.min_replicas,
        max_replicas=deployment.max_replicas,
        expected_state=deployment.state_text or deployment.state.value,
        expected_min_replicas=deployment.min_replicas,
        expected_max_replicas=deployment.max_replicas,
        lower=0,
        upper=100,
        user_min_replicas=deployment.min_replicas,
        user_max_replicas=deployment.max_replicas,
        reason=Reason.DEMAND,
        sentence=f"scale from {deployment.desired_replicas} to {to}: load",
    )
    return replace(made, **changes)
