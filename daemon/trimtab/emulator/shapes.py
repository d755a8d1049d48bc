"""Deployment shapes and their immutable versions.

Every change of a shape makes a new version. A deployment refers to a version; naming the shape
alone means its latest validated one. Shapes carry hardware and precision, never replica bounds.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from trimtab.emulator.catalog import MODELS, SHAPES, find_model
from trimtab.emulator.hardware import ACCELERATORS, accelerators_needed
from trimtab.emulator.refusals import invalid, not_found

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

    from trimtab.emulator.account import Account
    from trimtab.emulator.messages import Value

ID_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789"


def random_id(rng: Random) -> str:
    """Return an id as the platform makes them: eight letters or digits."""
    return "".join(rng.choice(ID_LETTERS) for _ in range(8))


@dataclass(slots=True, eq=False)
class ShapeVersion:
    """One frozen state of a shape."""

    id: str
    created_at: float
    snapshot: Value
    is_validated: bool = False
    is_public: bool = False


@dataclass(slots=True, eq=False)
class Shape:
    """A shape: the latest settings, and every version there ever was, oldest first."""

    account: str
    id: str
    spec: Value
    created_at: float
    updated_at: float
    versions: list[ShapeVersion] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The resource name."""
        return f"accounts/{self.account}/deploymentShapes/{self.id}"

    @property
    def latest_validated(self) -> ShapeVersion | None:
        """The version that the shape's bare name stands for."""
        validated = [version for version in self.versions if version.is_validated]
        return validated[-1] if validated else None

    @property
    def is_public(self) -> bool:
        """Whether other accounts can see any of it."""
        return any(version.is_public for version in self.versions)

    def add_version(
        self, version_id: str, now: float, *, is_validated: bool, is_public: bool
    ) -> None:
        """Freeze the present settings as a new version."""
        self.updated_at = now
        snapshot = message_value(self)
        self.versions.append(ShapeVersion(version_id, now, snapshot, is_validated, is_public))

    def version_name(self, version: ShapeVersion) -> str:
        """Return a version's resource name."""
        return f"{self.name}/versions/{version.id}"


def message_value(shape: Shape) -> Value:
    """Return the DeploymentShape message in canonical form."""
    value = copy.deepcopy(shape.spec)
    model = find_model(shape.spec.get("baseModel", ""))
    value.update(name=shape.name, createTime=shape.created_at, updateTime=shape.updated_at)
    if model is not None:
        value["modelType"] = model.model_type
        value["parameterCount"] = round(model.billions * 1e9)
    return value


def version_value(shape: Shape, version: ShapeVersion) -> Value:
    """Return the DeploymentShapeVersion message in canonical form."""
    return {
        "name": shape.version_name(version),
        "createTime": version.created_at,
        "snapshot": version.snapshot,
        "validated": version.is_validated,
        "public": version.is_public,
        "latestValidated": version is shape.latest_validated,
    }


def public_shapes(account_id: str, now: float) -> dict[str, Shape]:
    """Return the shapes of the catalogue, a second apart so that their order is stable."""
    models = {model.id: model for model in MODELS}
    shapes: dict[str, Shape] = {}
    for index, row in enumerate(SHAPES):
        at = now - 90 * 86400.0 + index
        spec: Value = {
            "displayName": row.id,
            "baseModel": models[row.model].name,
            "acceleratorCount": row.accelerator_count,
            "acceleratorType": row.accelerator_type,
            "precision": row.precision,
            "presetType": row.preset,
            "enableAddons": row.enable_addons,
            "maxContextLength": models[row.model].context_tokens,
        }
        shape = Shape(account_id, row.id, spec, at, at)
        shape.add_version(row.version, at, is_validated=True, is_public=True)
        shapes[row.id] = shape
    return shapes


