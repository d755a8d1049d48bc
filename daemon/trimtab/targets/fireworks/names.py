"""Resource names: ``accounts/{a}/deployments/{d}`` and its siblings, taken apart and put together.

A deployment's ``deploymentShape`` comes back as the name of a shape *version*; whoever compares it
with the shape that was asked for finds a difference that never goes away.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from trimtab.targets.fireworks.errors import unsent

_ID = re.compile(r"[^/:?#%\s\x00-\x1f]+\Z")
_VERSION_SUFFIX = re.compile(r"/versions/[^/]+\Z")


def deployment_name(account_id: str, deployment: str) -> str:
    """Return the full name of ``deployment``, which may be an id or already a full name."""
    return f"accounts/{account_id}/deployments/{deployment_id(account_id, deployment)}"


def deployment_id(account_id: str, deployment: str) -> str:
    """Return the last part of a deployment's name, checked to be one segment of a path.

    A full name sent as an id would arrive as ``accounts%2F…`` and find nothing. Raises
    ``FireworksError`` for an id that is none, and for a deployment of another account.
    """
    prefix = f"accounts/{account_id}/deployments/"
    return checked_id("deployment", deployment.removeprefix(prefix))


def checked_id(noun: str, text: str) -> str:
    """Return ``text`` if it can be one segment of a path; else raise ``FireworksError``."""
    if _ID.match(text) is None or text in {".", ".."}:
        raise unsent(
            f"{noun} id {text!r} is not one segment of a path; pass the last part of its name, "
            f"and only for this account"
        )
    return text


def resource_path(account_id: str, collection: str, resource: str) -> str:
    """Return the path of ``resource``, given as a full name of any account or as an id of this one.

    Shapes of public models belong to the account ``fireworks``, so a full name keeps its own.
    """
    if not resource.startswith("accounts/"):
        resource = f"accounts/{account_id}/{collection}/{resource}"
    segments = resource.split("/")
    for segment in segments:
        checked_id(collection, segment)
    if len(segments) % 2:
        raise unsent(f"{resource!r} is not a resource name; it lacks the id of a {segments[-1]}")
    return "/".join(quote(segment, safe="-._~@") for segment in segments)


def shape_of_version(name: str) -> str:
    """Return the shape's name for a shape *version's* name; a shape's own name stays as it is."""
    return _VERSION_SUFFIX.sub("", name)


def is_version(name: str) -> bool:
    """Whether ``name`` names a shape version."""
    return _VERSION_SUFFIX.search(name) is not None
