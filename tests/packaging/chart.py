"""The Helm chart, rendered by Helm's own code; what comes out judged by the schemas of Kubernetes."""

from __future__ import annotations

import json
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import helm_python as helm
import kubernetes_validate
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "deploy" / "helm" / "trimtab"
NAMESPACE = "scaling"

OLDEST, NEWEST = "1.29", "1.37"
"""Of Kubernetes: the first that the chart admits, and the last whose schemas are on hand."""

OPERATORS = ("monitoring.coreos.com/v1",)
"""Kinds of others, whose schemas are not on hand."""

ACCOUNT = {"accounts": {"acme": {"secret": "fireworks"}}}
ON_KUBERNETES = {**ACCOUNT, "coordination": {"mode": "kubernetes"}}
ON_POSTGRESQL = {
    **ACCOUNT,
    "coordination": {"mode": "postgresql", "database": {"secret": "database"}},
}
EVERYTHING: dict[str, Any] = {
    "image": {
        "repository": "registry.example/trimtab",
        "digest": f"sha256:{'0' * 64}",
        "pullPolicy": "Always",
    },
    "imagePullSecrets": [{"name": "registry"}],
    "accounts": {
        "acme": {"secret": "fireworks", "key": "acme", "proxy": "http://proxy:3128"},
        "beta": {"secret": "fireworks", "key": "beta", "baseUrl": "http://emulator:8600"},
    },
    "policies": {"chat.yaml": (ROOT / "policies" / "chat-small.yaml").read_text(encoding="utf-8")},
    "settings": {"tick_interval": "10s", "log": {"level": "debug"}},
    "secrets": ["metrics-tokens"],
    "controlToken": {"secret": "control"},
    "coordination": {"mode": "kubernetes"},
    "replicas": 3,
    "workloads": {
        "enabled": True,
        "cluster": "east",
        "namespaces": ["models", "batch"],
        "kinds": [{"group": "leaderworkerset.x-k8s.io", "resource": "leaderworkersets"}],
        "settings": {"selector": ""},
    },
    "serviceAccount": {"annotations": {"example.com/role": "scaler"}},
    "service": {"annotations": {"example.com/page": "yes"}, "port": 9000},
    "networkPolicy": {
        "enabled": True,
        "from": [
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
        ],
        "extraEgress": [
            {
                "to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
                "ports": [{"port": 9090, "protocol": "TCP"}],
            }
        ],
    },
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "labels": {"release": "prometheus"}},
    "dashboards": {"enabled": True, "annotations": {"grafana_folder": "trimtab"}},
    "podAnnotations": {"example.com/owner": "sre"},
    "podLabels": {"example.com/team": "sre"},
    "priorityClassName": "system-cluster-critical",
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "control", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [
                    {"matchExpressions": [{"key": "gpu", "operator": "DoesNotExist"}]}
                ]
            }
        }
    },
    "extraEnv": [{"name": "TZ", "value": "UTC"}],
    "extraVolumes": [{"name": "tls", "secret": {"secretName": "tls"}}],
    "extraVolumeMounts": [{"name": "tls", "mountPath": "/etc/tls", "readOnly": True}],
}

VALUES: dict[str, Mapping[str, Any]] = {
    "the defaults": {},
    "one account": ACCOUNT,
    "without a volume": {**ACCOUNT, "persistence": {"enabled": False}},
    "a claim of one's own": {**ACCOUNT, "persistence": {"existingClaim": "kept"}},
    "on Kubernetes": ON_KUBERNETES,
    "on PostgreSQL": ON_POSTGRESQL,
    "everywhere": {**ACCOUNT, "workloads": {"enabled": True}},
    "policies of one's own": {**ACCOUNT, "policiesConfigMap": "ours"},
    "everything": EVERYTHING,
    "everything, on PostgreSQL": {**EVERYTHING, "coordination": ON_POSTGRESQL["coordination"]},
}


class _Loader(yaml.CSafeLoader):
    """Refuses what Kubernetes refuses and PyYAML takes: a key that is there twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]  # type: ignore[no-untyped-call]  # PyYAML's
        twice = {key for key in keys if keys.count(key) > 1}
        assert not twice, f"{twice} twice at {node.start_mark}"
        return super().construct_mapping(node, deep)


def documents(text: str) -> list[dict[str, Any]]:
    """All documents of a text that are not empty."""
    return [one for one in yaml.load_all(text, _Loader) if one is not None]


@dataclass(frozen=True)
class Release:
    """What a release is made of."""

    notes: str
    manifests: Sequence[dict[str, Any]]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.manifests if one["kind"] == kind]

    def one(self, kind: str, name: str = "trimtab") -> dict[str, Any]:
        (found,) = [one for one in self.of(kind) if one["metadata"]["name"] == name]
        return found

    @property
    def pod(self) -> dict[str, Any]:
        spec: dict[str, Any] = self.one("Deployment")["spec"]["template"]["spec"]
        return spec

    @property
    def container(self) -> dict[str, Any]:
        (container,) = self.pod["containers"]
        found: dict[str, Any] = container
        return found

    @property
    def settings(self) -> str:
        text: str = self.one("ConfigMap", "trimtab-settings")["data"]["trimtab.yaml"]
        return text


@cache
def loaded() -> helm.Chart:
    return helm.Chart.load(CHART)


@cache
def _rendered(values: str, name: str) -> str:
    chart = loaded()
    chart.validate_schema(json.loads(values))
    return json.dumps(chart.render(json.loads(values), name=name, namespace=NAMESPACE))


def render(values: Mapping[str, Any] | None = None, *, name: str = "trimtab") -> Release:
    """Install on paper. Raises ``helm.HelmError`` where Helm would."""
    files = json.loads(_rendered(json.dumps(values or {}), name))
    notes = files.pop("trimtab/templates/NOTES.txt")
    manifests = [one for text in files.values() for one in documents(text)]
    return Release(notes, manifests)


def faults(manifest: dict[str, Any], version: str) -> Iterator[str]:
    """What the API server of that version would say of a manifest."""
    try:
        kubernetes_validate.validate(manifest, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        where = ".".join(map(str, error.path))
        yield f"{manifest['kind']} {manifest['metadata']['name']} {where}: {error.message}"
