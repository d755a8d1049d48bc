"""Lists: selected, cut into pages that stay in the state in which the first was read."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any

from tests.servers.kubernetes_api import failures
from tests.servers.kubernetes_api.kinds import Kind
from tests.servers.kubernetes_api.objects import Objects
from tests.servers.kubernetes_api.requests import Request, Route
from tests.servers.kubernetes_api.selectors import fields_match, labels_match
from tests.servers.kubernetes_api.store import Key

Json = dict[str, Any]


def selected(kind: Kind, request: Request) -> Callable[[Json], bool]:
    """What judges whether an object belongs to what was asked for."""
    by_labels = labels_match(request.query.get("labelSelector", ""))
    by_fields = fields_match(request.query.get("fieldSelector", ""), kind)
    return lambda thing: by_labels(thing["metadata"].get("labels") or {}) and by_fields(thing)


def listed(
    objects: Objects,
    kind: Kind,
    route: Route,
    request: Request,
    *,
    stale_revision: int | None = None,
) -> Json:
    """Answer a list. ``stale_revision``: what the server's cache knows, for those who ask for any."""
    store = objects.store
    limit = request.number("limit") or 0
    asked = request.query.get("resourceVersion", "")
    after: Key | None = None
    revision = store.revision
    if request.query.get("continue"):
        if asked:
            raise failures.bad_request(
                "specifying resource version is not allowed when using continue"
            )
        revision, after = _read_continue(request.query["continue"])
        if revision < 0:  # the rest of a list whose state is forgotten: as it is now
            revision = store.revision
        elif revision < store.oldest:
            raise failures.continue_too_old(_write_continue(-1, after))
    elif asked == "0":
        limit = 0  # the cache answers, and it does not cut
        revision = store.revision if stale_revision is None else stale_revision
    elif asked:
        wanted = _version(asked)
        if wanted > store.revision:
            raise failures.version_too_large(wanted, store.revision)
        if request.query.get("resourceVersionMatch") == "Exact":
            if wanted < store.oldest:
                raise failures.too_old(wanted, store.oldest)
            revision = wanted
    belongs = selected(kind, request)
    found = [
        (key, thing)
        for key, thing in store.all(kind.stored, revision)
        if (not route.namespace or key[0] == route.namespace)
        and (after is None or key > after)
        and belongs(thing)
    ]
    page = found[:limit] if limit > 0 else found
    metadata: Json = {"resourceVersion": str(revision)}
    if len(found) > len(page):
        metadata["continue"] = _write_continue(revision, page[-1][0])
        if not (request.query.get("labelSelector") or request.query.get("fieldSelector")):
            metadata["remainingItemCount"] = len(found) - len(page)
    return {
        "kind": f"{kind.kind}List",
        "apiVersion": kind.api_version,
        "metadata": metadata,
        "items": [_entry(objects, kind, thing) for _, thing in page],
    }


def _entry(objects: Objects, kind: Kind, thing: Json) -> Json:
    shown = objects.shown(kind, thing)
    if not kind.is_custom:  # entries of built-in lists leave out what the list says
        del shown["kind"], shown["apiVersion"]
    return shown


def _version(text: str) -> int:
    if not text.isdigit():
        raise failures.bad_request(f'Invalid value: "{text}": strconv.ParseUint: invalid syntax')
    return int(text)


def _write_continue(revision: int, after: Key) -> str:
    text = json.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": list(after)})
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_continue(token: str) -> tuple[int, Key]:
    try:
        found = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, name = found["start"]
        return int(found["rv"]), (str(namespace), str(name))
    except (binascii.Error, ValueError, KeyError, TypeError):
        raise failures.bad_request("continue key is not valid") from None


def version_of(text: str) -> int:
    """The number behind a version, for the server itself: clients may only compare for equality."""
    return _version(text)
