"""What is served, told to clients that ask before they speak."""

from __future__ import annotations

from typing import Any

from tests.servers.kubernetes_api.kinds import VERBS, Catalogue, Kind

Json = dict[str, Any]

VERSION = {
    "major": "1",
    "minor": "32",
    "gitVersion": "v1.32.0",
    "gitCommit": "0000000000000000000000000000000000000000",
    "gitTreeState": "clean",
    "buildDate": "2024-12-11T00:00:00Z",
    "goVersion": "go1.23.3",
    "compiler": "gc",
    "platform": "linux/amd64",
}


def core_versions() -> Json:
    return {
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [{"clientCIDR": "0.0.0.0/0", "serverAddress": "127.0.0.1"}],
    }


def groups(catalogue: Catalogue) -> Json:
    found = [_group(name, versions) for name, versions in catalogue.versions().items()]
    found += [_group("authorization.k8s.io", ["v1"])]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": found}


def group(catalogue: Catalogue, name: str) -> Json | None:
    listed = groups(catalogue)["groups"]
    found = next((entry for entry in listed if entry["name"] == name), None)
    return None if found is None else {"kind": "APIGroup", "apiVersion": "v1", **found}


def _group(name: str, versions: list[str]) -> Json:
    named = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": named, "preferredVersion": named[0]}


def resources(catalogue: Catalogue, name: str, version: str) -> Json | None:
    api_version = f"{name}/{version}" if name else version
    found: list[Json] = []
    for kind in catalogue:
        if kind.api_version == api_version:
            found += _resources(kind)
    if api_version == "authorization.k8s.io/v1":
        found.append(
            {
                "name": "selfsubjectaccessreviews",
                "singularName": "selfsubjectaccessreview",
                "namespaced": False,
                "kind": "SelfSubjectAccessReview",
                "verbs": ["create"],
            }
        )
    if not found:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": api_version,
        "resources": found,
    }


def _resources(kind: Kind) -> list[Json]:
    main: Json = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.is_namespaced,
        "kind": kind.kind,
        "verbs": list(VERBS),
    }
    if kind.short_names:
        main["shortNames"] = list(kind.short_names)
    found = [main]
    for subresource in kind.subresources:
        part: Json = {
            "name": f"{kind.plural}/{subresource}",
            "singularName": "",
            "namespaced": kind.is_namespaced,
            "kind": kind.kind,
            "verbs": ["get", "patch", "update"],
        }
        if subresource == "scale":
            part |= {"group": "autoscaling", "version": "v1", "kind": "Scale"}
        found.append(part)
    return found
