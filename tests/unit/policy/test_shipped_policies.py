"""The policies that the project ships are beyond reproach, and their README tells the truth."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from trimtab.core.deployment import Deployment
from trimtab.core.policy import Mode
from trimtab.policy import as_text, load_policies, read_policy_texts
from trimtab.policy.testing import PolicyTestCase, read_policy_tests, run_test

POLICIES = Path(__file__).parents[3] / "policies"
README = POLICIES / "README.md"
TESTS = sorted((POLICIES / "tests").glob("*.yaml"))
FLEETS = sorted((POLICIES / "examples").glob("fleet*.yaml"))
GROUPS = sorted((POLICIES / "examples").glob("group*.yaml"))
FILES = sorted(set(POLICIES.rglob("*.yaml")) - {*TESTS, *FLEETS, *GROUPS})
EXAMPLES = sorted(set(FILES).intersection((POLICIES / "examples").glob("*.yaml")))
SCHEMAS = [
    *((path, "policy") for path in FILES),
    *((path, "policytest") for path in TESTS),
    *((path, "fleet") for path in FLEETS),
    *((path, "group") for path in GROUPS),
]
MODELS = "accounts/fireworks/models"

# The mistakes that the README shows: a file, and what is changed in it.
MISTAKES = {
    "chat-small.yaml": [
        ("attainment: 0.99", "atainment: 0.99"),
    ],
    "chat-large.yaml": [
        ("leadTime: 5m", "leadTime: 300"),
    ],
    "code.yaml": [
        ("bounds: {min: 1, max: 12}", "bounds: {minReplicas: 1, max: 12}"),
        ("requests: requests", "requests: request_rate"),
    ],
}


def output_of(name: str) -> str:
    text = (POLICIES / name).read_text(encoding="utf-8")
    for old, new in MISTAKES[name]:
        assert text.count(old) == 1
        text = text.replace(old, new)
    return as_text(read_policy_texts([(name, text)], sources={"fireworks"}).diagnostics)


def test_they_load_without_errors_or_warnings() -> None:
    policies = load_policies(POLICIES, sources={"fireworks"})
    assert [policy.name for policy in policies] == ["chat-large", "chat-small", "code"]
    assert policies.warnings == ()
    examples = load_policies(POLICIES / "examples", sources={"fireworks"})
    assert len(examples) == len(EXAMPLES)
    assert examples.warnings == ()


def cases() -> list[PolicyTestCase]:
    files = read_policy_tests(POLICIES / "tests", sources={"fireworks"})
    assert [str(one) for file in files for one in file.diagnostics] == []
    return [case for file in files for case in file.tests]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_they_decide_what_their_tests_expect(case: PolicyTestCase) -> None:
    assert run_test(case).failures == ()


@pytest.mark.parametrize("path", [*FILES, *FLEETS], ids=lambda path: path.stem)
def test_each_has_a_test_of_its_own(path: Path) -> None:
    origins = {origin for case in cases() for origin in case.fleet.origins}
    origins |= {policy.origin for case in cases() for policy in case.policies}
    tested = {origin.rpartition(":")[0] for origin in origins}
    assert path.resolve() in {Path(name).resolve() for name in tested}


def test_the_examples_can_be_put_beside_those_that_the_demo_runs() -> None:
    every = [*load_policies(POLICIES), *load_policies(POLICIES / "examples")]
    assert len({policy.name for policy in every}) == len(every)
    assert len({policy.selector for policy in every}) == len(every)
    for name in ("chat-8b", "chat-70b", "code-8b"):
        deployment = Deployment(name=f"accounts/demo/deployments/{name}", display_name=name)
        assert sum(policy.selector.matches(deployment) for policy in every) == 1


@pytest.mark.parametrize(
    ("display_name", "base_model", "policy"),
    [
        ("chat-8b", "llama-v3p1-8b-instruct", "chat-small"),
        ("chat-70b", "llama-v3p3-70b-instruct", "chat-large"),
        ("code-8b", "llama-v3p1-8b-instruct", "code"),
        ("embeddings", "nomic-embed", None),
    ],
)
def test_each_deployment_obeys_at_most_one(
    display_name: str, base_model: str, policy: str | None
) -> None:
    deployment = Deployment(
        name=f"accounts/demo/deployments/{display_name}",
        display_name=display_name,
        base_model=f"{MODELS}/{base_model}",
    )
    matching = [one.name for one in load_policies(POLICIES) if one.selector.matches(deployment)]
    assert matching == ([] if policy is None else [policy])


def test_signals_of_the_account_endpoint_survive_one_failed_scrape() -> None:
    # values are up to 90 seconds old on arrival, and the next scrape is up to 60 seconds away
    for path in FILES:
        for policy in load_policies(path):
            assert all(signal.max_age_seconds >= 150 for signal in policy.signals)


def test_the_example_to_begin_with_writes_nothing() -> None:
    (policy,) = load_policies(POLICIES / "examples" / "advise.yaml")
    assert policy.mode is Mode.ADVISE


@pytest.mark.parametrize(("path", "kind"), SCHEMAS, ids=lambda one: getattr(one, "stem", one))
def test_each_file_tells_the_editor_where_its_schema_is(path: Path, kind: str) -> None:
    first = path.read_text(encoding="utf-8").splitlines()[0]
    schema = first.removeprefix("# yaml-language-server: $schema=")
    assert (path.parent / schema).resolve() == POLICIES / "schema" / f"{kind}.schema.json"


def test_the_fleet_to_start_from_limits_what_it_says() -> None:
    fleet = load_policies(POLICIES / "examples").fleet
    assert [(quota.pool.accelerator_type, quota.accelerators) for quota in fleet.quotas] == [
        ("NVIDIA_H100_80GB", 16)
    ]
    assert [team.name for team in fleet.teams] == ["chat", "batch"]
    (group,) = load_policies(POLICIES / "examples").groups
    assert len(group.members) == 2


@pytest.mark.parametrize("path", [*FILES, *FLEETS, *GROUPS], ids=lambda path: path.stem)
def test_the_readme_mentions_each_file(path: Path) -> None:
    assert f"({path.relative_to(POLICIES)})" in README.read_text(encoding="utf-8")


def test_the_readme_shows_what_the_reader_says() -> None:
    shown = re.findall(r"```text\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert shown == [output_of(name) for name in MISTAKES]


def test_the_policy_test_in_the_readme_passes(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    path = tmp_path / "tests" / "readme.yaml"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    shutil.copy(POLICIES / "chat-small.yaml", tmp_path)
    (file,) = read_policy_tests(path)
    assert file.diagnostics == ()
    (case,) = file.tests
    assert run_test(case).failures == ()
