"""The log of intentions: what was synced is found again, whatever stands around it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.worlds.journal_world import Life

from trimtab.journal.entries import Intended
from trimtab.journal.intention_log import Found, IntentionLog, SystemFile, log_path, read_log


def intention() -> Intended:
    life = Life(lambda _: None)
    return life.intention(life.until_ordered())


ONE = intention()


def numbered(*numbers: int) -> list[Intended]:
    return [replace(ONE, number=number) for number in numbers]


@pytest.fixture
def log(tmp_path: Path) -> IntentionLog:
    return begun(tmp_path / "journal.db.intentions")


def begun(path: Path, **options: int) -> IntentionLog:
    log = IntentionLog(path, **options)
    log.begin()
    return log


def numbers_in(log: IntentionLog) -> list[int]:
    return [one.number for one in read_log(log.path).intended]


def test_it_lies_beside_the_journal() -> None:
    assert log_path(Path("/var/lib/journal.db")) == Path("/var/lib/journal.db.intentions")


def test_what_is_appended_is_read_back_with_its_memory_but_for_what_strategies_remember(
    log: IntentionLog,
) -> None:
    assert ONE.memory is not None
    learned = ONE.memory._replace(rules={"demand": {"much": [1, 2, 3]}})
    log.append([replace(ONE, memory=learned, number=7)], covered=6)
    (found,) = read_log(log.path).intended
    assert found == replace(ONE, number=7)
    assert read_log(log.path).covered == 6


def test_an_intention_of_which_nothing_is_remembered_is_kept_too(log: IntentionLog) -> None:
    log.append([replace(ONE, memory=None, number=1)], covered=0)
    assert read_log(log.path).intended == (replace(ONE, memory=None, number=1),)


def test_a_log_that_is_not_there_or_has_just_begun_holds_nothing(
    tmp_path: Path, log: IntentionLog
) -> None:
    assert read_log(tmp_path / "none") == Found()
    assert read_log(log.path) == Found()


def test_what_the_file_holds_is_not_missing_in_it(log: IntentionLog) -> None:
    log.append(numbered(1, 2), covered=0)
    log.append(numbered(3, 4), covered=1)
    found = read_log(log.path)
    assert [one.number for one in found.missing(0)] == [2, 3, 4], "the log says that 1 is kept"
    assert [one.number for one in found.missing(3)] == [4]
    assert found.missing(4) == ()


def test_it_begins_at_its_beginning_when_nothing_in_it_is_needed(log: IntentionLog) -> None:
    log.append(numbered(1, 2), covered=0)
    log.append(numbered(3), covered=2)
    assert numbers_in(log) == [2, 3], "over 1, and nothing of 2 was touched"


def test_it_never_writes_over_what_is_needed(tmp_path: Path) -> None:
    log = begun(tmp_path / "log", size_bytes=8192)
    written = 0
    while log.append(numbered(written + 1), covered=0):
        written += 1
    assert written > 2
    assert numbers_in(log) == list(range(1, written + 1))
    assert not log.append(numbered(99), covered=0)
    assert log.append(numbered(100), covered=1), "there is room where 1 was"
    assert numbers_in(log) == [*range(2, written + 1), 100]


def test_one_that_is_larger_than_the_log_has_no_room(tmp_path: Path) -> None:
    log = begun(tmp_path / "log", size_bytes=64)
    assert not log.append(numbered(1), covered=0)
    assert read_log(log.path) == Found()


def test_what_is_torn_or_damaged_is_passed_over_and_the_rest_is_read(log: IntentionLog) -> None:
    for number in (1, 2, 3):
        log.append(numbered(number), covered=0)
    whole = log.path.read_bytes()
    second = whole.find(b"ttin", 4)
    third = whole.find(b"ttin", second + 4)
    log.path.write_bytes(whole[: second + 40] + b"\xa5" * 8 + whole[second + 48 :])
    assert numbers_in(log) == [1, 3]
    log.path.write_bytes(whole[: third + 60])
    assert numbers_in(log) == [1, 2]


@given(at=st.integers(0, 4000), change=st.binary(min_size=1, max_size=64))
def test_no_damage_makes_up_an_intention(
    tmp_path_factory: pytest.TempPathFactory, at: int, change: bytes
) -> None:
    log = begun(tmp_path_factory.mktemp("log") / "log")
    log.append(numbered(1, 2, 3), covered=0)
    content = bytearray(log.path.read_bytes())
    content[at : at + len(change)] = change
    log.path.write_bytes(content)
    assert all(one in numbered(1, 2, 3) for one in read_log(log.path).intended)


@given(
    groups=st.lists(st.integers(1, 4), max_size=40),
    lags=st.lists(st.integers(0, 6), min_size=40, max_size=40),
)
def test_whatever_comes_what_is_needed_and_was_taken_is_there(
    tmp_path_factory: pytest.TempPathFactory, groups: list[int], lags: list[int]
) -> None:
    log = begun(tmp_path_factory.mktemp("log") / "log", size_bytes=6000)
    taken: list[int] = []
    number = covered = 0
    for group, lag in zip(groups, lags, strict=False):
        covered = max(covered, number - lag)
        entries = numbered(*range(number + 1, number + 1 + group))
        number += group
        if log.append(entries, covered=covered):
            taken += [one.number for one in entries]
        needed = [one for one in taken if one > covered]
        assert [one.number for one in read_log(log.path).missing(covered)] == needed


def test_beginning_again_leaves_nothing_behind(log: IntentionLog) -> None:
    log.append(numbered(1), covered=0)
    size = log.path.stat().st_size
    log.begin()
    assert (read_log(log.path), log.path.stat().st_size) == (Found(), size)
    assert sorted(one.name for one in log.path.parent.iterdir()) == [log.path.name]


def test_a_file_is_written_in_place(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = SystemFile.make(path, 100)
    file.write(10, b"abc")
    file.sync()
    file.close()
    assert path.read_bytes() == bytes(10) + b"abc" + bytes(87)
