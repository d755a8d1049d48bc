"""The forms in which values are written: what a file of today must mean tomorrow."""

from dataclasses import fields, is_dataclass, replace
from typing import Any, get_args

import pytest
from tests.worlds.journal_world import Life

from trimtab.core.bounds import Bound, Bounds
from trimtab.core.decision import Decision, Hold, Reason, ScaleUp, Step, Tick
from trimtab.core.deployment import Deployment
from trimtab.core.facts import Facts
from trimtab.core.memory import DeploymentMemory, Memory
from trimtab.core.policy import Mode
from trimtab.core.proposals import Proposal
from trimtab.core.roles import Role
from trimtab.core.signals import Freshness, Reading, SignalSpec
from trimtab.journal.backlog import Backlog
from trimtab.journal.codec import UnknownWordError, hints_of
from trimtab.journal.digest import digest_of, is_digest_of
from trimtab.journal.packing import PLAIN_BYTES_MAX, PLAIN_ROW, decompressed, pack_row, unpack
from trimtab.journal.rows import as_row, field_names, from_row

FIELDS = {
    "Ask": "at replicas is_measured",
    "Asked": "at replicas",
    "At": "time replicas",
    "Bound": "replicas set_by",
    "Bounds": "lower upper",
    "Claimed": "held wanted needed least floor need lead_time_seconds granted entitled held_since "
    "short_since asked is_binding",
    "Decision": "deployment policy mode at verdict current desired wanted bounds sentence trail rule "
    "actual proposals readings",
    "Deployment": "name state state_text status_message status_code display_name base_model region "
    "min_replicas max_replicas desired_replicas replica_count pipeline revocable_replicas shape "
    "schedule_floors annotations created_at updated_at expires_at deleted_at purged_at observed_at "
    "other_scaler",
    "DeploymentMemory": "adopted_at user state created_at written doubtful latest lows highs moves "
    "counted rules damped demand_unknown_since idle_since wish gone_at shadow watched doubtful_moves "
    "superseded claimed grouped rules_ahead_seconds",
    "Facts": "load_replicas forecast_replicas spare_replicas forecast_error_replicas horizon_seconds "
    "miss_price_ratio missed_ratio missed_ratio_max capacity_requests_per_second capacity_factor_ratio",
    "Grouped": "replicas load lower upper requests_per_second usd_an_hour spare_ratio "
    "covered_requests_per_second",
    "Hold": "reason",
    "Latest": "time value replicas",
    "Need": "load_replicas spread_replicas",
    "Pair": "min_replicas max_replicas",
    "Pipeline": "pending downloading initializing ready",
    "Proposal": "rule role replicas sentence at_most is_abstaining blocks facts need load",
    "Reading": "spec freshness value age_seconds replicas time",
    "Refusal": "kind since until refusals is_told is_over",
    "RuleMemory": "lows highs moved",
    "ScaleDown": "reason",
    "ScaleUp": "reason",
    "ScheduleFloor": "name replicas cron duration_seconds timezone",
    "Shadow": "replicas since wire moves moved is_closed",
    "Shape": "name accelerator_type accelerators_per_replica precision preset parameter_count",
    "SignalSpec": "name source query max_age_seconds per missing_up missing_down",
    "Step": "stage before after reason sentence",
    "UserRange": "min_replicas max_replicas is_believed since origin",
    "Watched": "shape changed_at floors marks asks ready moved_at stuck_at wanted own refusal",
    "Written": "min_replicas max_replicas before_min_replicas before_max_replicas at",
}


def reached_from(kind: Any) -> dict[str, str]:
    """Every class that a value of ``kind`` is made of, with its fields."""
    found: dict[str, str] = {}
    waiting = [kind]
    while waiting:
        one = waiting.pop()
        waiting += get_args(one)
        if is_dataclass(one) or hasattr(one, "_fields"):
            name = one.__name__  # type: ignore[union-attr]  # a class
            if name not in found:
                found[name] = " ".join(field_names(one))
                waiting += hints_of(one).values()
    return found


def test_the_order_of_fields_is_part_of_the_format() -> None:
    """Add fields behind the others, with a default; anything else needs another form in ``packing``."""
    found: dict[str, str] = {}
    for kind in (DeploymentMemory, Deployment, Decision):
        found |= reached_from(kind)
    assert found == FIELDS


def test_memory_has_no_part_that_entries_say_nothing_of() -> None:
    assert [one.name for one in fields(Memory)] == [
        "deployments",
        "overrides",
        "lead_times",
        "shared",
    ]


def test_what_was_written_before_a_field_existed_is_read_and_what_was_written_after_is_refused() -> (
    None
):
    step = Step("propose", 1, 2, Reason.DEMAND, "more")
    assert from_row(Deployment, '["d"]') == Deployment(name="d")
    assert from_row(Step, as_row(step)) == step
    with pytest.raises(UnknownWordError, match="Step has no field number 6"):
        from_row(Step, as_row((*step, "and more")))
    with pytest.raises(ValueError, match="this is no Step"):
        from_row(Step, "[1]")


