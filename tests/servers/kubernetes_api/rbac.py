"""Who may do what: bearer tokens, and the roles and bindings that are kept like any other object."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.servers.kubernetes_api import failures
from tests.servers.kubernetes_api.store import Store

_GROUP = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    name: str
    groups: tuple[str, ...] = ()

    @property
    def all_groups(self) -> tuple[str, ...]:
        return (*self.groups, "system:authenticated")


ADMIN = User(name="admin", groups=("system:masters",))
"""May do everything, whatever the roles say."""


def service_account(namespace: str, name: str) -> User:
    return User(
        name=f"system:serviceaccount:{namespace}:{name}",
        groups=("system:serviceaccounts", f"system:serviceaccounts:{namespace}"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What somebody wants to do. ``resource`` has its subresource: ``deployments/scale``."""

    user: User
    verb: str
    group: str
    resource: str
    namespace: str | None
    name: str = ""


class Gatekeeper:
    """Knows tokens, and asks the store's roles."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._users: dict[str, User] = {}

    def let_in(self, token: str, user: User) -> None:
        self._users[token] = user

    def revoke(self, token: str) -> None:
        self._users.pop(token, None)

    def who(self, headers: Mapping[str, str]) -> User:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or token.strip() not in self._users:
            raise failures.unauthorized()
        return self._users[token.strip()]

    def check(self, attempt: Attempt) -> None:
        if not self.allows(attempt):
            raise failures.forbidden(
                user=attempt.user.name,
                verb=attempt.verb,
                group=attempt.group,
                resource=attempt.resource,
                namespace=attempt.namespace,
                name=attempt.name,
            )

    def allows(self, attempt: Attempt) -> bool:
        if "system:masters" in attempt.user.groups:
            return True
        return any(_covers(rule, attempt) for rule in self._rules(attempt))

    def _rules(self, attempt: Attempt) -> Iterator[Mapping[str, Any]]:
        for (_, _), binding in self._store.all((_GROUP, "clusterrolebindings")):
            if _binds(binding, attempt.user):
                yield from self._role(binding["roleRef"], "")
        for (namespace, _), binding in self._store.all((_GROUP, "rolebindings")):
            if namespace == attempt.namespace and _binds(binding, attempt.user, namespace):
                yield from self._role(binding["roleRef"], namespace)

    def _role(self, reference: Mapping[str, Any], namespace: str) -> Iterator[Mapping[str, Any]]:
        plural = "clusterroles" if reference["kind"] == "ClusterRole" else "roles"
        key = ("" if plural == "clusterroles" else namespace, reference["name"])
        role = self._store.read((_GROUP, plural), key)
        yield from (role or {}).get("rules") or ()


def _binds(binding: Mapping[str, Any], user: User, namespace: str = "") -> bool:
    for subject in binding.get("subjects") or ():
        if subject["kind"] == "ServiceAccount":
            place = subject.get("namespace") or namespace
            if user.name == f"system:serviceaccount:{place}:{subject['name']}":
                return True
        elif (subject["kind"] == "User" and subject["name"] == user.name) or (
            subject["kind"] == "Group" and subject["name"] in user.all_groups
        ):
            return True
    return False


def _covers(rule: Mapping[str, Any], attempt: Attempt) -> bool:
    def has(field: str, *wanted: str) -> bool:
        return not {"*", *wanted}.isdisjoint(rule.get(field) or ())

    _, _, subresource = attempt.resource.partition("/")
    wide = (f"*/{subresource}",) if subresource else ()
    names = rule.get("resourceNames")
    return (
        has("verbs", attempt.verb)
        and has("apiGroups", attempt.group)
        and has("resources", attempt.resource, *wide)
        and (not names or attempt.name in names)
    )
