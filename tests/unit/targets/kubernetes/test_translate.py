"""What a workload's object is to the core, field by field, and that nothing in it can do harm.

Mutations that the property was seen to catch: ``whole`` that lets ``True`` or -1 through, ``moment`` without
its ``except``, ``excerpt`` left out of a condition's message.
"""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.core.deployment import Deployment, Pipeline, State
from trimtab.targets.kubernetes.cluster import Cluster
from trimtab.targets.kubernetes.hardware import accelerator_type
from trimtab.targets.kubernetes.kinds import Kind
from trimtab.targets.kubernetes.translate import workload_of

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPLOYMENT = Kind("deployments.apps", "apps", "v1", "deployments", "Deployment")
STATEFUL_SET = Kind("statefulsets.apps", "apps", "v1", "statefulsets", "StatefulSet")
CUSTOM = Kind("engines.example.com", "example.com", "v1", "engines", "Engine")
CLUSTER = Cluster(name="prod")

STATUS = {"observedGeneration": 1, "replicas": 2, "readyReplicas": 2, "updatedReplicas": 2}


def seen(
    kind: Kind = DEPLOYMENT,
    *,
    spec: dict[str, Any] | None = None,
    status: dict[str, Any] | None = None,
    cluster: Cluster = CLUSTER,
    was_zeroed: bool = False,
    **meta: Any,
) -> Deployment:
    item = {
        "metadata": {
            "name": "chat",
            "namespace": "llm",
            "uid": "u",
            "resourceVersion": "7",
            **meta,
        },
        "spec": {"replicas": 2} if spec is None else spec,
        "status": STATUS if status is None else status,
    }
    return workload_of(kind, item, cluster, observed_at=100.0, was_zeroed=was_zeroed).deployment


def noted(**annotations: str) -> dict[str, str]:
    return {f"trimtab.dev/{key.replace('_', '-')}": value for key, value in annotations.items()}


def container(gpus: object = 8, resource: str = "nvidia.com/gpu", **more: Any) -> dict[str, Any]:
    return {"name": "c", "resources": {"limits": {resource: gpus}}, **more}


def template(*containers: dict[str, Any], **spec: Any) -> dict[str, Any]:
    pod = {"containers": list(containers) or [container()], **spec}
    return {"replicas": 2, "template": {"spec": pod}}


def condition(kind: str, status: str, reason: str = "", message: str = "") -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


# -- states ---------------------------------------------------------------------------------------

LATE = condition("Progressing", "False", "ProgressDeadlineExceeded", "it took too long")
FULL = condition(
    "ReplicaFailure", "True", "FailedCreate", 'pods "x" is forbidden: exceeded quota: gpus'
)


@pytest.mark.parametrize(
    ("kind", "spec", "status", "state", "word"),
    [
        (DEPLOYMENT, {}, {}, State.CREATING, "CREATING"),
        (DEPLOYMENT, {}, STATUS, State.READY, "AVAILABLE"),
        (DEPLOYMENT, {}, STATUS | {"readyReplicas": 0}, State.READY, "AVAILABLE"),
        (DEPLOYMENT, {}, STATUS | {"updatedReplicas": 1}, State.UPDATING, "PROGRESSING"),
        (DEPLOYMENT, {}, {"observedGeneration": 1, "replicas": 2}, State.UPDATING, "PROGRESSING"),
        (DEPLOYMENT, {"paused": True}, STATUS, State.READY, "PAUSED"),
        (DEPLOYMENT, {"paused": True}, STATUS | {"updatedReplicas": 1}, State.UPDATING, "PAUSED"),
        (DEPLOYMENT, {}, STATUS | {"conditions": [LATE]}, State.FAILED, "FAILED"),
        (CUSTOM, {}, {"replicas": 2}, State.READY, "AVAILABLE"),
        (CUSTOM, {}, {"conditions": [condition("Failed", "True")]}, State.FAILED, "FAILED"),
        (CUSTOM, {}, {"conditions": [condition("Stalled", "True")]}, State.FAILED, "FAILED"),
        (
            CUSTOM,
            {},
            {"conditions": [condition("UpdateInProgress", "True")]},
            State.UPDATING,
            "PROGRESSING",
        ),
        (STATEFUL_SET, {}, STATUS | {"currentRevision": "a", "updateRevision": "a"}, State.READY, "AVAILABLE"),
        (
            STATEFUL_SET,
            {},
            STATUS | {"updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b"},
            State.UPDATING,
            "PROGRESSING",
        ),
        (
            STATEFUL_SET,
            {"updateStrategy": {"rollingUpdate": {"partition": 1}}},
            STATUS | {"updatedReplicas": 1, "currentRevision": "a", "updateRevision": "b"},
            State.READY,
            "AVAILABLE",
        ),
        (
            STATEFUL_SET,
            {"updateStrategy": {"type": "OnDelete"}},
            STATUS | {"updatedReplicas": 0, "currentRevision": "a", "updateRevision": "b"},
            State.READY,
            "AVAILABLE",
        ),
    ],
)  # fmt: skip
def test_a_state(
    kind: Kind, spec: dict[str, Any], status: dict[str, Any], state: State, word: str
) -> None:
    found = seen(kind, spec={"replicas": 2, **spec}, status=status)
    assert (found.state, found.state_text) == (state, word)