def test_large_values_are_deflated_and_small_ones_are_not() -> None:
    small, large = Deployment(name="d"), Deployment(name="d" * PLAIN_BYTES_MAX)
    assert pack_row(small)[:1] == PLAIN_ROW
    assert len(pack_row(large)) < PLAIN_BYTES_MAX / 10
    assert unpack(Deployment, pack_row(large)) == large


def test_one_bit_that_fell_over_is_noticed_in_values_that_are_not_deflated() -> None:
    packed = pack_row(Deployment(name="d", min_replicas=1))
    for place in range(1, len(packed)):
        damaged = bytearray(packed)
        damaged[place] ^= 1
        with pytest.raises(ValueError, match="damaged"):
            decompressed(bytes(damaged))


# -- digests --------------------------------------------------------------------------------------

SPEC = SignalSpec(name="load", source="s", query="q", max_age_seconds=60.0)
DECISION = Decision(
    deployment="d",
    policy="p",
    mode=Mode.ENFORCE,
    at=1.0,
    verdict=Hold(Reason.STEADY),
    current=2,
    desired=2,
    wanted=3,
    bounds=Bounds(Bound(1, "a"), Bound(9, "b")),
    sentence="hold",
    trail=(Step("propose", 1, None, Reason.DEMAND, "x"), Step("bounds", 2, 3, None, "y")),
    rule="r",
    actual=2,
    proposals=(
        Proposal(rule="r", role=Role.DEMAND, replicas=3, sentence="z", facts=Facts(*range(1, 11))),
    ),
    readings=(
        Reading(spec=SPEC, freshness=Freshness.USABLE, value=3.0, age_seconds=0.5, time=1.0),
    ),
)


def changed(value: Any, /, **others: Any) -> Any:
    return value._replace(**others) if hasattr(value, "_replace") else replace(value, **others)


def variants(value: Any) -> list[Any]:  # noqa: PLR0911  one answer for each kind of value
    """Each value that differs from ``value`` in one place, at any depth."""
    if isinstance(value, bool):
        return [not value]
    if isinstance(value, Hold):
        return [Hold(Reason.AT_MIN), ScaleUp(value.reason)]
    if isinstance(value, Reason | Mode | Role | Freshness):
        return [one for one in type(value) if one is not value][:1]
    if isinstance(value, str):
        return [value + "!", value[1:]]
    if isinstance(value, int | float):
        return [value + 1, None]
    if isinstance(value, SignalSpec):
        return [changed(value, name="other")]
    if is_dataclass(value) or hasattr(value, "_fields"):
        return [
            changed(value, **{name: other})
            for name in field_names(value)
            for other in variants(getattr(value, name))
        ]
    if isinstance(value, tuple):
        others = [
            (*value[:place], other, *value[place + 1 :])
            for place, one in enumerate(value)
            for other in variants(one)
        ]
        return [*others, value[:-1]]
    return [] if value is None else [None]


def test_whatever_differs_in_a_decision_its_digest_differs() -> None:
    """Seen to catch: each single field left out of the digest."""
    others = variants(DECISION)
    digests = {digest_of(Tick(at=1.0, decisions=(one,))) for one in (DECISION, *others)}
    assert len(others) > 60
    assert len(digests) == len(others) + 1


def test_a_proposal_without_facts_has_the_digest_that_it_had_before_there_were_any() -> None:
    (proposal,) = DECISION.proposals
    plain = changed(DECISION, proposals=(changed(proposal, facts=None),))
    assert digest_of(Tick(at=1.0, decisions=(plain,))) == "2:e05802c57dbf7b8d5d20197a2b4e0b6f"
    assert unpack(Decision, pack_row(plain)) == plain
    assert unpack(Decision, pack_row(DECISION)) == DECISION


def test_texts_do_not_run_into_each_other() -> None:
    one, other = changed(DECISION, policy="ab", rule="c"), changed(DECISION, policy="a", rule="bc")
    assert digest_of(Tick(at=1.0, decisions=(one,))) != digest_of(Tick(at=1.0, decisions=(other,)))


def test_orders_and_events_count_and_lone_surrogates_are_texts() -> None:
    life = Life(Backlog().add)
    tick = life.turn(load=90.0)
    fewer, other = replace(tick, events=tick.events[:-1]), replace(tick, events=())
    ordered = replace(tick, orders=(life.until_ordered(),))
    assert len({digest_of(one) for one in (tick, fewer, other, ordered)}) == 4
    strange = Tick(at=1.0, decisions=(changed(DECISION, sentence="\ud800"),))
    assert is_digest_of(digest_of(strange), strange)
