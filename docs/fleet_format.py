# ruff: noqa: INP001  beside a script, in no package
"""The page docs/reference/fleet.md: every key of a Fleet and of a Group, and the shipped prices."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from strategies import paragraphs, table

from trimtab.policy.prices import SHIPPED_PRICES, TYPES_WITHOUT_PUBLISHED_PRICE
from trimtab.policy.schema import SCHEMAS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def fleet_format_page() -> str:
    """Return docs/reference/fleet.md."""
    lines = [
        "# Fleet and Group",
        "",
        "Every key of `kind: Fleet` and of `kind: Group`; [fleet](../fleet.md) says what they do together.",
        "Editors complete and check against `policies/schema/fleet.schema.json` and `group.schema.json`.",
    ]
    for kind, title in (("fleet", "Fleet"), ("group", "Group")):
        schema = SCHEMAS[kind][0].model_json_schema(by_alias=True)
        for name in dict.fromkeys(sections_below(f"{title}Spec", schema)):
            found = schema["$defs"][name]
            section = name.removesuffix("Document")
            lines += ["", f"## {title}: {heading(section, title)}", ""]
            lines += [*paragraphs(found.get("description", "")), "", *table(found, schema)]
    lines += [
        "",
        "## Shipped prices",
        "",
        "List prices of dedicated deployments on demand, in US dollars an accelerator-hour. What reserved capacity",
        "costs is in the account's contract alone: write it under `prices`, which goes first.",
        "",
        "| type | price | source, date |",
        "|---|---|---|",
    ]
    lines += [
        f"| `{kind}` | {price.usd_an_hour:.2f} | {price.source} |"
        for kind, price in SHIPPED_PRICES.items()
    ]
    unknown = ", ".join(f"`{kind}`" for kind in TYPES_WITHOUT_PUBLISHED_PRICE)
    lines += ["", f"Not published, and therefore not guessed: {unknown}."]
    return "\n".join(lines)


def sections_below(name: str, schema: Mapping[str, Any]) -> Iterator[str]:
    """A section and those within it, in the order of their keys."""
    found = schema["$defs"][name]
    if "properties" not in found:
        return  # an enumeration
    yield name
    for field in found["properties"].values():
        for inner in re.findall(r"'#/\$defs/(\w+)'", str(field)):
            yield from sections_below(inner, schema)


def heading(section: str, kind: str) -> str:
    """``spec`` for the section of the document itself, else the model's name as words."""
    if section.endswith("Spec"):
        return "`spec`"
    words = "".join(f" {one.lower()}" if one.isupper() else one for one in section).split()
    return " ".join(word for word in words if word != kind.lower()) or section
