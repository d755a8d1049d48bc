"""The engine on the plant, and what its results are held against.

Stands on ``plant`` and ``core`` and never imports ``service`` or ``emulator``: who wants both wires
them (the demo command does).
"""

from trimtab.simulation.fitting import Fit, FittedWorkload, fit
from trimtab.simulation.references import (
    Account,
    Reference,
    ReferenceCase,
    account_for,
    run_reference,
)

__all__ = [
    "Account",
    "Fit",
    "FittedWorkload",
    "Reference",
    "ReferenceCase",
    "account_for",
    "fit",
    "run_reference",
]
