"""What policies inherit from the defaults of a Fleet, and when new defaults are taken."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.core.policy import Mode
from trimtab.policy import PolicyStore, as_text, codes, read_policy_texts
from trimtab.policy.last_good import InForce, LastGood

if TYPE_CHECKING:
    from trimtab.core.policy import Policy
    from trimtab.policy import LoadReport


def fleet(defaults: str = "", more: str = "") -> str:
    section = f"  defaults: {{{defaults}}}\n" if defaults else ""
    return f"""\
apiVersion: trimtab.dev/v1
kind: Fleet
metadata: {{name: acme}}
spec:
  hold: 20m
{section}{more}"""


def policy(name: str = "chat", more: str = "") -> str:
    return f"""\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {{name: {name}}}
spec:
  deployments: {{match: {{displayName: "{name}*"}}}}
  rules: [{{name: fixed, role: demand, strategy: {{type: fixed, replicas: 3}}}}]
{more}"""


def read(**files: str) -> LoadReport:
    return read_policy_texts([(f"{name}.yaml", text) for name, text in files.items()])


def the_policy(report: LoadReport | InForce) -> Policy:
    (found,) = report.policies
    return found


class Folder:
    """Reads one set of files after the other, as the daemon does."""

    def __init__(self, **files: str) -> None:
        self._store, self._last_good = PolicyStore(), LastGood()
        self._files: dict[str, str] = {}
        self.in_force = self.change(**files)

    def change(self, **files: str | None) -> InForce:
        for name, text in files.items():
            self._files.pop(name, None)
            if text is not None:
                self._files[name] = text
        texts = [(f"{name}.yaml", text) for name, text in sorted(self._files.items())]
        self.report = self._store.load_texts(texts)
        self.in_force = self._last_good.take(self.report)
        return self.in_force

    @property
    def policy(self) -> Policy:
        return the_policy(self.in_force)

    @property
    def findings(self) -> list[codes.Code]:
        return [one.code for one in self.report.diagnostics]

    def as_replayed(self) -> LoadReport:
        """What a replay reads: the texts that are in force, and nothing else."""
        return read_policy_texts(self.in_force.documents.items())


def test_a_policy_has_what_it_leaves_out_from_the_fleet() -> None:
    report = read(fleet=fleet("mode: advise, priority: 7, leadTime: 8m"), chat=policy())
    found = the_policy(report)
    assert (found.mode, found.priority, found.lead_time_seconds) == (Mode.ADVISE, 7, 480.0)


def test_what_a_policy_says_itself_goes_first() -> None:
    report = read(fleet=fleet("mode: advise, priority: 7"), chat=policy(more="  priority: 300\n"))
    assert (the_policy(report).mode, the_policy(report).priority) == (Mode.ADVISE, 300)


def test_sections_are_taken_together_key_by_key_and_lists_as_a_whole() -> None:
    defaults = (
        "bounds: {min: 1, max: 9}, behavior: {scaleDown: {stabilization: 10m, cooldown: 1m, "
        "limits: [{percent: 10, period: 1m}, {replicas: 1, period: 1m}]}}"
    )
    own = (
        "  bounds: {max: 4}\n"
        "  behavior: {scaleDown: {cooldown: 2m, limits: [{replicas: 2, period: 1m}]}}\n"
    )
    found = the_policy(read(fleet=fleet(defaults), chat=policy(more=own)))
    assert (found.min_replicas, found.max_replicas) == (1, 4)
    assert (found.down.stabilization_seconds, found.down.cooldown_seconds) == (600.0, 120.0)
    assert [limit.replicas for limit in found.down.limits] == [2]


def test_the_order_of_the_files_does_not_matter() -> None:
    first = the_policy(read(a=policy(), b=fleet("priority: 7")))
    second = the_policy(read(b=fleet("priority: 7"), a=policy()))
    assert first == second
    assert first.priority == 7


def test_a_contradiction_with_a_default_says_where_that_is_from() -> None:
    report = read(fleet=fleet("bounds: {min: 5}"), chat=policy(more="  bounds: {max: 4}\n"))
    (error,) = report.errors
    assert (error.code, error.file, error.line) == (codes.MIN_ABOVE_MAX, "chat.yaml", 7)
    assert error.hint.endswith("`spec.bounds.min` is inherited from fleet.yaml:6")


def test_a_default_that_does_not_matter_to_one_policy_is_no_reason_to_warn() -> None:
    own = "  behavior: {scaleDown: {select: disabled}}\n"
    inherited = read(
        fleet=fleet("behavior: {scaleDown: {stabilization: 10m}}"), chat=policy(more=own)
    )
    assert inherited.diagnostics == ()
    own = "  behavior: {scaleDown: {select: disabled, stabilization: 10m}}\n"
    assert [one.code for one in read(chat=policy(more=own)).diagnostics] == [codes.NO_EFFECT]


@pytest.mark.parametrize("section", ["rules: []", "signals: {}", "deployments: {name: x}"])
def test_what_a_policy_is_for_hears_and_concludes_is_never_inherited(section: str) -> None:
    report = read(fleet=fleet(section), chat=policy())
    assert [one.code for one in report.errors] == [codes.UNKNOWN_KEY]


def test_new_defaults_reach_policies_whose_files_did_not_change() -> None:
    folder = Folder(chat=policy(), fleet=fleet("priority: 7"))
    folder.change(fleet=fleet("priority: 8"))
    assert folder.policy.priority == 8
    folder.change(fleet=fleet())
    assert folder.policy.priority == 100
    folder.change(fleet=fleet("priority: 9"))
    folder.change(fleet=None)
    assert folder.policy.priority == 100


def test_defaults_that_only_moved_leave_policies_the_same_objects() -> None:
    folder = Folder(chat=policy(), fleet=fleet("priority: 7"))
    before = folder.policy
    folder.change(fleet="# a comment\n" + fleet("priority: 7"))
    assert folder.policy is before


def test_a_bad_fleet_file_keeps_its_last_good_defaults_for_policies_that_change() -> None:
    folder = Folder(chat=policy(), fleet=fleet("priority: 7"))
    folder.change(
        fleet=fleet("priority: 8", "  quotas: none\n"), chat=policy(more="  mode: advise\n")
    )
    assert (folder.policy.priority, folder.policy.mode) == (7, Mode.ADVISE)
    assert folder.in_force.fleet.hold_seconds == 1200.0
    assert the_policy(folder.as_replayed()) == folder.policy


def test_defaults_that_make_a_policy_invalid_wait_and_say_for_what() -> None:
    folder = Folder(chat=policy(more="  bounds: {max: 4}\n"), fleet=fleet("bounds: {min: 1}"))
    folder.change(fleet=fleet("bounds: {min: 5}", "  patience: 1h\n"))
    (error,) = folder.report.errors
    assert (error.code, error.file) == (codes.DEFAULTS_THAT_WAIT, "fleet.yaml")
    assert "chat.yaml:7:3: error POL306" in error.message
    assert folder.policy.min_replicas == 1
    assert (
        folder.in_force.fleet.patience_seconds == 900.0
    )  # the file as a whole keeps its last good
    folder.change(chat=policy(more="  bounds: {max: 6}\n"))
    assert folder.report.is_valid
    assert folder.policy.min_replicas == 5
    assert folder.in_force.fleet.patience_seconds == 3600.0


def test_new_defaults_wait_for_files_that_are_bad_by_themselves() -> None:
    folder = Folder(chat=policy(), fleet=fleet("priority: 7"))
    folder.change(chat=policy(more="  mode: perhaps\n"))
    folder.change(fleet=fleet("priority: 8"))
    assert folder.findings == [codes.NOT_A_CHOICE, codes.DEFAULTS_THAT_WAIT]
    assert folder.policy.priority == 7
    folder.change(chat=policy())
    assert folder.policy.priority == 8


def test_defaults_that_are_taken_away_wait_as_well() -> None:
    folder = Folder(chat=policy(), fleet=fleet("priority: 7"))
    folder.change(chat=policy(more="  mode: perhaps\n"), fleet=fleet())
    assert codes.DEFAULTS_THAT_WAIT in folder.findings
    assert folder.policy.priority == 7


def test_quotas_beside_unchanged_defaults_do_not_wait_for_bad_files() -> None:
    folder = Folder(chat=policy(), fleet=fleet("priority: 7"))
    quotas = "  quotas: [{accelerator: NVIDIA_H100_80GB, max: 8}]\n"
    folder.change(chat="kind: [", fleet=fleet("priority: 7", quotas))
    assert [quota.accelerators for quota in folder.in_force.fleet.quotas] == [8]


def test_what_waits_is_not_read_again_until_something_changes() -> None:
    folder = Folder(chat=policy(), fleet=fleet("priority: 7"))
    folder.change(chat=policy(more="  mode: perhaps\n"), fleet=fleet("priority: 8"))
    before = folder.report
    folder.change()
    assert folder.report is before


def test_what_is_in_force_is_read_the_same_from_its_documents_alone() -> None:
    folder = Folder(
        chat=policy(more="  bounds: {max: 4}\n"), code=policy("code"), fleet=fleet("priority: 7")
    )
    states = (
        {"fleet": fleet("bounds: {min: 5}")},
        {"code": "kind: ["},
        {"chat": policy(more="  bounds: {max: 6}\n")},
        {"code": policy("code", "  priority: 3\n")},
        {"fleet": fleet("bounds: {min: 2}", "  hold: 5m\n")},
        {"fleet": fleet("mode: advise")},
    )
    for state in states:
        folder.change(**state)
        replayed = folder.as_replayed()
        assert as_text(replayed.errors) == "no findings\n"
        assert replayed.policies == folder.in_force.policies
        assert replayed.fleet == folder.in_force.fleet


FLEETS = (
    fleet("priority: 7"),
    fleet("priority: 8, bounds: {min: 5}"),
    fleet("bounds: {min: 1}", "  timezone: Europe/Zurich\n"),
    fleet("", "  quotas: [{accelerator: NVIDIA_H100_80GB, max: 8}]\n"),
    fleet("priority: nine"),
    "kind: Fleet\nspec: [",
)
POLICIES = (
    policy(),
    policy(more="  bounds: {max: 4}\n"),
    policy(more="  mode: perhaps\n"),
    policy("code"),
    policy("code", "  bounds: {max: 3}\n") + "---\n" + fleet("leadTime: 3m"),
)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("fleet"), st.sampled_from([*FLEETS, *POLICIES, None])),
            st.tuples(st.sampled_from(["a", "z"]), st.sampled_from([*POLICIES, *FLEETS, None])),
        ),
        max_size=8,
    )
)
def test_whatever_happens_to_the_files_a_replay_reads_what_was_in_force(
    changes: list[tuple[str, str | None]],
) -> None:
    # Seen to catch: new defaults taken although a file is bad; a Fleet with defaults that is deleted
    # meanwhile; the same defaults in another file, of which nothing is in force.
    folder = Folder()
    for name, text in changes:
        folder.change(**{name: text})
        replayed = folder.as_replayed()
        assert replayed.is_valid
        assert replayed.policies == folder.in_force.policies
        assert replayed.fleet == folder.in_force.fleet


DEFAULTS = {
    "mode": "advise",
    "actuation": "floor",
    "bounds": {"min": 1, "max": 20},
    "behavior": {
        "scaleUp": {"cooldown": "10s", "select": "min"},
        "scaleDown": {"stabilization": "10m", "limits": [{"replicas": 1, "period": "1m"}]},
    },
    "fallback": {"after": "5m", "replicas": 2},
    "expiry": {"minimumUsefulTime": "5m"},
    "leadTime": "4m",
    "outOfBand": {"grace": "5m"},
    "stuck": {"after": "15m"},
    "handBack": True,
    "priority": 50,
}
OWN = {
    "mode": "enforce",
    "bounds": {"max": 6},
    "behavior": {"scaleUp": {"cooldown": "20s"}, "scaleDown": {"limits": []}},
    "expiry": {"atExpiry": "drain"},
    "priority": 70,
}


def written_out(defaults: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """What somebody would write who copies the defaults into the policy by hand."""
    result = dict(own)
    for key, value in defaults.items():
        if key not in own:
            result[key] = value
        elif isinstance(value, dict):
            result[key] = written_out(value, own[key])
    return result


@given(st.sets(st.sampled_from(sorted(DEFAULTS))), st.sets(st.sampled_from(sorted(OWN))))
def test_to_inherit_is_to_write_it_out(inherited: set[str], own: set[str]) -> None:
    # Seen to catch: the default before the policy's own, sections replaced as a whole.
    defaults = {key: DEFAULTS[key] for key in sorted(inherited)}
    mine = {key: OWN[key] for key in sorted(own)}

    def text(more: dict[str, Any]) -> str:
        return policy() + "".join(f"  {key}: {json.dumps(value)}\n" for key, value in more.items())

    head = fleet().removesuffix("\n")
    report = read(fleet=f"{head}\n  defaults: {json.dumps(defaults)}\n", chat=text(mine))
    assert report.errors == ()
    by_hand = read(chat=text(written_out(defaults, mine)))
    assert report.policies == by_hand.policies
