"""A path that is read again and again: a file whose bytes did not change is not parsed again.

What policies mean beside each other is checked anew every time, over all files.
"""

from __future__ import annotations

import gc
import os
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.policy import codes
from trimtab.policy.checks import check_policy, check_together
from trimtab.policy.compile import compile_policy
from trimtab.policy.diagnostics import START, FileText, Findings, in_order
from trimtab.policy.reading import FILE_BYTES_MAX, read_content, read_text, unreadable
from trimtab.policy.reports import FileReport, LoadReport

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from trimtab.core.policy import Policy
    from trimtab.policy.reading import ReadFile

SUFFIXES = (".yaml", ".yml")
DIRECTORIES_LEFT_OUT = frozenset({"schema", "tests", "examples"})
"""Below a directory of policies these hold something else: read them by naming them."""


class PolicyStore:
    """Reads policies, and remembers of each file what its content came to.

    ``sources`` are the names of the sources that signals may come from; ``None`` leaves them
    unchecked. Where they are a mapping, its values say of a query why that source cannot read it, or
    ``None`` where it can: what they say is a warning. A store is used by one thread at a time.
    """

    def __init__(self, *, sources: Collection[str] | None = None) -> None:
        self._sources = sources
        self._known: dict[str, _Known] = {}

    def load(self, path: str | Path) -> LoadReport:
        """Read every policy at ``path``, a file or a directory. What is wrong is part of the answer.

        Files whose content is that of the last call keep their policies and reports, the same
        objects, so that equal reports tell quickly that nothing changed.
        """
        path = Path(path)
        try:
            names = _find(path)
        except OSError as error:
            self._known = {}
            return _whole_path(path, codes.NO_SUCH_PATH, f"{_why(error)}: no policies can be read")
        with _garbage_collector_at_rest():
            self._known = {name: self._file(name) for name in names}
        report = _report(self._known.values())
        if report.is_valid and not any(one.read.has_policies for one in self._known.values()):
            return _whole_path(path, codes.NO_POLICIES, "there is no policy here")
        return report

    def load_texts(self, texts: Iterable[tuple[str, str]]) -> LoadReport:
        """As ``load``, for texts that are in memory: pairs of a file name and its content."""
        reads = (read_text(FileText(name, text)) for name, text in texts)
        return _report([self._checked(read, b"") for read in reads])

    def _file(self, name: str) -> _Known:
        try:
            content = _content(name)
        except OSError as error:
            return self._checked(unreadable(name, f"the file cannot be read: {_why(error)}"), b"")
        digest = blake2b(content, digest_size=16).digest()
        known = self._known.get(name)
        if known is not None and known.digest == digest:
            return known
        return self._checked(read_content(name, content), digest)

    def _checked(self, read: ReadFile, digest: bytes) -> _Known:
        for place in read.places:
            check_policy(place, self._sources)
        name = read.findings.file.name
        alone = FileReport(name, (), in_order(read.findings.diagnostics), read.findings.file.text)
        if alone.is_valid:
            alone = replace(alone, policies=_compiled(read))
        for place in read.places:
            place.let_go()
        return _Known(digest, read, alone, len(read.findings.diagnostics))


@dataclass(frozen=True, slots=True)
class _Known:
    """One file as it is by itself: ``alone`` is its report when no other file disturbs it."""

    digest: bytes
    read: ReadFile
    alone: FileReport
    findings_alone: int

    def report(self) -> FileReport:
        """The report after the files were checked together."""
        diagnostics = self.read.findings.diagnostics
        if len(diagnostics) == self.findings_alone:
            return self.alone
        together = replace(self.alone, diagnostics=in_order(diagnostics))
        return together if together.is_valid else replace(together, policies=())


@contextmanager
def _garbage_collector_at_rest() -> Iterator[None]:
    """Spare the collector a million short-lived objects: trees have no cycles, and go by themselves.

    It takes a fifth of the time otherwise. A load is over in about a second at most.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def find_policy_files(path: Path) -> Iterator[Path]:
    """The files that ``path`` stands for, in a stable order; ``OSError`` if there is no such path.

    Hidden names are left out: a mounted Kubernetes ConfigMap keeps a second copy below ``..data``.
    """
    return map(Path, _find(path))


def _find(path: Path) -> list[str]:
    """As ``find_policy_files``, by names alone: a reload has no time for a thousand ``Path`` objects."""
    if not path.is_dir():
        path.stat()
        return [str(path)]
    seen: set[str] = set()
    found: list[str] = []
    for folder, below, names in os.walk(path, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            below.clear()
            continue
        seen.add(real)
        below[:] = [one for one in below if one not in DIRECTORIES_LEFT_OUT and one[0] != "."]
        within = "" if folder == "." else folder + os.sep
        found += [within + one for one in names if one[0] != "." and one.endswith(SUFFIXES)]
    return sorted(found, key=lambda name: name.split(os.sep))  # noqa: PTH206  no Path for each


def _content(name: str) -> bytes:
    """The bytes of a file, one more than is allowed at most."""
    with open(name, "rb") as file:  # noqa: PTH123  once for every file of every reload, see _find
        return file.read(FILE_BYTES_MAX + 1)


def _compiled(read: ReadFile) -> tuple[Policy, ...]:
    name = read.findings.file.name
    return tuple(
        compile_policy(place.document, f"{name}:{place.root.span.line}") for place in read.places
    )


def _report(files: Collection[_Known]) -> LoadReport:
    for one in files:
        del one.read.findings.diagnostics[one.findings_alone :]
    check_together(place for one in files for place in one.read.places)
    return LoadReport(tuple(one.report() for one in files))


def _whole_path(path: Path, code: codes.Code, message: str) -> LoadReport:
    findings = Findings(FileText(str(path), ""))
    findings.add(code, START, message, "name a file or a directory with policy files")
    return LoadReport((FileReport(str(path), (), tuple(findings.diagnostics)),))


def _why(error: OSError) -> str:
    return (error.strerror or "it cannot be opened").lower()
