"""One file: bytes in, documents that passed the model out, with everything that is wrong on the way.

Nothing here looks at another file, so that what came out of a file is true as long as its bytes are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from trimtab.policy import codes
from trimtab.policy.diagnostics import START, FileText, Findings
from trimtab.policy.document import ScalingPolicy
from trimtab.policy.fleet_document import FleetDocument
from trimtab.policy.group_document import GroupDocument
from trimtab.policy.inherited import with_defaults
from trimtab.policy.kinds import KINDS
from trimtab.policy.model_errors import note_model_errors, show_value
from trimtab.policy.paths import path_of
from trimtab.policy.place import Located, Place
from trimtab.policy.suggestions import for_choice
from trimtab.policy.yaml_nodes import read_nodes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.policy.inherited import Inherited
    from trimtab.policy.parts import Part
    from trimtab.policy.yaml_nodes import Node

KINDS_OF_OTHERS = frozenset({"PolicyTest"})
"""Documents that may stand beside policies and have readers of their own (``trimtab test``)."""

FILE_BYTES_MAX = 256 * 1024

_NOT_PRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"  # YAML 1.2, rule [1]
)


@dataclass(frozen=True, slots=True)
class ReadFile:
    """One file: what was found so far, and the documents that passed the model, by their kind.

    ``has_policies``: whether there is a document of any of our kinds; also where it could not be read, as
    such a file is not without any.
    """

    findings: Findings
    places: tuple[Place, ...] = ()
    fleets: tuple[Located[FleetDocument], ...] = ()
    groups: tuple[Located[GroupDocument], ...] = ()
    has_policies: bool = True

    def documents(self) -> Iterator[Located[Any]]:
        """Every document that passed, of whatever kind."""
        yield from self.places
        yield from self.fleets
        yield from self.groups


def unreadable(name: str, message: str) -> ReadFile:
    """A file of which nothing could be read."""
    findings = Findings(FileText(name, ""))
    findings.add(codes.UNREADABLE_FILE, START, message)
    return ReadFile(findings)


def read_content(name: str, content: bytes, inherited: Inherited | None = None) -> ReadFile:
    """What the bytes of a file come to, where policies leave out what is ``inherited``."""
    if len(content) > FILE_BYTES_MAX:
        return unreadable(name, f"the file is larger than {FILE_BYTES_MAX // 1024} KiB")
    try:
        return read_text(FileText(name, content.decode()), inherited)
    except UnicodeDecodeError as error:
        findings = Findings(FileText(name, content.decode(errors="replace")))
        at = findings.file.place(len(content[: error.start].decode()))
        findings.add(codes.UNREADABLE_FILE, at, "the file is not UTF-8 here", "save it as UTF-8")
        return ReadFile(findings)


def read_text(file: FileText, inherited: Inherited | None = None) -> ReadFile:
    """What the text of a file comes to, where policies leave out what is ``inherited``."""
    file = FileText(file.name, file.text.removeprefix("\ufeff"))
    findings = Findings(file)
    if bad := _NOT_PRINTABLE.search(file.text):
        message = f"the character U+{ord(bad.group()):04X} is not allowed in YAML"
        findings.add(codes.UNREADABLE_FILE, file.place(bad.start()), message, "remove it")
        return ReadFile(findings)
    roots = read_nodes(findings)
    if not roots and not findings.diagnostics:
        findings.add(codes.EMPTY_FILE, START, "the file holds no policy")
        return ReadFile(findings, has_policies=False)
    places: list[Place] = []
    fleets: list[Located[FleetDocument]] = []
    groups: list[Located[GroupDocument]] = []
    for number, root in enumerate(roots):
        match _read_document(root, findings, inherited):
            case ScalingPolicy() as policy:
                places.append(Place(policy, root, findings, number, inherited))
            case FleetDocument() as fleet:
                fleets.append(Located(fleet, root, findings, number))
            case GroupDocument() as group:
                groups.append(Located(group, root, findings, number))
    has_policies = bool(places or fleets or groups or findings.diagnostics)
    return ReadFile(findings, tuple(places), tuple(fleets), tuple(groups), has_policies)


def _read_document(root: Node, findings: Findings, inherited: Inherited | None) -> Part | None:
    """Hold one document against its model; ``None`` if too little is left to check further."""
    data = root.data
    if not isinstance(data, dict):
        message = f"a policy is a mapping, not {show_value(data)}"
        findings.add(codes.NOT_A_MAPPING, root.span, message, "begin with `apiVersion: …`")
        return None
    model = _model(root, data, findings)
    if model is None:
        return None
    if model is ScalingPolicy:
        data = with_defaults(data, inherited)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        note_model_errors(findings, errors, root, model)
    # Misspelt keys inside a section do not keep the rest from being checked in the same run.
    real = [one for one in errors if not (one["type"] == "too_short" and one["input"])]
    extra = {path_of(one["loc"], one["type"]) for one in real if one["type"] == "extra_forbidden"}
    if len(extra) < len(real) or any(len(path) < 3 for path in extra):
        return None
    try:
        return model.model_validate(_without(data, extra))
    except ValidationError:
        return None


def _model(root: Node, data: dict[str, Any], findings: Findings) -> type[Part] | None:
    """The model that the document is to be held against; note a kind that has none."""
    kind = data.get("kind")
    if kind is None:
        return ScalingPolicy  # the model says what is missing, and about everything else besides
    if isinstance(kind, str):
        if kind in KINDS_OF_OTHERS:
            return None
        if kind in KINDS:
            return KINDS[kind]
    hint = for_choice(str(kind), [*KINDS, *sorted(KINDS_OF_OTHERS)])
    message = f"there is no kind of document {show_value(kind)}"
    findings.add(codes.KIND, root.value_span(("kind",)), message, hint)
    return None


def _without(data: Any, paths: set[tuple[str | int, ...]], at: tuple[str | int, ...] = ()) -> Any:
    if isinstance(data, dict):
        kept = (key for key in data if (*at, key) not in paths)
        return {key: _without(data[key], paths, (*at, key)) for key in kept}
    if isinstance(data, tuple):
        return tuple(_without(item, paths, (*at, index)) for index, item in enumerate(data))
    return data
