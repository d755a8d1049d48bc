# ruff: noqa: INP001  beside a script, in no package
"""The page docs/reference/commands.md: every command, argument and option, from the commands themselves."""

from __future__ import annotations

import inspect
import re
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import typer
from typer import FileText
from typer.main import get_command

from trimtab.cli.main import COMMANDS, imported

if TYPE_CHECKING:
    from collections.abc import Iterator


def commands_page() -> str:
    """Return docs/reference/commands.md."""
    lines = [
        "# Commands",
        "",
        "Every command with its arguments and options, as `trimtab COMMAND --help` has them.",
        "[The command line](../command-line.md) says what those that ask a running daemon have in common.",
        "Where an option can also be set by a variable of the environment, that stands beside it.",
        "",
        "| command | what it does |",
        "|---|---|",
    ]
    lines += [f"| [`{name}`](#trimtab-{name}) | {line} |" for name, line in COMMANDS.items()]
    for name in COMMANDS:
        lines += _section(f"trimtab {name}", _command(name))
    return "\n".join(lines)


def _command(name: str) -> Any:
    app = typer.Typer(add_completion=False)
    app.command(name)(imported(name))
    return get_command(app)


def _section(title: str, command: Any) -> Iterator[str]:
    yield from ("", f"## {title}", "")
    yield from _prose(command.help or "")
    words = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option"]
    shown = [one for one in options if not one.hidden and "--help" not in one.opts]
    usage = " ".join([title, *(_word(one) for one in words), *(["[OPTIONS]"] if shown else [])])
    yield from ("", "```text", usage, "```")
    if words or shown:
        yield from ("", "| | takes | default | meaning |", "|---|---|---|---|")
    for one in words:
        yield f"| `{_word(one)}` | {_takes(one)} | {_default(one)} | {_cell(one.help)} |"
    for one in shown:
        name = ", ".join(f"`{opt}`" for opt in (*one.opts, *one.secondary_opts))
        variable = f"<br>`{one.envvar}`" if one.envvar else ""
        yield f"| {name}{variable} | {_takes(one)} | {_default(one)} | {_cell(one.help)} |"


def _prose(text: str) -> Iterator[str]:
    """Yield a docstring as Markdown; examples are what is indented or drawn up in columns."""
    plain = inspect.cleandoc(text).replace("\b\n", "")
    for paragraph in plain.split("\n\n"):
        lines = paragraph.splitlines()
        is_example = any(re.search(r"^\s*(…|trimtab \S+.*\s{3,}\S)", line) for line in lines)
        if is_example:
            yield from ("```text", *lines, "```", "")
        else:
            yield from (" ".join(line.strip() for line in lines), "")


def _word(argument: Any) -> str:
    shown = argument.metavar or argument.name.upper()
    return shown if argument.required or shown.startswith("[") else f"[{shown}]"


def _takes(parameter: Any) -> str:
    annotation = parameter.type_descriptor.annotation
    if getattr(parameter, "is_flag", False) or annotation is bool:
        return "nothing"
    many = ", repeatable" if getattr(parameter, "multiple", False) else ""
    choices = _choices(annotation)
    if choices and not parameter.metavar:
        return " or ".join(f"`{one}`" for one in choices) + many
    return f"`{_cell(parameter.metavar) or _kind(annotation)}`{many}"


def _choices(annotation: Any) -> tuple[str, ...]:
    if get_origin(annotation) is Literal:
        return tuple(map(str, get_args(annotation)))
    if inspect.isclass(annotation) and issubclass(annotation, Enum):
        return tuple(str(one.value) for one in annotation)
    return ()


def _kind(annotation: Any) -> str:
    inner = get_args(annotation)
    kind = inner[0] if get_origin(annotation) is list else annotation
    names = {int: "NUMBER", float: "NUMBER", Path: "PATH", FileText: "FILE"}
    return names.get(kind, "TEXT")


def _default(parameter: Any) -> str:
    if parameter.required:
        return "needed"
    value = parameter.default() if callable(parameter.default) else parameter.default
    if value in (None, (), [], False, ""):
        return ""
    return f"`{getattr(value, 'value', value)}`"


def _cell(text: str | None) -> str:
    return " ".join((text or "").split()).replace("|", "\\|")
