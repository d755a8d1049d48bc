"""A path that is read again: only what changed is parsed, what policies mean together is always checked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from trimtab.policy import LoadReport, PolicyStore, files, read_policies

if TYPE_CHECKING:
    from pathlib import Path

    from trimtab.policy.inherited import Inherited

TEXT = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {{name: {name}}}
spec:
  deployments: {{match: {{displayName: "{display_name}"}}}}
  rules: [{{name: two, role: demand, strategy: {{type: fixed, replicas: {replicas}}}}}]
"""


def write(path: Path, name: str, display_name: str = "", replicas: int = 2) -> None:
    text = TEXT.format(name=name, display_name=display_name or name, replicas=replicas)
    path.write_text(text, encoding="utf-8")


def codes(report: LoadReport) -> list[str]:
    return [one.code.id for one in report.diagnostics]


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that were parsed, since the list was last cleared."""
    names: list[str] = []
    real = files.read_content

    def noting(name: str, content: bytes, inherited: Inherited | None) -> object:
        names.append(name)
        return real(name, content, inherited)

    monkeypatch.setattr(files, "read_content", noting)
    return names


def test_only_files_whose_content_changed_are_parsed_again(
    tmp_path: Path, parsed: list[str]
) -> None:
    write(tmp_path / "a.yaml", "a")
    write(tmp_path / "b.yaml", "b")
    policies = PolicyStore()
    before = policies.load(tmp_path)
    parsed.clear()
    (tmp_path / "a.yaml").touch()  # another time, the same content
    write(tmp_path / "b.yaml", "b", replicas=3)
    after = policies.load(tmp_path)
    assert parsed == [str(tmp_path / "b.yaml")]
    assert after.files[0] is before.files[0]
    assert after.policies[0] is before.policies[0]
    assert after.policies[1] != before.policies[1]


def test_an_unchanged_path_gives_an_equal_report(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", "same")
    write(tmp_path / "b.yaml", "same")  # with diagnostics from both kinds of check
    (tmp_path / "c.yaml").write_text("kind: 3\n", encoding="utf-8")
    policies = PolicyStore()
    assert policies.load(tmp_path) == policies.load(tmp_path) == read_policies(tmp_path)


def test_a_conflict_with_a_changed_file_is_seen_in_the_unchanged_one_and_goes_with_it(
    tmp_path: Path,
) -> None:
    write(tmp_path / "a.yaml", "a")
    write(tmp_path / "b.yaml", "b")
    policies = PolicyStore()
    assert codes(policies.load(tmp_path)) == []
    write(tmp_path / "a.yaml", "b", "something-else")
    report = policies.load(tmp_path)
    assert codes(report) == ["POL301"]
    assert [policy.name for policy in report.policies] == ["b"]
    assert report.diagnostics[0].file.endswith("b.yaml")
    assert policies.load(tmp_path) == report  # once, however often it is read
    (tmp_path / "a.yaml").unlink()
    report = policies.load(tmp_path)
    assert codes(report) == []
    assert [policy.name for policy in report.policies] == ["b"]


def test_a_conflict_is_at_its_place_though_the_trees_were_let_go(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", "a")
    write(tmp_path / "b.yaml", "b")
    second = TEXT.format(name="a", display_name="c", replicas=1)
    with (tmp_path / "b.yaml").open("a", encoding="utf-8") as file:
        file.write(f"---\n# nothing\n---\n{second}")
    policies = PolicyStore()
    policies.load(tmp_path)
    (conflict,) = policies.load(tmp_path).diagnostics
    assert (conflict.line, conflict.column) == (12, 18)
    assert conflict.excerpt == "metadata: {name: a}"
    assert conflict.message.endswith(f"{tmp_path / 'a.yaml'}:3")


def test_a_file_that_went_away_and_came_back_is_parsed_again(
    tmp_path: Path, parsed: list[str]
) -> None:
    write(tmp_path / "a.yaml", "a")
    write(tmp_path / "b.yaml", "b")
    policies = PolicyStore()
    policies.load(tmp_path)
    (tmp_path / "b.yaml").rename(tmp_path / "b.txt")
    assert [policy.name for policy in policies.load(tmp_path).policies] == ["a"]
    (tmp_path / "b.txt").rename(tmp_path / "b.yaml")
    parsed.clear()
    assert [policy.name for policy in policies.load(tmp_path).policies] == ["a", "b"]
    assert parsed == [str(tmp_path / "b.yaml")]


def test_a_file_that_cannot_be_opened_is_tried_every_time(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to(tmp_path / "nowhere")
    policies = PolicyStore()
    assert codes(policies.load(tmp_path)) == ["POL003"]
    write(tmp_path / "nowhere", "a")
    assert [policy.name for policy in policies.load(tmp_path).policies] == ["a"]


def test_a_path_that_comes_into_being_is_read(tmp_path: Path) -> None:
    policies = PolicyStore()
    assert codes(policies.load(tmp_path / "later")) == ["POL001"]
    (tmp_path / "later").mkdir()
    assert codes(policies.load(tmp_path / "later")) == ["POL002"]
    write(tmp_path / "later" / "a.yaml", "a")
    assert codes(policies.load(tmp_path / "later")) == []


def test_policy_tests_beside_policies_are_left_to_their_own_reader(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", "a")
    text = (tmp_path / "a.yaml").read_text(encoding="utf-8")
    other = "apiVersion: trimtab.dev/v1\nkind: PolicyTest\nspec: {any: thing}\n"
    (tmp_path / "a.yaml").write_text(f"{other}---\n{text}", encoding="utf-8")
    (tmp_path / "b.yaml").write_text(other, encoding="utf-8")
    report = PolicyStore().load(tmp_path)
    assert codes(report) == []
    assert [policy.name for policy in report.policies] == ["a"]


def test_policy_tests_alone_are_no_policies(tmp_path: Path) -> None:
    other = "apiVersion: trimtab.dev/v1\nkind: PolicyTest\nspec: {any: thing}\n"
    (tmp_path / "b.yaml").write_text(other, encoding="utf-8")
    assert codes(PolicyStore().load(tmp_path)) == ["POL002"]
