# ruff: noqa: INP001  beside a script, in no package
"""The pages docs/reference/strategies.md and expressions.md: what rules can use, and every setting of it.

Made from the configuration models, so that a setting cannot be there and not be described.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trimtab.policy.cel import COST_MAX, LENGTH_MAX
from trimtab.policy.cel_inputs import INPUTS, Sort
from trimtab.policy.durations import PATTERN, format_duration
from trimtab.policy.registry import BUILT_IN

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SORTS = {Sort.WHOLE: "whole", Sort.DECIMAL: "decimal", Sort.TEXT: "text"}


def strategies_page() -> str:
    """Return docs/reference/strategies.md."""
    lines = [
        "# Strategies",
        "",
        "The algorithms that a rule can use, by the `type` of its `strategy`. Strategies of other",
        "packages are described by those; the daemon uses them if its setting `strategy_plugins` names",
        "them, and `trimtab.testing` holds the contract that each of them has to keep.",
        "",
    ]
    lines += [f"- [`{name}`](#{name}): {kind.summary}" for name, kind in BUILT_IN.items()]
    for name, kind in BUILT_IN.items():
        schema = kind.config.model_json_schema(by_alias=True)
        lines += ["", f"## {name}", "", *paragraphs(kind.config.__doc__ or ""), ""]
        lines += table(schema, schema)
        for part in parts(schema):
            found = schema["$defs"][part]
            lines += ["", f"### {name}: {part.removesuffix('Config')}", ""]
            lines += [*paragraphs(found.get("description", "")), "", *table(found, schema)]
    return "\n".join(lines)


def expressions_page() -> str:
    """Return docs/reference/expressions.md."""
    lines = [
        "# Expressions",
        "",
        "Conditions (`when` of a rule with `role: hold`) and formulas (the strategy `expression`) are",
        "written in [CEL](https://github.com/google/cel-spec), the Common Expression Language. They",
        "need the extra `expressions` (`pip install 'trimtab[expressions]'`).",
        "",
        "Types are checked when the file is read. Signals are decimal numbers and do not mix with whole",
        "ones: `signals.queued > 5.0`, `double(deployment.ready)`. `math.ceil`, `math.floor`,",
        "`math.round`, `math.abs`, `math.greatest` and `math.least` exist beside the standard functions.",
        f"An expression has up to {LENGTH_MAX:,} characters and takes up to {COST_MAX:,} steps, loops",
        "counted in full.",
        "",
        "A signal that is stale or missing leaves an expression that depends on it without a value: a",
        "hold does not hold then, a formula asks for nothing, and the `missing` contract of the signal",
        "blocks what it says. `has(signals.x)` and `'x' in signals` ask whether there is a value; the",
        "contract of the signal is kept all the same, so state `missing` for a signal that may be away.",
        "A division by zero, or a result that is no finite number, is no value either.",
        "",
        "| name | type | what it is |",
        "|---|---|---|",
        "| `signals.<name>` | decimal | the signal of that name, if it is usable now |",
    ]
    lines += [
        f"| `{name}` | {SORTS[one.sort]} | {one.description} |" for name, one in INPUTS.items()
    ]
    return "\n".join(lines)


def paragraphs(text: str) -> list[str]:
    """Return the lines of a docstring without its indentation."""
    return [line.strip() for line in text.strip().splitlines()]


def parts(schema: Mapping[str, Any]) -> Iterator[str]:
    """Sections of their own within a strategy: models, but no enumerations."""
    for name, found in schema.get("$defs", {}).items():
        if "properties" in found:
            yield name


def table(section: Mapping[str, Any], schema: Mapping[str, Any]) -> list[str]:
    """Every key of a section but ``type``: what it takes, its default, what it is."""
    rows = ["| key | takes | default | meaning |", "|---|---|---|---|"]
    required = section.get("required", ())
    for key, field in section["properties"].items():
        if key == "type":
            continue
        default = "needed" if key in required else shown(field.get("default"), field)
        rows.append(f"| `{key}` | {takes(field, schema)} | {default} | {field['description']} |")
    return rows if len(rows) > 2 else ["It has no settings."]


def shown(default: Any, field: Mapping[str, Any]) -> str:
    """Return a default as people would write it."""
    if default is None or default in ([], {}):
        return "none"
    if isinstance(default, float) and is_duration(field):
        return f"`{format_duration(default)}`"
    if isinstance(default, dict):
        return ", ".join(f"`{key}: {value}`" for key, value in default.items())
    text = str(default).lower() if isinstance(default, bool) else f"{default}"
    return f"`{text.removesuffix('.0')}`"


def is_duration(field: Mapping[str, Any]) -> bool:
    """Whether a value is written with a unit of time."""
    branches = (field, *field.get("anyOf", ()))
    return any(branch.get("pattern") == PATTERN for branch in branches)


def takes(field: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """Say in a few words what a key takes."""
    if "$ref" in field:
        found = schema["$defs"][field["$ref"].rpartition("/")[2]]
        return (
            " or ".join(f"`{word}`" for word in found["enum"]) if "enum" in found else "a section"
        )
    if "anyOf" in field or "oneOf" in field:
        branches = field.get("anyOf") or field["oneOf"]
        words = [takes(one, schema) for one in branches if one != {"type": "null"}]
        return " or ".join(dict.fromkeys(words))
    if is_duration(field):
        return "a duration"
    if "enum" in field:
        return " or ".join(f"`{word}`" for word in field["enum"])
    if "const" in field:
        return f"`{field['const']}`"
    words = {"integer": "a whole number", "number": "a number", "boolean": "`true` or `false`"}
    words |= {"string": "text", "array": "a list", "object": "a section"}
    return words.get(field.get("type", ""), "a value") + limits(field)


def limits(field: Mapping[str, Any]) -> str:
    """Return the range of a number, if it has one."""
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    found = [f"{sign} {field[key]:,}" for key, sign in signs.items() if key in field]
    return f", {', '.join(found)}" if found else ""