def test_a_failed_rollout_is_told_in_its_own_words() -> None:
    assert seen(status=STATUS | {"conditions": [LATE]}).status_message == "it took too long"


def test_a_namespace_quota_that_refuses_pods_is_a_refusal_of_the_quota() -> None:
    found = seen(status=STATUS | {"conditions": [FULL]})
    assert (found.state, found.status_code) == (State.READY, "RESOURCE_EXHAUSTED")
    assert "exceeded quota" in found.status_message


def test_what_is_being_deleted_is_nothing_else() -> None:
    found = seen(deletionTimestamp="2026-11-22T10:00:00Z", status={})
    assert found.state is State.DELETING
    assert found.deleted_at is not None


# -- replicas, bounds, parking --------------------------------------------------------------------


def test_replicas_are_asked_for_there_and_ready() -> None:
    status = STATUS | {"replicas": 4, "readyReplicas": 3, "updatedReplicas": 4}
    found = seen(spec={"replicas": 6}, status=status)
    assert found.desired_replicas == 6
    assert found.replica_count == 4
    assert found.pipeline == Pipeline(pending=2, initializing=1, ready=3)


@pytest.mark.parametrize(
    ("notes", "bounds"),
    [
        ({}, (0, None)),
        ({"min_replicas": "2"}, (2, None)),
        ({"max_replicas": " 8 "}, (0, 8)),
        ({"max_replicas": "1000000"}, (0, None)),
        ({"min_replicas": "2", "max_replicas": "2"}, (2, 2)),
    ],
)
def test_bounds_are_those_of_the_annotations(
    notes: dict[str, str], bounds: tuple[int, int | None]
) -> None:
    found = seen(annotations=noted(**notes))
    assert (found.min_replicas, found.max_replicas) == bounds


OURS = {
    "manager": "trimtab",
    "operation": "Update",
    "subresource": "scale",
    "fieldsV1": {"f:spec": {"f:replicas": {}}},
}


@pytest.mark.parametrize(
    ("fields", "was_zeroed", "is_parked"),
    [
        ([OURS], False, False),
        ([OURS | {"manager": "kubectl"}], True, True),
        ([OURS | {"subresource": ""}], True, True),
        ([OURS | {"fieldsV1": {"f:metadata": {}}}], True, True),
        (None, False, True),
        (None, True, False),
    ],
)
def test_nothing_is_parked_that_trimtab_itself_put_to_sleep(
    fields: list[dict[str, Any]] | None, was_zeroed: bool, is_parked: bool
) -> None:
    meta = {} if fields is None else {"managedFields": fields}
    status = {"observedGeneration": 1}
    found = seen(spec={"replicas": 0}, status=status, was_zeroed=was_zeroed, **meta)
    assert found.is_parked is is_parked


@pytest.mark.parametrize("count", [None, "2", -1, 1.5, True, 2**40])
def test_a_count_that_is_none_holds_the_workload(count: object) -> None:
    found = seen(spec={"replicas": count})
    assert found.state is State.UNKNOWN
    assert found.status_message.startswith("it has no count of replicas at .spec.replicas")


