"""A deployment for a what-if: from a file as the API returns it, or from fields on the command line."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.errors import AuthorError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from trimtab.core.deployment import Deployment
    from trimtab.core.policy import Policy

FILE_BYTES_MAX = 1024 * 1024


class DeploymentTextError(AuthorError):
    """What was given does not describe a deployment; the message says what would."""


@dataclass(frozen=True, slots=True)
class GivenDeployment:
    """The deployment, and how long a replica of it takes to start if that was said."""

    deployment: Deployment
    lead_time_seconds: float | None


def deployment_from(
    given: Sequence[str], policies: Sequence[Policy], now: float
) -> GivenDeployment:
    """Make a deployment of files and ``key=value`` texts, fields over files, the rest made up.

    What nobody states is chosen so that the first policy is for it. Raises ``DeploymentTextError``.
    """
    fields: dict[str, Any] = {}
    from_file: Deployment | None = None
    for text in given:
        key, is_field, value = text.partition("=")
        if is_field and not Path(text).is_file():
            fields[key.strip()] = _scalar(value.strip())
        else:
            from_file = _read(Path(text), now)
    if from_file is None:
        return _made_up({**_selected_by(policies), "replicas": 1, **fields}, now)
    if not fields:
        return GivenDeployment(from_file, None)
    return _changed(from_file, fields, now)


def _scalar(text: str) -> object:
    from trimtab.policy.yaml_nodes import core_scalar

    return core_scalar(text)


def _read(path: Path, now: float) -> Deployment:
    from trimtab.policy.diagnostics import FileText, Findings
    from trimtab.policy.yaml_nodes import read_nodes
    from trimtab.targets.fireworks.errors import FireworksError
    from trimtab.targets.fireworks.translate import translate
    from trimtab.targets.fireworks.wire import parse_deployment

    try:
        text = path.read_bytes()[:FILE_BYTES_MAX].decode()
    except OSError as error:
        raise DeploymentTextError(
            f"{path}: {(error.strerror or 'cannot be read').lower()}; give a file or KEY=VALUE"
        ) from None
    except UnicodeDecodeError:
        raise DeploymentTextError(f"{path} is not UTF-8 text; save it as UTF-8") from None
    findings = Findings(FileText(str(path), text))
    roots = read_nodes(findings)
    if findings.diagnostics:
        raise DeploymentTextError(str(findings.diagnostics[0]))
    if len(roots) != 1:
        raise DeploymentTextError(f"{path} holds {len(roots)} documents; one deployment is wanted")
    try:
        resource = parse_deployment(_plain(roots[0].data))
    except FireworksError as error:
        raise DeploymentTextError(f"{path} is not a deployment of the API: {error}") from None
    return translate(resource, None, observed_at=now)


def _plain(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _plain(value) for key, value in data.items()}
    return [_plain(one) for one in data] if isinstance(data, tuple) else data


def _selected_by(policies: Sequence[Policy]) -> dict[str, Any]:
    """Fields that the first policy selects by, so that a what-if needs to name none of them."""
    if not policies:
        return {}
    selector = policies[0].selector
    if selector.name is not None:
        return {"name": selector.name}
    fields = {
        "displayName": _without_wildcards(selector.display_name),
        "baseModel": _without_wildcards(selector.base_model),
        "region": selector.regions[0] if selector.regions else None,
    }
    return {key: value for key, value in fields.items() if value}


def _without_wildcards(pattern: str | None) -> str | None:
    """A text that a simple glob matches; one with a set of letters is left to the caller."""
    if pattern is None or "[" in pattern:
        return None
    return pattern.replace("*", "").replace("?", "x") or "x"


def _made_up(fields: Mapping[str, Any], now: float) -> GivenDeployment:
    from trimtab.policy.testing.world import deployment_at_start

    tested = _checked(fields)
    lead_time_seconds = tested.lead_time if "leadTime" in fields else None
    return GivenDeployment(deployment_at_start(tested, now), lead_time_seconds)


def _checked(fields: Mapping[str, Any]) -> Any:
    from pydantic import ValidationError

    from trimtab.policy.diagnostics import FileText, Findings
    from trimtab.policy.model_errors import note_model_errors
    from trimtab.policy.testing.document import DeploymentUnderTest
    from trimtab.policy.yaml_nodes import read_nodes

    try:
        return DeploymentUnderTest.model_validate(fields)
    except ValidationError as error:
        findings = Findings(FileText("", "".join(f"{key}: {fields[key]}\n" for key in fields)))
        (root,) = read_nodes(Findings(findings.file)) or (None,)
        if root is None:
            raise DeploymentTextError("these are not fields of a deployment") from None
        note_model_errors(findings, error.errors(include_url=False), root, DeploymentUnderTest)
        sentences = [
            one.message + (f"; {one.hint}" if one.hint else "") for one in findings.diagnostics
        ]
        raise DeploymentTextError("; ".join(sentences)) from None


_CORE_FIELDS = {
    "name": "name",
    "displayName": "display_name",
    "baseModel": "base_model",
    "region": "region",
    "min": "min_replicas",
    "max": "max_replicas",
}


def _changed(deployment: Deployment, fields: Mapping[str, Any], now: float) -> GivenDeployment:
    """A deployment from a file with some fields stated otherwise."""
    made = _made_up({"replicas": 1, **fields}, now)
    other = made.deployment
    changes: dict[str, Any] = {
        own: getattr(other, own) for key, own in _CORE_FIELDS.items() if key in fields
    }
    if "replicas" in fields:
        for own in ("desired_replicas", "replica_count", "pipeline"):
            changes[own] = getattr(other, own)
    if "state" in fields:
        changes |= {"state": other.state, "state_text": other.state_text}
    if "expiresAfter" in fields:
        changes["expires_at"] = other.expires_at
    shape = deployment.shape
    if "acceleratorType" in fields:
        shape = replace(shape, accelerator_type=other.shape.accelerator_type)
    if "acceleratorsPerReplica" in fields:
        each = other.shape.accelerators_per_replica
        shape = replace(shape, accelerators_per_replica=each)
    return GivenDeployment(replace(deployment, shape=shape, **changes), made.lead_time_seconds)
