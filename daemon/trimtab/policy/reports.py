"""What reading a path came to: what can be used of it, and every diagnostic, file by file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, overload

from trimtab.core.fleet_policy import NO_FLEET_POLICY
from trimtab.policy.codes import Severity
from trimtab.policy.prices import fleet_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from trimtab.core.fleet_policy import FleetPolicy
    from trimtab.core.group import Group
    from trimtab.core.policy import Policy
    from trimtab.policy.diagnostics import Diagnostic


@dataclass(frozen=True, slots=True)
class Policies(Sequence["Policy"]):
    """The policies of a path, in the order of their files, and what deserves a second look.

    ``fleet`` is what all files together order for the whole fleet, ``groups`` the groups of them all.
    """

    policies: tuple[Policy, ...] = ()
    warnings: tuple[Diagnostic, ...] = ()
    fleet: FleetPolicy = NO_FLEET_POLICY
    groups: tuple[Group, ...] = ()

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
    """One file: what it orders, nothing of it if the file has an error, and all its diagnostics.

    ``text`` is the content as it was read; empty where nothing could be. ``fleets`` are its documents of
    ``kind: Fleet``, each by itself.
    """

    file: str
    policies: tuple[Policy, ...]
    diagnostics: tuple[Diagnostic, ...]
    text: str = field(default="", repr=False)
    fleets: tuple[FleetPolicy, ...] = ()
    groups: tuple[Group, ...] = ()

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
    def fleet(self) -> FleetPolicy:
        """What all valid files together order for the fleet; the shipped prices are beneath."""
        return fleet_of((part for file in self.files for part in file.fleets), self.groups)

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups of all valid files."""
        return tuple(group for file in self.files for group in file.groups)

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
