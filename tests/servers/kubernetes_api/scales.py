"""The ``scale`` subresource: one small object for everything that has replicas."""

from __future__ import annotations

from typing import Any

from tests.servers.kubernetes_api import failures, validation
from tests.servers.kubernetes_api.kinds import Kind, ScalePaths
from tests.servers.kubernetes_api.objects import Objects
from tests.servers.kubernetes_api.selectors import selector_text
from tests.servers.kubernetes_api.store import Key

Json = dict[str, Any]

SCALE = Kind(group="autoscaling", version="v1", kind="Scale", plural="scale")


def _at(thing: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        thing = thing.get(key) if isinstance(thing, dict) else None
    return thing


def scale_of(kind: Kind, thing: Json) -> Json:
    """What ``scale`` shows of an object."""
    paths = _paths(kind)
    replicas = _at(thing, paths.spec_replicas)
    if replicas is None:
        dotted = "." + ".".join(paths.spec_replicas)
        raise failures.internal(f'the spec replicas field "{dotted}" does not exist')
    if paths.selector is None:
        selector = selector_text(_at(thing, ("spec", "selector")))
    else:
        selector = _at(thing, paths.selector) or ""
    metadata = thing["metadata"]
    copied = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    status: Json = {"replicas": _at(thing, paths.status_replicas) or 0}
    if selector:
        status["selector"] = selector
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {field: metadata[field] for field in copied if field in metadata},
        "spec": {"replicas": replicas} if replicas else {},
        "status": status,
    }


def _paths(kind: Kind) -> ScalePaths:
    if kind.scale is None:
        raise failures.no_such_path()
    return kind.scale


def rescaled(objects: Objects, kind: Kind, key: Key, scale: Json, *, dry_run: bool = False) -> Json:
    """Replace the ``scale`` of an object, if it is still the version that ``scale`` names, if any."""
    validation.check_types(SCALE, scale)
    old = objects.get(kind, key)
    metadata = scale.get("metadata") or {}
    if metadata.get("name", key[1]) != key[1]:
        raise failures.bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL ({key[1]})"
        )
    replicas = (scale.get("spec") or {}).get("replicas") or 0
    if replicas < 0:
        raise failures.invalid(
            SCALE,
            key[1],
            [("spec.replicas", f"Invalid value: {replicas}: must be greater than or equal to 0")],
        )
    version = metadata.get("resourceVersion")
    if version and version != old["metadata"]["resourceVersion"]:
        raise failures.conflict(kind, key[1])
    uid = metadata.get("uid")
    if uid and uid != old["metadata"]["uid"]:
        raise failures.conflict(
            kind,
            key[1],
            f"Precondition failed: UID in precondition: {uid}, "
            f"UID in object meta: {old['metadata']['uid']}",
        )
    inner = old
    *parents, last = _paths(kind).spec_replicas
    for parent in parents:
        inner = inner.setdefault(parent, {})
    inner[last] = replicas
    return scale_of(kind, objects.replace(kind, key, old, dry_run=dry_run))
