"""The Helm chart: what it makes, what it refuses, and that both are what the daemon needs."""

from __future__ import annotations

import itertools
import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import helm_python as helm
import pytest
import yaml
from chart import (
    ACCOUNT,
    CHART,
    EVERYTHING,
    NAMESPACE,
    NEWEST,
    OLDEST,
    ON_KUBERNETES,
    ON_POSTGRESQL,
    OPERATORS,
    ROOT,
    VALUES,
    documents,
    faults,
    loaded,
    render,
)

from trimtab.policy import PolicyStore
from trimtab.settings import Settings, load_settings
from trimtab.settings_journal import JournalSettings
from trimtab.settings_values import size_bytes

WARNING = 2
"""Helm's number for a finding that is more than advice."""

every_set_of_values = pytest.mark.parametrize("which", VALUES)


# -- judged by others ---------------------------------------------------------------------------


@every_set_of_values
def test_helm_has_nothing_to_object_to(which: str) -> None:
    report = helm.lint(CHART, dict(VALUES[which]), strict=True, kube_version=f"v{OLDEST}.0")
    assert report["errors"] == []
    assert [one for one in report["messages"] if one["severity"] >= WARNING] == []


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@every_set_of_values
def test_every_manifest_is_one_that_the_api_server_takes(which: str, version: str) -> None:
    release = render(VALUES[which])
    judged = [one for one in release.manifests if one["apiVersion"] not in OPERATORS]
    assert len(judged) >= 6
    assert [fault for one in judged for fault in faults(one, version)] == []


def test_a_manifest_with_a_mistake_would_be_found() -> None:
    manifest = render().one("Deployment")
    manifest["spec"]["replicas"] = "2"
    manifest["spec"]["template"]["spec"]["contianers"] = []
    assert list(faults(manifest, NEWEST))


