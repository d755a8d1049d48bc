"""Who else scales a workload."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from trimtab.targets.kubernetes.scalers import (
    Scaled,
    Scaler,
    autoscaler,
    scaled_by,
    scaled_object,
)

CHAT = Scaled("apps", "Deployment", "llm", "chat")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["spec", "metadata", "scaleTargetRef", "kind", "name", "apiVersion"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


def item(scaler: str, **target: str) -> dict[str, Any]:
    return {
        "metadata": {"name": scaler, "namespace": "llm"},
        "spec": {"scaleTargetRef": target},
    }


def test_an_autoscaler_scales_what_it_refers_to() -> None:
    one = autoscaler(item("load", apiVersion="apps/v1", kind="Deployment", name="chat"))
    assert one == Scaler("HorizontalPodAutoscaler load", CHAT)


def test_the_version_of_the_api_is_of_no_concern() -> None:
    beta = autoscaler(item("load", apiVersion="apps/v1beta2", kind="Deployment", name="chat"))
    assert beta.scales == CHAT


def test_a_scaled_object_means_a_deployment_where_it_does_not_say() -> None:
    assert scaled_object(item("load", name="chat")).scales == CHAT


def test_a_scaled_object_that_is_paused_scales_nothing() -> None:
    paused = item("load", name="chat")
    paused["metadata"]["annotations"] = {"autoscaling.keda.sh/paused": "true"}
    assert scaled_object(paused).scales is None


def test_the_scaled_object_is_named_and_not_the_autoscaler_that_keda_made_of_it() -> None:
    made = autoscaler(item("keda-hpa-load", apiVersion="apps/v1", kind="Deployment", name="chat"))
    own = scaled_object(item("load", name="chat"))
    assert scaled_by([made, own]) == scaled_by([own, made]) == {CHAT: "ScaledObject load"}


@given(JSON)
def test_no_scaler_is_too_odd_to_be_read(junk: Any) -> None:
    for read in (autoscaler, scaled_object):
        found = read(junk).scales
        assert found is None or found.name
