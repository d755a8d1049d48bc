"""From EndpointSlices to URLs. What happens as they change: tests/contract/kubernetes_target."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from trimtab.sources.endpoint_slices import slice_of, urls_of


def item(*endpoints: dict[str, Any], ports: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "llm", "labels": {"kubernetes.io/service-name": "chat"}},
        "endpoints": list(endpoints),
        "ports": [{"name": "metrics", "port": 8000}] if ports is None else ports,
    }


def pod(address: str, name: str = "", **conditions: bool) -> dict[str, Any]:
    return {
        "addresses": [address],
        "conditions": conditions,
        "targetRef": {"uid": name or address},
    }


def urls(*slices: dict[str, Any], port: str | int | None = None) -> list[str]:
    return urls_of(map(slice_of, slices), port, "http", "/metrics")


def test_every_ready_pod_is_an_endpoint() -> None:
    found = urls(item(pod("10.0.0.2", ready=True), pod("10.0.0.1"), pod("10.0.0.3", ready=False)))
    assert found == ["http://10.0.0.1:8000/metrics", "http://10.0.0.2:8000/metrics"]


def test_a_pod_with_two_families_of_addresses_is_scraped_once() -> None:
    assert urls(item(pod("fd00::1", "a")), item(pod("10.0.0.1", "a"))) == [
        "http://10.0.0.1:8000/metrics"
    ]


def test_an_address_of_the_new_family_is_bracketed() -> None:
    assert urls(item(pod("fd00::1"))) == ["http://[fd00::1]:8000/metrics"]


@pytest.mark.parametrize(
    ("ports", "port", "number"),
    [
        ([{"name": "http", "port": 80}, {"name": "metrics", "port": 90}], None, 90),
        ([{"name": "http", "port": 80}, {"name": "grpc", "port": 90}], None, 80),
        ([{"name": "x", "port": 80}], None, 80),
        ([{"name": "x", "port": 80}, {"name": "y", "port": 90}], None, None),
        ([{"name": "x", "port": 80}, {"name": "y", "port": 90}], "y", 90),
        ([{"name": "x", "port": 80}], "y", None),
        ([], 9400, 9400),
        ([{"name": "x", "port": 80}], 9400, 9400),
        ([{"name": "x", "port": 0}], None, None),
        ([{"name": "x", "port": 70_000}], None, None),
    ],
)
def test_the_port_is_the_one_that_is_named_or_the_only_one(
    ports: list[dict[str, Any]], port: str | int | None, number: int | None
) -> None:
    wanted = [] if number is None else [f"http://10.0.0.1:{number}/metrics"]
    assert urls(item(pod("10.0.0.1"), ports=ports), port=port) == wanted


def test_the_label_of_the_service_says_whose_it_is() -> None:
    other = item(pod("10.0.0.1"))
    other["metadata"]["labels"]["trimtab.dev/workload"] = "leaders"
    assert slice_of(item()).workload == "chat"
    assert slice_of(other).workload == "leaders"


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("metadata", "labels", "namespace", "endpoints", "addresses", "conditions"),
                    *("ready", "ports", "port", "name", "targetRef", "uid"),
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@given(JUNK, st.none() | st.text(max_size=5) | st.integers(1, 65535))
def test_no_slice_is_too_odd_to_be_read_and_every_url_is_one(
    junk: Any, port: str | int | None
) -> None:
    for url in urls_of([slice_of(junk)], port, "http", "/metrics"):
        assert URL(url).path == "/metrics"
