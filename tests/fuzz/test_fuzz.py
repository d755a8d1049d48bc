"""A few seconds of what ``make fuzz`` does for minutes, from a seed that stays the same."""

from __future__ import annotations

import mmap
import os
import signal
from random import Random
from time import sleep

import pytest
from feeding import MEMORY_BYTES_MAX, run, trouble, trouble_outside
from mutation import smaller
from subjects import SUBJECTS, Subject

INPUTS = {
    "policies": 150,
    "policy-tests": 100,
    "settings": 200,
    "expressions": 300,
    "journal-files": 200,
}
SEED = 20_260


@pytest.mark.parametrize("name", SUBJECTS)
def test_foreign_bytes_meet_an_answer_or_the_documented_error(name: str) -> None:
    came_to = run(SUBJECTS[name], seed=SEED, inputs=INPUTS.get(name, 1000))
    assert came_to.finding is None
    assert came_to.inputs >= 100


@pytest.mark.parametrize("name", SUBJECTS)
def test_the_seeds_themselves_are_read(name: str) -> None:
    subject = SUBJECTS[name]
    assert [trouble(subject, seed) for seed in subject.seeds] == [None] * len(subject.seeds)


@pytest.mark.parametrize("name", SUBJECTS)
def test_one_seed_makes_the_same_inputs_again(name: str) -> None:
    subject = SUBJECTS[name]
    first, second = (list(subject.mutator().inputs(Random(7), 60)) for _ in range(2))
    assert first == second
    assert len(set(first)) > 40


# Each repeats something so often that whoever takes its square never ends, and the watchdog, which is
# the one judge of time here, finds it: (subject, start, again, end).
LONG = {
    "braces": ("metrics", b"a{", b"}", b" 1 1 1\n"),
    "escapes": ("metrics", b'request_counter_total:sum_by_deployment{a="', b"\\", b'"} 1\n'),
    "labels": ("metrics", b"request_counter_total:sum_by_deployment{", b'a="b",', b"} 1\n"),
    "spaces": ("metrics", b"a", b" ", b"\x00\n"),
    "digits": ("metrics", b"a 1 ", b"9", b"\n"),
    "lines": ("metrics", b"", b"request_counter_total:sum_by_deployment 1\n", b""),
    "titles": ("answers", b"502\n\n<html>", b"<title", b""),
    "quota words": ("answers", b'429\n\n{"code": 8, "message": "', b"in use: ", b'"}'),
    "page": ("answers", b"500\n\n", b" x", b""),
    "brackets": ("deployments", b"", b"[", b""),
    "number": ("deployments", b'{"name": "a/b", "minReplicaCount": ', b"9", b"}"),
    "fields": ("deployments", b'{"name": "a/b"', b', "x_y": 1', b"}"),
    "annotation": (
        "deployments",
        b'{"name": "a/b", "annotations": {"trimtab.dev/user-bounds": "1-',
        b"9",
        b'", "trimtab.dev/written-bounds": "0-0"}}',
    ),
    "duration": ("policies", b"maxAge: ", b"9", b"x"),
    "keys": ("policies", b"kind: ScalingPolicy\nspec: {", b'"a": 1, ', b"}"),
    "open flow": ("policies", b"a: ", b"[", b""),
    "aliases": ("policies", b"a: &a [1]\nb: [", b"*a, ", b"]"),
    "quoted line": ("policies", b'a: "', b"\\x41", b'"'),
    "parentheses": ("expressions", b"", b"(", b"1"),
    "pluses": ("expressions", b"1", b"+1", b""),
}


@pytest.mark.parametrize("what", LONG)
def test_a_quarter_of_a_megabyte_of_the_worst_has_an_end(what: str) -> None:
    name, start, again, end = LONG[what]
    data = start + again * (250_000 // len(again)) + end
    wrong = trouble_outside(SUBJECTS[name], data)
    assert wrong is None or wrong.endswith(
        f"s for {len(data)} bytes"
    )  # slow is no news, endless is


# -- the engine itself -------------------------------------------------------------------------


def a_subject(feed: object) -> Subject:
    return Subject("made-up", feed, (b"seed one", b"seed two"), (b"!",), 10)  # type: ignore[arg-type]  # a test feeds anything


def test_an_exception_is_a_finding_with_its_input() -> None:
    def feed(data: bytes) -> None:
        if b"!" in data:
            raise KeyError(data)

    came_to = run(a_subject(feed), seed=1, inputs=2000)
    assert came_to.finding is not None
    assert b"!" in came_to.finding.data
    assert came_to.finding.what.startswith("KeyError")


def test_a_process_that_dies_is_a_finding_with_its_input() -> None:
    def feed(data: bytes) -> None:
        if b"!" in data:
            os.kill(os.getpid(), signal.SIGKILL)

    finding = run(a_subject(feed), seed=1, inputs=2000).finding
    assert finding is not None
    assert b"!" in finding.data


def test_a_hang_is_ended_and_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feeding.HANG_SECONDS", 0.1)
    finding = run(a_subject(lambda _: sleep(600)), seed=1, inputs=5).finding
    assert finding is not None
    assert (finding.data, finding.what) == (b"seed one", "no end within 0.1 s")


def test_memory_without_end_is_a_finding() -> None:
    finding = run(
        a_subject(lambda _: [bytearray(1 << 30) for _ in range(9)]), seed=1, inputs=5
    ).finding
    assert finding is not None
    assert finding.what.startswith("MemoryError")


def test_what_the_process_had_before_the_fork_is_not_counted_as_memory_asked_for() -> None:
    # Neither readable nor writable: it takes addresses and no memory.
    with mmap.mmap(-1, 2 * MEMORY_BYTES_MAX, flags=mmap.MAP_PRIVATE, prot=0):
        deep = b"[" * 250_000
        assert trouble_outside(SUBJECTS["deployments"], deep) is None
        assert trouble_outside(a_subject(lambda _: bytearray(1 << 30)), b"") is None


def test_a_finding_is_made_smaller_while_it_stays_one() -> None:
    assert smaller(b"nothing, a needle, and nothing", lambda data: b"needle" in data) == b"needle"
