"""Which policies are in force after reading files of which some are bad. No I/O.

Each file stands for itself: a bad one keeps the policies it had when it was last good, a good one is
taken as it is, one that is gone takes its policies along. What is in force is displaced only by a file
that is whole: a good file cannot take a policy's name or deployments while a bad file still holds them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from trimtab.policy import codes
from trimtab.policy.codes import Severity
from trimtab.policy.diagnostics import Diagnostic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trimtab.core.policy import Policy
    from trimtab.policy.reports import FileReport, LoadReport

Held: TypeAlias = dict[str, "tuple[Policy, ...]"]
"""The policies of each file by its name."""

WHOLE_PATH = frozenset({codes.NO_SUCH_PATH, codes.NO_POLICIES})
"""Diagnostics about the path as a whole: an unmounted volume is no order to stop scaling."""


@dataclass(frozen=True, slots=True)
class BadFile:
    """A file that cannot be used now, why, and the policies of it that stay in force."""

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
    """The policies in force, and the files that are not as their authors wrote them.

    ``documents`` are the texts that the policies come from, by file; of a bad file its last good one.
    """

    policies: tuple[Policy, ...]
    bad: tuple[BadFile, ...]
    documents: Mapping[str, str] = field(default_factory=dict, repr=False)


class LastGood:
    """Remembers of each file the policies it had when it was last good."""

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
            held[file.file] = self._held.get(file.file, ()) if file.file in bad else file.policies
        self._refuse_intruders(held, bad)
        self._held = held
        self._texts = {
            file.file: self._texts.get(file.file, "") if file.file in bad else file.text
            for file in report.files
        }
        self._bad = {
            file: BadFile(file, why, tuple(policy.name for policy in held[file]))
            for file, why in bad.items()
        }
        return self._in_force()

    def _nothing_readable(self, file: FileReport) -> InForce:
        kept = tuple(policy.name for policies in self._held.values() for policy in policies)
        self._bad = {file.file: BadFile(file.file, file.diagnostics, kept)}
        return self._in_force()

    def _in_force(self) -> InForce:
        policies = tuple(policy for policies in self._held.values() for policy in policies)
        documents = {file: self._texts[file] for file, held in self._held.items() if held}
        return InForce(policies, tuple(self._bad.values()), documents)

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
            claims = {
                claim: (file, policy)
                for file in bad
                for policy in held[file]
                for claim in _claims(policy)
            }
            refused = {
                file: _refusal(file, policy, *claims[claim])
                for file, policies in held.items()
                if file not in bad
                for policy in policies
                for claim in _claims(policy)
                if claim in claims
            }
            if not refused:
                return
            for file, diagnostic in refused.items():
                held[file] = self._unclaimed(file, claims)
                bad[file] = (diagnostic,)

    def _unclaimed(self, file: str, claims: dict[object, tuple[str, Policy]]) -> tuple[Policy, ...]:
        """The last good policies of a file, less those that a bad file holds by now."""
        return tuple(
            policy
            for policy in self._held.get(file, ())
            if not any(claim in claims for claim in _claims(policy))
        )


def _claims(policy: Policy) -> tuple[object, ...]:
    """What only one policy can have: its name, and what it selects by."""
    return ("name", policy.name), ("selector", policy.selector)


def _marks(diagnostics: tuple[Diagnostic, ...]) -> tuple[object, ...]:
    """What a bad file is recognised by under another name: its faults and where they are."""
    return tuple((one.code.id, one.line, one.column, one.excerpt) for one in diagnostics)


def _refusal(file: str, policy: Policy, holder: str, held: Policy) -> Diagnostic:
    _, _, line = policy.origin.rpartition(":")
    if policy.name == held.name:
        code, what = codes.DUPLICATE_POLICY, f"the policy name `{policy.name}`"
    else:
        code, what = codes.SAME_DEPLOYMENT, f"what `{policy.name}` is for"
    return Diagnostic(
        file=file,
        line=int(line) if line.isdigit() else 1,
        column=1,
        length=1,
        code=code,
        message=f"{what} is taken by `{held.name}` in {holder}, whose last good version is in force",
        hint=f"mend {holder}, or remove it",
    )