@every_set_of_values
def test_names_are_unique_and_everything_carries_the_labels_of_the_release(which: str) -> None:
    release = render(VALUES[which])
    names = [
        (one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"])
        for one in release.manifests
    ]
    assert len(names) == len(set(names))
    for manifest in release.manifests:
        labels = manifest["metadata"]["labels"]
        assert labels["app.kubernetes.io/instance"] == "trimtab"
        assert labels["app.kubernetes.io/managed-by"] == "Helm"


def test_the_longest_names_still_fit() -> None:
    release = render({**EVERYTHING, "nameOverride": "n" * 60}, name="r" * 53)
    for manifest in release.manifests:
        assert len(manifest["metadata"]["name"]) <= 63
        assert manifest["apiVersion"] in OPERATORS or list(faults(manifest, NEWEST)) == []


# -- one process or several ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "replicas", "strategy"),
    [
        (ACCOUNT, 1, "Recreate"),
        (ON_KUBERNETES, 2, "RollingUpdate"),
        (ON_POSTGRESQL, 2, "RollingUpdate"),
        ({**ON_KUBERNETES, "replicas": 5}, 5, "RollingUpdate"),
        ({**ON_KUBERNETES, "replicas": 1}, 1, "RollingUpdate"),
    ],
)
def test_only_coordinated_processes_are_several_and_replaced_one_beside_the_other(
    values: Mapping[str, Any], replicas: int, strategy: str
) -> None:
    spec = render(values).one("Deployment")["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (replicas, strategy)


def test_a_claim_is_made_for_one_process_only_and_outlives_the_release() -> None:
    claim = render(ACCOUNT).one("PersistentVolumeClaim")
    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    for which in ("without a volume", "a claim of one's own", "on Kubernetes", "on PostgreSQL"):
        assert render(VALUES[which]).of("PersistentVolumeClaim") == []


@pytest.mark.parametrize(
    ("which", "volume"),
    [
        ("one account", {"persistentVolumeClaim": {"claimName": "trimtab"}}),
        ("a claim of one's own", {"persistentVolumeClaim": {"claimName": "kept"}}),
        ("without a volume", {"emptyDir": {"sizeLimit": "2Gi"}}),
        ("on Kubernetes", {"emptyDir": {"sizeLimit": "2Gi"}}),
    ],
)
def test_the_state_is_where_the_values_say(which: str, volume: Mapping[str, Any]) -> None:
    (state,) = [one for one in render(VALUES[which]).pod["volumes"] if one["name"] == "state"]
    assert {key: value for key, value in state.items() if key != "name"} == volume


def test_a_disruption_budget_is_there_only_where_one_may_go() -> None:
    assert render(ACCOUNT).of("PodDisruptionBudget") == []
    budget = render(ON_KUBERNETES).one("PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == 1


# -- settings roll, policies do not -------------------------------------------------------------


def checksum(values: Mapping[str, Any]) -> str:
    template = render(values).one("Deployment")["spec"]["template"]
    found: str = template["metadata"]["annotations"]["checksum/config"]
    return found


def test_a_change_of_settings_rolls_the_pods() -> None:
    changes: list[dict[str, Any]] = [
        {"settings": {"tick_interval": "10s"}},
        {"accounts": {"other": {"secret": "fireworks"}}},
        {"controlToken": {"secret": "control"}},
    ]
    assert len({checksum(ACCOUNT | change) for change in [{}, *changes]}) == len(changes) + 1


def test_a_change_of_policies_leaves_the_pods_alone() -> None:
    values = {"policies": {"a.yaml": "a: 1"}}, {"policies": {"a.yaml": "a: 2"}}, {}
    templates = [render({**ACCOUNT, **one}).one("Deployment") for one in values]
    assert templates[0] == templates[1] == templates[2]


def test_policies_are_mounted_as_a_directory_so_that_changes_are_seen() -> None:
    mounts = {one["name"]: one for one in render(ACCOUNT).container["volumeMounts"]}
    assert mounts["policies"]["mountPath"] == "/etc/trimtab/policies"
    assert not any("subPath" in mount for mount in mounts.values())


# -- what the daemon makes of it ----------------------------------------------------------------


def taken_by_the_daemon(
    values: Mapping[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    pod_ip: str = "10.0.0.7",
) -> Settings:
    """The settings as the daemon reads them in the pod, its files below a folder of the test's."""
    release = render(values)
    secrets = {
        mount["name"]: mount["mountPath"]
        for mount in release.container["volumeMounts"]
        if mount["name"].startswith("secret-")
    }
    text = release.settings
    for path in re.findall(r"/run/secrets/\S+", text):
        assert str(Path(path).parent) in secrets.values(), f"{path} is not mounted"
        here = tmp_path / path.lstrip("/")
        here.parent.mkdir(parents=True, exist_ok=True)
        here.write_text("postgresql://trimtab:secret@db/trimtab\n", encoding="utf-8")
    file = tmp_path / "trimtab.yaml"
    file.write_text(text.replace("/run/secrets/", f"{tmp_path}/run/secrets/"), encoding="utf-8")
    for name, value in image_variables().items():
        monkeypatch.setenv(name, value)
    for variable in release.container["env"]:
        value = variable.get("value", pod_ip).replace("$(POD_IP)", pod_ip)
        monkeypatch.setenv(variable["name"], value)
    monkeypatch.setenv("TRIMTAB_CONFIG", str(file))
    return load_settings()


def image_variables() -> dict[str, str]:
    """What the container file sets."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    return dict(re.findall(r"(TRIMTAB_\w+)=(\S+)", text))


def test_the_daemon_takes_the_settings_whatever_the_image_sets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set(image_variables()) == {
        variable["name"]
        for variable in render(ACCOUNT).container["env"]
        if variable.get("value") == ""
    }
    values = {**EVERYTHING, "coordination": {"mode": "none"}, "replicas": 1}
    if "clusters" not in Settings.model_fields:
        values["workloads"] = {"enabled": False}
    settings = taken_by_the_daemon(values, tmp_path, monkeypatch)
    assert set(settings.accounts) == {"acme", "beta"}
    assert settings.accounts["beta"].base_url == "http://emulator:8600"
    assert settings.accounts["acme"].proxy == "http://proxy:3128"
    assert settings.listen_address == ("0.0.0.0", 9000)  # noqa: S104  inside a pod
    assert settings.journal.path == "/var/lib/trimtab/journal.db"
    assert str(settings.policies) == "/etc/trimtab/policies"
    assert (settings.tick_interval, settings.log.level, settings.log.format) == (
        10,
        "debug",
        "json",
    )
    assert settings.control.http == "token"


@pytest.mark.skipif(
    "coordination" not in Settings.model_fields, reason="the daemon has no coordination yet"
)
@pytest.mark.parametrize("values", [ON_KUBERNETES, ON_POSTGRESQL])
def test_the_daemon_takes_the_settings_of_several_processes(
    values: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: Any = taken_by_the_daemon(values, tmp_path, monkeypatch)
    mode = values["coordination"]["mode"]
    assert settings.coordination.service == mode
    assert settings.coordination.address == "http://10.0.0.7:9464"
    if mode == "kubernetes":
        assert settings.coordination.kubernetes.namespace == NAMESPACE
        assert settings.coordination.kubernetes.group == "trimtab"
        assert settings.journal.path == "/var/lib/trimtab/journal.db"
    else:
        assert settings.coordination.postgresql.url_file.name == "url"
        assert settings.journal.path is None
        assert settings.journal.postgresql.url_file == settings.coordination.postgresql.url_file


@pytest.mark.skipif(
    not (ROOT / "deploy" / "kubernetes" / "rbac.yaml").exists(),
    reason="no rights are documented yet",
)
def test_the_rights_to_workloads_are_those_that_are_documented() -> None:
    text = (ROOT / "deploy" / "kubernetes" / "rbac.yaml").read_text(encoding="utf-8")
    (documented,) = [
        one
        for one in documents(text)
        if one["kind"] == "ClusterRole" and "target" in one["metadata"]["name"]
    ]
    workloads = {"enabled": True, "kinds": EVERYTHING["workloads"]["kinds"]}
    role = render({"workloads": workloads}).one("ClusterRole", "trimtab-workloads")
    assert rights(role) == rights(documented)


def rights(role: Mapping[str, Any]) -> set[tuple[str, str, str]]:
    """What a role allows, as (group, resource, verb)."""
    return {
        one
        for rule in role["rules"]
        for one in itertools.product(rule["apiGroups"], rule["resources"], rule["verbs"])
    }


def test_the_workloads_that_it_may_scale_are_those_that_it_looks_for() -> None:
    clusters = yaml.safe_load(render(EVERYTHING).settings)["clusters"]
    wanted = EVERYTHING["workloads"]
    assert clusters["east"]["namespaces"] == wanted["namespaces"]
    assert clusters["east"]["workloads"] == [
        "deployments.apps",
        "statefulsets.apps",
        "leaderworkersets.leaderworkerset.x-k8s.io",
    ]
    assert clusters["east"]["selector"] == ""


def test_everything_is_watched_and_nothing_written_where_no_policy_is_given(
    tmp_path: Path,
) -> None:
    data = render(ACCOUNT).one("ConfigMap", "trimtab-policies")["data"]
    for name, text in data.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    report = PolicyStore().load(tmp_path)
    assert report.diagnostics == ()
    (policy,) = report.policies
    assert policy.mode == "advise"


def test_policies_reach_the_daemon_as_they_were_written(tmp_path: Path) -> None:
    data = render(EVERYTHING).one("ConfigMap", "trimtab-policies")["data"]
    (name, text) = next(iter(data.items()))
    assert (name, text.strip()) == ("chat.yaml", EVERYTHING["policies"]["chat.yaml"].strip())
    (tmp_path / name).write_text(text, encoding="utf-8")
    assert PolicyStore().load(tmp_path).is_valid


@pytest.mark.parametrize("text", ["  a: 1\n  b: 2\n", "# é\na: '☃ \\ \"'\n", "a: |\n  x\n\n\n"])
def test_policies_reach_the_daemon_as_they_are_indented(text: str) -> None:
    data = render({"policies": {"a.yaml": text}}).one("ConfigMap", "trimtab-policies")["data"]
    assert data == {"a.yaml": text}


def test_in_a_cluster_of_ipv6_alone_it_listens_and_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = render({**ON_KUBERNETES, "ipv6": True})
    variables = {one["name"]: one.get("value") for one in release.container["env"]}
    assert variables["TRIMTAB_URL"] == "http://[::1]:9464"
    assert variables["TRIMTAB_COORDINATION__ADDRESS"] == "http://[$(POD_IP)]:9464"
    values = {**ON_KUBERNETES, "ipv6": True}
    settings = taken_by_the_daemon(values, tmp_path, monkeypatch, pod_ip="fd00::7")
    assert settings.listen_address == ("::", 9464)
    assert settings.coordination.address == "http://[fd00::7]:9464"


def test_a_cluster_of_the_settings_that_is_this_one_comes_with_a_token_for_it() -> None:
    here = {"settings": {"clusters": {"prod": {"namespaces": ["llm"]}}}}
    elsewhere = {"settings": {"clusters": {"prod": {"kubeconfig": "/run/secrets/k/config"}}}}
    assert render(here).pod["automountServiceAccountToken"] is True
    assert render(elsewhere).pod["automountServiceAccountToken"] is False
    for values in (here, elsewhere):
        assert "NO ACCOUNT" not in render(values).notes


def test_a_chart_of_which_this_is_a_part_may_say_whether_it_is_wanted() -> None:
    """`condition: trimtab.enabled` in a chart's dependencies is passed on as a value."""
    assert render({**ACCOUNT, "enabled": True}).manifests == render(ACCOUNT).manifests


def test_the_chart_installs_this_version() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        version = tomllib.load(file)["project"]["version"]
    assert loaded().metadata["appVersion"] == version
    assert render().container["image"] == f"trimtab:{version}"


def test_a_digest_names_the_image_whatever_the_tag() -> None:
    image = {"repository": "r.example/t", "tag": "1.2", "digest": f"sha256:{'a' * 64}"}
    assert render({"image": image}).container["image"] == f"r.example/t@sha256:{'a' * 64}"


def test_the_pod_has_no_more_rights_than_the_image_needs() -> None:
    user, group = re.findall(
        r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE
    )[0]
    for values in VALUES.values():
        release = render(values)
        for pod in (release.pod, release.one("Pod", "trimtab-test-ready")["spec"]):
            assert pod["securityContext"]["runAsNonRoot"] is True
            assert pod["securityContext"]["runAsUser"] == int(user)
            assert pod["securityContext"]["fsGroup"] == int(group)
            assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
            (container,) = pod["containers"]
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_a_stop_has_more_time_than_the_daemon_takes() -> None:
    stop_seconds = Settings.model_fields["shutdown_timeout"].default
    assert render().pod["terminationGracePeriodSeconds"] > stop_seconds


@pytest.mark.parametrize(
    ("settings", "grace_seconds", "is_enough"),
    [
        ({"shutdown_timeout": "10s"}, 20, True),
        ({"shutdown_timeout": "30s"}, 20, False),
        ({"shutdown_timeout": "30s"}, 40, True),
        ({"shutdown_timeout": "1m"}, 40, False),
        ({"shutdown_timeout": "1m"}, 70, True),
        ({"shutdown_timeout": "1500ms"}, 10, True),
        ({"shutdown_timeout": "15.5s"}, 20, False),
        ({"shutdown_timeout": "2m30s"}, 150, False),
        ({"shutdown_timeout": "2m30s"}, 160, True),
        ({}, 10, False),
    ],
)
def test_a_stop_that_takes_longer_than_the_pod_has_is_refused(
    settings: Mapping[str, Any], grace_seconds: int, is_enough: bool
) -> None:
    values = {**ACCOUNT, "settings": settings, "terminationGracePeriodSeconds": grace_seconds}
    if is_enough:
        assert render(values).pod["terminationGracePeriodSeconds"] == grace_seconds
    else:
        with pytest.raises(helm.HelmError, match="terminationGracePeriodSeconds is"):
            render(values)


def test_a_journal_of_full_size_does_not_have_the_pod_evicted() -> None:
    limit_bytes = size_bytes(f"{loaded().values['persistence']['emptyDirSizeLimit']}B")
    assert limit_bytes >= 1.5 * JournalSettings().retention_size


def test_temporary_files_have_a_place_though_the_image_is_read_only() -> None:
    for values in VALUES.values():
        pod = render(values).pod
        (mount,) = [one for one in pod["containers"][0]["volumeMounts"] if one["name"] == "tmp"]
        assert mount == {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108  inside a pod
        (volume,) = [one for one in pod["volumes"] if one["name"] == "tmp"]
        assert set(volume) == {"name", "emptyDir"}


def test_the_services_and_probes_name_the_port_that_is_open() -> None:
    for values in (ACCOUNT, EVERYTHING):
        release = render(values)
        (port,) = release.container["ports"]
        (served,) = release.one("Service")["spec"]["ports"]
        assert served["targetPort"] == port["name"]
        for probe, path in (
            ("liveness", "/livez"),
            ("readiness", "/readyz"),
            ("startup", "/livez"),
        ):
            assert release.container[f"{probe}Probe"]["httpGet"] == {
                "path": path,
                "port": port["name"],
            }


def test_the_test_is_no_pod_of_the_service() -> None:
    release = render()
    selector = release.one("Service")["spec"]["selector"]
    labels = release.one("Deployment")["spec"]["template"]["metadata"]["labels"]
    of_the_test = release.one("Pod", "trimtab-test-ready")
    assert selector.items() <= labels.items()
    assert not selector.items() <= of_the_test["metadata"]["labels"].items()
    compile(of_the_test["spec"]["containers"][0]["args"][0], "helm test", "exec")


def test_the_test_comes_by_its_image_and_its_node_as_the_daemon_does() -> None:
    release = render(EVERYTHING)
    of_the_test = release.one("Pod", "trimtab-test-ready")["spec"]
    for part in ("imagePullSecrets", "nodeSelector", "tolerations", "affinity"):
        assert of_the_test[part] == release.pod[part]


def test_the_test_is_let_through_where_the_network_is_closed() -> None:
    release = render(EVERYTHING)
    (ingress,) = release.one("NetworkPolicy")["spec"]["ingress"]
    peers = [one["podSelector"]["matchLabels"] for one in ingress["from"] if "podSelector" in one]
    labels = release.one("Pod", "trimtab-test-ready")["metadata"]["labels"]
    assert any(peer.items() <= labels.items() for peer in peers)


# -- what it may in the cluster -----------------------------------------------------------------


def rules(values: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Everything that it may, as (kind of the role, resource, verb)."""
    return [
        (role["kind"], resource, verb)
        for kind in ("Role", "ClusterRole")
        for role in render(values).of(kind)
        for rule in role["rules"]
        for resource, verb in itertools.product(rule["resources"], rule["verbs"])
    ]


def test_a_single_process_that_scales_elsewhere_is_nobody_in_the_cluster() -> None:
    release = render(ACCOUNT)
    assert release.of("Role") == release.of("ClusterRole") == []
    assert release.pod["automountServiceAccountToken"] is False


def test_coordination_on_kubernetes_may_touch_leases_and_config_maps_of_its_namespace() -> None:
    assert {kind for kind, _, _ in rules(ON_KUBERNETES)} == {"Role"}
    assert {resource for _, resource, _ in rules(ON_KUBERNETES)} == {"leases", "configmaps"}
    assert render(ON_KUBERNETES).pod["automountServiceAccountToken"] is True
    assert "namespace" not in render(ON_KUBERNETES).one("Role", "trimtab-coordination")["metadata"]


def test_coordination_on_postgresql_asks_the_cluster_for_nothing() -> None:
    assert rules(ON_POSTGRESQL) == []
    assert render(ON_POSTGRESQL).pod["automountServiceAccountToken"] is False


def test_of_workloads_only_the_scale_is_written() -> None:
    values = {**EVERYTHING, "coordination": {"mode": "none"}, "replicas": 1}
    written = {
        resource for _, resource, verb in rules(values) if verb not in ("get", "list", "watch")
    }
    assert written == {
        "deployments/scale",
        "statefulsets/scale",
        "leaderworkersets/scale",
        "events",
    }


@pytest.mark.parametrize(
    ("namespaces", "kind", "where"),
    [([], "ClusterRole", [None]), (["models", "batch"], "Role", ["models", "batch"])],
)
def test_workloads_may_be_those_of_some_namespaces_only(
    namespaces: list[str], kind: str, where: list[str | None]
) -> None:
    release = render({"workloads": {"enabled": True, "namespaces": namespaces}})
    assert [one["metadata"].get("namespace") for one in release.of(kind)] == where
    bindings = release.of(f"{kind}Binding")
    assert [one["metadata"].get("namespace") for one in bindings] == where
    for binding in bindings:
        assert binding["roleRef"]["kind"] == kind
        (subject,) = binding["subjects"]
        assert (subject["name"], subject["namespace"]) == ("trimtab", NAMESPACE)


def test_it_may_nowhere_everything_and_never_see_a_secret() -> None:
    for values in VALUES.values():
        for _, resource, verb in rules(values):
            assert "*" not in (resource, verb)
            assert "secrets" not in resource


# -- what watches it ----------------------------------------------------------------------------


def test_rules_and_dashboards_are_those_of_deploy() -> None:
    release = render(EVERYTHING)
    for part in ("alerts", "recording"):
        text = (ROOT / "deploy" / "prometheus" / f"trimtab-{part}.yaml").read_text(encoding="utf-8")
        rule = release.one("PrometheusRule", f"trimtab-{part}")
        assert rule["spec"] == yaml.safe_load(text)
        assert rule["metadata"]["labels"]["release"] == "prometheus"
    for board in (ROOT / "deploy" / "grafana").glob("*.json"):
        name = f"{board.stem}-board"
        config = release.one("ConfigMap", name)
        assert json.loads(config["data"][board.name]) == json.loads(board.read_text("utf-8"))
        assert config["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert config["metadata"]["annotations"] == {"grafana_folder": "trimtab"}


def test_the_service_monitor_finds_the_service() -> None:
    release = render(EVERYTHING)
    monitor, service = release.one("ServiceMonitor"), release.one("Service")
    wanted = monitor["spec"]["selector"]["matchLabels"]
    assert wanted.items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in [port["name"] for port in service["spec"]["ports"]]
    assert (endpoint["path"], endpoint["interval"]) == ("/metrics", "15s")
    assert monitor["spec"]["jobLabel"] in service["metadata"]["labels"]
    assert monitor["spec"]["namespaceSelector"] == {"matchNames": [NAMESPACE]}


def test_nothing_is_made_for_operators_that_may_not_be_there() -> None:
    assert [one for one in render(ACCOUNT).manifests if one["apiVersion"] in OPERATORS] == []


def test_the_network_is_closed_but_for_what_is_needed() -> None:
    assert render(ACCOUNT).of("NetworkPolicy") == []
    spec = render(EVERYTHING).one("NetworkPolicy")["spec"]
    assert spec["policyTypes"] == ["Ingress", "Egress"]
    *others, of_the_test, members = spec["ingress"][0]["from"]
    assert set(of_the_test) == {"podSelector"}
    assert others == EVERYTHING["networkPolicy"]["from"]
    assert members == spec["egress"][1]["to"][0] == {"podSelector": spec["podSelector"]}
    ports = [port["port"] for rule in spec["egress"] for port in rule["ports"]]
    assert ports == [53, 53, "http", 443, 6443, 3128, 8600, 9090]
    assert all(rule["from"] for rule in spec["ingress"])


@pytest.mark.parametrize(
    ("values", "ports"),
    [
        (ACCOUNT, {53, 443, 6443}),
        (ON_POSTGRESQL, {53, "http", 443, 6443, 5432}),
        (
            ON_POSTGRESQL
            | {
                "coordination": {
                    "mode": "postgresql",
                    "database": {"secret": "database", "port": 6543},
                }
            },
            {53, "http", 443, 6443, 6543},
        ),
        (
            {"accounts": {"acme": {"secret": "s", "baseUrl": "https://proxy.example:8443/api"}}},
            {53, 443, 6443, 8443},
        ),
        (
            {"accounts": {"acme": {"secret": "s", "baseUrl": "http://proxy.example"}}},
            {53, 80, 443, 6443},
        ),
        (
            {"accounts": {"acme": {"secret": "s", "proxy": "http://proxy.example:3128"}}},
            {53, 443, 6443, 3128},
        ),
    ],
)
def test_a_closed_network_lets_out_to_what_the_values_name(
    values: Mapping[str, Any], ports: set[int | str]
) -> None:
    spec = render({**values, "networkPolicy": {"enabled": True}}).one("NetworkPolicy")["spec"]
    out = [port["port"] for rule in spec["egress"] for port in rule["ports"]]
    assert set(out) == ports


def test_the_target_label_of_the_operator_takes_no_label_of_a_metric() -> None:
    """The Prometheus operator labels what it scrapes by `endpoint`, which is a label of ours."""
    (endpoint,) = render(EVERYTHING).one("ServiceMonitor")["spec"]["endpoints"]
    assert endpoint["relabelings"] == [{"action": "labeldrop", "regex": "endpoint"}]


def test_a_packed_chart_has_everything(tmp_path: Path) -> None:
    archive = Path(helm.package(CHART, destination=tmp_path))
    with helm.Chart.load_archive(archive.read_bytes()) as chart:
        packed = chart.render(EVERYTHING, name="trimtab", namespace=NAMESPACE)
    assert packed == loaded().render(EVERYTHING, name="trimtab", namespace=NAMESPACE)


# -- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"replicas": 2}, "replicas is 2 and coordination.mode none"),
        ({"replicas": 0}, "at '/replicas'"),
        ({"replicas": "2"}, "at '/replicas'"),
        ({"replicaCount": 2}, "additional properties 'replicaCount' not allowed"),
        ({"coordination": {"mode": "redis"}}, "at '/coordination/mode'"),
        ({"coordination": {"mode": "postgresql"}}, "set coordination.database.secret"),
        (
            {"coordination": {"mode": "kubernetes"}, "persistence": {"enabled": True}},
            "processes cannot share the file of a journal",
        ),
        ({"accounts": {"acme": {}}}, "missing property 'secret'"),
        ({"accounts": {"a/b": {"secret": "s"}}}, "invalid propertyName 'a/b'"),
        ({"accounts": {"acme": {"secret": "s", "apiKey": "fw_"}}}, "'apiKey' not allowed"),
        ({"accounts": {"acme": {"secret": "s", "baseUrl": "ftp://x"}}}, "baseUrl"),
        ({"policies": {"chat.txt": "x"}}, "invalid propertyName 'chat.txt'"),
        ({"policies": {"chat.yaml": {"kind": "ScalingPolicy"}}}, "got object, want string"),
        (
            {"policies": {"a.yaml": "a: 1"}, "policiesConfigMap": "ours"},
            "policies and policiesConfigMap are both set",
        ),
        ({"settings": {"listen": "0.0.0.0:1"}}, "at '/settings/listen'"),
        ({"settings": {"policies": "/x"}}, "at '/settings/policies'"),
        ({"settings": {"coordination": {}}}, "at '/settings/coordination'"),
        ({"secrets": ["a", "a"]}, "items at 0 and 1 are equal"),
        ({"image": {"digest": "sha256:short"}}, "at '/image/digest'"),
        ({"image": {"pullPolicy": "Sometimes"}}, "at '/image/pullPolicy'"),
        ({"service": {"port": 80}}, "at '/service/port'"),
        ({"persistence": {"size": "2 GB"}}, "at '/persistence/size'"),
        ({"livenessProbe": {"period": 1}}, "additional properties 'period' not allowed"),
        ({"workloads": {"kinds": [{"group": "x.io"}]}}, "missing property 'resource'"),
        ({"workloads": {"kinds": [{"group": "*", "resource": "*"}]}}, "group"),
        ({"networkPolicy": {"egressPorts": [0]}}, "at '/networkPolicy/egressPorts/0'"),
        ({"serviceMonitor": {"interval": "soon"}}, "at '/serviceMonitor/interval'"),
        ({"podLabels": {"a": 1}}, "at '/podLabels/a'"),
        ({"terminationGracePeriodSeconds": 0}, "at '/terminationGracePeriodSeconds'"),
        ({"settings": {"shutdown_timeout": "soon"}}, "settings.shutdown_timeout is soon"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_named(
    values: Mapping[str, Any], sentence: str
) -> None:
    with pytest.raises(helm.HelmError, match=re.escape(sentence)):
        render(values)


def closed_objects(schema: Mapping[str, Any], path: str = "") -> list[str]:
    """The objects of a schema that name their properties and let others pass."""
    found = []
    if "properties" in schema and schema.get("additionalProperties") is not False:
        found.append(path)
    for name, part in schema.items():
        if isinstance(part, dict):
            found += closed_objects(part, f"{path}/{name}")
    return found


def test_no_object_of_the_schema_takes_a_property_that_it_does_not_name() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    # Written on to others, who judge them: trimtab's settings file, and parts of a Pod.
    assert closed_objects(schema) == [
        "/properties/settings",
        "/properties/extraEnv/items",
    ]


def test_every_value_is_in_the_schema_is_used_and_is_commented() -> None:
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    values = yaml.safe_load(text)
    schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))["properties"]
    assert set(schema) == {*values, "global", "enabled"}
    templates = "".join(one["data"] for one in loaded().templates)
    assert [name for name in values if f".Values.{name}" not in templates] == []
    lines = text.splitlines()
    bare = [
        name
        for name in values
        if not lines[
            next(i for i, x in enumerate(lines) if x.startswith(f"{name}:")) - 1
        ].startswith("#")
    ]
    assert bare == []


# -- what is said -------------------------------------------------------------------------------


def test_the_notes_say_what_else_has_to_be_let_out_and_what_is_read_at_the_start_only() -> None:
    closed = {**ACCOUNT, "networkPolicy": {"enabled": True}}
    assert "It may connect to TCP ports 443, 6443 and" in render(closed).notes
    assert "It may connect" not in render(ACCOUNT).notes
    assert "kubectl --namespace scaling rollout restart deploy/trimtab" in render(ACCOUNT).notes
    assert "without a token" in render(ON_KUBERNETES).notes
    assert "without a token" not in render(EVERYTHING).notes


def test_the_notes_say_what_is_missing() -> None:
    notes = render().notes
    assert "NO ACCOUNT IS SET" in notes
    assert "NO POLICY IS GIVEN" in notes
    notes = render(EVERYTHING).notes
    assert "NO ACCOUNT" not in notes
    assert "NO POLICY" not in notes
    assert "3 process(es), coordination kubernetes" in notes
    assert "gone with the pod" in render(VALUES["without a volume"]).notes
    assert "in all namespaces" in render(VALUES["everywhere"]).notes


# -- the example of a sidecar -------------------------------------------------------------------


@pytest.fixture
def sidecar() -> list[dict[str, Any]]:
    text = (ROOT / "deploy" / "kubernetes" / "sidecar.yaml").read_text(encoding="utf-8")
    return documents(text)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_the_sidecar_is_one_that_the_api_server_takes(
    sidecar: list[dict[str, Any]], version: str
) -> None:
    assert [fault for one in sidecar for fault in faults(one, version)] == []


def test_the_sidecar_is_told_nothing_by_services_that_happen_to_have_its_name(
    sidecar: list[dict[str, Any]],
) -> None:
    """A Service `trimtab` would give every pod beside it TRIMTAB_PORT, which looks like a setting."""
    assert sidecar[0]["spec"]["template"]["spec"]["enableServiceLinks"] is False
    assert render(ACCOUNT).pod["enableServiceLinks"] is False


def test_the_sidecar_starts_before_what_it_serves_and_writes_alone(
    sidecar: list[dict[str, Any]],
) -> None:
    deployment, claim = sidecar
    pod = deployment["spec"]["template"]["spec"]
    (trimtab,) = pod["initContainers"]
    assert trimtab["restartPolicy"] == "Always"
    assert "readinessProbe" not in trimtab
    assert deployment["spec"]["replicas"] == 1
    assert deployment["spec"]["strategy"] == {"type": "Recreate"}
    names = [
        volume["persistentVolumeClaim"]["claimName"]
        for volume in pod["volumes"]
        if "persistentVolumeClaim" in volume
    ]
    assert names == [claim["metadata"]["name"]]
    mounted = {mount["name"] for mount in trimtab["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}
