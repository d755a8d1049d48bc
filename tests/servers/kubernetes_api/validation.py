"""What an object must be to be kept: names, labels, sizes, and the rules of the kinds that matter here.

Types that do not fit are 400, as they fail before anything judges them; values that may not be are 422
with every cause.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.servers.kubernetes_api.failures import Refusal, bad_request, invalid
from tests.servers.kubernetes_api.kinds import Kind, path_of

Json = dict[str, Any]
Causes = list[tuple[str, str]]

ANNOTATION_BYTES_MAX = 256 * 1024
DATA_BYTES_MAX = 1024 * 1024
REPLICAS_MAX = 2**31 - 1

_SUBDOMAIN = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$")
_LABEL = re.compile(r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
_VALUE = re.compile(r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$")
_DATA_KEY = re.compile(r"^[-._a-zA-Z0-9]+$")
_MICRO_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(Z|[+-]\d\d:\d\d)$")
_TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")

DNS_NAMED = frozenset({"namespaces", "services"})


def check_types(kind: Kind, thing: Any) -> None:
    """Raise 400 for what does not fit the kind's types."""

    def unfit(why: str) -> Refusal:
        return bad_request(
            f'{kind.kind} in version "{kind.version}" cannot be handled as a {kind.kind}: {why}'
        )

    metadata = thing.get("metadata", {})
    if not isinstance(metadata, dict):
        raise unfit("json: cannot unmarshal into Go struct field .metadata of type v1.ObjectMeta")
    for field in ("labels", "annotations"):
        found = metadata.get(field)
        if found is None:
            continue
        if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
            raise unfit(
                f"json: cannot unmarshal into Go struct field ObjectMeta.metadata.{field} "
                "of type string"
            )
    for path, fits, name in _TYPES.get(kind.plural, ()):
        value = _at(thing, path)
        if value is not None and not fits(value):
            dotted = ".".join(path)
            raise unfit(
                f"json: cannot unmarshal {value!r} into Go struct field {dotted} of type {name}"
            )


