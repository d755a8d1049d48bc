"""The section ``clusters`` of the settings."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest
import yaml

from trimtab.clock import ManualClock
from trimtab.errors import SettingsError
from trimtab.service.cluster_wiring import Clusters
from trimtab.settings import load_settings
from trimtab.targets.kubernetes.cluster import Cluster

if TYPE_CHECKING:
    from pathlib import Path

KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "here",
    "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
    "users": [{"name": "u", "user": {"token": "t"}}],
    "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("FIREWORKS_ACCOUNT_ID", "FIREWORKS_API_KEY", "KUBECONFIG", "TRIMTAB_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def written(folder: Path, text: str) -> Path:
    (folder / "kubeconfig").write_text(yaml.safe_dump(KUBECONFIG), encoding="utf-8")
    config = folder / "trimtab.yaml"
    config.write_text(text.replace("KUBECONFIG", str(folder / "kubeconfig")), encoding="utf-8")
    return config


def test_a_cluster_is_enough_and_no_account_is_needed(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, "clusters: {prod: {kubeconfig: KUBECONFIG}}"))
    (target,) = Clusters(settings.clusters, ManualClock(), Random(1)).targets()
    assert target.cluster == Cluster(name="prod")
    assert target.cluster.resources == ("deployments.apps", "statefulsets.apps")


def test_every_setting_reaches_the_target(tmp_path: Path) -> None:
    text = """
clusters:
  eu-1:
    kubeconfig: KUBECONFIG
    namespaces: [llm, chat]
    selector: "team in (a, b)"
    workloads: [leaderworkersets.leaderworkerset.x-k8s.io]
    region: EU_FRANKFURT_1
    accelerators: {nvidia.com/gpu: NVIDIA_H100_80GB}
    replicas_paths: {engines.example.com: .spec.workers.count}
    check_other_scalers: false
    events: false
    relist_interval: 5m
"""
    settings = load_settings(written(tmp_path, text))
    (target,) = Clusters(settings.clusters, ManualClock(), Random(1)).targets()
    assert target.cluster == Cluster(
        name="eu-1",
        namespaces=("llm", "chat"),
        selector="team in (a, b)",
        resources=("leaderworkersets.leaderworkerset.x-k8s.io",),
        region="EU_FRANKFURT_1",
        accelerators={"nvidia.com/gpu": "NVIDIA_H100_80GB"},
        replicas_paths={"engines.example.com": ".spec.workers.count"},
        looks_for_other_scalers=False,
        writes_events=False,
        relist_seconds=300.0,
    )


def test_the_environment_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, "")
    monkeypatch.setenv("TRIMTAB_CLUSTERS__PROD__KUBECONFIG", str(tmp_path / "kubeconfig"))
    monkeypatch.setenv("TRIMTAB_CLUSTERS__PROD__NAMESPACES", '["llm"]')
    assert load_settings().clusters["prod"].namespaces == ("llm",)


def test_without_accounts_and_clusters_there_is_nothing_to_scale() -> None:
    with pytest.raises(SettingsError, match="or `accounts` or `clusters` in the settings file"):
        load_settings()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{Prod: {}}", "no name for a cluster"),
        ("{a/b: {}}", "no name for a cluster"),
        ("{p: {selector: a b}}", "is no part of a label selector"),
        ("{p: {workloads: [deployment]}}", "workloads"),
        ("{p: {workloads: []}}", "workloads"),
        ("{p: {namespaces: [Llm]}}", "namespaces"),
        ("{p: {kubeconfig: /nowhere}}", "cannot be read"),
        ("{p: {relist_interval: 1s}}", "use 1m to 1d"),
        ("{p: {writes_per_second: 1}}", "writes_per_second"),
        ("{p: {replicas_paths: {a.b: spec}}}", "replicas_paths"),
        ("{p: {labels: x}}", "is not a setting"),
        (
            f"{{p: {{namespaces: [{', '.join(f'n{i}' for i in range(17))}]}}}}",
            "would need 85 watches",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(written(tmp_path, f"clusters: {text}"))
    assert said in str(caught.value)
    assert "trimtab.yaml" in str(caught.value)


def test_a_cluster_that_nothing_says_how_to_reach_is_refused(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, "clusters: {prod: {}}"))
    with pytest.raises(SettingsError, match="kubeconfig"):
        Clusters(settings.clusters, ManualClock(), Random(1))
