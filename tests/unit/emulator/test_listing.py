from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.emulator import schema
from trimtab.emulator.listing import ListQuery, list_page
from trimtab.emulator.refusals import Refusal
from trimtab.emulator.switches import Switches

STRICT = Switches()


def world(count: int) -> list[dict[str, Any]]:
    return [
        {"name": f"d{index:03d}", "createTime": float(index // 2), "minReplicaCount": index % 3}
        for index in range(count)
    ]


def page(values: list[dict[str, Any]], **query: Any) -> dict[str, Any]:
    return list_page("deployments", schema.DEPLOYMENT, values, ListQuery(**query), STRICT)


def names(answer: dict[str, Any]) -> list[str]:
    return [row["name"] for row in answer.get("deployments", [])]


@given(
    count=st.integers(0, 30),
    size=st.integers(1, 9),
    order=st.sampled_from(["", "create_time desc", "min_replica_count desc,name", "name desc"]),
)
def test_pages_joined_are_the_whole_list(count: int, size: int, order: str) -> None:
    values = world(count)
    whole = names(page(values, page_size=200, order_by=order))

    seen: list[str] = []
    token = ""
    while True:
        answer = page(values, page_size=size, order_by=order, page_token=token)
        seen += names(answer)
        assert answer.get("totalSize", 0) == count
        token = answer.get("nextPageToken", "")
        if not token:
            break
        # The official SDK stops at an empty page even if it has a token.
        assert names(answer)

    assert seen == whole


@given(gone=st.sets(st.integers(0, 19)), size=st.integers(1, 6))
def test_a_deletion_between_two_pages_hides_nothing_else(gone: set[int], size: int) -> None:
    values = world(20)
    first = page(values, page_size=size)
    left = [value for index, value in enumerate(values) if index not in gone]

    rest = names(page(left, page_size=200, page_token=first["nextPageToken"]))

    assert rest == [value["name"] for value in values[size:] if value in left]


def test_the_default_order_is_the_time_of_creation() -> None:
    assert names(page(list(reversed(world(4))))) == ["d000", "d001", "d002", "d003"]


def test_what_is_absent_sorts_as_zero() -> None:
    values = [{"name": "a", "minReplicaCount": 1}, {"name": "b"}]

    assert names(page(values, order_by="min_replica_count")) == ["b", "a"]
    assert names(page(values, order_by="expire_time,name desc")) == ["b", "a"]


@pytest.mark.parametrize(("asked", "given_"), [(0, 50), (7, 7), (200, 200), (999, 200)])
def test_the_page_size_has_a_default_and_a_limit(asked: int, given_: int) -> None:
    assert len(names(page(world(250), page_size=asked))) == given_


def test_an_empty_list_is_an_empty_object() -> None:
    assert page([]) == {}


@pytest.mark.parametrize(
    "query",
    [
        *({"page_size": -1}, {"page_token": "nonsense"}, {"page_token": "bnVsbA"}),
        *({"page_token": "\udc80"}, {"order_by": "nonsense"}, {"order_by": "name upwards"}),
        *({"order_by": "annotations"}, {"order_by": ","}, {"read_mask": "nonsense"}),
    ],
)
def test_bad_list_parameters_are_refused(query: dict[str, Any]) -> None:
    with pytest.raises(Refusal) as refused:
        page(world(3), **query)
    assert refused.value.http_status == 400


def test_a_token_is_good_only_for_the_list_it_came_from() -> None:
    token = page(world(9), page_size=2)["nextPageToken"]

    with pytest.raises(Refusal, match="repeat the first call"):
        page(world(9), page_size=2, page_token=token, filter="min_replica_count=1")
