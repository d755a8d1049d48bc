"""The deployment shape endpoints: shapes, their versions, and matching a model to them."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

from trimtab.emulator import masks, schema, shapes, validation
from trimtab.emulator.calls import WILDCARD, update_paths
from trimtab.emulator.listing import ListQuery, list_page
from trimtab.emulator.refusals import already_exists, invalid, not_found
from trimtab.emulator.shapes import Shape, ShapeVersion

if TYPE_CHECKING:
    from trimtab.emulator.calls import Call

Answer = dict[str, Any]


def _find(call: Call, *, is_read: bool) -> Shape:
    account = call.account(is_read_of_public=is_read)
    shape = account.shapes.get(call.id("shape"))
    if shape is None or not (shape.is_public or account.is_opened_by(call.key)):
        raise not_found("deployment shape", f"{account.name}/deploymentShapes/{call.id('shape')}")
    return shape


def _versions(call: Call, shape: Shape) -> list[ShapeVersion]:
    account = call.emulation.accounts[shape.account]
    return shapes.visible_versions(account, shape, call.key)


def _find_version(call: Call, *, is_read: bool) -> tuple[Shape, ShapeVersion]:
    shape = _find(call, is_read=is_read)
    version_id = call.id("version")
    for version in _versions(call, shape):
        if version.id == version_id:
            return shape, version
    raise not_found("deployment shape version", f"{shape.name}/versions/{version_id}")


def _visible(call: Call) -> list[Shape]:
    """Return the shapes that the account in the path, or its wildcard, stands for."""
    wanted = {account.id for account in call.accounts()}
    everything = shapes.visible(call.emulation.accounts, call.key)
    return [shape for account, shape in everything if account.id in wanted]


async def list_shapes(call: Call) -> Answer:
    """ListDeploymentShapes; ``targetModel`` keeps those that the model can be deployed on."""
    target = call.text("targetModel")
    values = [
        shapes.message_value(shape)
        for shape in _visible(call)
        if not target or shape.spec.get("baseModel") == target
    ]
    return call.page("deploymentShapes", schema.SHAPE, values, target)


async def get_shape(call: Call) -> Answer:
    """GetDeploymentShape."""
    call.flag("skipShapeValidation")
    return call.rendered(schema.SHAPE, shapes.message_value(_find(call, is_read=True)))


async def create_shape(call: Call) -> Answer:
    """CreateDeploymentShape: the first version is neither validated nor public."""
    account = call.account()
    emulation = call.emulation
    _, spec = await call.body(schema.SHAPE)
    shapes.check(spec)
    shape_id = call.text("deploymentShapeId")
    if shape_id:
        validation.check_id("deployment shape", shape_id)
    else:
        shape_id = shapes.random_id(emulation.rng)
    if shape_id in account.shapes:
        raise already_exists("deployment shape", f"{account.name}/deploymentShapes/{shape_id}")
    now = emulation.now()
    shape = Shape(account.id, shape_id, shapes.complete(spec), now, now)
    shape.add_version(shapes.random_id(emulation.rng), now, is_validated=False, is_public=False)
    account.shapes[shape_id] = shape
    return call.rendered(schema.SHAPE, shapes.message_value(shape))


async def update_shape(call: Call) -> Answer:
    """UpdateDeploymentShape: every change makes a new version.

    ``fromLatestValidated`` starts from the latest validated version instead of the latest one.
    """
    shape = _find(call, is_read=False)
    call.account()
    raw, change = await call.body(schema.SHAPE)
    current = shape.spec
    if call.flag("fromLatestValidated"):
        latest = shape.latest_validated
        if latest is None:
            raise invalid(f"deployment shape {shape.name!r} has no validated version")
        writable = {field.name for field in schema.SHAPE.mutable}
        current = {k: v for k, v in copy.deepcopy(latest.snapshot).items() if k in writable}
    spec = masks.apply(schema.SHAPE, current, change, update_paths(call, schema.SHAPE, raw))
    shapes.check(spec)
    shape.spec = shapes.complete(spec)
    emulation = call.emulation
    shape.add_version(
        shapes.random_id(emulation.rng), emulation.now(), is_validated=False, is_public=False
    )
    return call.rendered(schema.SHAPE, shapes.message_value(shape))


async def delete_shape(call: Call) -> Answer:
    """DeleteDeploymentShape: its versions go with it; deployments keep what they have."""
    account = call.account()
    shape = _find(call, is_read=False)
    del account.shapes[shape.id]
    return {}


async def list_versions(call: Call) -> Answer:
    """ListDeploymentShapeVersions; the account and the shape may both be ``-``."""
    if call.request.match_info["shape"] == WILDCARD:
        found = _visible(call)
    else:
        found = [_find(call, is_read=True)]
    values = [
        shapes.version_value(shape, version)
        for shape in found
        for version in _versions(call, shape)
    ]
    return call.page("deploymentShapeVersions", schema.SHAPE_VERSION, values)


async def get_version(call: Call) -> Answer:
    """GetDeploymentShapeVersion."""
    shape, version = _find_version(call, is_read=True)
    return call.rendered(schema.SHAPE_VERSION, shapes.version_value(shape, version))


async def update_version(call: Call) -> Answer:
    """UpdateDeploymentShapeVersion: only ``validated`` and ``public`` can change."""
    call.account()
    shape, version = _find_version(call, is_read=False)
    raw, change = await call.body(schema.SHAPE_VERSION)
    for path in update_paths(call, schema.SHAPE_VERSION, raw):
        if path == ("validated",):
            version.is_validated = change.get("validated", False)
        elif path == ("public",):
            version.is_public = change.get("public", False)
    return call.rendered(schema.SHAPE_VERSION, shapes.version_value(shape, version))


async def match_versions(call: Call) -> Answer:
    """MatchDeploymentShapeVersions: the validated versions that a create request could use."""
    account = call.account()
    _, body = await call.body(schema.MATCH_BODY)
    request = body.get("createDeploymentRequest", {})
    parent = request.get("parent", "")
    if parent and parent != account.name:
        raise invalid(f"parent {parent!r} is not {account.name!r}")
    wanted = request.get("deployment", {})
    base_model = wanted.get("baseModel", "")
    if not base_model:
        raise invalid("create_deployment_request.deployment.base_model is required")
    found = shapes.matching(
        call.emulation.accounts, call.key, base_model, with_addons=wanted.get("enableAddons", False)
    )
    values = [shapes.version_value(shape, version) for shape, version in found]
    query = ListQuery(
        page_size=body.get("pageSize", 0),
        page_token=body.get("pageToken", ""),
        filter=body.get("filter", ""),
        order_by=body.get("orderBy", ""),
        read_mask=body.get("readMask", ""),
        extra=(base_model,),
    )
    return list_page(
        "deploymentShapeVersions", schema.SHAPE_VERSION, values, query, call.emulation.switches
    )
