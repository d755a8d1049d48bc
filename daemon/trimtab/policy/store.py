"""A path that is read again and again: a file whose bytes did not change is not parsed again.

What documents mean beside each other is checked anew over all files whenever one has changed. The
``defaults`` of a Fleet change what every policy means. New ones are taken when every file is good with
them; until then all policies keep the old ones, and the file that has the new ones is refused (POL314).
So what is in force has always been read with one and the same defaults.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from trimtab.policy import codes
from trimtab.policy.checks import check_policy, check_together
from trimtab.policy.codes import Severity
from trimtab.policy.compile import compile_policy
from trimtab.policy.diagnostics import START, FileText, Findings, in_order
from trimtab.policy.files import File, find_files, why_not
from trimtab.policy.fleet_checks import check_fleet, check_fleet_together
from trimtab.policy.fleet_compile import compile_fleet, compile_group
from trimtab.policy.inherited import SECTION, Inherited
from trimtab.policy.reports import FileReport, LoadReport

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from trimtab.policy.diagnostics import Span
    from trimtab.policy.reading import ReadFile


class PolicyStore:
    """Reads policies and orders for the fleet, and remembers of each file what its content came to.

    ``sources`` are the names of the sources that signals may come from; ``None`` leaves them
    unchecked. Where they are a mapping, its values say of a query why that source cannot read it, or
    ``None`` where it can: what they say is a warning. A store is used by one thread at a time.
    """

    def __init__(self, *, sources: Collection[str] | None = None) -> None:
        self._sources = sources
        self._known: dict[str, _Known] = {}
        self._defaults: dict[str, tuple[bytes, Inherited | None]] = {}
        self._inherited: Inherited | None = None
        self._has_read = False
        self._last: tuple[list[tuple[str, bytes]], LoadReport] | None = None

    def load_all(self, paths: Sequence[Path]) -> LoadReport:
        """As ``load``, for several paths together: what is at one may be ordered for all of them."""
        names: dict[str, None] = {}
        there: list[Path] = []
        missing: list[FileReport] = []
        for path in paths:
            try:
                found = find_files(path)
            except OSError as error:
                why = f"{why_not(error)}: no policies can be read"
                missing += _whole_path(path, codes.NO_SUCH_PATH, why).files
            else:
                names.update(dict.fromkeys(found))
                there.append(path)
        report = self._load([File.at(name) for name in names])
        for path in there:
            own = [one for name, one in self._known.items() if Path(name).is_relative_to(path)]
            if all(one.alone.is_valid and not one.read.has_policies for one in own):
                missing += _whole_path(path, codes.NO_POLICIES, "there is no policy here").files
        return LoadReport((*report.files, *missing)) if missing else report

    def load(self, path: str | Path) -> LoadReport:
        """Read every document at ``path``, a file or a directory. What is wrong is part of the answer.

        Files whose content is that of the last call keep their orders and reports, the same
        objects, so that equal reports tell quickly that nothing changed.
        """
        path = Path(path)
        try:
            names = find_files(path)
        except OSError as error:
            self._known, self._last = {}, None
            why = f"{why_not(error)}: no policies can be read"
            return _whole_path(path, codes.NO_SUCH_PATH, why)
        report = self._load([File.at(name) for name in names])
        if report.is_valid and not any(one.read.has_policies for one in self._known.values()):
            return _whole_path(path, codes.NO_POLICIES, "there is no policy here")
        return report

    def load_texts(self, texts: Iterable[tuple[str, str]]) -> LoadReport:
        """As ``load``, for texts that are in memory: pairs of a file name and its content."""
        return self._load([File.of(name, text) for name, text in texts])

    def _load(self, files: Sequence[File]) -> LoadReport:
        state = [(file.name, file.digest) for file in files]
        if self._last is None or self._last[0] != state:
            with _garbage_collector_at_rest():
                self._last = state, self._read(files)
        return self._last[1]

    def _read(self, files: Sequence[File]) -> LoadReport:
        new, old, before = self._new_defaults(files), self._inherited, self._known
        report = self._read_with(files, new, before)
        is_other = self._has_read and not _is_same(new, old)
        self._has_read = True
        if report.is_valid or not is_other:
            self._inherited = new
            return report
        carriers = frozenset(one.file for one in (old, new) if one is not None)
        waiting = _Waiting(carriers, str(report.errors[0]))
        report = self._read_with(files, old, before, waiting)
        gone = carriers.difference(file.name for file in files)
        return LoadReport((*report.files, *map(waiting.report_of, sorted(gone))))

    def _new_defaults(self, files: Iterable[File]) -> Inherited | None:
        """The first defaults of all files. Those of others have a diagnostic, which is not noted here."""
        self._defaults = {
            file.name: self._defaults_in(file) for file in files if file.may_hold_fleet
        }
        return next((one for _, one in self._defaults.values() if one is not None), None)

    def _defaults_in(self, file: File) -> tuple[bytes, Inherited | None]:
        known = self._defaults.get(file.name)
        if known is not None and known[0] == file.digest:
            return known
        return file.digest, inherited_in(file.read(None))

    def _read_with(
        self,
        files: Iterable[File],
        inherited: Inherited | None,
        before: dict[str, _Known],
        waiting: _Waiting | None = None,
    ) -> LoadReport:
        known = [self._file(file, inherited, before.get(file.name)) for file in files]
        self._known = {one.alone.file: one for one in known}
        return _report(known, waiting)

    def _file(self, file: File, inherited: Inherited | None, known: _Known | None) -> _Known:
        if known is not None and known.is_of(file, inherited):
            return known
        read = file.read(inherited)
        for place in read.places:
            check_policy(place, self._sources)
        for fleet in read.fleets:
            check_fleet(fleet)
        alone = FileReport(
            file.name, (), in_order(read.findings.diagnostics), read.findings.file.text
        )
        if alone.is_valid:
            alone = _with_orders(alone, read)
        for document in read.documents():
            document.let_go()
        return _Known(file.digest, inherited, read, alone, len(read.findings.diagnostics))


def inherited_in(read: ReadFile) -> Inherited | None:
    """The first ``defaults`` in a file; none where the file has errors."""
    has_errors = any(one.severity is Severity.ERROR for one in read.findings.diagnostics)
    for fleet in () if has_errors else read.fleets:
        if fleet.document.spec.defaults is not None:
            root = fleet.root
            return Inherited(root.find(SECTION)[1].data, read.findings.file.name, root)  # type: ignore[arg-type]  # passed the model
    return None


def _is_same(one: Inherited | None, other: Inherited | None) -> bool:
    """Whether they say the same in the same file: that file might not be good, or its text be kept."""
    return one == other and (one is None or other is None or one.file == other.file)


@dataclass(frozen=True, slots=True)
class _Known:
    """One file as it is by itself: ``alone`` is its report when no other file disturbs it."""

    digest: bytes
    inherited: Inherited | None
    read: ReadFile
    alone: FileReport
    findings_alone: int

    def is_of(self, file: File, inherited: Inherited | None) -> bool:
        """Whether reading ``file`` again would come to the same."""
        if self.digest != file.digest:
            return False
        return self.inherited == inherited or not self.read.places

    def report(self) -> FileReport:
        """The report after the files were checked together."""
        diagnostics = self.read.findings.diagnostics
        if len(diagnostics) == self.findings_alone:
            return self.alone
        together = replace(self.alone, diagnostics=in_order(diagnostics))
        if together.is_valid:
            return together
        return replace(together, policies=(), fleets=(), groups=())


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Defaults that cannot be changed yet: which files have them, or had them, and why."""

    files: frozenset[str]
    why: str

    def note(self, known: Iterable[_Known]) -> None:
        """Refuse the files, unless they are bad enough already."""
        for one in known:
            if one.alone.file not in self.files or not one.report().is_valid:
                continue
            place = next((one for one in one.read.fleets if one.is_given(SECTION)), None)
            at = START if place is None else place.root.key_span(SECTION)
            self._refuse(one.read.findings, at, has_new=place is not None)

    def report_of(self, name: str) -> FileReport:
        """What is said of a file with defaults that is gone: it is not gone yet."""
        findings = Findings(FileText(name, ""))
        self._refuse(findings, START, has_new=False)
        return FileReport(name, (), tuple(findings.diagnostics))

    def _refuse(self, findings: Findings, at: Span, *, has_new: bool) -> None:
        what = "the new defaults cannot be taken" if has_new else "the defaults cannot be given up"
        hint = "mend that file, or take the change of the defaults back"
        findings.add(codes.DEFAULTS_THAT_WAIT, at, f"{what} yet: {self.why}", hint)


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
    """The files that ``path`` stands for, in a stable order; ``OSError`` if there is no such path."""
    return map(Path, find_files(path))