def test_long_annotations_are_not_kept() -> None:
    notes = {
        "kubectl.kubernetes.io/last-applied-configuration": "{}",
        "long": "x" * 2000,
        "team": "research",
    }
    assert seen(annotations=notes).annotations == {"team": "research"}


# -- hardware -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "count"),
    [
        (template(), 8),
        (template(container(4), container("4")), 8),
        (template(container(4), initContainers=[container(8)]), 8),
        (template(container(4), initContainers=[container(2, restartPolicy="Always")]), 6),
        (template({"resources": {"requests": {"nvidia.com/gpu": 2}}}), 2),
        (template({"resources": {}}), None),
        (template(container(0)), None),
        (template(container("many")), None),
        (template(container(4), container(4, "amd.com/gpu")), None),
        (template(container(4), resourceClaims=[{"name": "gpu"}]), None),
        ({"replicas": 2}, None),
    ],
)
def test_accelerators_of_a_replica(spec: dict[str, Any], count: int | None) -> None:
    assert seen(spec=spec).shape.accelerators_per_replica == count


def affinity(operator: str, *values: str) -> dict[str, Any]:
    rule = {"key": "nvidia.com/gpu.product", "operator": operator, "values": list(values)}
    terms = [{"matchExpressions": [rule]}]
    required = {"nodeSelectorTerms": terms}
    return {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"nodeSelector": {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}}, "NVIDIA_H100_80GB"),
        ({"nodeSelector": {"cloud.google.com/gke-accelerator": "nvidia-h200-141gb"}}, "NVIDIA_H200_141GB"),
        ({"nodeSelector": {"karpenter.k8s.aws/instance-gpu-name": "l4"}}, "NVIDIA_L4_24GB"),
        ({"affinity": affinity("In", "NVIDIA-B200")}, "NVIDIA_B200_180GB"),
        ({"affinity": affinity("In", "NVIDIA-B200", "NVIDIA-H200")}, None),
        ({"affinity": affinity("NotIn", "NVIDIA-B200")}, None),
        ({"nodeSelector": {"disk": "ssd"}}, None),
        ({}, None),
    ],
)  # fmt: skip
def test_the_type_is_the_product_that_pods_must_get(more: dict[str, Any], kind: str | None) -> None:
    assert seen(spec=template(**more)).shape.accelerator_type == kind


def test_what_pods_do_not_say_the_settings_or_an_annotation_do() -> None:
    homogeneous = Cluster(name="prod", accelerators={"nvidia.com/gpu": "NVIDIA_H100_80GB"})
    assert seen(spec=template(), cluster=homogeneous).shape.accelerator_type == "NVIDIA_H100_80GB"
    notes = noted(accelerator_type="NVIDIA_B200_180GB", accelerators_per_replica="16")
    shape = seen(spec=template(), cluster=homogeneous, annotations=notes).shape
    assert (shape.accelerator_type, shape.accelerators_per_replica) == ("NVIDIA_B200_180GB", 16)


@pytest.mark.parametrize(
    ("vendor", "product", "kind"),
    [
        ("NVIDIA", "Tesla-T4", "NVIDIA_T4_16GB"),
        ("NVIDIA", "NVIDIA-A100-SXM4-40GB", "NVIDIA_A100_40GB"),
        ("NVIDIA", "NVIDIA-A100-SXM4-80GB", "NVIDIA_A100_80GB"),
        ("AMD", "AMD_Instinct_MI300X_OAM", "AMD_MI300X_192GB"),
        ("NVIDIA", "NVIDIA-Next-9000", "NVIDIA_NEXT_9000"),
        ("GOOGLE", "tpu-v5p-slice", "GOOGLE_TPU_V5P_SLICE"),
        ("NVIDIA", "!!!", "NVIDIA"),
    ],
)
def test_products_are_called_as_quotas_and_prices_call_them(
    vendor: str, product: str, kind: str
) -> None:
    assert accelerator_type(vendor, product) == kind


