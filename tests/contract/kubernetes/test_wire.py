"""Facts of the Kubernetes API, request by request: true of the strict API and of a real kube-apiserver."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.contract.kubernetes.conftest import HERE, WEAK_TOKEN, WEAK_USER, Running
from tests.servers.kubernetes_api.real import missing

MERGE = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
GROUP = "wire.trimtab.dev"


def leases(namespace: str) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"


def maps(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/configmaps"


def deployments(namespace: str) -> str:
    return f"/apis/apps/v1/namespaces/{namespace}/deployments"


def lease(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name},
        "spec": {"holderIdentity": "me", "leaseDurationSeconds": 15, **spec},
    }


def config_map(name: str, labels: dict[str, str] | None = None, **data: str) -> dict[str, Any]:
    metadata = {"name": name, "labels": labels or {}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def deployment(name: str, replicas: int = 1) -> dict[str, Any]:
    container = {"name": "engine", "image": "example.com/engine:1"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [container]},
            },
        },
    }


def definition(kind: str) -> dict[str, Any]:
    plural = f"{kind.lower()}s"
    count = {"type": "integer", "minimum": 0}
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "required": ["size"],
                "properties": {"size": count, "note": {"type": "string"}},
            },
            "status": {
                "type": "object",
                "properties": {"size": count, "selector": {"type": "string"}},
            },
        },
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.size",
                "statusReplicasPath": ".status.size",
                "labelSelectorPath": ".status.selector",
            },
        },
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.lower(), "kind": kind},
            "versions": [version],
        },
    }


def made(cluster: Running, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = cluster.ask("POST", path, body)
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def refusal(answer: Any) -> tuple[int, str, str]:
    status = answer.json()
    assert (status["kind"], status["apiVersion"], status["status"]) == ("Status", "v1", "Failure")
    assert status["code"] == answer.status_code
    return status["code"], status.get("reason", ""), status["message"]


def test_these_facts_are_shown_of_a_real_server_too() -> None:
    if (why := missing()) is not None:
        pytest.skip(why)
    assert HERE == ["strict", "real"]


# -- versions --------------------------------------------------------------------------------------


def test_a_write_on_an_old_version_is_a_conflict(cluster: Running, namespace: str) -> None:
    first = made(cluster, leases(namespace), lease("a"))
    first["spec"]["holderIdentity"] = "b"
    path = f"{leases(namespace)}/a"
    second = cluster.ask("PUT", path, first)
    assert second.status_code == 200
    assert second.json()["metadata"]["resourceVersion"] != first["metadata"]["resourceVersion"]
    old = {"metadata": {"resourceVersion": first["metadata"]["resourceVersion"]}, "spec": {}}
    for again in (
        cluster.ask("PUT", path, first),
        cluster.ask("PATCH", path, old, media_type=MERGE),
    ):
        code, reason, message = refusal(again)
        assert (code, reason) == (409, "Conflict")
        assert message == (
            'Operation cannot be fulfilled on leases.coordination.k8s.io "a": the object has been '
            "modified; please apply your changes to the latest version and try again"
        )
        assert again.json()["details"] == {
            "name": "a",
            "group": "coordination.k8s.io",
            "kind": "leases",
        }


def test_a_write_that_changes_nothing_is_no_new_version(cluster: Running, namespace: str) -> None:
    first = made(cluster, leases(namespace), lease("a"))
    again = cluster.ask("PUT", f"{leases(namespace)}/a", first)
    assert again.json()["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


def test_a_lease_is_replaced_only_by_who_names_the_version(
    cluster: Running, namespace: str
) -> None:
    made(cluster, leases(namespace), lease("a"))
    code, reason, message = refusal(cluster.ask("PUT", f"{leases(namespace)}/a", lease("a")))
    assert (code, reason) == (422, "Invalid")
    assert "metadata.resourceVersion" in message
    assert "must be specified for an update" in message


def test_a_config_map_may_be_replaced_whatever_it_is(cluster: Running, namespace: str) -> None:
    made(cluster, maps(namespace), config_map("a", x="1"))
    assert cluster.ask("PUT", f"{maps(namespace)}/a", config_map("a", x="2")).status_code == 200


def test_a_lease_may_be_made_by_putting_it_and_a_config_map_may_not(
    cluster: Running, namespace: str
) -> None:
    assert cluster.ask("PUT", f"{leases(namespace)}/a", lease("a")).status_code == 201
    assert refusal(cluster.ask("PUT", f"{maps(namespace)}/a", config_map("a")))[:2] == (
        404,
        "NotFound",
    )


def test_what_is_to_be_made_has_no_version_and_no_namesake(
    cluster: Running, namespace: str
) -> None:
    first = made(cluster, maps(namespace), config_map("a"))
    code, reason, message = refusal(cluster.ask("POST", maps(namespace), config_map("a")))
    assert (code, reason, message) == (409, "AlreadyExists", 'configmaps "a" already exists')
    first["metadata"]["name"] = "b"
    assert cluster.ask("POST", maps(namespace), first).status_code == 500


def test_a_removal_may_name_what_it_means(cluster: Running, namespace: str) -> None:
    first = made(cluster, leases(namespace), lease("a"))
    path = f"{leases(namespace)}/a"
    for wrong in ({"uid": "00000000-0000-0000-0000-000000000000"}, {"resourceVersion": "1"}):
        code, reason, message = refusal(cluster.ask("DELETE", path, {"preconditions": wrong}))
        assert (code, reason) == (409, "Conflict")
        assert "Precondition failed" in message
    right = {"uid": first["metadata"]["uid"]}
    gone = cluster.ask("DELETE", path, {"preconditions": right})
    assert (gone.status_code, gone.json()["status"]) == (200, "Success")
    assert refusal(cluster.ask("GET", path))[0] == 404


def test_what_finalizers_hold_stays_until_they_are_gone(cluster: Running, namespace: str) -> None:
    body = config_map("a")
    body["metadata"]["finalizers"] = ["trimtab.dev/test"]
    made(cluster, maps(namespace), body)
    path = f"{maps(namespace)}/a"
    assert "deletionTimestamp" in cluster.ask("DELETE", path).json()["metadata"]
    assert cluster.ask("GET", path).status_code == 200
    patch = {"metadata": {"finalizers": None}}
    assert cluster.ask("PATCH", path, patch, media_type=MERGE).status_code == 200
    assert cluster.ask("GET", path).status_code == 404


def test_a_dry_run_changes_nothing(cluster: Running, namespace: str) -> None:
    assert cluster.ask("POST", maps(namespace), config_map("a"), dryRun="All").status_code == 201
    assert cluster.ask("GET", f"{maps(namespace)}/a").status_code == 404


# -- what may be -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "code", "words"),
    [
        ({"leaseDurationSeconds": 0}, 422, "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"),
        ({"leaseTransitions": -1}, 422, "spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0"),
        ({"renewTime": "2026-01-01T00:00:00Z"}, 400, "cannot be handled as a Lease"),
        ({"leaseDurationSeconds": "15"}, 400, "cannot be handled as a Lease"),
        ({"holderIdentity": 5}, 400, "cannot be handled as a Lease"),
    ],
)  # fmt: skip
def test_a_lease_that_cannot_be_is_refused(
    cluster: Running, namespace: str, spec: dict[str, Any], code: int, words: str
) -> None:
    found = refusal(cluster.ask("POST", leases(namespace), lease("a", **spec)))
    assert found[0] == code
    assert words in found[2]


def test_a_lease_without_a_holder_is_one(cluster: Running, namespace: str) -> None:
    found = made(
        cluster,
        leases(namespace),
        lease("a", holderIdentity="", renewTime="2026-01-01T00:00:00.000000Z"),
    )
    assert found["spec"].get("holderIdentity", "") == ""


@pytest.mark.parametrize("name", ["A", "a_b", "-a", "a" * 254])
def test_a_name_is_that_of_a_subdomain(cluster: Running, namespace: str, name: str) -> None:
    code, reason, message = refusal(cluster.ask("POST", maps(namespace), config_map(name)))
    assert (code, reason) == (422, "Invalid")
    assert "metadata.name: Invalid value" in message


def test_too_much_in_one_object_is_refused(cluster: Running, namespace: str) -> None:
    answer = cluster.ask("POST", maps(namespace), config_map("a", x="y" * (1024 * 1024 + 1)))
    assert refusal(answer)[:2] == (422, "Invalid")
    body = config_map("a")
    body["metadata"]["annotations"] = {"trimtab.dev/x": "y" * (256 * 1024)}
    found = refusal(cluster.ask("POST", maps(namespace), body))
    assert found[:2] == (422, "Invalid")
    assert "metadata.annotations: Too long" in found[2]


def test_nothing_is_made_where_there_is_no_namespace(cluster: Running) -> None:
    code, reason, message = refusal(cluster.ask("POST", maps("nowhere"), config_map("a")))
    assert (code, reason, message) == (404, "NotFound", 'namespaces "nowhere" not found')
    assert cluster.ask("GET", maps("nowhere")).json()["items"] == []


def test_a_body_must_be_what_its_address_says(cluster: Running, namespace: str) -> None:
    made(cluster, maps(namespace), config_map("a"))
    wrong_name = cluster.ask("PUT", f"{maps(namespace)}/a", config_map("b"))
    assert refusal(wrong_name)[:2] == (400, "BadRequest")
    wrong_kind = cluster.ask("POST", maps(namespace), lease("a"))
    assert refusal(wrong_kind)[:2] == (400, "BadRequest")
    elsewhere = config_map("c")
    elsewhere["metadata"]["namespace"] = "default"
    assert refusal(cluster.ask("POST", maps(namespace), elsewhere))[:2] == (400, "BadRequest")
    assert refusal(cluster.ask("POST", maps(namespace), b"{"))[:2] == (400, "BadRequest")


# -- patches ---------------------------------------------------------------------------------------


def test_a_merge_patch_takes_away_what_is_null_and_leaves_the_rest(
    cluster: Running, namespace: str
) -> None:
    made(cluster, maps(namespace), config_map("a", x="1", y="2"))
    patch = {"data": {"x": None, "z": "3"}}
    found = cluster.ask("PATCH", f"{maps(namespace)}/a", patch, media_type=MERGE)
    assert found.json()["data"] == {"y": "2", "z": "3"}


def test_a_json_patch_applies_whole_or_not_at_all(cluster: Running, namespace: str) -> None:
    made(cluster, maps(namespace), config_map("a", x="1"))
    path = f"{maps(namespace)}/a"
    fails = [
        {"op": "replace", "path": "/data/x", "value": "2"},
        {"op": "test", "path": "/data/x", "value": "1"},
    ]
    assert refusal(cluster.ask("PATCH", path, fails, media_type=JSON_PATCH))[:2] == (422, "Invalid")
    assert cluster.ask("GET", path).json()["data"] == {"x": "1"}
    works = [
        {"op": "test", "path": "/data/x", "value": "1"},
        {"op": "add", "path": "/data/y~1", "value": "2"},
    ]
    assert (
        refusal(cluster.ask("PATCH", path, works, media_type=JSON_PATCH))[0] == 422
    )  # a key with /
    works[1]["path"] = "/data/y"
    assert cluster.ask("PATCH", path, works, media_type=JSON_PATCH).json()["data"] == {
        "x": "1",
        "y": "2",
    }
    no_patch = cluster.ask("PATCH", path, {"op": "add"}, media_type=JSON_PATCH)
    assert refusal(no_patch)[:2] == (400, "BadRequest")


def test_a_strategic_patch_knows_containers_by_name(cluster: Running, namespace: str) -> None:
    body = deployment("a")
    body["spec"]["template"]["spec"]["containers"].append({"name": "sidecar", "image": "x:1"})
    made(cluster, deployments(namespace), body)
    change = {"name": "engine", "image": "example.com/engine:2"}
    patch = {"spec": {"template": {"spec": {"containers": [change]}}}}
    found = cluster.ask("PATCH", f"{deployments(namespace)}/a", patch, media_type=STRATEGIC).json()
    images = {one["name"]: one["image"] for one in found["spec"]["template"]["spec"]["containers"]}
    assert images == {"engine": "example.com/engine:2", "sidecar": "x:1"}


def test_a_patch_of_no_known_kind_is_refused(cluster: Running, namespace: str) -> None:
    made(cluster, maps(namespace), config_map("a"))
    answer = cluster.ask("PATCH", f"{maps(namespace)}/a", {}, media_type="application/json")
    assert refusal(answer)[:2] == (415, "UnsupportedMediaType")


# -- workloads and their scale ---------------------------------------------------------------------


def test_a_scale_shows_replicas_and_whose_pods_they_are(cluster: Running, namespace: str) -> None:
    first = made(cluster, deployments(namespace), deployment("a", 3))
    scale = cluster.ask("GET", f"{deployments(namespace)}/a/scale").json()
    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert scale["spec"] == {"replicas": 3}
    assert scale["status"] == {"replicas": 0, "selector": "app=a"}
    for field in ("uid", "resourceVersion", "name", "namespace"):
        assert scale["metadata"][field] == first["metadata"][field]


def test_a_scale_of_none_leaves_the_count_out(cluster: Running, namespace: str) -> None:
    made(cluster, deployments(namespace), deployment("a", 0))
    assert cluster.ask("GET", f"{deployments(namespace)}/a/scale").json()["spec"] == {}


@pytest.mark.parametrize("plural", ["deployments", "statefulsets", "replicasets"])
def test_a_scale_is_written_with_and_without_a_version(
    cluster: Running, namespace: str, plural: str
) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/{plural}"
    kind = {"deployments": "Deployment", "statefulsets": "StatefulSet", "replicasets": "ReplicaSet"}
    body = deployment("a") | {"kind": kind[plural]}
    if plural == "statefulsets":
        body["spec"]["serviceName"] = "a"
    first = made(cluster, path, body)
    scale = f"{path}/a/scale"
    version = {"metadata": {"resourceVersion": first["metadata"]["resourceVersion"]}}
    up = cluster.ask("PATCH", scale, {**version, "spec": {"replicas": 4}}, media_type=MERGE)
    assert up.json()["spec"]["replicas"] == 4
    again = cluster.ask("PATCH", scale, {**version, "spec": {"replicas": 5}}, media_type=MERGE)
    assert refusal(again)[:2] == (409, "Conflict")
    assert f'{plural}.apps "a"' in refusal(again)[2]
    free = cluster.ask("PATCH", scale, {"spec": {"replicas": 6}}, media_type=MERGE)
    assert free.json()["spec"]["replicas"] == 6
    whole = free.json()
    whole["spec"]["replicas"] = 7
    assert cluster.ask("PUT", scale, whole).json()["spec"]["replicas"] == 7
    whole["spec"]["replicas"] = 8
    assert refusal(cluster.ask("PUT", scale, whole))[:2] == (409, "Conflict")
    found = cluster.ask("GET", f"{path}/a").json()
    assert found["spec"]["replicas"] == 7
    assert found["metadata"]["generation"] == 4


def test_a_scale_by_json_patch_may_test_the_version(cluster: Running, namespace: str) -> None:
    first = made(cluster, deployments(namespace), deployment("a", 2))
    version = first["metadata"]["resourceVersion"]
    patch = [
        {"op": "test", "path": "/metadata/resourceVersion", "value": version},
        {"op": "replace", "path": "/spec/replicas", "value": 3},
    ]
    path = f"{deployments(namespace)}/a/scale"
    assert cluster.ask("PATCH", path, patch, media_type=JSON_PATCH).status_code == 200
    assert refusal(cluster.ask("PATCH", path, patch, media_type=JSON_PATCH))[:2] == (422, "Invalid")


def test_a_scale_below_none_is_refused(cluster: Running, namespace: str) -> None:
    made(cluster, deployments(namespace), deployment("a"))
    path = f"{deployments(namespace)}/a/scale"
    found = refusal(cluster.ask("PATCH", path, {"spec": {"replicas": -1}}, media_type=MERGE))
    assert found[:2] == (422, "Invalid")
    assert "spec.replicas: Invalid value: -1: must be greater than or equal to 0" in found[2]
    odd = cluster.ask("PATCH", path, {"spec": {"replicas": "two"}}, media_type=MERGE)
    assert refusal(odd)[0] in (400, 500)


def test_a_generation_grows_with_what_is_wished_for_only(cluster: Running, namespace: str) -> None:
    made(cluster, deployments(namespace), deployment("a"))
    path = f"{deployments(namespace)}/a"
    label = {"metadata": {"labels": {"team": "ml"}}}
    assert cluster.ask("PATCH", path, label, media_type=MERGE).json()["metadata"]["generation"] == 1
    status = {"status": {"replicas": 1, "readyReplicas": 1}}
    found = cluster.ask("PATCH", f"{path}/status", status, media_type=MERGE).json()
    assert (found["metadata"]["generation"], found["status"]["readyReplicas"]) == (1, 1)
    ignored = cluster.ask("PATCH", path, {"status": {"readyReplicas": 9}}, media_type=MERGE).json()
    assert ignored["status"]["readyReplicas"] == 1
    more = cluster.ask("PATCH", path, {"spec": {"replicas": 2}}, media_type=MERGE).json()
    assert more["metadata"]["generation"] == 2


def test_a_workload_selects_its_own_pods_and_for_ever(cluster: Running, namespace: str) -> None:
    body = deployment("a")
    body["spec"]["template"]["metadata"]["labels"] = {"app": "b"}
    found = refusal(cluster.ask("POST", deployments(namespace), body))
    assert (found[0], "`selector` does not match template `labels`" in found[2]) == (422, True)
    body = made(cluster, deployments(namespace), deployment("a"))
    body["spec"]["selector"] = {"matchLabels": {"app": "a", "x": "y"}}
    body["spec"]["template"]["metadata"]["labels"] = {"app": "a", "x": "y"}
    assert (
        "field is immutable" in refusal(cluster.ask("PUT", f"{deployments(namespace)}/a", body))[2]
    )


# -- custom resources ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def widgets(cluster: Running) -> str:
    """A custom resource with a scale of its own, served."""
    made(cluster, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", definition("Widget"))
    for _ in range(200):
        if cluster.ask("GET", f"/apis/{GROUP}/v1").status_code == 200:
            break
    return "widgets"


def widget(name: str, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"size": 1, **spec},
    }


@pytest.mark.usefixtures("widgets")
def test_what_is_defined_is_discovered_with_its_parts(cluster: Running) -> None:
    found = cluster.ask("GET", f"/apis/{GROUP}/v1").json()["resources"]
    by_name = {one["name"]: one for one in found}
    assert set(by_name) == {"widgets", "widgets/status", "widgets/scale"}
    scale = by_name["widgets/scale"]
    assert (scale["group"], scale["version"], scale["kind"]) == ("autoscaling", "v1", "Scale")
    groups = [one["name"] for one in cluster.ask("GET", "/apis").json()["groups"]]
    assert {GROUP, "apps", "coordination.k8s.io", "discovery.k8s.io"} <= set(groups)


def test_a_custom_resource_is_scaled_where_its_definition_says(
    cluster: Running, namespace: str, widgets: str
) -> None:
    path = f"/apis/{GROUP}/v1/namespaces/{namespace}/{widgets}"
    first = made(cluster, path, widget("a", note="kept", odd="not in the schema"))
    assert first["spec"] == {"size": 1, "note": "kept"}, "what no schema knows is dropped"
    scale = f"{path}/a/scale"
    version = {"metadata": {"resourceVersion": first["metadata"]["resourceVersion"]}}
    up = cluster.ask("PATCH", scale, {**version, "spec": {"replicas": 3}}, media_type=MERGE)
    assert up.json()["spec"] == {"replicas": 3}
    late = cluster.ask("PATCH", scale, {**version, "spec": {"replicas": 4}}, media_type=MERGE)
    assert refusal(late)[:2] == (409, "Conflict")
    status = {"status": {"size": 2, "selector": "app=a"}}
    assert cluster.ask("PATCH", f"{path}/a/status", status, media_type=MERGE).status_code == 200
    found = cluster.ask("GET", scale).json()
    assert found["status"] == {"replicas": 2, "selector": "app=a"}
    assert cluster.ask("GET", f"{path}/a").json()["spec"]["size"] == 3


def test_a_custom_resource_knows_no_strategic_patch_and_needs_its_version(
    cluster: Running, namespace: str, widgets: str
) -> None:
    path = f"/apis/{GROUP}/v1/namespaces/{namespace}/{widgets}"
    made(cluster, path, widget("a"))
    answer = cluster.ask("PATCH", f"{path}/a", {"spec": {"size": 2}}, media_type=STRATEGIC)
    assert refusal(answer)[:2] == (415, "UnsupportedMediaType")
    assert refusal(cluster.ask("PUT", f"{path}/a", widget("a")))[:2] == (422, "Invalid")
    assert refusal(cluster.ask("POST", path, widget("b", size=-1)))[:2] == (422, "Invalid")
    assert refusal(cluster.ask("POST", path, widget("b", size="x")))[:2] == (422, "Invalid")


# -- lists -----------------------------------------------------------------------------------------


def test_pages_of_a_list_stay_in_the_state_of_the_first(cluster: Running, namespace: str) -> None:
    for name in "abcde":
        made(cluster, maps(namespace), config_map(name))
    first = cluster.ask("GET", maps(namespace), limit=2).json()
    assert [one["metadata"]["name"] for one in first["items"]] == ["a", "b"]
    made(cluster, maps(namespace), config_map("cc"))
    cluster.ask("DELETE", f"{maps(namespace)}/d")
    token = first["metadata"]["continue"]
    rest = cluster.ask("GET", maps(namespace), limit=9, **{"continue": token}).json()
    assert [one["metadata"]["name"] for one in rest["items"]] == ["c", "d", "e"]
    assert rest["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert "continue" not in rest["metadata"]


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("tier=a", ["one"]),
        ("tier==a,!zone", ["one"]),
        ("tier!=a", ["three", "two"]),
        ("tier in (a, b)", ["one", "two"]),
        ("tier notin (a)", ["three", "two"]),
        ("zone", ["two"]),
        ("!tier", ["three"]),
    ],
)
def test_a_list_is_chosen_from_by_labels(
    cluster: Running, namespace: str, selector: str, names: list[str]
) -> None:
    for name, labels in (
        ("one", {"tier": "a"}),
        ("two", {"tier": "b", "zone": "z"}),
        ("three", {}),
    ):
        made(cluster, maps(namespace), config_map(name, labels))
    found = cluster.ask("GET", maps(namespace), labelSelector=selector).json()["items"]
    assert sorted(one["metadata"]["name"] for one in found) == names


def test_a_list_is_chosen_from_by_few_fields_only(cluster: Running, namespace: str) -> None:
    made(cluster, maps(namespace), config_map("a"))
    made(cluster, maps(namespace), config_map("b"))
    found = cluster.ask("GET", maps(namespace), fieldSelector="metadata.name=b").json()["items"]
    assert [one["metadata"]["name"] for one in found] == ["b"]
    odd = cluster.ask("GET", maps(namespace), fieldSelector="data.x=1")
    assert refusal(odd)[:2] == (400, "BadRequest")


def test_a_version_that_is_not_yet_is_not_waited_for_long(cluster: Running, namespace: str) -> None:
    current = int(cluster.ask("GET", maps(namespace)).json()["metadata"]["resourceVersion"])
    code, reason, message = refusal(
        cluster.ask("GET", maps(namespace), resourceVersion=str(current + 10_000))
    )
    assert (code, reason) == (504, "Timeout")
    assert "Too large resource version" in message


# -- watches ---------------------------------------------------------------------------------------


def test_a_watch_from_a_version_tells_all_that_came_after_it(
    cluster: Running, namespace: str
) -> None:
    made(cluster, maps(namespace), config_map("before"))
    version = cluster.ask("GET", maps(namespace)).json()["metadata"]["resourceVersion"]
    made(cluster, maps(namespace), config_map("a", x="1"))
    cluster.ask("PATCH", f"{maps(namespace)}/a", {"data": {"x": "2"}}, media_type=MERGE)
    cluster.ask("DELETE", f"{maps(namespace)}/a")
    events = cluster.watch(maps(namespace), resourceVersion=version, timeoutSeconds=1)
    told = [(one["type"], one["object"]["data"]["x"]) for one in events]
    assert told == [("ADDED", "1"), ("MODIFIED", "2"), ("DELETED", "2")]
    versions = [int(one["object"]["metadata"]["resourceVersion"]) for one in events]
    assert versions == sorted(set(versions)), "also the removal has a version of its own"


def test_a_watch_without_a_version_begins_with_what_is_there(
    cluster: Running, namespace: str
) -> None:
    made(cluster, maps(namespace), config_map("a"))
    events = cluster.watch(maps(namespace), timeoutSeconds=1)
    assert [(one["type"], one["object"]["metadata"]["name"]) for one in events if
            one["object"]["metadata"]["name"] != "kube-root-ca.crt"] == [("ADDED", "a")]  # fmt: skip


def test_to_a_chosen_watch_things_come_and_go_with_their_labels(
    cluster: Running, namespace: str
) -> None:
    version = cluster.ask("GET", maps(namespace)).json()["metadata"]["resourceVersion"]
    made(cluster, maps(namespace), config_map("a"))
    for tier in ("x", "x", "y", "x"):
        patch = {"metadata": {"labels": {"tier": tier}}}
        cluster.ask("PATCH", f"{maps(namespace)}/a", patch, media_type=MERGE)
    query = {"labelSelector": "tier=x", "resourceVersion": version, "timeoutSeconds": 1}
    events = cluster.watch(maps(namespace), **query)
    assert [one["type"] for one in events] == ["ADDED", "DELETED", "ADDED"]


def test_a_watch_from_a_forgotten_version_opens_and_says_that_it_is_too_late(
    cluster: Running, namespace: str
) -> None:
    if cluster.server is not None:
        server = cluster.server
        server.do(server.api.store.compact)
    events = cluster.watch(maps(namespace), resourceVersion="1", timeoutSeconds=1)
    assert [one["type"] for one in events] == ["ERROR"]
    status = events[0]["object"]
    assert (status["kind"], status["code"], status["reason"]) == ("Status", 410, "Expired")
    assert "too old resource version" in status["message"]


def test_the_rest_of_a_list_that_is_forgotten_can_be_had_as_it_is_now(
    cluster: Running, namespace: str
) -> None:
    if cluster.server is None:
        pytest.skip("a real server forgets after five minutes")
    for name in "abc":
        made(cluster, maps(namespace), config_map(name))
    token = cluster.ask("GET", maps(namespace), limit=1).json()["metadata"]["continue"]
    made(cluster, maps(namespace), config_map("d"))
    server = cluster.server
    server.do(server.api.store.compact)
    late = cluster.ask("GET", maps(namespace), **{"continue": token})
    assert refusal(late)[:2] == (410, "Expired")
    fresh = late.json()["metadata"]["continue"]
    rest = cluster.ask("GET", maps(namespace), **{"continue": fresh}).json()
    assert [one["metadata"]["name"] for one in rest["items"]] == ["b", "c", "d"]


# -- who may ---------------------------------------------------------------------------------------


def test_whoever_is_unknown_is_not_let_in(cluster: Running, namespace: str) -> None:
    for token in (None, "made-up"):
        assert refusal(cluster.ask("GET", maps(namespace), token=token)) == (
            401,
            "Unauthorized",
            "Unauthorized",
        )


def test_a_denial_says_who_may_not_do_what_where(cluster: Running, namespace: str) -> None:
    def ask(method: str, path: str, body: Any = None, **more: Any) -> tuple[int, str, str]:
        return refusal(cluster.ask(method, path, body, token=WEAK_TOKEN, **more))

    denied = f'is forbidden: User "{WEAK_USER}" cannot'
    in_all_of_core = f'configmaps {denied} list resource "configmaps" in API group ""'
    sentence = f'{in_all_of_core} in the namespace "{namespace}"'
    assert ask("GET", maps(namespace)) == (403, "Forbidden", sentence)
    sentence = f'deployments.apps {denied} list resource "deployments" in API group "apps"'
    assert ask("GET", "/apis/apps/v1/deployments")[2] == f"{sentence} at the cluster scope"
    assert ask("PATCH", f"{deployments(namespace)}/a/scale", {}, media_type=MERGE)[2] == (
        f'deployments.apps "a" is forbidden: User "{WEAK_USER}" cannot patch resource '
        f'"deployments/scale" in API group "apps" in the namespace "{namespace}"'
    )


def test_a_role_opens_just_what_it_names(cluster: Running, namespace: str) -> None:
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    api_version = "rbac.authorization.k8s.io/v1"
    rules = [
        {"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["get", "patch"]},
        {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": ["a"], "verbs": ["get"]},
    ]
    role = {"apiVersion": api_version, "kind": "Role", "metadata": {"name": "weak"}, "rules": rules}
    made(cluster, f"{rbac}/roles", role)
    binding = {
        "apiVersion": api_version,
        "kind": "RoleBinding",
        "metadata": {"name": "weak"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "weak"},
        "subjects": [{"kind": "ServiceAccount", "name": "weak", "namespace": "default"}],
    }
    made(cluster, f"{rbac}/rolebindings", binding)
    made(cluster, deployments(namespace), deployment("a"))
    made(cluster, maps(namespace), config_map("a"))
    for _ in range(100):  # a real server learns of roles a moment later
        scale = cluster.ask("GET", f"{deployments(namespace)}/a/scale", token=WEAK_TOKEN)
        if scale.status_code == 200:
            break
    assert scale.status_code == 200
    assert cluster.ask("GET", f"{maps(namespace)}/a", token=WEAK_TOKEN).status_code == 200
    for path in (f"{maps(namespace)}/b", maps(namespace), f"{deployments(namespace)}/a"):
        assert cluster.ask("GET", path, token=WEAK_TOKEN).status_code == 403
    assert (
        cluster.ask("GET", f"{deployments('default')}/a/scale", token=WEAK_TOKEN).status_code == 403
    )


def test_everybody_may_ask_what_they_may(cluster: Running, namespace: str) -> None:
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    wish = {"group": "apps", "resource": "deployments", "subresource": "scale", "verb": "patch"}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": {**wish, "namespace": namespace}},
    }
    assert cluster.ask("POST", path, review).json()["status"]["allowed"] is True
    server = cluster.server
    if server is not None:  # a real one allows it by a role that every user has
        weak = cluster.ask("POST", path, review, token=WEAK_TOKEN)
        assert weak.json()["status"]["allowed"] is False


# -- addresses -------------------------------------------------------------------------------------


def test_what_is_not_served_is_not_found_in_plain_text(cluster: Running, namespace: str) -> None:
    for path in ("/apis/nothing.example/v1/things", f"/api/v1/namespaces/{namespace}/things"):
        answer = cluster.ask("GET", path)
        assert answer.status_code == 404
        assert answer.text.strip() == "404 page not found"
        assert answer.headers["content-type"].startswith("text/plain")


def test_what_cannot_be_done_to_a_resource_is_not_allowed(cluster: Running, namespace: str) -> None:
    answer = cluster.ask("POST", f"{maps(namespace)}/a", config_map("a"))
    assert refusal(answer)[:2] == (405, "MethodNotAllowed")


def test_the_version_is_told(cluster: Running) -> None:
    found = cluster.ask("GET", "/version").json()
    assert (found["major"], found["gitVersion"][:2]) == ("1", "v1")
    assert json.dumps(found)
