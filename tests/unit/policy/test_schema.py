"""The JSON Schema says what the reader says, as far as a schema can."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema_rs  # comes with schemathesis
import pytest

from trimtab.policy.diagnostics import FileText, Findings
from trimtab.policy.schema import SCHEMAS, main, policy_schema, schema_text
from trimtab.policy.yaml_nodes import read_nodes

REPOSITORY = Path(__file__).parents[3]
COMMITTED = REPOSITORY / "policies" / "schema" / "policy.schema.json"
INVALID = Path(__file__).parent / "invalid"

# What a schema cannot see: names that must agree, sums, other files.
BEYOND_A_SCHEMA = {
    "POL2": {
        "damping-too-long",
        "durations-out-of-range",
        "expressions-of-the-wrong-type",
        "expressions-that-cannot-be-read",
        "expressions-that-cost-too-much",
    },
    "POL3": {
        "min-above-max",
        "policy-name-and-match-twice",
        "rule-name-twice",
        "undeclared-signal",
        "unknown-source",
    },
}


def documents(text: str) -> list[Any]:
    """The plain data, lists as lists."""

    def plain(data: Any) -> Any:
        if isinstance(data, dict):
            return {key: plain(value) for key, value in data.items()}
        return [plain(item) for item in data] if isinstance(data, tuple) else data

    return [plain(root.data) for root in read_nodes(Findings(FileText("", text)))]


@pytest.fixture(scope="module")
def validator() -> Any:
    return jsonschema_rs.validator_for(policy_schema())


@pytest.fixture(scope="module")
def validators() -> dict[str, Any]:
    """Those of all schemas, by the kind of document."""
    kinds = {kind: policy_schema(kind) for kind in SCHEMAS}
    return {
        schema["properties"]["kind"]["const"]: jsonschema_rs.validator_for(schema)
        for schema in kinds.values()
    }


@pytest.mark.parametrize("kind", SCHEMAS)
def test_the_committed_schema_is_the_generated_one(kind: str) -> None:
    committed = COMMITTED.with_name(f"{kind}.schema.json")
    assert committed.read_text(encoding="utf-8") == schema_text(kind), (
        "run: trimtab schema --out policies/schema"
    )


def test_the_command_prints_the_schema_or_writes_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    main([])
    assert capsys.readouterr().out == schema_text()
    main([str(tmp_path / "schema.json")])
    assert (tmp_path / "schema.json").read_text(encoding="utf-8") == schema_text()


@pytest.mark.parametrize("kind", SCHEMAS)
def test_it_is_a_schema_by_the_rules_for_schemas(kind: str) -> None:
    jsonschema_rs.meta.validate(policy_schema(kind))


def test_valid_policies_pass(validator: Any, every_key: str, fewest_keys: str) -> None:
    for document in documents(f"{every_key}---\n{fewest_keys}"):
        assert validator.is_valid(document)


@pytest.mark.parametrize(
    "path",
    [
        *sorted((REPOSITORY / "policies").rglob("*.yaml")),
        Path(__file__).parent / "valid" / "every-key-of-a-fleet.yaml",
    ],
    ids=lambda path: f"{path.parent.name}-{path.stem}",
)
def test_the_shipped_documents_pass(validators: dict[str, Any], path: Path) -> None:
    for document in documents(path.read_text(encoding="utf-8")):
        assert validators[document["kind"]].is_valid(document)


def _shape_cases() -> list[str]:
    """The cases with errors in shape or values, and in nothing that only the reader can see."""
    cases = []
    for path in sorted(INVALID.glob("*.txt")):
        codes = {word for word in path.read_text(encoding="utf-8").split() if word[:3] == "POL"}
        exempt = any(path.stem in stems for stems in BEYOND_A_SCHEMA.values())
        if (INVALID / f"{path.stem}.yaml").exists() and not exempt and codes:
            cases += [path.stem] if all(code[:4] in ("POL1", "POL2") for code in codes) else []
    return cases


@pytest.mark.parametrize("case", _shape_cases())
def test_what_is_wrong_in_shape_or_value_fails_in_the_editor_too(
    validators: dict[str, Any], case: str
) -> None:
    text = (INVALID / f"{case}.yaml").read_text(encoding="utf-8")

    def is_valid(document: Any) -> bool:
        kind = document.get("kind") if isinstance(document, dict) else None
        return bool(validators.get(str(kind), validators["ScalingPolicy"]).is_valid(document))

    assert not all(is_valid(document) for document in documents(text))


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_key_has_a_description_for_the_editor(kind: str) -> None:
    schema = policy_schema(kind)
    parts = [schema, *schema["$defs"].values()]
    for part in parts:
        for key, value in part.get("properties", {}).items():
            assert key == "type" or value.get("description"), key
