"""Expressions in CEL: what they see, what they come to, and what becomes of them when data is missing."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.worlds.engine_world import DEMAND, LOAD, world

from trimtab.core.decision import Hold, Reason, ScaleUp
from trimtab.core.policy import HoldRule, Rule
from trimtab.core.roles import Blocks, Role
from trimtab.core.signals import SignalSpec
from trimtab.core.strategies.expression import Expression
from trimtab.policy import cel, codes
from trimtab.policy.cel import LENGTH_MAX, Wanted, check_expression, program
from trimtab.policy.cel_inputs import INPUTS
from trimtab.testing import a_view

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trimtab.core.expressions import Answer
    from trimtab.policy import LoadReport

    Diagnose = Callable[..., LoadReport]


def utc(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def number(text: str, *, zone: str = "UTC", **view: Any) -> Answer:
    signals = view.pop("signals", {"queued": 30.0, "errors": 0.08})
    return program(text, Wanted.NUMBER, zone).evaluate(a_view(signals, **view))


def truth(text: str, *, zone: str = "UTC", **view: Any) -> Answer:
    signals = view.pop("signals", {"queued": 30.0, "errors": 0.08})
    return program(text, Wanted.TRUTH, zone).evaluate(a_view(signals, **view))


def fault_codes(text: str, wanted: Wanted = Wanted.NUMBER) -> list[codes.Code]:
    return [fault.code for fault in check_expression(text, wanted).faults]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("signals.queued / 20.0", 1.5),
        ("signals['queued'] + 1.0", 31.0),
        ("deployment.replicas * 2", 6),
        ("deployment.ready + deployment.starting", 3),
        ("double(deployment.ready) / 2.0", 1.0),
        ("deployment.max - deployment.min", 10),
        ("deployment.accelerators / deployment.acceleratorsPerReplica", 3),
        ("deployment.leadTimeSeconds / 60.0", 5.0),
        ("math.greatest(signals.queued / 20.0, 4.0)", 4.0),
        ("int(math.ceil(signals.queued / 20.0))", 2),
        ("deployment.state == 'READY' ? 5 : 1", 5),
    ],
)
def test_a_formula_over_signals_and_the_deployment(text: str, value: float) -> None:
    assert number(text, ready=2).value == value


@pytest.mark.parametrize(
    ("text", "zone", "value"),
    [
        ("time.hour", "UTC", 22),
        ("time.hour", "Europe/Berlin", 23),
        ("time.hour", "Asia/Kathmandu", 4),
        ("time.minute", "Asia/Kathmandu", 15),
        ("time.weekday", "UTC", 6),
        ("time.weekday", "Asia/Kathmandu", 0),
        ("time.day", "Asia/Kathmandu", 1),
        ("time.month", "Asia/Kathmandu", 2),
        ("time.unix", "Asia/Kathmandu", 1_769_898_600),
    ],
)
def test_the_time_is_local_to_the_stated_zone(text: str, zone: str, value: int) -> None:
    assert number(text, zone=zone, now=utc("2026-01-31T22:30")).value == value


def test_every_input_has_the_type_that_it_is_declared_with() -> None:
    for name in INPUTS:
        text = f"{name} == {name} ? 1 : 2"
        answer = number(text)
        assert answer.value == 1, answer.sentence


def test_the_sentence_shows_the_values_that_it_rests_on() -> None:
    answer = truth("signals.errors > 0.05 && deployment.ready >= 2")
    assert answer.value is True
    assert answer.sentence == (
        "`signals.errors > 0.05 && deployment.ready >= 2` is true (errors 0.08, deployment.ready 3)"
    )


def test_a_missing_signal_leaves_an_expression_without_a_value() -> None:
    answer = truth("signals.errors > 0.05", signals={"errors": None})
    assert answer.value is None
    assert answer.sentence == "`signals.errors > 0.05` has no value: errors is missing"
    assert truth("signals.errors > 0.05", signals={}).value is None


def test_what_does_not_depend_on_the_missing_signal_is_known_all_the_same() -> None:
    text = "signals.errors > 0.05 || signals.queued > 20.0"
    assert truth(text, signals={"errors": None, "queued": 30.0}).value is True
    assert truth(text, signals={"errors": None, "queued": 3.0}).value is None


@pytest.mark.parametrize("test", ["has(signals.errors)", "'errors' in signals"])
def test_an_expression_can_say_what_holds_without_a_signal(test: str) -> None:
    text = f"{test} ? signals.errors : 7.0"
    assert number(text, signals={"errors": None}).value == 7.0
    assert number(text, signals={"errors": 2.0}).value == 2.0
    assert program(text, Wanted.NUMBER).signals == ("errors",)  # its contract is kept all the same


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1 / (deployment.ready - 3)", "divide by zero"),
        ("signals.queued / 0.0", "it comes to inf, which is no count"),
        ("0.0 / (signals.queued - 30.0)", "it comes to nan, which is no count"),
        ("int(math.ceil(signals.queued * 1e300))", "double out of int64 range"),
        ("deployment.replicas * 9223372036854775807", "integer overflow"),
        ("int(deployment.state)", "cannot convert string to int"),
    ],
)
def test_what_goes_wrong_at_run_time_is_no_value_and_a_sentence(text: str, why: str) -> None:
    answer = number(text)
    assert answer.value is None
    assert answer.sentence == f"`{text}` has no value: {why}"


def test_what_the_deployment_does_not_tell_is_unknown() -> None:
    text = "deployment.accelerators > 8"
    view = a_view()
    bare = type(view)(
        now=view.now,
        deployment=type(view.deployment)(name="accounts/acme/deployments/bare"),
        current=1,
        readings={},
        lead_time_seconds=300.0,
    )
    answer = program(text, Wanted.TRUTH).evaluate(bare)
    assert answer.value is None
    assert answer.sentence.endswith("deployment.accelerators is not known")
    assert program("deployment.max > 1", Wanted.TRUTH).evaluate(bare).value is None


def test_which_signals_it_reads_is_found_in_its_text() -> None:
    text = (
        "has(signals.a) && 'b' in signals && signals['c'] > 1.0 && "
        "[signals.d, 2.0].exists(x, x > signals.e) && signals.a > 0.0"
    )
    checked = check_expression(text, Wanted.TRUTH)
    assert checked.faults == ()
    assert program(text, Wanted.TRUTH).signals == ("a", "b", "c", "d", "e")
    tests = [one.name for one in checked.mentions if one.is_test]
    assert tests == ["a", "b"]
    for one in checked.mentions:
        assert text[one.offset :].startswith(one.name)


@pytest.mark.parametrize(
    "text",
    [
        "signals.size() > 1",
        "signals[deployment.region] > 1.0",
        "signals.exists(name, signals[name] > 1.0)",
        "[1.0].exists(signals, signals > 2.0)",
        "signals == signals",
    ],
)
def test_signals_whose_names_do_not_show_are_refused(text: str) -> None:
    assert set(fault_codes(text, Wanted.TRUTH)) == {codes.EXPRESSION_NAME}


@pytest.mark.parametrize(
    ("text", "wanted", "code"),
    [
        ("signals.queued > 5", Wanted.TRUTH, codes.EXPRESSION_TYPE),
        ("signals.queued", Wanted.TRUTH, codes.EXPRESSION_TYPE),
        ("signals.queued > 5.0", Wanted.NUMBER, codes.EXPRESSION_TYPE),
        ("'four'", Wanted.NUMBER, codes.EXPRESSION_TYPE),
        ("4u", Wanted.NUMBER, codes.EXPRESSION_TYPE),
        ("dyn(4)", Wanted.NUMBER, codes.EXPRESSION_TYPE),
        ("null", Wanted.NUMBER, codes.EXPRESSION_TYPE),
        ("queued", Wanted.NUMBER, codes.EXPRESSION_NAME),
        ("open('/etc/passwd')", Wanted.NUMBER, codes.EXPRESSION_NAME),
        ("1 +", Wanted.NUMBER, codes.EXPRESSION_SYNTAX),
        ("", Wanted.NUMBER, codes.EXPRESSION_SYNTAX),
        ("1; 2", Wanted.NUMBER, codes.EXPRESSION_SYNTAX),
        ("'\ud800' == 'a'", Wanted.TRUTH, codes.EXPRESSION_SYNTAX),
        ("+".join(["1"] * 100), Wanted.NUMBER, codes.EXPRESSION_COST),
        ("(" * 200 + "1" + ")" * 200, Wanted.NUMBER, codes.EXPRESSION_COST),
        ("1" + " " * LENGTH_MAX, Wanted.NUMBER, codes.EXPRESSION_COST),
    ],
)
def test_what_cannot_be_meant_is_refused_before_it_runs(
    text: str, wanted: Wanted, code: codes.Code
) -> None:
    assert fault_codes(text, wanted) == [code]


def test_the_cost_of_loops_is_counted_in_full() -> None:
    ten = str(list(range(10)))
    assert fault_codes(f"{ten}.all(a, a < 20)", Wanted.TRUTH) == []
    assert fault_codes(f"{ten}.all(a, {ten}.all(b, a < b))", Wanted.TRUTH) == []
    three = f"{ten}.all(a, {ten}.all(b, {ten}.all(c, a < b + c)))"
    assert fault_codes(three, Wanted.TRUTH) == [codes.EXPRESSION_COST]
    assert fault_codes(f"({ten} + {ten}).map(a, {ten}).size()") == []
    mapped = f"{ten}.map(a, {ten}).map(b, b.map(c, c)).size()"  # of unknown length
    assert fault_codes(mapped) == [codes.EXPRESSION_COST]


def with_hold(text: str, blocks: Blocks, errors: SignalSpec | None = None) -> Any:
    spec = errors or SignalSpec(name="errors", source="gateway", query="e", max_age_seconds=60.0)
    hold = HoldRule(name="guard", condition=program(text, Wanted.TRUTH), blocks=blocks)
    return world(2, signals=(LOAD, spec), holds=(hold,))


def test_a_hold_blocks_its_direction_while_its_condition_is_true() -> None:
    w = with_hold("signals.errors > 0.05", Blocks.UP)
    decision = w.step(load=50.0, errors=0.2)
    assert decision.verdict == Hold(Reason.BLOCKED_BY_RULE)
    assert "`signals.errors > 0.05` is true (errors 0.2)" in decision.sentence
    assert w.step(load=50.0, errors=0.01).verdict == ScaleUp(Reason.DEMAND)


def test_a_hold_whose_condition_is_unknown_blocks_by_the_contract_of_its_signal() -> None:
    w = with_hold("signals.errors > 0.05", Blocks.UP)
    assert w.step(load=50.0).verdict == ScaleUp(Reason.DEMAND)
    w = with_hold("signals.errors > 0.05", Blocks.UP)
    assert w.step(load=0.0).verdict == Hold(Reason.MISSING_DATA)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("signals.load / 20.0", 2),  # 1.5
        ("signals.load / 10.0", 3),
        ("0.1 + 0.2 + 2.7", 3),  # 3.0000000000000004
        ("signals.load - 100.0", 0),
        ("deployment.replicas + 1", 3),
    ],
)
def test_the_strategy_rounds_up_to_whole_replicas_and_never_below_0(text: str, wanted: int) -> None:
    strategy = Expression(program=program(text, Wanted.NUMBER))
    w = world(2, rules=(Rule(name="own", role=Role.DEMAND, strategy=strategy),))
    decision = w.step(load=30.0)
    assert decision.wanted == wanted
    assert decision.proposals[0].sentence.startswith(f"`{text}` is ")


def test_a_strategy_without_a_value_leaves_the_others_to_decide() -> None:
    own = Rule(
        name="own",
        role=Role.DEMAND,
        strategy=Expression(program=program("1e300 * signals.load", Wanted.NUMBER)),
    )
    w = world(2, rules=(DEMAND, own))
    decision = w.step(load=30.0)
    assert decision.verdict == ScaleUp(Reason.DEMAND)
    assert "which is no count of replicas" in decision.proposals[1].sentence


@pytest.fixture
def _no_engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "cel_expr_python", None)
    cel._environment.cache_clear()
    cel.check_expression.cache_clear()
    yield
    cel.check_expression.cache_clear()


@pytest.mark.usefixtures("_no_engine")
def test_where_the_engine_is_missing_a_policy_that_needs_it_is_refused_with_the_remedy(
    diagnose: Diagnose, fewest_keys: str
) -> None:
    hold = "{name: night, role: hold, when: time.hour < 6, blocks: up}"
    report = diagnose(fewest_keys.replace("rules: [", f"rules: [{hold}, "))
    (diagnostic,) = report.diagnostics
    assert diagnostic.code is codes.NO_EXPRESSIONS
    assert diagnostic.excerpt[diagnostic.column - 1 :].startswith("time.hour < 6")
    assert diagnostic.hint == "install it: `pip install 'trimtab[expressions]'`"
    assert diagnose(fewest_keys).is_valid


def test_a_policy_without_expressions_loads_without_the_engine(fewest_keys: str) -> None:
    code = (
        "import sys; from trimtab.policy import read_policy_texts; "
        "report = read_policy_texts([('a.yaml', sys.argv[1])]); "
        "assert report.is_valid and len(report.policies) == 1; "
        "assert 'cel_expr_python' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, fewest_keys], check=True, timeout=60)  # noqa: S603  ours


pieces = st.lists(
    st.sampled_from(
        [
            *(
                "signals.queued",
                "signals['errors']",
                "has(",
                "deployment.ready",
                "time.hour",
                "x",
                "5",
            ),
            *(
                "0.5",
                "'",
                '"',
                "(",
                ")",
                "[",
                "]",
                "?",
                ":",
                "&&",
                "||",
                ">",
                "==",
                "in",
                "+",
                "/",
                "-",
            ),
            *(
                ".exists(x, ",
                "math.ceil(",
                "b'a'",
                "null",
                "{",
                "}",
                "\\",
                "\n",
                " ",
                "\0",
                "é",
                "🙂",
            ),
        ]
    )
    | st.text(max_size=3),
    max_size=14,
).map("".join)


@settings(max_examples=400, deadline=None)
@given(pieces, st.sampled_from(Wanted))
def test_any_text_is_a_program_that_answers_or_faults_with_a_place(
    text: str, wanted: Wanted
) -> None:
    checked = check_expression(text, wanted)
    assert (checked.program is None) == bool(checked.faults)
    for fault in checked.faults:
        assert 0 <= fault.offset <= len(text)
        assert fault.length >= 1
        assert fault.message
    if checked.program is not None:
        answer = checked.program.evaluate(a_view({"queued": 30.0}))
        assert answer.sentence
        assert answer.value is None or isinstance(answer.value, bool) == (wanted is Wanted.TRUTH)
