"""Rules of the repository that no linter knows, over every file that git tracks.

Each test lists all offenders at once. An exception is an entry with its reason, and an entry that is
no longer needed is an offender too.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
THIS = Path(__file__).resolve().relative_to(ROOT).as_posix()

MODULE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60
FILE_BYTES_MAX = 512 * 1024

LONG_MODULES: dict[str, str] = {}
"""Path → why it is one idea all the same."""

LONG_FUNCTIONS: dict[str, str] = {
    "daemon/trimtab/plant/fast_queue.py::_unqueued": "one loop over local variables: one call a second, for the pace alone, "
    "makes the plant 5 % slower",
}
"""``path::function`` → why it is not cut."""

EMPTY_NAMES = re.compile(r"(^|_)(utils?|helpers?|managers?|base|misc|common)$")
EMPTY_CLASS_NAMES = re.compile(r"(Utils?|Helpers?|Manager|Base)$|^Base")

FORBIDDEN = {
    "an unfinished thought": re.compile(r"\b(TODO|FIXME)\b"),
    "a path of somebody's machine": re.compile(
        r"(?<![\w.])/(work|root|Users)/\w|/home/[a-z]|/tmp/brief|/opt/(pypi|wheels)"
    ),
    "a package index or registry": re.compile(
        r"pypi\.(org|python)|pythonhosted|npmjs\.|deb\.debian\.org|--(extra-)?index-url[ =]\S"
        r"|--find-links[ =]\S"
    ),
    "how the text came about": re.compile(
        r"(?i)\b(ai|coding|language) (assistant|agent)s?\b|session transcript|\bworkplace\b"
        r"|\bclaude\b|\bchatgpt\b|\bcopilot\b|co-authored-by|\bissue #?\d{1,2}\b"
    ),
}


@pytest.fixture(scope="module")
def texts(tracked: list[str]) -> dict[str, str]:
    found = {}
    for name in tracked:
        try:
            found[name] = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
    return found


@pytest.fixture(scope="module")
def modules(texts: dict[str, str]) -> dict[str, str]:
    """Python of the project itself, without its tests."""
    found = {
        name: text
        for name, text in texts.items()
        if name.endswith(".py") and name.startswith(("daemon/", "docs/"))
    }
    assert found
    return found


def functions(text: str) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_a_module_is_short_enough_to_be_one_idea(modules: dict[str, str]) -> None:
    long = {name for name, text in modules.items() if len(text.splitlines()) > MODULE_LINES_MAX}
    assert sorted(long) == sorted(LONG_MODULES)


def test_a_function_fits_on_a_screen(modules: dict[str, str]) -> None:
    long = {
        f"{name}::{node.name}"
        for name, text in modules.items()
        for node in functions(text)
        if lines_of(node) > FUNCTION_LINES_MAX
    }
    assert sorted(long) == sorted(LONG_FUNCTIONS)


def test_no_module_has_a_name_that_says_nothing(tracked: list[str]) -> None:
    parts = {
        (name, part.removesuffix(".py"))
        for name in tracked
        if name.endswith(".py")
        for part in name.split("/")
    }
    assert sorted(name for name, part in parts if EMPTY_NAMES.search(part)) == []


def test_no_class_has_a_name_that_says_nothing(modules: dict[str, str]) -> None:
    empty = [
        f"{name}:{node.lineno} {node.name}"
        for name, text in modules.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef) and EMPTY_CLASS_NAMES.search(node.name)
    ]
    assert empty == []


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str, texts: dict[str, str]) -> None:
    held = [
        f"{name}:{number} {line.strip()[:100]}"
        for name, text in texts.items()
        if name != THIS  # it spells them out
        for number, line in enumerate(text.splitlines(), start=1)
        if FORBIDDEN[what].search(line)
    ]
    assert held == []


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("an unfinished thought", "# TO" + "DO: later"),
        ("a path of somebody's machine", "open('/ro" + "ot/x')"),
        ("a package index or registry", "pip install --index-url https://example.test/simple x"),
        ("how the text came about", "written by a coding agent"),
    ],
)
def test_the_forbidden_would_be_found(what: str, line: str) -> None:
    assert FORBIDDEN[what].search(line)


@pytest.mark.parametrize(
    "line",
    ["session: aiohttp.ClientSession", '{"role": "assistant"}', "--no-emit-index-url", "TODOS"],
)
def test_words_of_the_trade_are_not_forbidden(line: str) -> None:
    assert not [what for what, pattern in FORBIDDEN.items() if pattern.search(line)]


def test_every_silenced_warning_says_why(texts: dict[str, str]) -> None:
    bare = re.compile(r"# noqa(: [A-Z]+\d+(, ?[A-Z]+\d+)*)?\s*$|# type: ignore(\[[^\]]*\])?\s*$")
    silent = [
        f"{name}:{number} {line.strip()[:100]}"
        for name, text in texts.items()
        if name.endswith(".py")
        for number, line in enumerate(text.splitlines(), start=1)
        if bare.search(line)
    ]
    assert silent == []


def test_recorded_load_and_foreign_specifications_stay_outside(tracked: list[str]) -> None:
    large = [name for name in tracked if (ROOT / name).stat().st_size > FILE_BYTES_MAX]
    ours = {"docs/reference/openapi.json"}
    foreign = {name for name in tracked if re.search(r"\.csv\.gz$|openapi\.json$", name)} - ours
    assert (large, foreign) == ([], set())
