from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.errors import ErrorKind
from trimtab.targets.fireworks.errors import FireworksError
from trimtab.targets.fireworks.resources import DeploymentResource
from trimtab.targets.fireworks.unchanged import UnchangedDeployments
from trimtab.targets.fireworks.wire import parse_deployment

NAME = "accounts/acme/deployments/chat"


def a_deployment(**fields: Any) -> dict[str, Any]:
    return {"name": NAME, "state": "READY", "maxReplicaCount": 4, **fields}


def test_what_is_as_it_was_is_not_read_again() -> None:
    known = UnchangedDeployments()
    first = known.begin_listing()(a_deployment(minReplicaCount=1))
    assert known.begin_listing()(a_deployment(minReplicaCount=1)) is first


def test_what_has_changed_is_read_again() -> None:
    known = UnchangedDeployments()
    known.begin_listing()(a_deployment(minReplicaCount=1))
    assert known.begin_listing()(a_deployment(minReplicaCount=2)).min_replica_count == 2


def test_a_truth_in_place_of_a_one_is_a_change() -> None:
    known = UnchangedDeployments()
    known.begin_listing()(a_deployment(minReplicaCount=1))
    with pytest.raises(FireworksError) as caught:
        known.begin_listing()(a_deployment(minReplicaCount=True))
    assert caught.value.kind is ErrorKind.BAD_RESPONSE


def test_what_the_last_listing_lacked_is_forgotten() -> None:
    known = UnchangedDeployments()
    first = known.begin_listing()(a_deployment())
    known.begin_listing()
    assert known.begin_listing()(a_deployment()) is not first


def test_nesting_too_deep_to_compare_is_read_as_ever() -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    known = UnchangedDeployments()
    resource = known.begin_listing()(a_deployment(annotations={}, somethingNew=deep))
    assert resource.name == NAME


COUNTS = st.one_of(st.integers(-1, 5), st.booleans(), st.floats(0, 5), st.sampled_from(["1", "x"]))


def read(parse: Any, json: Any) -> DeploymentResource | str:
    try:
        resource: DeploymentResource = parse(json)
    except FireworksError as error:
        return str(error)
    return resource


@given(st.lists(st.fixed_dictionaries({}, optional={"minReplicaCount": COUNTS}), max_size=8))
def test_a_listing_never_shows_anything_but_what_reading_anew_would(
    listings: list[dict[str, Any]],
) -> None:
    known = UnchangedDeployments()
    for fields in listings:
        json = a_deployment(**fields)
        assert read(known.begin_listing(), json) == read(parse_deployment, json)
