"""Policy files: document model, YAML with positions, diagnostics, JSON Schema, loader."""

from trimtab.policy.codes import CODES, Code, Severity
from trimtab.policy.diagnostics import Diagnostic
from trimtab.policy.formats import as_github, as_json, as_text
from trimtab.policy.loader import load_policies, read_policies, read_policy_texts
from trimtab.policy.reports import FileReport, LoadReport, Policies
from trimtab.policy.sarif import as_sarif
from trimtab.policy.store import PolicyStore

__all__ = [
    "CODES",
    "Code",
    "Diagnostic",
    "FileReport",
    "LoadReport",
    "Policies",
    "PolicyStore",
    "Severity",
    "as_github",
    "as_json",
    "as_sarif",
    "as_text",
    "load_policies",
    "read_policies",
    "read_policy_texts",
]
