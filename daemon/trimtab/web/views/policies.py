"""The policies in force with every value that counts, and what is wrong with the files."""

from __future__ import annotations

from pydantic import JsonValue

from trimtab.web.views.values import Moment, view


@view
class ValueView:
    """One setting: its way below ``spec``, what it comes to, and where that is from."""

    key: str
    value: JsonValue
    """As a file would have it; null is no value: no limit, no fallback, or what the deployment says."""

    source: str
    """``file``, ``fleet``, ``default``, ``strategy`` or ``deployment``."""

    origin: str
    """File and line, or the word of ``source``."""


@view
class RuleView:
    """One rule of a policy."""

    name: str
    role: str


@view
class PolicyView:
    """A policy in force."""

    name: str
    owner: str | None
    origin: str
    """File and line."""

    matches: str
    """Which deployments it is for, in words."""

    mode: str
    actuation: str
    deployments: int
    """How many it decides for now."""

    rules: tuple[RuleView, ...]
    values: tuple[ValueView, ...]
    """Empty where the policy came from no file, or its text cannot be read again."""


@view
class DiagnosticView:
    """What is wrong at one place of a file."""

    file: str
    line: int
    column: int
    length: int
    severity: str
    """``error`` or ``warning``."""

    code: str
    message: str
    hint: str
    excerpt: str
    """The line."""


@view
class BadFileView:
    """A file that is not in force as it is written."""

    file: str
    sentence: str
    kept: tuple[str, ...]
    """The policies of its last good version, which stay in force."""


@view
class PoliciesView:
    """All policies in force, and every diagnostic of their files."""

    at: Moment
    path: str | None
    """Where the files are; null where the policies come from none."""

    read_at: Moment | None
    policies: tuple[PolicyView, ...]
    diagnostics: tuple[DiagnosticView, ...]
    bad_files: tuple[BadFileView, ...]
