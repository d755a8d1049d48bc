"""Nothing is left out silently: every file is read by a module, every deviation is of a vector."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.conformance.cases import DIRECTORY, Vector, directory, judge, read_vectors
from tests.conformance.deviations import DEVIATIONS
from tests.conformance.peers import ADAPTER_KINDS, PEERS


def vectors_by_id() -> dict[str, Vector]:
    return {one.id: one for path in DIRECTORY.glob("*.json") for one in read_vectors(path)}


def test_every_file_of_vectors_is_run(pytestconfig: pytest.Config) -> None:
    here = Path(__file__).parent
    run = "\n".join(path.read_text(encoding="utf-8") for path in here.glob("test_*.py"))
    files = sorted(path.name for path in directory(pytestconfig).glob("*.json"))
    assert files
    assert [name for name in files if f'VECTORS = "{name}"' not in run] == []


def test_ids_are_unique_over_all_files() -> None:
    paths = DIRECTORY.glob("*.json")
    assert len(vectors_by_id()) == sum(len(read_vectors(path)) for path in paths)


def test_every_deviation_is_of_a_vector_and_says_why() -> None:
    assert sorted(set(DEVIATIONS) - set(vectors_by_id())) == []
    assert [one for one, reason in DEVIATIONS.items() if len(reason) < 30] == []


def test_a_vector_that_differs_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    vector = Vector(id="x-1", kind="run", name="", tags=(), input={}, expected={"replicas": 3})
    judge(vector, [])
    with pytest.raises(AssertionError, match="the peer says 3"):
        judge(vector, ["replicas: the peer says 3, trimtab says 4"])
    monkeypatch.setitem(DEVIATIONS, "x-1", "deliberate")
    judge(vector, ["replicas: the peer says 3, trimtab says 4"])
    with pytest.raises(AssertionError, match="agrees now"):
        judge(vector, [])


def test_the_page_names_every_file_and_every_kind_that_the_adapter_answers() -> None:
    assert sorted(PEERS) == sorted(path.name for path in DIRECTORY.glob("*.json"))
    assert set(ADAPTER_KINDS) <= {one.kind for one in vectors_by_id().values()}
