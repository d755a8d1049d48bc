"""Files in, policies or diagnostics out: the one reader for the daemon, the command line and reloads."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from pydantic import ValidationError

from trimtab.errors import PolicyError
from trimtab.policy import codes, not_yet
from trimtab.policy.checks import Place, check_policy, check_together
from trimtab.policy.codes import Severity
from trimtab.policy.compile import compile_policy
from trimtab.policy.diagnostics import START, Diagnostic, FileText, Findings, in_order
from trimtab.policy.document import KINDS, ScalingPolicy
from trimtab.policy.model_errors import note_model_errors, path_of, show_value
from trimtab.policy.suggestions import for_choice
from trimtab.policy.yaml_nodes import read_nodes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from trimtab.core.policy import Policy
    from trimtab.policy.yaml_nodes import Node

SUFFIXES = frozenset({".yaml", ".yml"})
DIRECTORIES_LEFT_OUT = frozenset({"schema", "tests", "examples"})
"""Below a directory of policies these hold something else: read them by naming them."""

KINDS_OF_OTHERS = frozenset({"PolicyTest"})
"""Documents that may stand beside policies and have readers of their own (``trimtab test``)."""

FILE_BYTES_MAX = 256 * 1024

_NOT_PRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"  # YAML 1.2, rule [1]
)


@dataclass(frozen=True, slots=True)
class Policies(Sequence["Policy"]):
    """The policies of a path, in the order of their files, and what deserves a second look."""

    policies: tuple[Policy, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()

    @overload
    def __getitem__(self, index: int) -> Policy: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[Policy, ...]: ...
    def __getitem__(self, index: int | slice) -> Policy | tuple[Policy, ...]:
        return self.policies[index]

    def __len__(self) -> int:
        return len(self.policies)

    def __iter__(self) -> Iterator[Policy]:
        return iter(self.policies)


@dataclass(frozen=True, slots=True)
class FileReport:
    """One file: its policies, none of them if the file has an error, and all its diagnostics."""

    file: str
    policies: tuple[Policy, ...]
    diagnostics: tuple[Diagnostic, ...]

    @property
    def is_valid(self) -> bool:
        """Whether the file can be used; warnings do not matter."""
        return all(one.severity is not Severity.ERROR for one in self.diagnostics)


@dataclass(frozen=True, slots=True)
class LoadReport:
    """Everything that reading a path came to, file by file."""

    files: tuple[FileReport, ...]

    @property
    def policies(self) -> tuple[Policy, ...]:
        """The policies of all valid files."""
        return tuple(policy for file in self.files for policy in file.policies)

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """All diagnostics of all files, in the order of the files."""
        return tuple(one for file in self.files for one in file.diagnostics)

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """Those that make a file unusable."""
        return tuple(one for one in self.diagnostics if one.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Diagnostic, ...]:
        """Those that do not."""
        return tuple(one for one in self.diagnostics if one.severity is Severity.WARNING)

    @property
    def is_valid(self) -> bool:
        """Whether every file can be used."""
        return not self.errors


def load_policies(path: str | Path, *, sources: Collection[str] | None = None) -> Policies:
    """Read every policy at ``path``, a file or a directory; all of them are valid, or it raises.

    ``sources`` are the names of the sources that signals may come from; ``None`` leaves them
    unchecked. Raises ``PolicyError`` with every diagnostic of every file, warnings included.
    """
    report = read_policies(path, sources=sources)
    if not report.is_valid:
        raise PolicyError(report.diagnostics)
    return Policies(report.policies, report.warnings)


def read_policies(path: str | Path, *, sources: Collection[str] | None = None) -> LoadReport:
    """As ``load_policies``, but what is wrong is part of the answer and nothing is raised."""
    path = Path(path)
    try:
        files = list(find_policy_files(path))
    except OSError as error:
        return _whole_path(path, codes.NO_SUCH_PATH, f"{_why(error)}: no policies can be read")
    reads = [_read_file(file) for file in files]
    report = _report(reads, sources)
    if not any(read.has_documents for read in reads) and report.is_valid:
        return _whole_path(path, codes.NO_POLICIES, "there is no policy here")
    return report


def read_policy_texts(
    texts: Iterable[tuple[str, str]], *, sources: Collection[str] | None = None
) -> LoadReport:
    """As ``read_policies``, for texts that are in memory: pairs of a file name and its content."""
    return _report([_read_text(FileText(name, text)) for name, text in texts], sources)


def find_policy_files(path: Path) -> Iterator[Path]:
    """The files that ``path`` stands for, in a stable order; ``OSError`` if there is no such path.

    Hidden names are left out: a mounted Kubernetes ConfigMap keeps a second copy below ``..data``.
    """
    if not path.is_dir():
        path.stat()
        yield path
        return
    seen: set[str] = set()
    found: list[Path] = []
    for folder, below, names in os.walk(path, followlinks=True):
        real = os.path.realpath(folder)
        below[:] = (
            []
            if real in seen
            else [one for one in below if one not in DIRECTORIES_LEFT_OUT and one[0] != "."]
        )
        if real not in seen:
            found += (Path(folder, one) for one in names if one[0] != ".")
        seen.add(real)
    yield from sorted(one for one in found if one.suffix in SUFFIXES)


@dataclass(slots=True)
class _Read:
    """One file on its way: what was found so far, and the documents that passed the model."""

    findings: Findings
    places: list[Place]
    has_documents: bool


def _report(reads: list[_Read], sources: Collection[str] | None) -> LoadReport:
    for read in reads:
        for place in read.places:
            check_policy(place, sources)
    check_together(place for read in reads for place in read.places)
    return LoadReport(tuple(_file_report(read) for read in reads))


def _file_report(read: _Read) -> FileReport:
    name = read.findings.file.name
    report = FileReport(name, (), in_order(read.findings.diagnostics))
    if not report.is_valid:
        return report
    policies = tuple(
        compile_policy(place.document, f"{name}:{place.root.span.line}") for place in read.places
    )
    return FileReport(name, policies, report.diagnostics)


def _read_file(path: Path) -> _Read:
    findings = Findings(FileText(str(path), ""))
    try:
        with path.open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except OSError as error:
        findings.add(codes.UNREADABLE_FILE, START, f"the file cannot be read: {_why(error)}")
        return _Read(findings, [], has_documents=True)
    if len(content) > FILE_BYTES_MAX:
        kib = FILE_BYTES_MAX // 1024
        findings.add(codes.UNREADABLE_FILE, START, f"the file is larger than {kib} KiB")
        return _Read(findings, [], has_documents=True)
    try:
        return _read_text(FileText(str(path), content.decode()))
    except UnicodeDecodeError as error:
        findings = Findings(FileText(str(path), content.decode(errors="replace")))
        at = findings.file.place(len(content[: error.start].decode()))
        findings.add(codes.UNREADABLE_FILE, at, "the file is not UTF-8 here", "save it as UTF-8")
        return _Read(findings, [], has_documents=True)


def _read_text(file: FileText) -> _Read:
    file = FileText(file.name, file.text.removeprefix("\ufeff"))
    findings = Findings(file)
    if bad := _NOT_PRINTABLE.search(file.text):
        message = f"the character U+{ord(bad.group()):04X} is not allowed in YAML"
        findings.add(codes.UNREADABLE_FILE, file.place(bad.start()), message, "remove it")
        return _Read(findings, [], has_documents=True)
    roots = read_nodes(findings)
    is_empty = not roots and not findings.diagnostics
    if is_empty:
        findings.add(codes.EMPTY_FILE, START, "the file holds no policy")
    places = [place for root in roots if (place := _read_document(root, findings)) is not None]
    return _Read(findings, places, has_documents=not is_empty)


def _read_document(root: Node, findings: Findings) -> Place | None:
    """Hold one document against its model; ``None`` if too little is left to check further."""
    data = root.data
    if not isinstance(data, dict):
        message = f"a policy is a mapping, not {show_value(data)}"
        findings.add(codes.NOT_A_MAPPING, root.span, message, "begin with `apiVersion: …`")
        return None
    if not _is_policy(root, data, findings):
        return None
    try:
        return Place(ScalingPolicy.model_validate(data), root, findings)
    except ValidationError as error:
        errors = error.errors(include_url=False)
        note_model_errors(findings, errors, root, ScalingPolicy)
    # Misspelt keys inside a section do not keep the rest from being checked in the same run.
    extra = {path_of(one["loc"]) for one in errors if one["type"] == "extra_forbidden"}
    if len(extra) < len(errors) or any(len(path) < 3 for path in extra):
        return None
    try:
        return Place(ScalingPolicy.model_validate(_without(data, extra)), root, findings)
    except ValidationError:
        return None


def _is_policy(root: Node, data: dict[str, Any], findings: Findings) -> bool:
    """Whether the document is to be held against the model of policies; note a kind that is none."""
    kind = data.get("kind")
    if isinstance(kind, str) and kind in KINDS_OF_OTHERS:
        return False
    if kind is None or (isinstance(kind, str) and kind in KINDS):
        return True  # the model says what is missing, and about everything else besides
    span = root.value_span(("kind",))
    if isinstance(kind, str) and kind in not_yet.KINDS:
        message = f"documents of the kind `{kind}` are not supported by this version"
        findings.add(codes.NOT_YET, span, message, "remove it: this version could only ignore it")
    else:
        hint = for_choice(str(kind), [*KINDS, *sorted(KINDS_OF_OTHERS)])
        findings.add(codes.KIND, span, f"there is no kind of document {show_value(kind)}", hint)
    return False


def _without(data: Any, paths: set[tuple[str | int, ...]], at: tuple[str | int, ...] = ()) -> Any:
    if isinstance(data, dict):
        kept = (key for key in data if (*at, key) not in paths)
        return {key: _without(data[key], paths, (*at, key)) for key in kept}
    if isinstance(data, tuple):
        return tuple(_without(item, paths, (*at, index)) for index, item in enumerate(data))
    return data


def _whole_path(path: Path, code: codes.Code, message: str) -> LoadReport:
    findings = Findings(FileText(str(path), ""))
    findings.add(code, START, message, "name a file or a directory with policy files")
    return LoadReport((FileReport(str(path), (), tuple(findings.diagnostics)),))


def _why(error: OSError) -> str:
    return (error.strerror or "it cannot be opened").lower()