def _at(thing: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        thing = thing.get(key) if isinstance(thing, Mapping) else None
    return thing


def _is_int32(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and -(2**31) <= value < 2**31


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_micro_time(value: Any) -> bool:
    return isinstance(value, str) and _MICRO_TIME.match(value) is not None


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and _TIME.match(value) is not None


def _is_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


_Type = tuple[tuple[str, ...], Callable[[Any], bool], str]
_REPLICATED: tuple[_Type, ...] = (
    (("spec",), _is_object, "v1.Spec"),
    (("spec", "replicas"), _is_int32, "int32"),
    (("spec", "template"), _is_object, "v1.PodTemplateSpec"),
)
_TYPES: dict[str, tuple[_Type, ...]] = {
    "deployments": _REPLICATED,
    "statefulsets": _REPLICATED,
    "replicasets": _REPLICATED,
    "scale": (
        (("spec",), _is_object, "v1.ScaleSpec"),
        (("spec", "replicas"), _is_int32, "int32"),
    ),
    "leases": (
        (("spec",), _is_object, "v1.LeaseSpec"),
        (("spec", "holderIdentity"), _is_text, "string"),
        (("spec", "leaseDurationSeconds"), _is_int32, "int32"),
        (("spec", "leaseTransitions"), _is_int32, "int32"),
        (("spec", "acquireTime"), _is_micro_time, "v1.MicroTime"),
        (("spec", "renewTime"), _is_micro_time, "v1.MicroTime"),
    ),
    "configmaps": (
        (("data",), _is_texts, "string"),
        (("binaryData",), _is_texts, "[]uint8"),
    ),
    "secrets": ((("data",), _is_texts, "[]uint8"), (("stringData",), _is_texts, "string")),
    "events": (
        (("involvedObject",), _is_object, "v1.ObjectReference"),
        (("regarding",), _is_object, "v1.ObjectReference"),
        (("count",), _is_int32, "int32"),
        (("eventTime",), _is_micro_time, "v1.MicroTime"),
        (("firstTimestamp",), _is_time, "v1.Time"),
        (("lastTimestamp",), _is_time, "v1.Time"),
        (("message",), _is_text, "string"),
        (("series", "count"), _is_int32, "int32"),
        (("series", "lastObservedTime"), _is_micro_time, "v1.MicroTime"),
    ),
    "horizontalpodautoscalers": (
        (("spec",), _is_object, "v2.HorizontalPodAutoscalerSpec"),
        (("spec", "minReplicas"), _is_int32, "int32"),
        (("spec", "maxReplicas"), _is_int32, "int32"),
    ),
}


def check(kind: Kind, thing: Json, old: Json | None) -> None:
    """Raise 422 with every cause for what may not be. ``old`` is what it replaces."""
    causes: Causes = []
    _metadata(kind, thing["metadata"], causes)
    rule = _RULES.get(kind.plural) if not kind.is_custom else None
    if rule is not None:
        rule(thing, old, causes)
    if kind.is_custom and kind.schema:
        _structure(kind.schema, thing, "", causes)
    if causes:
        raise invalid(kind, thing["metadata"].get("name", ""), causes)


def _metadata(kind: Kind, metadata: Json, causes: Causes) -> None:
    name = metadata.get("name", "")
    is_path_name = kind.group == "rbac.authorization.k8s.io"
    pattern = _LABEL if kind.plural in DNS_NAMED else _SUBDOMAIN
    longest = 63 if kind.plural in DNS_NAMED else 253
    if not is_path_name and (not pattern.match(name) or len(name) > longest):
        sentence = (
            f'Invalid value: "{name}": a lowercase RFC 1123 name must consist of lower case '
            "alphanumeric characters, '-' or '.', and must start and end with an alphanumeric "
            "character"
        )
        causes.append(("metadata.name", sentence))
    for key, value in (metadata.get("labels") or {}).items():
        plain = key.rpartition("/")[2]
        if not plain or not _VALUE.match(plain) or len(plain) > 63:
            causes.append(("metadata.labels", f'Invalid value: "{key}": name part must be valid'))
        if not _VALUE.match(value) or len(value) > 63:
            sentence = (
                f'Invalid value: "{value}": a valid label must be an empty string or consist of '
                "alphanumeric characters, '-', '_' or '.'"
            )
            causes.append(("metadata.labels", sentence))
    annotations = metadata.get("annotations") or {}
    size = sum(len(key.encode()) + len(value.encode()) for key, value in annotations.items())
    if size > ANNOTATION_BYTES_MAX:
        causes.append(
            ("metadata.annotations", f"Too long: may not be more than {ANNOTATION_BYTES_MAX} bytes")
        )


def _not_negative(thing: Json, path: str, causes: Causes) -> None:
    value = _at(thing, path_of(path))
    if value is not None and value < 0:
        causes.append((path, f"Invalid value: {value}: must be greater than or equal to 0"))


def _replicated(thing: Json, old: Json | None, causes: Causes) -> None:
    _not_negative(thing, "spec.replicas", causes)
    selector = _at(thing, ("spec", "selector"))
    labels = _at(thing, ("spec", "template", "metadata", "labels")) or {}
    if not selector:
        causes.append(("spec.selector", "Required value"))
    else:
        wanted = selector.get("matchLabels") or {}
        if any(labels.get(key) != value for key, value in wanted.items()):
            causes.append(
                ("spec.template.metadata.labels",
                 f"Invalid value: {json.dumps(labels)}: `selector` does not match template `labels`")
            )  # fmt: skip
    if old is not None and selector != _at(old, ("spec", "selector")):
        causes.append(
            ("spec.selector", f"Invalid value: {json.dumps(selector)}: field is immutable")
        )
    containers = _at(thing, ("spec", "template", "spec", "containers"))
    if not containers:
        causes.append(("spec.template.spec.containers", "Required value"))
    for index, container in enumerate(containers or ()):
        for field in ("name", "image"):
            if not container.get(field):
                causes.append((f"spec.template.spec.containers[{index}].{field}", "Required value"))


def _lease(thing: Json, _: Json | None, causes: Causes) -> None:
    seconds = _at(thing, ("spec", "leaseDurationSeconds"))
    if seconds is not None and seconds <= 0:
        causes.append(
            ("spec.leaseDurationSeconds", f"Invalid value: {seconds}: must be greater than 0")
        )
    _not_negative(thing, "spec.leaseTransitions", causes)


def _data(thing: Json, old: Json | None, causes: Causes) -> None:
    texts, binaries = thing.get("data") or {}, thing.get("binaryData") or {}
    for key in (*texts, *binaries):
        if not _DATA_KEY.match(key) or len(key) > 253:
            causes.append(
                (f"data[{key}]", f'Invalid value: "{key}": a valid config key must match')
            )
    size = sum(len(text.encode()) for text in texts.values())
    for key, text in binaries.items():
        try:
            size += len(base64.b64decode(text, validate=True))
        except binascii.Error:
            raise bad_request(f"illegal base64 data at input byte 0 of binaryData[{key}]") from None
    if size > DATA_BYTES_MAX:
        causes.append(("", f"Too long: may not be more than {DATA_BYTES_MAX} bytes"))
    if old is not None and old.get("immutable") and thing.get("data") != old.get("data"):
        causes.append(("data", "Forbidden: field is immutable when `immutable` is set"))


def _autoscaler(thing: Json, _: Json | None, causes: Causes) -> None:
    least, most = _at(thing, ("spec", "minReplicas")), _at(thing, ("spec", "maxReplicas"))
    target = _at(thing, ("spec", "scaleTargetRef")) or {}
    for field in ("kind", "name"):
        if not target.get(field):
            causes.append((f"spec.scaleTargetRef.{field}", "Required value"))
    if most is None or most < 1:
        causes.append(("spec.maxReplicas", f"Invalid value: {most or 0}: must be greater than 0"))
    elif least is not None and most < least:
        causes.append(
            ("spec.maxReplicas",
             f"Invalid value: {most}: must be greater than or equal to `minReplicas`")
        )  # fmt: skip


def _slice(thing: Json, old: Json | None, causes: Causes) -> None:
    if thing.get("addressType") not in ("IPv4", "IPv6", "FQDN"):
        causes.append(("addressType", "Required value"))
    if old is not None and old.get("addressType") != thing.get("addressType"):
        causes.append(("addressType", "Invalid value: field is immutable"))
    for index, endpoint in enumerate(thing.get("endpoints") or ()):
        if not 1 <= len(endpoint.get("addresses") or ()) <= 100:
            causes.append(
                (f"endpoints[{index}].addresses", "Required value: must contain at least 1")
            )


def _event(thing: Json, _: Json | None, causes: Causes) -> None:
    involved = thing.get("involvedObject") or thing.get("regarding") or {}
    namespace = thing["metadata"].get("namespace", "")
    if (involved.get("namespace") or "default") != namespace:
        causes.append(("involvedObject.namespace", "Invalid value: does not match event.namespace"))
    if not thing.get("eventTime") and "regarding" in thing:
        causes.append(("eventTime", "Required value"))
    if thing.get("eventTime"):  # the newer rules
        for field in ("reportingComponent", "reportingInstance", "action", "reason"):
            other = "reportingController" if field == "reportingComponent" else field
            if not (thing.get(field) or thing.get(other)):
                causes.append((field, "Required value"))
    if len(thing.get("message") or thing.get("note") or "") > 1024 and thing.get("eventTime"):
        causes.append(("message", "Invalid value: can have at most 1024 characters"))


def _definition(thing: Json, _: Json | None, causes: Causes) -> None:
    spec = thing.get("spec") or {}
    names = spec.get("names") or {}
    if thing["metadata"].get("name") != f"{names.get('plural')}.{spec.get('group')}":
        causes.append(("metadata.name", 'Invalid value: must be spec.names.plural+"."+spec.group'))
    if spec.get("scope") not in ("Namespaced", "Cluster"):
        causes.append(("spec.scope", "Required value"))
    versions = spec.get("versions") or ()
    if sum(bool(version.get("storage")) for version in versions) != 1:
        causes.append(
            (
                "spec.versions",
                "Invalid value: must have exactly one version marked as storage version",
            )
        )
    for index, version in enumerate(versions):
        if not _at(version, ("schema", "openAPIV3Schema")):
            causes.append(
                (
                    f"spec.versions[{index}].schema.openAPIV3Schema",
                    "Required value: schemas are required",
                )
            )
        scale = _at(version, ("subresources", "scale"))
        for field in ("specReplicasPath", "statusReplicasPath"):
            if scale is not None and not str(scale.get(field, "")).startswith("."):
                causes.append(
                    (f"spec.versions[{index}].subresources.scale.{field}", "Required value")
                )


def _structure(schema: Mapping[str, Any], value: Any, path: str, causes: Causes) -> None:
    """The part of an OpenAPI schema that custom resources are judged by here; unknown fields go."""
    wanted = schema.get("type")
    fits = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int,
            "number": (int, float)}.get(wanted or "", object)  # fmt: skip
    if not isinstance(value, fits) or (wanted in ("integer", "number") and isinstance(value, bool)):  # type: ignore[arg-type]  # a class, whichever
        causes.append(
            (
                path,
                f'Invalid value: "{type(value).__name__}": {path} in body must be of type {wanted}: "{value}"',
            )
        )
        return
    if isinstance(value, dict):
        known = schema.get("properties") or {}
        for name in schema.get("required") or ():
            if name not in value:
                causes.append((f"{path}.{name}".lstrip("."), "Required value"))
        rest = schema.get("additionalProperties")
        keeps = schema.get("x-kubernetes-preserve-unknown-fields") or bool(rest) or not path
        for name in list(value):
            inner = known.get(name) or (rest if isinstance(rest, dict) else None)
            if path == "" and name in ("apiVersion", "kind", "metadata"):
                continue
            if inner is not None:
                _structure(inner, value[name], f"{path}.{name}".lstrip("."), causes)
            elif not keeps or (not path and not schema.get("x-kubernetes-preserve-unknown-fields")):
                del value[name]
    elif isinstance(value, list) and "items" in schema:
        for index, entry in enumerate(value):
            _structure(schema["items"], entry, f"{path}[{index}]", causes)
    elif "minimum" in schema and value < schema["minimum"]:
        causes.append(
            (
                path,
                f"Invalid value: {value}: {path} in body should be greater than or equal to {schema['minimum']}",
            )
        )


_RULES: dict[str, Callable[[Json, Json | None, Causes], None]] = {
    "deployments": _replicated,
    "statefulsets": _replicated,
    "replicasets": _replicated,
    "leases": _lease,
    "configmaps": _data,
    "horizontalpodautoscalers": _autoscaler,
    "endpointslices": _slice,
    "events": _event,
    "customresourcedefinitions": _definition,
}
