"""kubectl, where it is installed: the client that people will look with."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.contract.kubernetes.conftest import Running
from tests.contract.kubernetes.test_wire import deployment, lease, made
from tests.servers.process import binary

Kubectl = Callable[..., str]


@pytest.fixture
def kubectl(cluster: Running, namespace: str, tmp_path: Path) -> Kubectl:
    program = binary("kubectl")
    config = cluster.kubeconfig(tmp_path, namespace)

    def run(*words: str, text: Any = None) -> str:
        ended = subprocess.run(  # noqa: S603  our own command
            [program, f"--kubeconfig={config}", f"--cache-dir={tmp_path / 'cache'}", *words],
            input=None if text is None else json.dumps(text),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    return run


def test_it_lists_applies_scales_labels_and_deletes(
    cluster: Running, namespace: str, kubectl: Kubectl
) -> None:
    kubectl("apply", "--validate=false", "-f", "-", text=deployment("a", 2))
    changed = deployment("a", 2)
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "example.com/engine:2"
    kubectl("apply", "--validate=false", "-f", "-", text=changed)
    kubectl("scale", "deployment/a", "--replicas=5", "--current-replicas=2")
    kubectl("label", "deployment", "a", "team=ml")
    kubectl("annotate", "deployment", "a", "trimtab.dev/max-replicas=8")
    found = json.loads(kubectl("get", "deployment", "a", "-o", "json"))
    assert found["spec"]["replicas"] == 5
    assert found["spec"]["template"]["spec"]["containers"][0]["image"] == "example.com/engine:2"
    assert found["metadata"]["labels"] == {"app": "a", "team": "ml"}
    assert found["metadata"]["annotations"]["trimtab.dev/max-replicas"] == "8"
    made(cluster, f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases", lease("a"))
    assert kubectl("get", "leases", "-o", "name").split() == ["lease.coordination.k8s.io/a"]
    kubectl(
        "patch",
        "deployment",
        "a",
        "--type=json",
        "-p",
        '[{"op":"remove","path":"/metadata/labels/team"}]',
    )
    kubectl("delete", "deployment", "a", "--wait=false")
    assert kubectl("get", "deployments", "-o", "name") == ""
