# ruff: noqa: INP001  beside a script, in no package
"""The page docs/reference/policy.md: every key of a ScalingPolicy and of a PolicyTest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fleet_format import heading, sections_below
from strategies import paragraphs, table

from trimtab.policy.registry import BUILT_IN
from trimtab.policy.schema import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS = (("policy", "ScalingPolicy"), ("policytest", "PolicyTest"))


def policy_format_page() -> str:
    """Return docs/reference/policy.md."""
    lines = [
        "# Policies and policy tests",
        "",
        "Every key of `kind: ScalingPolicy` and of `kind: PolicyTest`. [Policies](../../policies/README.md) says",
        "how they belong together, [strategies](strategies.md) what stands under `strategy`, [fleet](fleet.md)",
        "the other kinds. Editors complete and check against the files in `policies/schema/`; those are what",
        "`trimtab schema` prints. A key that is not here is an error, and says so with its place.",
    ]
    for name, kind in KINDS:
        schema = SCHEMAS[name][0].model_json_schema(by_alias=True)
        document = SCHEMAS[name][0].__name__
        schema["$defs"][document] = {key: value for key, value in schema.items() if key != "$defs"}
        for section in dict.fromkeys(sections_below(document, schema)):
            if section in _configs():
                continue
            found = schema["$defs"][section]
            title = "the document" if section == document else heading(section, kind)
            lines += ["", f"## {kind}: {title}", ""]
            lines += [*paragraphs(found.get("description", "")), "", *table(found, schema)]
    return "\n".join(lines)


def _configs() -> frozenset[str]:
    """The models of strategies, which have a page of their own."""
    return frozenset(_of_strategies())


def _of_strategies() -> Iterator[str]:
    for kind in BUILT_IN.values():
        yield kind.config.__name__
        yield from kind.config.model_json_schema(by_alias=True).get("$defs", {})
