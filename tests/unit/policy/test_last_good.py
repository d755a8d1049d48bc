"""Which policies are in force after files went bad, went away, came back or were renamed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trimtab.policy import PolicyStore
from trimtab.policy.last_good import InForce, LastGood

BAD = "kind: ScalingPolicy\nspec: [\n"


def text(name: str, *, deployments: str | None = None, replicas: int = 1) -> str:
    return f"""\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {{name: {name}}}
spec:
  deployments: {{match: {{displayName: "{deployments or name}*"}}}}
  rules: [{{name: fixed, role: demand, strategy: {{type: fixed, replicas: {replicas}}}}}]
"""


class Folder:
    """Reads one set of files after the other."""

    def __init__(self) -> None:
        self._store, self._last_good = PolicyStore(), LastGood()

    def read(self, **files: str) -> InForce:
        texts = [(f"{name}.yaml", content) for name, content in sorted(files.items())]
        return self._last_good.take(self._store.load_texts(texts))


def names(in_force: InForce) -> list[str]:
    return [policy.name for policy in in_force.policies]


def count_of(in_force: InForce, name: str) -> int:
    (policy,) = [one for one in in_force.policies if one.name == name]
    return policy.rules[0].strategy.replicas  # type: ignore[attr-defined]  # a fixed one


def test_good_files_are_in_force_as_they_are() -> None:
    folder = Folder()
    assert names(folder.read(a=text("one"), b=text("two"))) == ["one", "two"]
    after = folder.read(a=text("one", replicas=5), b=text("two"))
    assert count_of(after, "one") == 5
    assert after.bad == ()


def test_a_bad_file_keeps_its_last_good_version_and_the_others_go_on() -> None:
    folder = Folder()
    folder.read(a=text("one"), b=text("two"))
    after = folder.read(a=BAD, b=text("two", replicas=3))
    assert (count_of(after, "one"), count_of(after, "two")) == (1, 3)
    (bad,) = after.bad
    assert (bad.file, bad.kept) == ("a.yaml", ("one",))
    assert "its last good version stays in force: one" in bad.sentence
    assert folder.read(a=text("one", replicas=2), b=text("two")).bad == ()


def test_a_file_that_was_never_good_has_nothing_in_force() -> None:
    after = Folder().read(a=BAD, b=text("two"))
    assert names(after) == ["two"]
    assert "nothing of it is in force" in after.bad[0].sentence


def test_a_file_that_is_deleted_takes_its_policies_along() -> None:
    folder = Folder()
    folder.read(a=text("one"), b=text("two"))
    assert names(folder.read(b=text("two"))) == ["two"]
    folder.read(a=BAD, b=text("two"))
    assert names(folder.read(b=text("two"))) == ["two"]


def test_a_renamed_file_keeps_its_policies_good_or_bad() -> None:
    folder = Folder()
    folder.read(a=text("one"), b=text("two"))
    assert names(folder.read(z=text("one"), b=text("two"))) == ["two", "one"]
    folder.read(z=BAD, b=text("two"))
    after = folder.read(c=BAD, b=text("two"))
    assert names(after) == ["two", "one"]
    assert [bad.file for bad in after.bad] == ["c.yaml"]


def test_what_a_bad_file_holds_cannot_be_taken_by_another() -> None:
    folder = Folder()
    folder.read(a=text("one"), b=text("two"))
    after = folder.read(a=BAD, b=text("one", replicas=9))
    # The newcomer is refused as a whole: its file keeps what it had.
    assert (count_of(after, "one"), count_of(after, "two")) == (1, 1)
    assert [(bad.file, bad.diagnostics[0].code.id) for bad in after.bad] == [
        ("a.yaml", "POL004"),
        ("b.yaml", "POL301"),
    ]
    after = folder.read(a=BAD, c=text("other", deployments="one"))
    assert [bad.diagnostics[0].code.id for bad in after.bad] == ["POL004", "POL302"]
    assert names(after) == ["one"]


def test_a_policy_that_moves_between_two_good_files_stays() -> None:
    folder = Folder()
    folder.read(a=text("one"), b=text("two"))
    after = folder.read(a="# moved\n", b=f"{text('two')}---\n{text('one')}")
    assert sorted(names(after)) == ["one", "two"]
    assert after.bad == ()


def test_a_path_that_is_gone_or_empty_changes_nothing(tmp_path: object) -> None:
    store, last_good = PolicyStore(), LastGood()
    last_good.take(store.load_texts([("a.yaml", text("one"))]))
    after = last_good.take(store.load(f"{tmp_path}/unmounted"))
    assert names(after) == ["one"]
    assert after.bad[0].kept == ("one",)
    after = last_good.take(store.load(str(tmp_path)))
    assert (names(after), [one.code.id for one in after.bad[0].diagnostics]) == (
        ["one"],
        ["POL002"],
    )


CONTENTS = st.sampled_from(
    [BAD, text("one"), text("two"), text("one", replicas=7), f"{text('one')}---\n{text('two')}", ""]
)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), CONTENTS, min_size=1), max_size=6))
def test_whatever_happens_no_name_is_in_force_twice_and_nothing_bad_gets_in(
    history: list[dict[str, str]],
) -> None:
    folder, before = Folder(), InForce((), ())
    for files in history:
        after = folder.read(**files)
        assert len(set(names(after))) == len(names(after))
        bad = {one.file for one in after.bad}
        for policy in after.policies:
            file = policy.origin.rpartition(":")[0]
            # From a file that is as written, or from what was in force before.
            assert file not in bad or policy in before.policies
        before = after
