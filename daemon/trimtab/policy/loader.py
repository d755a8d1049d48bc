"""Files in, policies or diagnostics out: the one reader for the daemon, the command line and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.errors import PolicyError
from trimtab.policy.reports import LoadReport, Policies
from trimtab.policy.store import PolicyStore

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from pathlib import Path


def load_policies(path: str | Path, *, sources: Collection[str] | None = None) -> Policies:
    """Read every policy at ``path``, a file or a directory; all of them are valid, or it raises.

    ``sources`` are the names of the sources that signals may come from; ``None`` leaves them
    unchecked. Raises ``PolicyError`` with every diagnostic of every file, warnings included.
    """
    report = read_policies(path, sources=sources)
    if not report.is_valid:
        raise PolicyError(report.diagnostics)
    return Policies(report.policies, report.warnings, report.fleet, report.groups)


def read_policies(path: str | Path, *, sources: Collection[str] | None = None) -> LoadReport:
    """As ``load_policies``, but what is wrong is part of the answer and nothing is raised."""
    return PolicyStore(sources=sources).load(path)


def read_policy_texts(
    texts: Iterable[tuple[str, str]], *, sources: Collection[str] | None = None
) -> LoadReport:
    """As ``read_policies``, for texts that are in memory: pairs of a file name and its content."""
    return PolicyStore(sources=sources).load_texts(texts)
