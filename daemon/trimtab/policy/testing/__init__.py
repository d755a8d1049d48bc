"""``kind: PolicyTest``: series of signals in, expected decisions out, judged by the real engine."""

from trimtab.policy.testing.reader import PolicyTestCase, PolicyTestFile, read_policy_tests
from trimtab.policy.testing.run import Failure, PolicyTestResult, run_test

__all__ = [
    "Failure",
    "PolicyTestCase",
    "PolicyTestFile",
    "PolicyTestResult",
    "read_policy_tests",
    "run_test",
]
