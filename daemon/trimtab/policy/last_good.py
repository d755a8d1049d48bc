"""What is in force after reading files of which some are bad. No I/O.

Each file stands for itself: a bad one keeps what it ordered when it was last good, a good one is taken
as it is, one that is gone takes its orders along. What is in force is displaced only by a file that is
whole: a good file cannot take a policy's name or deployments, nor a quota, a limit or a team of the
fleet, while a bad file still holds them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from trimtab.core.fleet_policy import NO_FLEET_POLICY
from trimtab.policy import codes
from trimtab.policy.claims import Claim, Claimant, Ordered
from trimtab.policy.codes import Severity
from trimtab.policy.diagnostics import Diagnostic
from trimtab.policy.prices import fleet_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.fleet_policy import FleetPolicy
    from trimtab.core.group import Group
    from trimtab.core.policy import Policy
    from trimtab.policy.reports import FileReport, LoadReport

Held: TypeAlias = dict[str, Ordered]
"""What each file orders, by its name."""

Taken: TypeAlias = dict[Claim, tuple[str, Claimant]]
"""What bad files hold, which of them, and for whom."""

_NOTHING = Ordered()

WHOLE_PATH = frozenset({codes.NO_SUCH_PATH, codes.NO_POLICIES})
"""Diagnostics about the path as a whole: an unmounted volume is no order to stop scaling."""


@dataclass(frozen=True, slots=True)
class BadFile:
    """A file that cannot be used now, why, and what of it stays in force: policies by their names."""

    file: str
    diagnostics: tuple[Diagnostic, ...]
    kept: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """What is wrong, and what that means, in one sentence."""
        errors = [one for one in self.diagnostics if one.severity is Severity.ERROR]
        first = errors[0]
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        stays = (
            f"its last good version stays in force: {', '.join(self.kept)}"
            if self.kept
            else "nothing of it is in force"
        )
        place = f"{first.file}:{first.line}:{first.column}"
        return f"{place}: {first.code}: {first.message}{more}; {stays}"


@dataclass(frozen=True, slots=True)
class InForce:
    """What is in force, and the files that are not as their authors wrote them.

    ``documents`` are the texts that all this comes from, by file; of a bad file its last good one. ``fleet``
    is what all files together order for the fleet.
    """

    policies: tuple[Policy, ...]
    bad: tuple[BadFile, ...]
    documents: Mapping[str, str] = field(default_factory=dict, repr=False)
    fleet: FleetPolicy = NO_FLEET_POLICY
    groups: tuple[Group, ...] = ()


class LastGood:
    """Remembers of each file what it ordered when it was last good."""

    def __init__(self) -> None:
        self._held: Held = {}
        self._texts: dict[str, str] = {}
        self._bad: dict[str, BadFile] = {}

    def take(self, report: LoadReport) -> InForce:
        """Return what is in force once ``report`` has been read."""
        if [one.code in WHOLE_PATH for one in report.errors] == [True]:
            return self._nothing_readable(report.files[0])
        bad = {file.file: file.diagnostics for file in report.files if not file.is_valid}
        self._follow_renames(report, bad)
        held: Held = {}
        for file in report.files:
            is_bad = file.file in bad
            held[file.file] = self._held.get(file.file, _NOTHING) if is_bad else Ordered.by(file)
        self._refuse_intruders(held, bad)
        self._held = held
        self._texts = {
            file.file: self._texts.get(file.file, "") if file.file in bad else file.text
            for file in report.files
        }
        self._bad = {file: BadFile(file, why, held[file].names) for file, why in bad.items()}
        return self._in_force()

    def _nothing_readable(self, file: FileReport) -> InForce:
        kept = tuple(name for held in self._held.values() for name in held.names)
        self._bad = {file.file: BadFile(file.file, file.diagnostics, kept)}
        return self._in_force()

    def _in_force(self) -> InForce:
        every = tuple(self._held.values())
        groups = tuple(group for held in every for group in held.groups)
        return InForce(
            policies=tuple(policy for held in every for policy in held.policies),
            bad=tuple(self._bad.values()),
            documents={file: self._texts[file] for file, held in self._held.items() if held},
            fleet=fleet_of((fleet for held in every for fleet in held.fleets), groups),
            groups=groups,
        )

    def _follow_renames(self, report: LoadReport, bad: dict[str, tuple[Diagnostic, ...]]) -> None:
        """Let a bad file that was renamed keep what it had under its old name."""
        there = {file.file for file in report.files}
        gone = {
            _marks(one.diagnostics): name for name, one in self._bad.items() if name not in there
        }
        for name, why in bad.items():
            before = gone.get(_marks(why))
            if before in self._held and name not in self._held:
                self._held[name] = self._held[before]
                self._texts[name] = self._texts[before]

    def _refuse_intruders(self, held: Held, bad: dict[str, tuple[Diagnostic, ...]]) -> None:
        """Keep good files to their last good version where they claim what a bad one still holds.

        A file that falls back holds again what it had, which another may claim: so until none does.
        """
        while True:
            taken: Taken = {
                claim: (file, claimant) for file in bad for claim, claimant in held[file].claims()
            }
            refused = {
                file: _refusal(file, claim, claimant, *taken[claim])
                for file, ordered in held.items()
                if taken and file not in bad
                for claim, claimant in ordered.claims()
                if claim in taken
            }
            if not refused:
                return
            for file, diagnostic in refused.items():
                held[file] = self._held.get(file, _NOTHING).without(taken)
                bad[file] = (diagnostic,)


def _marks(diagnostics: tuple[Diagnostic, ...]) -> tuple[object, ...]:
    """What a bad file is recognised by under another name: its faults and where they are."""
    return tuple((one.code.id, one.line, one.column, one.excerpt) for one in diagnostics)


def _refusal(
    file: str, claim: Claim, claimant: Claimant, holder: str, held: Claimant
) -> Diagnostic:
    line = claimant.origin.rpartition(":")[2]
    whose = f"`{held.name}` in {holder}" if held.name else holder
    return Diagnostic(
        file=file,
        line=int(line) if line.isdigit() else 1,
        column=1,
        length=1,
        code=claimant.code(claim),
        message=f"{claimant.words} is taken by {whose}, whose last good version is in force",
        hint=f"mend {holder}, or remove it",
    )
