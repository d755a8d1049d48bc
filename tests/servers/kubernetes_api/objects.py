"""Writing objects: what the API itself fills in, keeps, refuses to change, and counts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from tests.servers.kubernetes_api import failures, validation
from tests.servers.kubernetes_api.kinds import Kind
from tests.servers.kubernetes_api.store import Key, Store, copied

Json = dict[str, Any]

KEPT = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")
"""Of the metadata, what only the API itself writes."""


def timestamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class Objects:
    """Create, replace and remove. ``now`` gives UTC seconds."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        self.store = store
        self._now = now

    def get(self, kind: Kind, key: Key) -> Json:
        found = self.store.read(kind.stored, key)
        if found is None:
            raise failures.not_found(kind, key[1])
        return self.shown(kind, found)

    def shown(self, kind: Kind, thing: Json) -> Json:
        """``thing`` with the version and kind under which it was asked for, in the usual order."""
        rest = {name: value for name, value in thing.items() if name not in ("apiVersion", "kind")}
        return {"kind": kind.kind, "apiVersion": kind.api_version, **rest}

    def create(self, kind: Kind, namespace: str, thing: Json, *, dry_run: bool = False) -> Json:
        thing = copied(thing)
        validation.check_types(kind, thing)
        metadata = thing.setdefault("metadata", {})
        if metadata.get("resourceVersion"):
            raise failures.internal("resourceVersion should not be set on objects to be created")
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = metadata["generateName"] + self.store.new_suffix()
        name = metadata.get("name", "")
        if not name:
            raise failures.invalid(
                kind, "", [("metadata.name", "Required value: name or generateName is required")]
            )
        if kind.is_namespaced:
            self._must_have_namespace(namespace)
            metadata["namespace"] = namespace
        for field in (*KEPT, "managedFields", "selfLink"):
            metadata.pop(field, None)
        metadata["uid"] = self.store.new_uid()
        metadata["creationTimestamp"] = timestamp(self._now())
        if kind.counts_generations:
            metadata["generation"] = 1
        if kind.has_status and kind.plural != "nodes":
            thing.pop("status", None)
        _fill_in(kind, thing)
        validation.check(kind, thing, None)
        if self.store.read(kind.stored, (namespace, name)) is not None:
            raise failures.already_exists(kind, name)
        if dry_run:
            return self.shown(kind, thing)
        return self.shown(kind, self.store.write(kind.stored, (namespace, name), thing))

    def _must_have_namespace(self, namespace: str) -> None:
        spaces = self.store.read(("", "namespaces"), ("", namespace))
        if spaces is None:
            refusal = failures.Refusal(
                404,
                "NotFound",
                f'namespaces "{namespace}" not found',
                details={"name": namespace, "kind": "namespaces"},
            )
            raise refusal

    def replace(
        self, kind: Kind, key: Key, thing: Json, *, part: str = "", dry_run: bool = False
    ) -> Json:
        """Put ``thing`` in the place of what is there: all but its status, or (``part``) only that."""
        old = self.store.read(kind.stored, key)
        if old is None:
            if (
                part
                or not kind.may_create_by_put
                or thing.get("metadata", {}).get("resourceVersion")
            ):
                raise failures.not_found(kind, key[1])
            return self.create(kind, key[0], thing, dry_run=dry_run)
        thing = copied(thing)
        validation.check_types(kind, thing)
        metadata = thing.setdefault("metadata", {})
        self._must_be_current(kind, key[1], metadata, old)
        if metadata.get("uid", old["metadata"]["uid"]) != old["metadata"]["uid"]:
            raise failures.conflict(
                kind,
                key[1],
                f"Precondition failed: UID in precondition: {metadata['uid']}, "
                f"UID in object meta: {old['metadata']['uid']}",
            )
        new = self._merged(kind, thing, old, part)
        validation.check(kind, new, old)
        if dry_run:
            return self.shown(kind, new)
        if new["metadata"].get("deletionTimestamp") and not new["metadata"].get("finalizers"):
            return self.shown(kind, self.store.remove(kind.stored, key))
        return self.shown(kind, self.store.write(kind.stored, key, new))

    def _must_be_current(self, kind: Kind, name: str, metadata: Json, old: Json) -> None:
        version = metadata.get("resourceVersion", "")
        if not version and kind.needs_version:
            sentence = "Invalid value: 0: must be specified for an update"
            raise failures.invalid(kind, name, [("metadata.resourceVersion", sentence)])
        if version and version != old["metadata"]["resourceVersion"]:
            raise failures.conflict(kind, name)

    def _merged(self, kind: Kind, thing: Json, old: Json, part: str) -> Json:
        if part == "status":
            new = copied(old)
            new.pop("status", None)
            if thing.get("status") is not None:
                new["status"] = thing["status"]
            return new
        new = thing
        for field in KEPT:
            new["metadata"].pop(field, None)
            if field in old["metadata"]:
                new["metadata"][field] = old["metadata"][field]
        new["metadata"].pop("managedFields", None)
        new["metadata"].update(name=old["metadata"]["name"])
        if kind.is_namespaced:
            new["metadata"]["namespace"] = old["metadata"]["namespace"]
        if kind.has_status:
            new.pop("status", None)
            if "status" in old:
                new["status"] = copied(old["status"])
        _fill_in(kind, new)
        if kind.counts_generations and _wished(kind, new) != _wished(kind, old):
            new["metadata"]["generation"] = old["metadata"]["generation"] + 1
        return new

    def delete(self, kind: Kind, key: Key, options: Json, *, dry_run: bool = False) -> Json:
        """Remove, or mark as to be removed what finalizers hold. Returns what DELETE answers."""
        old = self.store.read(kind.stored, key)
        if old is None:
            raise failures.not_found(kind, key[1])
        for field, at in (("uid", "uid"), ("resourceVersion", "resourceVersion")):
            wanted = (options.get("preconditions") or {}).get(field)
            if wanted is not None and wanted != old["metadata"][at]:
                raise failures.conflict(
                    kind,
                    key[1],
                    f"Precondition failed: {'UID' if field == 'uid' else 'ResourceVersion'} in "
                    f"precondition: {wanted}, {'UID' if field == 'uid' else 'ResourceVersion'} in "
                    f"object meta: {old['metadata'][at]}",
                )
        if old["metadata"].get("finalizers"):
            if not old["metadata"].get("deletionTimestamp"):
                old["metadata"]["deletionTimestamp"] = timestamp(self._now())
                old["metadata"]["deletionGracePeriodSeconds"] = 0
                if not dry_run:
                    old = self.store.write(kind.stored, key, old)
            return self.shown(kind, old)
        gone = old if dry_run else self.store.remove(kind.stored, key)
        if kind.returns_deleted:
            return self.shown(kind, gone)
        details = {"name": key[1], "kind": kind.plural, "uid": old["metadata"]["uid"]}
        if kind.group:
            details["group"] = kind.group
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Success",
            "details": details,
        }


def _wished(kind: Kind, thing: Json) -> Json:
    """What a growing generation announces a change of."""
    without = {"metadata", "apiVersion", "kind"} | ({"status"} if kind.has_status else set())
    return {name: value for name, value in thing.items() if name not in without}


def _fill_in(kind: Kind, thing: Json) -> None:
    """Defaults that others rely on."""
    spec = thing.get("spec")
    if kind.is_custom or not isinstance(spec, dict):
        return
    if kind.plural in ("deployments", "statefulsets", "replicasets"):
        spec.setdefault("replicas", 1)
        spec["replicas"] = 1 if spec["replicas"] is None else spec["replicas"]
    if kind.plural == "deployments":
        spec.setdefault("progressDeadlineSeconds", 600)
        spec.setdefault("revisionHistoryLimit", 10)
        spec.setdefault(
            "strategy",
            {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
            },
        )
    if kind.plural == "horizontalpodautoscalers":
        spec.setdefault("minReplicas", 1)
