"""What docs/sources.md and docs/push.md show of settings and signals can be used as it stands."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from pydantic import TypeAdapter

from trimtab.service.query_checks import sources_declared
from trimtab.settings_push import AnyPush
from trimtab.settings_sources import AnyPull, AnySource

DOCS = Path(__file__).parents[3] / "docs"
PAGES = {name: (DOCS / name).read_text(encoding="utf-8") for name in ("sources.md", "push.md")}
SECRET = "0123456789abcdef0123456789abcdef"


def fragments(page: str) -> Iterator[dict[str, Any]]:
    for text in re.findall(r"```yaml\n(.*?)```", PAGES[page], re.DOTALL):
        if re.search(r"^(sources|signals):", text, re.MULTILINE):
            yield yaml.safe_load(text)


def shown(page: str, part: str) -> list[tuple[str, dict[str, Any]]]:
    return [one for shown in fragments(page) for one in shown.get(part, {}).items()]


SOURCES = {f"{page}-{name}": section for page in PAGES for name, section in shown(page, "sources")}


@pytest.mark.parametrize("section", SOURCES.values(), ids=list(SOURCES))
def test_each_source_that_is_shown_loads(section: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET, encoding="utf-8")
    there = {key: str(file) if key.endswith("_file") else value for key, value in section.items()}
    assert TypeAdapter(AnySource).validate_python(there).type == section["type"]


@pytest.mark.parametrize("page", PAGES)
def test_each_signal_that_is_shown_is_one_that_its_source_can_read(page: str) -> None:
    checks = sources_declared(dict(shown(page, "sources")))
    for _, signal in shown(page, "signals"):
        assert checks[signal["source"]](signal["query"]) is None


def types(union: Any) -> set[str]:
    return {get_args(one.model_fields["type"].annotation)[0] for one in get_args(union)}


def test_each_type_of_source_that_is_asked_has_an_example_and_a_signal() -> None:
    sections = dict(shown("sources.md", "sources"))
    heard = {signal["source"] for _, signal in shown("sources.md", "signals")}
    assert {sections[name]["type"] for name in heard - {"fireworks"}} == types(AnyPull)


def test_each_type_of_source_that_is_pushed_to_is_described() -> None:
    for kind in types(AnyPush):
        assert f"{kind}" in PAGES["push.md"]
    assert "No Kafka takes part in our tests" in PAGES["sources.md"]
