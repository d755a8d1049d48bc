"""The JSON Schemas of all kinds of documents, for editors; generated from the document models.

``python -m trimtab.policy.schema`` prints that of policies, ``python -m trimtab.policy.schema FILE``
writes it; ``trimtab schema`` does so for every kind.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.policy.document import ScalingPolicy
from trimtab.policy.durations import PATTERN, format_duration
from trimtab.policy.fleet_document import FleetDocument
from trimtab.policy.group_document import GroupDocument
from trimtab.policy.parts import DURATION_SCHEMA
from trimtab.policy.testing.document import PolicyTest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.policy.parts import Part

SCHEMAS: Mapping[str, tuple[type[Part], str]] = {
    "policy": (ScalingPolicy, "trimtab policy"),
    "policytest": (PolicyTest, "trimtab policy test"),
    "fleet": (FleetDocument, "trimtab fleet"),
    "group": (GroupDocument, "trimtab group"),
}
"""Each kind of document: the model it is generated from, and its title."""


def policy_schema(kind: str = "policy") -> dict[str, Any]:
    """The schema of one document of a kind in ``SCHEMAS`` (JSON Schema, draft 2020-12)."""
    model, title = SCHEMAS[kind]
    schema = model.model_json_schema(by_alias=True)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title}
    tidy = {key: _tidy(value) for key, value in schema.items() if key != "title"}
    tidy["$defs"]["Duration"] = {
        "description": "A number with its unit; several from large to small.",
        **DURATION_SCHEMA,
    }
    return {**head, **tidy}


def schema_text(kind: str = "policy") -> str:
    """The schema as the file in ``policies/schema/`` has it."""
    return json.dumps(policy_schema(kind), indent=2, ensure_ascii=False) + "\n"


def _tidy(node: Any) -> Any:
    """Without generated titles and null branches; defaults of durations as people write them."""
    if isinstance(node, list):
        return [_tidy(item) for item in node]
    if not isinstance(node, dict):
        return node
    tidy = {key: _tidy(value) for key, value in node.items() if not _is_noise(key, value)}
    branches = tidy.get("anyOf", [])
    real = [branch for branch in branches if branch != {"type": "null"}]
    if len(real) == 1:
        # Optional keys are left out of a file, never null.
        del tidy["anyOf"]
        tidy = {**real[0], **tidy}
    elif len(real) < len(branches):
        tidy["anyOf"] = real
    if tidy.get("pattern") == PATTERN:
        tidy = {key: value for key, value in tidy.items() if key not in DURATION_SCHEMA}
        tidy["$ref"] = "#/$defs/Duration"
        if isinstance(tidy.get("default"), float):
            tidy["default"] = format_duration(tidy["default"])
    if "patternProperties" in tidy:
        tidy["additionalProperties"] = False  # pydantic lets names through that match no pattern
    return tidy


def _is_noise(key: str, value: Any) -> bool:
    return (key == "title" and isinstance(value, str)) or (key == "default" and value is None)


def main(arguments: list[str]) -> None:
    """Print the schema, or write it to the file that is named."""
    if arguments:
        Path(arguments[0]).write_text(schema_text(), encoding="utf-8")
    else:
        sys.stdout.write(schema_text())


if __name__ == "__main__":
    main(sys.argv[1:])
