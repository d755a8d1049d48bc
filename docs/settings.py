# ruff: noqa: INP001  beside a script, in no package
"""The page docs/reference/settings.md: every setting of the process, its variable, range and default.

Made from the models and the sentences below their fields, so that a setting cannot be there and not be
described.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from enum import Enum
from functools import cache
from pathlib import Path
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel, SecretStr

from trimtab.policy.durations import format_duration
from trimtab.settings import Settings, ShortAccount
from trimtab.settings_push import body_size
from trimtab.settings_values import Between, size_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic.fields import FieldInfo

NAMED = "NAME"
"""What stands for a name that people choose, in the variables of what is below it."""


def settings_page() -> str:
    """Return docs/reference/settings.md."""
    lines = [
        "# Settings",
        "",
        "How the process runs. What is scaled, and how, is in [policies](policy.md). Each setting is a key of",
        "the YAML file that `--config` or `TRIMTAB_CONFIG` names, and a variable of the environment, which",
        "wins; sections are joined with two underscores: `log.level` is `TRIMTAB_LOG__LEVEL`. An unknown key",
        "or variable, and every value that cannot be meant, is told at the start, all of them at once, and",
        "the process ends with 78. Durations have a unit (`90s`, `5m`), sizes too (`512MiB`, `2GiB`).",
        "",
        "For one account of the control plane there is a short form: `TRIMTAB_FIREWORKS__ACCOUNT_ID` and the",
        "keys of `accounts.NAME` below beside it, as in `TRIMTAB_FIREWORKS__API_KEY_FILE`; `FIREWORKS_ACCOUNT_ID`,",
        "`FIREWORKS_API_KEY` and `FIREWORKS_BASE_URL` are taken for what it leaves out.",
    ]
    for path, model in sections("", Settings):
        lines += ["", f"## {_title(path, model)}", ""]
        if model is not Settings:
            lines += [*_about(model), ""]
        lines += ["| key | takes | default | meaning |", "|---|---|---|---|"]
        for name, field in model.model_fields.items():
            if not _is_left_out(field):
                lines.append(_row(model, name, field))
    return "\n".join(lines)


def sections(path: str, model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """Yield a section and those within it, in the order of their keys, with the path to each."""
    yield path, model
    for name, field in model.model_fields.items():
        if _is_left_out(field):
            continue
        inner_path = f"{path}.{name}" if path else name
        for inner, is_named in _models(field.annotation):
            yield from sections(f"{inner_path}.{NAMED}" if is_named else inner_path, inner)


def _is_left_out(field: FieldInfo) -> bool:
    """Whether a field is there for its problems alone; the page's head tells of it."""
    return ShortAccount in get_args(field.annotation)


def _models(annotation: Any) -> Iterator[tuple[type[BaseModel], bool]]:
    """The sections in a field's type, and whether people choose a name for each."""
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        yield annotation, False
    is_named = get_origin(annotation) is dict
    for inner in get_args(annotation):
        for model, is_deeper in _models(inner):
            yield model, is_named or is_deeper


def _title(path: str, model: type[BaseModel]) -> str:
    if not path:
        return "Top level"
    kind = model.model_fields.get("type")
    (one,) = get_args(kind.annotation) if kind is not None else (None,)
    return f"`{path}`" + (f" of `type: {one}`" if one else "")


def _about(model: type[BaseModel]) -> list[str]:
    text = inspect.cleandoc(model.__doc__ or "").replace("``", "`")
    return [line.strip() for line in text.splitlines()]


def _row(model: type[BaseModel], name: str, field: FieldInfo) -> str:
    meaning = " ".join(_sentences(model).get(name, "").split()).replace("``", "`")
    if not meaning and name != "type":
        raise SystemExit(f"{model.__name__}.{name} has no sentence below it; write one")
    takes = _takes(field.annotation, field.metadata)
    default = "needed" if field.is_required() else _default(field)
    return f"| `{name}` | {takes} | {default} | {meaning or 'What it is.'} |"


@cache
def _sentences(model: type[BaseModel]) -> dict[str, str]:
    """What stands below each field, with what a model has from those that it was made from."""
    found: dict[str, str] = {}
    for kind in reversed(model.__mro__):
        if not (issubclass(kind, BaseModel) and kind.__module__.startswith("trimtab")):
            continue
        (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
        assert isinstance(tree, ast.ClassDef)  # noqa: S101  it is a class
        for before, after in zip(tree.body, tree.body[1:], strict=False):
            if (
                isinstance(before, ast.AnnAssign)
                and isinstance(before.target, ast.Name)
                and isinstance(after, ast.Expr)
                and isinstance(after.value, ast.Constant)
            ):
                found[before.target.id] = str(after.value.value)
    return found


def _takes(annotation: Any, metadata: Iterable[Any] = ()) -> str:
    """Say in a few words what a setting takes."""
    told = list(filter(None, map(_read_as, metadata)))
    if told:
        return told[0]
    kind, inner = get_origin(annotation), get_args(annotation)
    if kind is Annotated:
        return _takes(inner[0], inner[1:])
    if kind is Literal:
        return " or ".join(f"`{one}`" for one in inner)
    if kind in (Union, UnionType):
        kinds = (_takes(one, metadata) for one in inner if one is not NoneType)
        return " or ".join(dict.fromkeys(kinds))
    if inspect.isclass(annotation) and issubclass(annotation, Enum):
        return " or ".join(f"`{one.value}`" for one in annotation)
    return _plain(annotation) + _range(metadata)


def _read_as(metadatum: Any) -> str | None:
    """Say what a validator reads texts as, if it is one that does."""
    reader = getattr(metadatum, "func", None)
    if isinstance(reader, Between):
        return f"a duration, {format_duration(reader.low)} to {format_duration(reader.high)}"
    return "a size" if reader in (size_bytes, body_size) else None


def _plain(annotation: Any) -> str:
    if get_origin(annotation) is dict:
        return "sections by name" if any(_models(annotation)) else "values by name"
    if get_origin(annotation) is tuple:
        return "a list"
    if inspect.isclass(annotation) and issubclass(annotation, BaseModel):
        return "a section"
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    names |= {Path: "a path", SecretStr: "a secret"}
    return names.get(annotation, "text")


def _range(metadata: Iterable[Any]) -> str:
    signs = {Ge: ("≥", "ge"), Gt: (">", "gt"), Le: ("≤", "le"), Lt: ("<", "lt")}
    words = ""
    for one in metadata:
        if type(one) in signs:
            sign, name = signs[type(one)]
            words += f", {sign} {getattr(one, name):,g}"
        elif isinstance(one, MinLen):
            words += f", at least {one.min_length}"
    return words


def _default(field: FieldInfo) -> str:
    value = field.get_default(call_default_factory=True)
    if isinstance(value, BaseModel):
        return "as below"
    if value is None or value in ((), {}):
        return "none"
    read_as = " ".join(filter(None, map(_read_as, field.metadata)))
    if read_as.startswith("a duration"):
        return f"`{format_duration(value)}`"
    if read_as == "a size":
        return f"`{value // 1024**2}MiB`"
    plain = value.value if isinstance(value, Enum) else value
    return f"`{str(plain).lower() if isinstance(plain, bool) else plain}`"