def complete(spec: Value) -> Value:
    """Return a shape's settings with the documented defaults filled in."""
    value = dict(spec)
    if value.get("acceleratorType", "ACCELERATOR_TYPE_UNSPECIFIED") not in ACCELERATORS:
        value["acceleratorType"] = "NVIDIA_A100_80GB"
    if not value.get("acceleratorCount"):
        model = find_model(value["baseModel"])
        value["acceleratorCount"] = accelerators_needed(
            8.0 if model is None else model.billions,
            value["acceleratorType"],
            value.get("precision", "PRECISION_UNSPECIFIED"),
        )
    return value


def check(spec: Value) -> None:
    """Refuse a shape that cannot be meant."""
    if not spec.get("baseModel"):
        raise invalid("invalid deployment shape: base_model is required")
    if len(spec.get("displayName", "")) >= 64:
        raise invalid("invalid deployment shape: display_name must be fewer than 64 characters")
    if len(spec.get("description", "")) >= 1000:
        raise invalid("invalid deployment shape: description must be fewer than 1000 characters")
    counts = ("acceleratorCount", "draftTokenCount", "ngramSpeculationLength")
    for name in (*counts, "numLoraDeviceCached", "maxContextLength"):
        if spec.get(name, 0) < 0:
            raise invalid(f"invalid deployment shape: {name} must be non-negative")


def visible(accounts: dict[str, Account], key: str) -> Iterator[tuple[Account, Shape]]:
    """Yield every shape that this key may see, of all accounts."""
    for account in accounts.values():
        for shape in account.shapes.values():
            if account.is_opened_by(key) or shape.is_public:
                yield account, shape


def visible_versions(account: Account, shape: Shape, key: str) -> list[ShapeVersion]:
    """Return the versions that this key may see: all of one's own, the public ones of others."""
    if account.is_opened_by(key):
        return list(shape.versions)
    return [version for version in shape.versions if version.is_public]


def resolve(
    accounts: dict[str, Account], key: str, reference: str, *, is_unvalidated_allowed: bool
) -> tuple[Shape, ShapeVersion]:
    """Find the version that a deployment's ``deploymentShape`` names.

    Raises ``Refusal``: 400 for a malformed name or an unvalidated version, 404 for a missing one.
    """
    parts = reference.split("/")
    is_version = len(parts) == 6 and parts[4] == "versions"
    if parts[0] != "accounts" or len(parts) not in {4, 6} or parts[2] != "deploymentShapes":
        raise invalid(f"invalid deployment shape name: {reference!r}")
    if len(parts) == 6 and not is_version:
        raise invalid(f"invalid deployment shape name: {reference!r}")
    account = accounts.get(parts[1])
    shape = None if account is None else account.shapes.get(parts[3])
    if account is None or shape is None:
        raise not_found("deployment shape", reference)
    candidates = visible_versions(account, shape, key)
    if not is_version:
        latest = shape.latest_validated
        if latest is None and is_unvalidated_allowed and candidates:
            return shape, candidates[-1]
        if latest is None or latest not in candidates:
            raise invalid(f"deployment shape {reference!r} has no validated version")
        return shape, latest
    for version in candidates:
        if version.id == parts[5]:
            if not (version.is_validated or is_unvalidated_allowed):
                raise invalid(
                    f"deployment shape version {reference!r} is not validated, "
                    "pass skip_shape_validation to use it anyway"
                )
            return shape, version
    raise not_found("deployment shape version", reference)


def matching(
    accounts: dict[str, Account], key: str, base_model: str, *, with_addons: bool
) -> list[tuple[Shape, ShapeVersion]]:
    """Return the latest validated versions that ``base_model`` can be deployed on."""
    found: list[tuple[Shape, ShapeVersion]] = []
    for account, shape in visible(accounts, key):
        latest = shape.latest_validated
        if latest is None or latest not in visible_versions(account, shape, key):
            continue
        fits = latest.snapshot.get("baseModel") == base_model
        if fits and (not with_addons or latest.snapshot.get("enableAddons")):
            found.append((shape, latest))
    return found
