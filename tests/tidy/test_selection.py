"""No test is left out in silence."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.conftest import pytest_collection_modifyitems, pytest_itemcollected


def test_tests_that_share_an_id_are_refused_since_only_one_of_them_would_run() -> None:
    items: list[Any] = [SimpleNamespace(nodeid=f"tests/a.py::test_{n}") for n in (1, 2, 1)]
    with pytest.raises(pytest.UsageError, match=r"1 ids .*: tests/a\.py::test_1$"):
        pytest_collection_modifyitems(items)
    pytest_collection_modifyitems(items[:2])


def test_what_a_test_is_about_is_in_its_id(request: pytest.FixtureRequest) -> None:
    function: Any = request.node
    path = function.nodeid.partition("::")[0]
    item: Any = SimpleNamespace(name="test_it[GET /v1/a]", id=function.id)
    pytest_itemcollected(item)
    assert str(item._id).endswith("[GET /v1/a]")
    assert str(item._id).startswith(path)


@pytest.mark.parametrize("number", [1])
def test_an_id_that_says_it_already_stays(request: pytest.FixtureRequest, number: int) -> None:
    node: Any = request.node
    before = node.nodeid
    pytest_itemcollected(node)
    assert node.nodeid == before
    assert before.endswith(f"[{number}]")
