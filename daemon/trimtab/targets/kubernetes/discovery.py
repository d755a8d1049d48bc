"""Finds out how a cluster serves what the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.errors import ErrorKind
from trimtab.kubernetes.api import KubernetesError
from trimtab.targets.kubernetes.kinds import kind_of, preferred_version, split_resource

if TYPE_CHECKING:
    from trimtab.kubernetes.api import Api
    from trimtab.targets.kubernetes.kinds import Kind


async def find_kind(api: Api, resource: str) -> Kind:
    """Return the kind that ``resource`` (``deployments.apps``) is, in the version that the API prefers.

    Raises ``KubernetesError``: ``not_found`` where the cluster does not serve it, ``rejected`` where it
    cannot be scaled.
    """
    _, group = split_resource(resource)
    try:
        version = preferred_version(await api.call("GET", f"/apis/{group}"))
    except KubernetesError as error:
        if error.kind is not ErrorKind.NOT_FOUND:
            raise
        version = ""
    if not version:
        raise KubernetesError(
            f"the cluster serves no {resource}; install what defines it, or take it out of the settings",
            kind=ErrorKind.NOT_FOUND,
        )
    return kind_of(resource, version, await api.call("GET", f"/apis/{group}/{version}"))


async def is_served(api: Api, group: str) -> bool:
    """Whether the cluster serves an API group at all."""
    try:
        await api.call("GET", f"/apis/{group}")
    except KubernetesError as error:
        if error.kind is ErrorKind.NOT_FOUND:
            return False
        raise
    return True
