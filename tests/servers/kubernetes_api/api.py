"""The API itself: a request in, an answer or a watch out. Pure but for the clock that is handed in.

api = Api(now=lambda: 1_800_000_000.0)
api.gatekeeper.let_in("token", ADMIN)
api.handle(Request(method="GET", path="/api/v1/namespaces", headers={"authorization": "Bearer token"}))
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

from tests.servers.kubernetes_api import discovery, failures
from tests.servers.kubernetes_api.failures import Refusal
from tests.servers.kubernetes_api.kinds import Catalogue, Kind, kinds_of
from tests.servers.kubernetes_api.lists import listed
from tests.servers.kubernetes_api.objects import Objects
from tests.servers.kubernetes_api.patches import patched
from tests.servers.kubernetes_api.rbac import Attempt, Gatekeeper, User
from tests.servers.kubernetes_api.requests import (
    VERB_OF,
    Answer,
    Request,
    Route,
    answer,
    refused,
    route_of,
)
from tests.servers.kubernetes_api.scales import rescaled, scale_of
from tests.servers.kubernetes_api.selectors import name_selected
from tests.servers.kubernetes_api.store import Key, Store
from tests.servers.kubernetes_api.watches import BOOKMARK_SECONDS, Watch

Json = dict[str, Any]

DEFINITIONS = ("apiextensions.k8s.io", "customresourcedefinitions")
NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


class Api:
    """``cache_lag`` is how many revisions the cache is behind that answers ``resourceVersion=0``."""

    def __init__(self, *, now: Callable[[], float], seed: int = 0) -> None:
        self._now = now
        self._random = Random(seed)
        self.store = Store(seed)
        self.kinds = Catalogue()
        self.objects = Objects(self.store, now)
        self.gatekeeper = Gatekeeper(self.store)
        self.cache_lag = 0
        self.bookmark_seconds = BOOKMARK_SECONDS
        for name in NAMESPACES:
            self.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    # -- from inside ---------------------------------------------------------------------------

    def kind_of(self, thing: Mapping[str, Any]) -> Kind:
        """The kind of a manifest."""
        for kind in self.kinds:
            if (kind.api_version, kind.kind) == (thing["apiVersion"], thing["kind"]):
                return kind
        raise LookupError(f"nothing here is a {thing['kind']} of {thing['apiVersion']}")

    def add(self, thing: Json, namespace: str = "default") -> Json:
        """Create from inside, as whoever sets up a test does: no token, no roles, with its status."""
        kind = self.kind_of(thing)
        place = (thing["metadata"].get("namespace") or namespace) if kind.is_namespaced else ""
        if place and self.store.read(("", "namespaces"), ("", place)) is None:
            self.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": place}})
        made = self.objects.create(kind, place, thing)
        if "status" in thing and kind.has_status:
            key = (place, made["metadata"]["name"])
            made = self.objects.replace(
                kind, key, {**made, "status": thing["status"]}, part="status"
            )
        self._after_write(kind, made)
        return made

    # -- from outside --------------------------------------------------------------------------

    def attempt_of(self, request: Request) -> Attempt | None:
        """Who wants to do what; ``None`` for a path outside the resources. Raises 401."""
        user = self.gatekeeper.who(request.headers)
        route = route_of(request.path)
        if route is None or not route.plural:
            return None
        verb = VERB_OF.get(request.method, request.method.lower())
        name = route.name or (name_selected(request.query.get("fieldSelector", "")) or "")
        if not route.name and verb in ("get", "delete"):
            verb = {"get": "list", "delete": "deletecollection"}[verb]
        if request.is_watch:
            verb = "watch"
        resource = f"{route.plural}/{route.subresource}" if route.subresource else route.plural
        return Attempt(
            user=user,
            verb=verb,
            group=route.group,
            resource=resource,
            namespace=route.namespace,
            name=name if verb != "create" else "",
        )

    def handle(self, request: Request) -> Answer | Watch:
        """Answer one request, or open a watch. Never raises for what a client does."""
        try:
            attempt = self.attempt_of(request)
            if attempt is None:
                return self._outside_resources(request)
            route = route_of(request.path)
            assert route is not None
            return self._on_resource(request, route, attempt)
        except Refusal as refusal:
            return refused(refusal)

    def _outside_resources(self, request: Request) -> Answer:
        parts = [part for part in request.path.split("/") if part]
        found: Json | None = None
        if request.method != "GET":
            raise failures.method_not_allowed()
        if parts == ["version"]:
            found = discovery.VERSION
        elif parts == ["api"]:
            found = discovery.core_versions()
        elif parts == ["apis"]:
            found = discovery.groups(self.kinds)
        elif parts[:1] == ["apis"] and len(parts) == 2:
            found = discovery.group(self.kinds, parts[1])
        elif parts in (["healthz"], ["livez"], ["readyz"]):
            return Answer(code=200, body=b"ok", headers={"Content-Type": "text/plain"})
        elif (route := route_of(request.path)) is not None:
            found = discovery.resources(self.kinds, route.group, route.version)
        if found is None:
            raise failures.no_such_path()
        return answer(200, found)

    def _on_resource(self, request: Request, route: Route, attempt: Attempt) -> Answer | Watch:
        if attempt.resource == "selfsubjectaccessreviews":
            return answer(201, self._review(request, attempt.user))
        kind = self.kinds.find(route.group, route.version, route.plural)
        self.gatekeeper.check(attempt)  # before anything tells whether it exists
        if kind is None or (route.subresource and route.subresource not in kind.subresources):
            raise failures.no_such_path()
        if kind.is_namespaced and not route.namespace and request.method != "GET":
            raise failures.method_not_allowed()
        if kind.plural == "namespaces":
            route = replace(route, namespace=None)
        if request.is_watch:
            return self._watch(request, kind, route)
        if not route.name:
            return self._on_collection(request, kind, route)
        key = (route.namespace or "", route.name)
        if request.method == "GET":
            thing = self.objects.get(kind, key)
            return answer(200, scale_of(kind, thing) if route.subresource == "scale" else thing)
        if request.method == "DELETE" and not route.subresource:
            options = request.json() if request.body else {}
            gone = self.objects.delete(kind, key, options, dry_run=_is_dry(request))
            self._after_write(kind, gone)
            return answer(200, gone)
        if request.method in ("PUT", "PATCH"):
            return self._write(request, kind, key, route.subresource)
        raise failures.method_not_allowed()

    def _watch(self, request: Request, kind: Kind, route: Route) -> Watch:
        if route.name:
            selector = f"metadata.name={route.name}"
            request = replace(request, query={**request.query, "fieldSelector": selector})
        return Watch(
            self.objects,
            kind,
            route,
            request,
            random=self._random,
            bookmark_seconds=self.bookmark_seconds,
        )

    def _on_collection(self, request: Request, kind: Kind, route: Route) -> Answer:
        if request.method == "GET":
            stale = max(self.store.oldest, self.store.revision - self.cache_lag)
            return answer(200, listed(self.objects, kind, route, request, stale_revision=stale))
        if request.method == "POST":
            thing = self._read(request, kind, route.namespace or "")
            made = self.objects.create(kind, route.namespace or "", thing, dry_run=_is_dry(request))
            self._after_write(kind, made)
            return answer(201, made)
        if request.method == "DELETE":
            doomed = listed(self.objects, kind, route, request)
            for thing in doomed["items"]:
                key = (thing["metadata"].get("namespace", ""), thing["metadata"]["name"])
                self.objects.delete(kind, key, {}, dry_run=_is_dry(request))
            return answer(200, doomed)
        raise failures.method_not_allowed()

    def _read(self, request: Request, kind: Kind, namespace: str, name: str = "") -> Json:
        """The object in a body, once it is sure that it is what the URL says."""
        thing = _json(request)
        if (thing.get("apiVersion"), thing.get("kind")) != (kind.api_version, kind.kind):
            if thing.get("kind") or thing.get("apiVersion") or kind.is_custom:
                raise failures.bad_request(
                    f"the API version in the data ({thing.get('apiVersion')}) does not match the "
                    f"expected API version ({kind.api_version})"
                )
            thing |= {"apiVersion": kind.api_version, "kind": kind.kind}
        metadata = thing.get("metadata") or {}
        if isinstance(metadata, dict):
            if kind.is_namespaced and metadata.get("namespace", namespace) != namespace:
                raise failures.bad_request(
                    "the namespace of the provided object does not match the namespace sent on the "
                    "request"
                )
            if name and metadata.get("name", name) != name:
                raise failures.bad_request(
                    f"the name of the object ({metadata['name']}) does not match the name on the "
                    f"URL ({name})"
                )
            if name and not metadata.get("name"):
                raise failures.bad_request("name must be provided")
        return thing

    def _write(self, request: Request, kind: Kind, key: Key, part: str) -> Answer:
        dry_run = _is_dry(request)
        was_there = self.store.read(kind.stored, key) is not None
        if request.method == "PATCH":
            media_type = request.headers.get("content-type", "").partition(";")[0].strip()
            old = self.objects.get(kind, key)
            shown = scale_of(kind, old) if part == "scale" else old
            thing = patched(shown, request.body, media_type, is_custom=kind.is_custom)
            if not isinstance(thing, dict) or not isinstance(thing.get("metadata"), dict):
                raise failures.patch_does_not_apply()
            # A patch that names no version is applied to whatever is there.
            thing["metadata"].setdefault("resourceVersion", old["metadata"]["resourceVersion"])
        elif part == "scale":
            thing = _json(request)
        else:
            thing = self._read(request, kind, *key)
        if part == "scale":
            return answer(200, rescaled(self.objects, kind, key, thing, dry_run=dry_run))
        written = self.objects.replace(kind, key, thing, part=part, dry_run=dry_run)
        self._after_write(kind, written)
        return answer(200 if was_there else 201, written)

    def _review(self, request: Request, user: User) -> Json:
        review = _json(request)
        wish = review.get("spec", {}).get("resourceAttributes") or {}
        resource = wish.get("resource", "")
        if wish.get("subresource"):
            resource += f"/{wish['subresource']}"
        allowed = self.gatekeeper.allows(
            Attempt(
                user=user,
                verb=wish.get("verb", ""),
                group=wish.get("group", ""),
                resource=resource,
                namespace=wish.get("namespace") or None,
                name=wish.get("name", ""),
            )
        )
        return {**review, "status": {"allowed": allowed}}

    def _after_write(self, kind: Kind, thing: Json) -> None:
        """A definition is served once it is kept, and no more once it is gone."""
        if kind.stored != DEFINITIONS or thing.get("kind") == "Status":
            return
        spec = thing["spec"]
        self.kinds.drop(spec["group"], spec["names"]["plural"])
        key = ("", thing["metadata"]["name"])
        kept = self.store.read(kind.stored, key)
        if kept is None:
            return
        for made in kinds_of(thing):
            self.kinds.add(made)
        conditions = [
            {"type": name, "status": "True", "reason": reason, "message": ""}
            for name, reason in (
                ("NamesAccepted", "NoConflicts"),
                ("Established", "InitialNamesAccepted"),
            )
        ]
        if "status" not in kept:
            status = {
                "conditions": conditions,
                "acceptedNames": spec["names"],
                "storedVersions": [],
            }
            self.objects.replace(kind, key, {**kept, "status": status}, part="status")


def _is_dry(request: Request) -> bool:
    return bool(request.query.get("dryRun"))


def _json(request: Request) -> Json:
    """A whole object in a body: JSON only, though the real server also reads protobuf and YAML."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip()
    if media_type not in ("application/json", "", "*/*"):
        raise failures.unsupported_media_type(["application/json"])
    return request.json()
