"""From a path to policies: which files count, what makes one unusable, and what is raised."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from trimtab.errors import AuthorError, PolicyError
from trimtab.policy import Policies, load_policies, read_policies

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from trimtab.policy import LoadReport

    Diagnose = Callable[..., LoadReport]


def write(path: Path, name: str, display_name: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        "apiVersion: trimtab.dev/v1\n"
        "kind: ScalingPolicy\n"
        f"metadata: {{name: {name}}}\n"
        "spec:\n"
        f'  deployments: {{match: {{displayName: "{display_name or name}"}}}}\n'
        "  rules: [{name: two, role: demand, strategy: {type: fixed, replicas: 2}}]\n"
    )


def names(policies: Policies | LoadReport) -> list[str]:
    listed = policies if isinstance(policies, Policies) else policies.policies
    return [policy.name for policy in listed]


def codes(report: LoadReport) -> list[str]:
    return [one.code.id for one in report.diagnostics]


def test_a_file_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    write(tmp_path / "policy.conf", "a")
    assert names(load_policies(tmp_path / "policy.conf")) == ["a"]
    assert names(load_policies(str(tmp_path / "policy.conf"))) == ["a"]


def test_of_a_directory_every_yaml_file_below_it_is_read_in_order(tmp_path: Path) -> None:
    write(tmp_path / "b.yaml", "b")
    write(tmp_path / "a.yml", "a")
    write(tmp_path / "team" / "deep" / "c.yaml", "c")
    write(tmp_path / "d.json", "d")
    assert names(load_policies(tmp_path)) == ["a", "b", "c"]


@pytest.mark.parametrize("folder", ["schema", "tests", "examples", ".git"])
def test_directories_that_hold_something_else_are_left_out_unless_named(
    tmp_path: Path, folder: str
) -> None:
    write(tmp_path / "a.yaml", "a")
    write(tmp_path / "team" / folder / "b.yaml", "b")
    assert names(load_policies(tmp_path)) == ["a"]
    assert names(load_policies(tmp_path / "team" / folder)) == ["b"]


def test_a_mounted_config_map_is_read_once(tmp_path: Path) -> None:
    write(tmp_path / "..2026_11_22" / "a.yaml", "a")
    (tmp_path / "..data").symlink_to("..2026_11_22", target_is_directory=True)
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    assert names(load_policies(tmp_path)) == ["a"]


def test_links_between_directories_are_followed_but_never_in_circles(tmp_path: Path) -> None:
    write(tmp_path / "policies" / "a.yaml", "a")
    write(tmp_path / "elsewhere" / "b.yaml", "b")
    (tmp_path / "policies" / "team").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "policies", target_is_directory=True)
    assert names(load_policies(tmp_path / "policies")) == ["a", "b"]


def test_a_path_that_is_not_there_is_an_error_that_names_it(tmp_path: Path) -> None:
    missing = tmp_path / "polices"
    with pytest.raises(PolicyError) as caught:
        load_policies(missing)
    assert str(caught.value) == (
        f"{missing}:1:1: error POL001: no such file or directory: no policies can be read "
        "(name a file or a directory with policy files)"
    )


def test_a_directory_without_a_policy_is_an_error(tmp_path: Path) -> None:
    assert codes(read_policies(tmp_path)) == ["POL002"]
    (tmp_path / "empty.yaml").write_text("# later\n")
    assert codes(read_policies(tmp_path)) == ["POL002"]


def test_an_empty_file_beside_a_policy_is_a_warning(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", "a")
    (tmp_path / "b.yaml").write_text("---\n# later\n---\n")
    policies = load_policies(tmp_path)
    assert names(policies) == ["a"]
    assert [one.code.id for one in policies.warnings] == ["POL404"]


def test_a_file_that_is_too_large_is_refused_without_being_parsed(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"#" * (256 * 1024 + 1))
    (diagnostic,) = read_policies(tmp_path).diagnostics
    assert (diagnostic.code.id, diagnostic.message) == ("POL003", "the file is larger than 256 KiB")


def test_a_file_that_cannot_be_opened_does_not_hide_the_others(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").symlink_to(tmp_path / "gone.yaml")
    write(tmp_path / "b.yaml", "b")
    report = read_policies(tmp_path)
    assert codes(report) == ["POL003"]
    assert names(report) == ["b"]


def test_a_directory_called_like_a_file_is_searched_like_any_other(tmp_path: Path) -> None:
    write(tmp_path / "team.yaml" / "a.yaml", "a")
    assert names(load_policies(tmp_path)) == ["a"]


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path, fewest_keys: str) -> None:
    (tmp_path / "a.yaml").write_text(fewest_keys, encoding="utf-8-sig")
    assert names(load_policies(tmp_path)) == ["still"]


def test_an_error_raises_with_the_diagnostics_of_all_files(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", "Not-A-Name")
    write(tmp_path / "b.yaml", "fine")
    write(tmp_path / "c.yaml", "neither_this")
    with pytest.raises(AuthorError) as caught:
        load_policies(tmp_path)
    assert isinstance(caught.value, PolicyError)
    files = [os.path.basename(one.file) for one in caught.value.diagnostics]  # noqa: PTH119  text
    assert files == ["a.yaml", "c.yaml"]


def test_a_file_with_one_bad_document_gives_none_of_its_policies(
    diagnose: Diagnose, every_key: str, fewest_keys: str
) -> None:
    bad = every_key.replace("role: floor", "role: flor")
    report = diagnose(f"{fewest_keys}---\n{bad}")
    assert report.policies == ()
    assert not report.files[0].is_valid


def test_of_two_files_for_one_deployment_the_first_can_be_used(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", "a", "chat-*")
    write(tmp_path / "b.yaml", "b", "chat-*")
    report = read_policies(tmp_path)
    assert codes(report) == ["POL302"]
    assert names(report) == ["a"]
    assert [file.is_valid for file in report.files] == [True, False]


def test_sources_are_checked_only_when_they_are_known(diagnose: Diagnose, every_key: str) -> None:
    assert diagnose(every_key).is_valid
    assert codes(diagnose(every_key, sources={"gateway"})) == ["POL305"]
    assert codes(diagnose(every_key, sources=set())) == ["POL305", "POL305"]


def test_warnings_come_with_the_policies_and_raise_nothing(tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", "a")
    path = tmp_path / "a.yaml"
    path.write_text(path.read_text() + "  bounds: {max: 1}\n")
    policies = load_policies(path)
    assert names(policies) == ["a"]
    assert [one.code.id for one in policies.warnings] == ["POL402"]


def test_policies_are_an_immutable_sequence(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        write(tmp_path / f"{name}.yaml", name)
    policies = load_policies(tmp_path)
    assert len(policies) == 3
    assert policies[0].name == "a"
    assert [policy.name for policy in policies[1:]] == ["b", "c"]
    assert policies[1] in policies
    with pytest.raises(AttributeError):
        policies.policies = ()  # type: ignore[misc]  # that it fails is the point


def test_without_libyaml_the_same_policies_are_read(
    monkeypatch: pytest.MonkeyPatch, diagnose: Diagnose, every_key: str
) -> None:
    import yaml

    from trimtab.policy import yaml_nodes

    fast = diagnose(every_key)
    monkeypatch.setattr(yaml_nodes, "EventReader", yaml.SafeLoader)
    assert diagnose(every_key) == fast
