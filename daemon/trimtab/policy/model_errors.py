"""pydantic's errors in the words of an SRE, each at its place in the file.

pydantic says what is wrong by an error type and a ``loc``. Inside a tagged union the ``loc`` carries
the tag as a step of its own, which is no place in the file; it is dropped where the path is made.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from trimtab.errors import excerpt
from trimtab.policy import codes, not_yet
from trimtab.policy.document import API_VERSION
from trimtab.policy.paths import is_about_a_key, path_of, show_path
from trimtab.policy.registry import STRATEGIES
from trimtab.policy.rules import RULE_TAGS
from trimtab.policy.suggestions import did_you_mean, for_choice, for_key, nearest, one_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

    from trimtab.policy.diagnostics import Findings, Span
    from trimtab.policy.yaml_nodes import Node, Path

WHAT_WORDS: Mapping[str, str] = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "int_parsing_size": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
}
RANGE_WORDS: Mapping[str, tuple[str, str]] = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
NAME_HINTS: Mapping[str, str] = {
    "spec.deployments.name": (
        "write the full name, `accounts/<account>/deployments/<id>` or "
        "`clusters/<cluster>/namespaces/<namespace>/<plural.group>/<name>`; patterns go under `match`"
    ),
    "spec.stuck.fallbackTo": "write full names, `accounts/<account>/deployments/<id>`; no patterns",
    "spec.signals": "use letters, digits and underscores, not starting with a digit",
    "spec.members": "write the full name, `accounts/<account>/deployments/<id>`; no patterns",
}
TYPE_HINT = "write the type as the control plane does, as in `NVIDIA_H100_80GB`"
TYPE_KEYS = frozenset({"accelerator", "prices", "guaranteed", "borrow", "lend"})
LABEL_HINT = "use up to 63 lower-case letters, digits and dashes, no dash at either end"


@dataclass(frozen=True, slots=True)
class _Fault:
    """One error of pydantic with its place: ``path`` is without tags, ``loc`` as pydantic gave it."""

    error: ErrorDetails
    path: Path
    root: Node
    model: type[BaseModel]

    @property
    def type(self) -> str:
        return self.error["type"]

    @property
    def value(self) -> object:
        return self.error["input"]

    @property
    def context(self) -> Mapping[str, Any]:
        return self.error.get("ctx", {})

    @property
    def key(self) -> str:
        """The last step that is a word: what people call the place."""
        return next((str(step) for step in reversed(self.path) if isinstance(step, str)), "kind")

    @property
    def section(self) -> str:
        return show_path(self.path[:-1]) or "the document"


def show_value(value: object) -> str:
    """A value as the file might have it, short."""
    match value:
        case bool():
            return f"`{str(value).lower()}`"
        case str():
            return f'"{excerpt(value, 60)}"'
        case dict():
            return "a mapping"
        case tuple():
            return "a list"
        case _:
            return f"`{excerpt(str(value), 60)}`"


def note_model_errors(
    findings: Findings, errors: list[ErrorDetails], root: Node, model: type[BaseModel]
) -> None:
    """Translate every error of one document; those that only follow from another are left out."""
    faults = [_Fault(error, path_of(error["loc"], error["type"]), root, model) for error in errors]
    refused_rules = {fault.path[:3] for fault in faults if _is_not_yet(fault)}
    for fault in faults:
        if _follows_from_another(fault, refused_rules):
            continue
        code, span, message, hint = _translate(fault)
        findings.add(code, span, message, hint)


def _is_not_yet(fault: _Fault) -> bool:
    """Whether a whole rule is of a sort that this version does not know."""
    if fault.path[:2] != ("spec", "rules"):
        return False
    is_strategy = fault.type == "union_tag_invalid"
    return is_strategy and str(fault.context.get("tag")) in not_yet.STRATEGIES


def _follows_from_another(fault: _Fault, refused_rules: set[Path]) -> bool:
    if fault.type == "missing":
        parent, name = fault.path[:-1], fault.path[-1]
        children = fault.root.find(parent)[1].children
        if isinstance(children, dict) and name in children:
            return True  # the key is there without a value, which the reader has noted
        if name in _meant_by_unknown_keys(fault):
            return True  # the key is there, misspelt
        return fault.path[:3] in refused_rules and len(fault.path) == 4
    if fault.type == "too_short" and fault.value:
        return True  # pydantic counts the items that passed; the others have errors of their own
    if fault.type == "union_tag_not_found":
        children = fault.root.find(fault.path)[1].children
        return isinstance(children, dict) and "type" in children
    is_in_refused = fault.path[:3] in refused_rules and len(fault.path) == 4
    return is_in_refused and fault.type == "extra_forbidden" and not_yet.is_key_not_yet(fault.path)


_Answer = tuple[codes.Code, "Span", str, str]


def _translate(fault: _Fault) -> _Answer:
    if fault.type in RANGE_WORDS or fault.type == "duration_range":
        return _out_of_range(fault)
    if fault.type in WHAT_WORDS:
        return _wrong_type(fault)
    translations = {
        "missing": _missing,
        "extra_forbidden": _unknown_key,
        "literal_error": _not_a_choice,
        "enum": _not_a_choice,
        "union_tag_invalid": _unknown_strategy,
        "union_tag_not_found": _no_strategy_type,
        "count_or_word": _not_a_count_nor_word,
        "duration": _not_a_duration,
        "time_zone": _unknown_zone,
        "cron": _not_cron,
        "local_time": _not_local_time,
        "pairs": _not_local_time,
        "string_pattern_mismatch": _malformed_name,
        "string_too_long": _too_long,
        "string_too_short": _empty,
        "too_short": _empty,
        "one_of": _not_one_of,
        "contradiction": _contradiction,
    }
    translation = translations.get(fault.type, _anything_else)
    return translation(fault)


def _missing(fault: _Fault) -> _Answer:
    name = fault.path[-1]
    message = f"`{name}` is missing from {_quoted(fault.section)}"
    # Point at the section's own key; a missing section of the document itself has none.
    span = fault.root.key_span(fault.path[:-1])
    return codes.MISSING_KEY, span, message, f"add `{name}: …`"


def _unknown_key(fault: _Fault) -> _Answer:
    name = str(fault.path[-1])
    span = fault.root.key_span(fault.path)
    if not_yet.is_key_not_yet(fault.path):
        message = f"`{show_path(fault.path)}` is not supported by this version"
        return codes.NOT_YET, span, message, "remove it: this version could only ignore it"
    known = keys_at(fault.model, fault.error["loc"][:-1])
    message = f"`{excerpt(name, 60)}` is not a key of {_quoted(fault.section)}"
    return codes.UNKNOWN_KEY, span, message, for_key(name, known)


def _wrong_type(fault: _Fault) -> _Answer:
    wanted = WHAT_WORDS[fault.type]
    span = fault.root.value_span(fault.path)
    place = _quoted(show_path(fault.path) or "the document")
    message = f"{place} must be {wanted}, not {show_value(fault.value)}"
    code = codes.NOT_A_MAPPING if wanted == "a mapping" else codes.WRONG_TYPE
    hint = ""
    if isinstance(fault.value, str) and re.fullmatch(r"-?[0-9.]+", fault.value, re.ASCII):
        hint = f"remove the quotes: `{fault.key}: {fault.value}`"
    elif wanted == "text" and isinstance(fault.value, int | float):
        hint = f'put it in quotes: `"{str(fault.value).lower()}"`'
    elif wanted == "a list" and not isinstance(fault.value, dict):
        hint = f"write it as a list: `{fault.key}: [{excerpt(str(fault.value), 40)}]`"
    elif wanted == "a list":
        hint = "begin each item with `- `"
    elif wanted == "a mapping":
        known = keys_at(fault.model, fault.error["loc"]) or ["type"]
        hint = f"its keys: {', '.join(f'`{one}`' for one in known)}"
    return code, span, message, hint


def _out_of_range(fault: _Fault) -> _Answer:
    if fault.type == "duration_range":
        words = "between {least} and {most}".format(**fault.context)
    else:
        key, word = RANGE_WORDS[fault.type]
        words = f"{word} {fault.context[key]:,}".removesuffix(".0")
    shown = show_value(fault.value) if not isinstance(fault.value, str) else f"`{fault.value}`"
    message = f"`{show_path(fault.path)}` is {shown}, but must be {words}"
    return codes.OUT_OF_RANGE, fault.root.value_span(fault.path), message, ""


def _not_a_choice(fault: _Fault) -> _Answer:
    span = fault.root.value_span(fault.path)
    if fault.path == ("apiVersion",):
        message = f"this version does not read apiVersion {show_value(fault.value)}"
        return codes.API_VERSION, span, message, f"use `{API_VERSION}`"
    known = re.findall(r"'([^']*)'", str(fault.context["expected"]))
    message = f"`{show_path(fault.path)}` cannot be {show_value(fault.value)}"
    hint = for_choice(fault.value, known) if isinstance(fault.value, str) else one_of(known)
    return codes.NOT_A_CHOICE, span, message, hint


def _not_a_count_nor_word(fault: _Fault) -> _Answer:
    span, text = fault.root.value_span(fault.path), str(fault.value)
    message = f"`{show_path(fault.path)}` cannot be {show_value(fault.value)}"
    if re.fullmatch(r"[0-9]+", text, re.ASCII):
        return codes.WRONG_TYPE, span, message, f"remove the quotes: `{fault.key}: {text}`"
    words = fault.context["words"]
    hint = did_you_mean(text, words) or f"{one_of(words)}, or a count such as `4`"
    return codes.NOT_A_CHOICE, span, message, hint


def _unknown_strategy(fault: _Fault) -> _Answer:
    path = (*fault.path, "type")
    span, tag = fault.root.value_span(path), str(fault.context["tag"])
    if tag in not_yet.STRATEGIES:
        message = f"the strategy `{tag}` is not supported by this version"
        return codes.NOT_YET, span, message, one_of(STRATEGIES)
    message = f'there is no strategy "{excerpt(tag, 60)}"'
    return codes.STRATEGY_TYPE, span, message, for_choice(tag, STRATEGIES)


def _no_strategy_type(fault: _Fault) -> _Answer:
    message = f"`type` is missing from `{show_path(fault.path)}`"
    return codes.MISSING_KEY, fault.root.key_span(fault.path), message, one_of(STRATEGIES)


def _not_a_duration(fault: _Fault) -> _Answer:
    message = f"`{show_path(fault.path)}` must be a duration, not {show_value(fault.value)}"
    span = fault.root.value_span(fault.path)
    return codes.DURATION, span, message, str(fault.context["hint"])


def _unknown_zone(fault: _Fault) -> _Answer:
    message = f"there is no time zone {show_value(fault.value)}"
    return codes.TIME_ZONE, fault.root.value_span(fault.path), message, str(fault.context["hint"])


def _not_cron(fault: _Fault) -> _Answer:
    message = f"{show_value(fault.value)} is no cron expression: {fault.context['why']}"
    return codes.CRON, fault.root.value_span(fault.path), message, str(fault.context["hint"])


def _not_local_time(fault: _Fault) -> _Answer:
    message = f"`{show_path(fault.path)}`: {excerpt(fault.error['msg'])}"
    return codes.LOCAL_TIME, fault.root.value_span(fault.path), message, str(fault.context["hint"])


def _malformed_name(fault: _Fault) -> _Answer:
    is_key = is_about_a_key(fault.error["loc"], fault.type)
    span = fault.root.key_span(fault.path) if is_key else fault.root.value_span(fault.path)
    place = show_path(fault.path[:-1] if is_key else fault.path)
    is_signal = place == "spec.signals" or fault.key in ("signal", "wakeOn")
    hint = NAME_HINTS.get("spec.signals" if is_signal else place.partition("[")[0], LABEL_HINT)
    if place.rpartition(".")[2] in TYPE_KEYS:
        hint = TYPE_HINT
    where = f"as a key of `{place}`" if is_key else f"for `{place}`"
    return codes.NAME, span, f"{show_value(fault.value)} will not do {where}", hint


def _too_long(fault: _Fault) -> _Answer:
    is_key = is_about_a_key(fault.error["loc"], fault.type)
    span = fault.root.key_span(fault.path) if is_key else fault.root.value_span(fault.path)
    most = fault.context["max_length"]
    message = f"`{show_path(fault.path)}` is longer than {most} characters"
    return codes.NAME, span, message, "shorten it"


def _empty(fault: _Fault) -> _Answer:
    message = f"`{show_path(fault.path)}` must not be empty"
    return codes.TOO_SHORT, fault.root.value_span(fault.path), message, ""


def _not_one_of(fault: _Fault) -> _Answer:
    names = [f"`{name}`" for name in fault.context["names"]]
    listed = f"{', '.join(names[:-1])} and {names[-1]}"
    given = "none is given" if not fault.context["given"] else "more than one is given"
    message = f"`{show_path(fault.path)}` needs {fault.context['count']} of {listed}; {given}"
    return codes.ONE_OF, fault.root.key_span(fault.path), message, ""


def _contradiction(fault: _Fault) -> _Answer:
    message = f"`{show_path(fault.path)}`: {fault.error['msg']}"
    span = fault.root.value_span(fault.path)
    return codes.CONTRADICTION, span, message, str(fault.context["hint"])


def _anything_else(fault: _Fault) -> _Answer:
    place = show_path(fault.path) or "the document"
    sentence = excerpt(fault.error["msg"])
    return codes.INVALID, fault.root.value_span(fault.path), f"`{place}`: {sentence}", ""


def _quoted(place: str) -> str:
    return place if place == "the document" else f"`{place}`"


def _meant_by_unknown_keys(fault: _Fault) -> set[str | None]:
    """The keys that the unknown ones beside a missing key were probably meant to be."""
    children = fault.root.find(fault.path[:-1])[1].children
    known = keys_at(fault.model, fault.error["loc"][:-1])
    given = children if isinstance(children, dict) else {}
    return {nearest(one, known) for one in given if one not in known}


def keys_at(model: type[BaseModel], loc: tuple[str | int, ...]) -> list[str]:
    """The keys that a document may have at ``loc`` (tags included), as they are written."""
    kind: Any = model
    for step in loc:
        kind = _step(kind, step)
    fields = (pair for one in _models(kind) for pair in one.model_fields.items())
    return list(dict.fromkeys(field.alias or name for name, field in fields))


def _models(kind: Any) -> list[type[BaseModel]]:
    """The models that a rule may have, or the one that ``kind`` is."""
    kind = _unwrap(kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return [kind]
    members = [_unwrap(one) for one in get_args(kind)]
    return members if set(members) == set(RULE_TAGS.values()) else []


def _step(kind: Any, step: str | int) -> Any:
    kind = _unwrap(kind)
    models = _models(kind)
    if len(models) > 1 and step in RULE_TAGS:
        return RULE_TAGS[str(step)]
    if models:
        fields = [pair for one in models for pair in one.model_fields.items()]
        return next((one.annotation for name, one in fields if (one.alias or name) == step), None)
    arguments = get_args(kind)
    if get_origin(kind) is tuple:
        return arguments[0]
    if get_origin(kind) is dict:
        return arguments[1]
    if get_origin(kind) in (Union, UnionType) and step in STRATEGIES:
        return STRATEGIES[str(step)].config
    return None


def _unwrap(kind: Any) -> Any:
    """Without ``Annotated`` and ``| None``."""
    if get_origin(kind) is Annotated:
        return _unwrap(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        rest = [one for one in get_args(kind) if one is not NoneType]
        return _unwrap(rest[0]) if len(rest) == 1 else kind
    return kind