def documents_at(path: Path) -> tuple[ReadFile, ...]:
    """Every document at ``path`` with its place, policies with what they inherit; nothing is checked.

    For whoever shows what was written, once it is known to be right.
    """
    return _documents([File.at(name) for name in find_files(path)])


def documents_of(texts: Iterable[tuple[str, str]]) -> tuple[ReadFile, ...]:
    """As ``documents_at``, for texts that are in memory: pairs of a file name and its content."""
    return _documents([File.of(name, text) for name, text in texts])


def _documents(files: Sequence[File]) -> tuple[ReadFile, ...]:
    found = (inherited_in(file.read(None)) for file in files if file.may_hold_fleet)
    inherited = next((one for one in found if one is not None), None)
    return tuple(file.read(inherited) for file in files)


def _with_orders(alone: FileReport, read: ReadFile) -> FileReport:
    return replace(
        alone,
        policies=tuple(compile_policy(place.document, place.origin) for place in read.places),
        fleets=tuple(map(compile_fleet, read.fleets)),
        groups=tuple(map(compile_group, read.groups)),
    )


def _report(files: Collection[_Known], waiting: _Waiting | None) -> LoadReport:
    for one in files:
        del one.read.findings.diagnostics[one.findings_alone :]
    places = [place for one in files for place in one.read.places]
    check_together(places)
    fleets = [fleet for one in files for fleet in one.read.fleets]
    groups = [group for one in files for group in one.read.groups]
    check_fleet_together(fleets, groups, places)
    if waiting is not None:
        waiting.note(files)
    return LoadReport(tuple(one.report() for one in files))


def _whole_path(path: Path, code: codes.Code, message: str) -> LoadReport:
    findings = Findings(FileText(str(path), ""))
    findings.add(code, START, message, "name a file or a directory with policy files")
    return LoadReport((FileReport(str(path), (), tuple(findings.diagnostics)),))
