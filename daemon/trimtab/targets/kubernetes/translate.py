"""A workload's object into the core's deployment: pure, one at a time, and never raises."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from trimtab.core.deployment import Deployment, Pipeline, State
from trimtab.core.maximum import recorded_maximum
from trimtab.kubernetes.fields import items, moment, part, pointed, text, texts, whole
from trimtab.targets.kubernetes.annotations import (
    BASE_MODEL,
    DISPLAY_NAME,
    MAX_REPLICAS,
    MIN_REPLICAS,
    faults,
    kept,
    written_count,
)
from trimtab.targets.kubernetes.hardware import region_of, shape_of
from trimtab.targets.kubernetes.kinds import pod_sets
from trimtab.targets.kubernetes.scalers import Scaled
from trimtab.targets.kubernetes.states import Standing, standing_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trimtab.errors import WorldError
    from trimtab.targets.kubernetes.cluster import Cluster
    from trimtab.targets.kubernetes.kinds import Kind, PodSet

FIELD_MANAGER = "trimtab"
"""Under this name the API server notes what trimtab wrote (``metadata.managedFields``)."""

UNREADABLE = "UNREADABLE"
"""The word for a workload that nobody can make sense of, or that cannot be read just now."""

REPLICAS_PATH = ".spec.replicas"

_MODEL_FLAG = re.compile(r"--(?:model|model-path|model-id)(?:=(?P<value>.+))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """What is kept of one object: the deployment as far as it tells, and what a write needs.

    ``scaled`` is how other scalers would name it; ``version`` its resourceVersion.
    """

    deployment: Deployment
    scaled: Scaled
    uid: str
    version: str
    labels: Mapping[str, str]


def workload_of(
    kind: Kind,
    item: Mapping[str, Any],
    cluster: Cluster,
    *,
    observed_at: float,
    was_zeroed: bool = False,
) -> Workload:
    """Return what ``item`` is to us. What cannot be meant becomes a deployment that is held.

    ``was_zeroed``: our own last write took the last replica, for servers that do not note who wrote what.
    """
    meta = part(item, "metadata")
    namespace, name = text(meta, "namespace"), text(meta, "name")
    annotations = texts(meta, "annotations")
    sets = pod_sets(kind.resource, item)
    path = cluster.replicas_paths.get(kind.resource, REPLICAS_PATH)
    replicas = whole({"at": pointed(item, path)}, "at")
    standing = standing_of(item, is_built_in=kind.is_built_in)
    fault = faults(annotations)
    if replicas is None and standing.state is not State.DELETING:
        fault = fault or f"it has no count of replicas at {path}; say in the settings where it is"
    if fault:
        standing = Standing(State.UNKNOWN, UNREADABLE, fault)
    least, most = _bounds(annotations)
    count = replicas or 0
    status = part(item, "status")
    deployment = Deployment(
        name=f"clusters/{cluster.name}/namespaces/{namespace}/{kind.resource}/{name}",
        state=standing.state,
        state_text=standing.word,
        status_message=standing.message,
        status_code=standing.code,
        display_name=annotations.get(DISPLAY_NAME) or f"{namespace}/{name}",
        base_model=annotations.get(BASE_MODEL) or _model_served(sets),
        region=region_of(sets) or cluster.region,
        min_replicas=least,
        max_replicas=most,
        desired_replicas=count,
        replica_count=whole(status, "replicas") or 0,
        pipeline=_pipeline(count, status),
        shape=shape_of(sets, annotations, cluster.accelerators),
        annotations=kept(annotations),
        created_at=moment(meta, "creationTimestamp"),
        deleted_at=moment(meta, "deletionTimestamp"),
        observed_at=observed_at,
    )
    is_ours = is_written_by_us(meta) if items(meta, "managedFields") else was_zeroed
    if replicas == 0 and not is_ours:
        deployment = parked(deployment)
    return Workload(
        deployment=deployment,
        scaled=Scaled(kind.group, kind.kind, namespace, name),
        uid=text(meta, "uid"),
        version=text(meta, "resourceVersion"),
        labels=texts(meta, "labels"),
    )


def parked(deployment: Deployment) -> Deployment:
    """Return a deployment that somebody else has put to rest: it is not woken."""
    return replace(deployment, min_replicas=0, max_replicas=0)


def doubtful(known: Deployment, error: WorldError) -> Deployment:
    """Return a deployment as last known, in a state that holds it, with the reason for people."""
    return replace(known, state=State.UNKNOWN, state_text=UNREADABLE, status_message=str(error))


def is_written_by_us(meta: Mapping[str, Any]) -> bool:
    """Whether the API server notes that trimtab set the count last, through ``scale``."""
    for entry in items(meta, "managedFields"):
        is_ours = text(entry, "manager") == FIELD_MANAGER and text(entry, "subresource") == "scale"
        if is_ours and "f:replicas" in part(entry, "fieldsV1", "f:spec"):
            return True
    return False


def _bounds(annotations: Mapping[str, str]) -> tuple[int, int | None]:
    """Return the range that people gave. Without a maximum only policies say where it ends."""
    least, most = written_count(annotations, MIN_REPLICAS), written_count(annotations, MAX_REPLICAS)
    return least or 0, recorded_maximum(most)


def _pipeline(replicas: int, status: Mapping[str, Any]) -> Pipeline:
    """Count what exists and serves; what exists and does not yet; what is only asked for."""
    there = whole(status, "replicas") or 0
    ready = min(whole(status, "readyReplicas") or 0, there)
    return Pipeline(pending=max(0, replicas - there), initializing=there - ready, ready=ready)


def _model_served(sets: Sequence[PodSet]) -> str:
    """Return the model that an engine is started with (vLLM, SGLang, TGI), as its arguments say it."""
    for one in sets[:1]:
        for container in items(one.spec, "containers"):
            words = [
                word
                for field in ("command", "args")
                for word in items(container, field)
                if isinstance(word, str)
            ]
            model = _model_in(words)
            if model:
                return model
    return ""


def _model_in(words: list[str]) -> str:
    for at, word in enumerate(words):
        flag = _MODEL_FLAG.fullmatch(word)
        following = words[at + 1] if at + 1 < len(words) else ""
        if flag is not None:
            return flag["value"] or following
        if word == "serve" and following and not following.startswith("-"):
            return following
    return ""