@pytest.mark.parametrize(
    ("words", "model"),
    [
        ({"args": ["--model", "meta/llama", "--port", "80"]}, "meta/llama"),
        ({"args": ["--model=meta/llama"]}, "meta/llama"),
        ({"command": ["vllm", "serve"], "args": ["meta/llama"]}, "meta/llama"),
        ({"command": ["python", "-m", "sglang", "--model-path", "q"]}, "q"),
        ({"command": ["serve", "--help"]}, ""),
        ({"args": ["--model"]}, ""),
    ],
)
def test_the_model_is_what_the_engine_is_started_with(words: dict[str, Any], model: str) -> None:
    assert seen(spec=template(container(**words))).base_model == model


def test_the_region_of_the_pods_wins_over_that_of_the_cluster() -> None:
    cluster = Cluster(name="prod", region="US_IOWA_1")
    assert seen(cluster=cluster).region == "US_IOWA_1"
    chosen = {"topology.kubernetes.io/region": "eu-west-3"}
    assert seen(cluster=cluster, spec=template(nodeSelector=chosen)).region == "eu-west-3"


# -- whatever anybody writes ----------------------------------------------------------------------

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["True", "8", "-1", "2026-11-22T10:00:00Z", "0001-01-01T00:00:00+14:00", "Always"]
    ),
)
JUNK = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2)
    ),
    max_leaves=4,
)
GOOD: dict[str, Any] = {
    "metadata": {
        "name": "chat",
        "namespace": "llm",
        "uid": "u",
        "resourceVersion": "7",
        "creationTimestamp": "2026-11-22T10:00:00Z",
        "annotations": {
            "trimtab.dev/max-replicas": "8",
            "trimtab.dev/accelerators-per-replica": "4",
        },
        "managedFields": [OURS],
    },
    "spec": {
        **template(container(), initContainers=[container(2)], nodeSelector={"a": "b"}),
        "paused": False,
        "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}},
        "leaderWorkerTemplate": {
            "size": 2,
            "workerTemplate": {"spec": {"containers": [container()]}},
        },
    },
    "status": STATUS | {"conditions": [LATE, FULL], "updateRevision": "b", "currentRevision": "a"},
}


def paths(of: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to everything in a document."""
    parts = of.items() if isinstance(of, dict) else enumerate(of) if isinstance(of, list) else ()
    for key, one in parts:
        yield (*at, key)
        yield from paths(one, (*at, key))


@st.composite
def objects(draw: st.DrawFn) -> dict[str, Any]:
    """A good object with junk in a few places."""
    item = copy.deepcopy(GOOD)
    for path in draw(st.lists(st.sampled_from(list(paths(GOOD))), max_size=4)):
        place: Any = item
        with suppress(TypeError, KeyError, IndexError):
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = draw(JUNK)
    part, count = draw(
        st.sampled_from([("spec", "replicas"), ("status", "replicas"), ("status", "readyReplicas")])
    )
    if isinstance(item[part], dict):
        item[part][count] = draw(st.sampled_from([2, True, -1, 2**40, "8", 1.5, None]))
    with suppress(TypeError, KeyError, IndexError):
        item["status"]["conditions"][0]["message"] = draw(
            st.sampled_from(["late", "a\x1b[31mb", 5])
        )
    return item


LWS = Kind(
    "leaderworkersets.leaderworkerset.x-k8s.io",
    *("leaderworkerset.x-k8s.io", "v1", "leaderworkersets", "LeaderWorkerSet"),
)


@given(objects(), st.sampled_from([DEPLOYMENT, STATEFUL_SET, CUSTOM, LWS]))
@settings(max_examples=100)
def test_no_object_is_too_odd_to_be_read(item: dict[str, Any], kind: Kind) -> None:
    found = workload_of(kind, item, CLUSTER, observed_at=1.0).deployment
    for count in (
        *(found.min_replicas, found.desired_replicas, found.replica_count),
        *(found.pipeline.pending, found.pipeline.initializing, found.pipeline.ready),
    ):
        assert type(count) is int
        assert count >= 0
    assert found.max_replicas is None or found.max_replicas >= 0
    each = found.shape.accelerators_per_replica
    assert each is None or each > 0
    assert found.status_message.isprintable()
