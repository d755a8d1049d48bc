"""What is wrong with the settings, in one sentence each: the file's key or the variable, the remedy.

A value is shown only where it can be no secret.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from trimtab.errors import excerpt
from trimtab.policy.diagnostics import FileText, Findings
from trimtab.policy.suggestions import did_you_mean, one_of
from trimtab.policy.yaml_nodes import read_nodes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from pathlib import Path

    from pydantic import BaseModel, ValidationError
    from pydantic.fields import FieldInfo
    from pydantic_core import ErrorDetails

    from trimtab.policy.yaml_nodes import Node

PREFIX = "TRIMTAB_"
CONFIG = "config"
OPTIONS = frozenset({CONFIG, "url", "token_file"})
"""Variables that stand for options of commands, those that speak to the daemon among them."""

FILE_BYTES_MAX = 256 * 1024
KEY_CHARACTERS_MAX = 80
VALUE_CHARACTERS_MAX = 120

_SERVICE_LINK = re.compile(r"(PORT|SERVICE)(_|$)")
"""Kubernetes sets ``TRIMTAB_PORT``, ``TRIMTAB_SERVICE_HOST``, … beside a service called trimtab."""

_HARMLESS = frozenset(
    {
        "tick_interval",
        "fleet_refresh_interval",
        "metrics_interval",
        "shutdown_timeout",
        "default",
        "level",
        "format",
        "listen",
        "writes_in_flight_max",
        "control_requests_per_minute",
        "metrics_requests_per_minute",
        "annotate",
        "path",
        "required",
        "retention_age",
        "retention_size",
        "service",
        "buckets",
        "lease",
        "group",
        "namespace",
    }
)
"""Settings whose value may be shown: even by mistake nobody writes a secret there."""

KeyPath: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class FileValues:
    """The values of a settings file, where each stands, and what is wrong with it as YAML."""

    name: str = ""
    values: dict[str, Any] = field(default_factory=dict)
    root: Node | None = None
    problems: tuple[str, ...] = ()

    def place(self, path: KeyPath) -> str | None:
        """Return ``file:line`` of the key at ``path``; ``None`` if it is not in the file."""
        if self.root is None or not path:
            return None
        key, _, depth = self.root.find(path)
        return f"{self.name}:{key.span.line}" if depth == len(path) else None


def read_file(path: Path) -> FileValues:
    """Read a YAML file of settings; what is wrong is part of the answer."""
    name = str(path)
    try:
        data = path.read_bytes()
        if len(data) > FILE_BYTES_MAX:
            return FileValues(name, problems=(f"{name}: too large to be a file of settings",))
        text = data.decode()
    except OSError as error:
        why = f"{name}: cannot be read ({error.strerror}); check --config or {PREFIX}CONFIG"
        return FileValues(name, problems=(why,))
    except UnicodeDecodeError:
        return FileValues(name, problems=(f"{name}: is not UTF-8 text; save it as UTF-8",))
    findings = Findings(FileText(name, text))
    documents = read_nodes(findings)
    problems = [
        f"{name}:{one.line}: {one.message}" + (f"; {one.hint}" if one.hint else "")
        for one in findings.diagnostics
    ]
    if len(documents) > 1:
        problems.append(f"{name}: holds {len(documents)} documents; settings are one")
    root = documents[0] if documents else None
    if root is not None and not isinstance(root.data, dict):
        problems.append(f"{name}:1: is not a mapping of settings; write `key: value` lines")
        root = None
    values = {} if root is None else _plain(root.data)
    return FileValues(name, values, root, tuple(problems))


def _plain(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _plain(value) for key, value in data.items()}
    return [_plain(one) for one in data] if isinstance(data, tuple | list) else data


def unknown_variables(environ: Mapping[str, str], fields: Mapping[str, FieldInfo]) -> Iterator[str]:
    """Name each ``TRIMTAB_…`` variable that no setting reads."""
    known = {*fields, *OPTIONS}
    for variable in sorted(environ):
        if not variable.startswith(PREFIX):
            continue
        rest = variable.removeprefix(PREFIX)
        top, *deeper = rest.lower().split("__")
        if top not in known and not _SERVICE_LINK.match(rest):
            yield _unknown(variable, top, (), known)
        elif deeper and top in known and not _is_section(fields.get(top)):
            yield f"{variable} is not a setting; {PREFIX}{top.upper()} has no parts"


def _is_section(setting: FieldInfo | None) -> bool:
    return setting is not None and setting.annotation not in (str, int, float, bool)


def sentences(
    error: ValidationError, file: FileValues, environ: Mapping[str, str], model: type[BaseModel]
) -> Iterator[str]:
    """Put each validation error into a sentence."""
    details = error.errors(include_url=False)
    is_short_form_wrong = any(one["loc"][:1] == ("fireworks",) for one in details)
    for one in details:
        path = tuple(part for part in one["loc"] if part != "[key]")
        tagged, path = path, _untagged(path)
        if path == ("accounts",) and one["type"] == "too_short":
            if not is_short_form_wrong:
                yield (
                    "no account is set: set TRIMTAB_FIREWORKS__ACCOUNT_ID and "
                    "TRIMTAB_FIREWORKS__API_KEY_FILE, or `accounts` or `clusters` in the settings file"
                )
            continue
        if path == ("fireworks", "account_id"):
            yield _no_account_id(file, environ)
            continue
        where = _where(path, file, environ)
        if one["type"] == "extra_forbidden":
            yield _unknown(where, str(path[-1]), path[:-1], _known_at(model, tagged[:-1]))
            continue
        context = one.get("ctx", {}).get("error")
        if one["type"] in ("model_type", "model_attributes_type", "dict_type"):
            what = "must be a mapping of settings"
        elif context is not None:
            what = str(context)  # ours, from a validator
        else:
            what = _IN_OUR_WORDS.get(one["type"], _in_words)(one)
        shown = _shown(path, one["input"])
        if not shown:
            yield f"{where} {what}"
        elif what.startswith("is "):
            yield f"{where} is {shown}, which {what}"
        else:
            yield f"{where} is {shown}; it {what}"


def _untagged(path: KeyPath) -> KeyPath:
    """Leave out the type that pydantic puts behind the name of a source."""
    return (*path[:2], *path[3:]) if path[:1] == ("sources",) and len(path) > 2 else path


def _where(path: KeyPath, file: FileValues, environ: Mapping[str, str]) -> str:
    """Name the variable or the place in the file that a setting came from."""
    aliases = [path]
    if path[:1] == ("accounts",) and len(path) >= 2:
        aliases.append(("fireworks", *path[2:]))
    for alias in aliases:
        variable = PREFIX + "__".join(map(str, alias)).upper()
        present = {name.upper() for name in environ}
        if variable in present:
            return variable
    for alias in aliases:
        place = file.place(alias)
        if place is not None:
            return f"{place}: `{_dotted(alias)}`"
    if path[:1] == ("accounts",) and len(path) == 2:
        return f"account {excerpt(str(path[1]), KEY_CHARACTERS_MAX)}"
    if path[:1] == ("sources",) and (place := file.place(path[:-1])) is not None:
        return f"{place}: `{_dotted(path)}`"  # what is missing has no place of its own
    return f"`{_dotted(path)}`"


def _dotted(path: KeyPath) -> str:
    return ".".join(excerpt(str(part), KEY_CHARACTERS_MAX) for part in path)


def _no_account_id(file: FileValues, environ: Mapping[str, str]) -> str:
    """The short form lacks its id; where the file says what is scaled, it may not be meant at all."""
    sentence = (
        "the account's id is not set: set TRIMTAB_FIREWORKS__ACCOUNT_ID (or FIREWORKS_ACCOUNT_ID)"
    )
    stated = sorted(one for one in environ if one.startswith(f"{PREFIX}FIREWORKS__"))
    if not stated or not ({"accounts", "clusters"} & file.values.keys()):
        return sentence
    return (
        f"{sentence}, or leave {' and '.join(stated)} out, as the settings file says what is scaled"
    )


def _unknown(where: str, word: str, section: KeyPath, known: Collection[str]) -> str:
    hint = did_you_mean(word, known)
    if not hint:
        return f"{where} is not a setting; known here: {', '.join(sorted(known))}"
    near = (*(excerpt(str(part), KEY_CHARACTERS_MAX) for part in section), hint.split("`")[1])
    if where.startswith(PREFIX):
        return f"{where} is not a setting; did you mean {PREFIX}{'__'.join(near).upper()}?"
    return f"{where} is not a setting; did you mean `{'.'.join(near)}`?"


def _known_at(model: type[BaseModel], path: KeyPath) -> Collection[str]:
    """Return the names of the settings in the section at ``path``."""
    fields = model.model_fields
    for part in path:
        setting = fields.get(str(part))
        if setting is None:
            continue  # the id of an account: its fields are those of the values
        fields = _model_in(setting.annotation, path).model_fields
    return list(fields)


def _model_in(annotation: Any, path: KeyPath) -> type[BaseModel]:
    """Return the model that a section or the values of a mapping of sections have.

    Of several, it is the one whose ``type`` is a part of ``path``.
    """
    if hasattr(annotation, "model_fields"):
        return annotation  # type: ignore[no-any-return]  # by its model_fields
    models = [_model_in(part, path) for part in getattr(annotation, "__args__", ())]
    models = [model for model in models if hasattr(model, "model_fields")]
    for model in models:
        tag = model.model_fields.get("type")
        if tag is not None and set(getattr(tag.annotation, "__args__", ())) & set(path):
            return model
    return models[0] if models else annotation


def _shown(path: KeyPath, value: object) -> str:
    """Return the value as text, or nothing where it could be a secret in the wrong place."""
    is_harmless = str(path[-1]) in _HARMLESS and (path[0] != "accounts" or len(path) > 2)
    is_plain = is_harmless and isinstance(value, str | int | float)
    return excerpt(repr(value), VALUE_CHARACTERS_MAX) if is_plain else ""


def _in_words(one: ErrorDetails) -> str:
    """Make pydantic's sentence the second half of ours."""
    message = one["msg"][0].lower() + one["msg"][1:]
    return message.replace("input should be", "must be").replace("field required", "is missing")


def _of_no_type(one: ErrorDetails) -> str:
    context = one.get("ctx", {})
    known = [word.strip(" '") for word in str(context.get("expected_tags", "")).split(",")]
    hint = did_you_mean(str(context.get("tag", "")), known) or one_of(known)
    return f"has a type that does not exist; {hint}"


_IN_OUR_WORDS: Mapping[str, Callable[[ErrorDetails], str]] = {
    "union_tag_invalid": _of_no_type,
    "union_tag_not_found": lambda _: "says no type; write `type:` and what kind of source it is",
    "string_pattern_mismatch": lambda _: "is not written as it has to be; see docs/sources.md",
}
"""What to say about the kinds of errors that pydantic describes for programmers."""
