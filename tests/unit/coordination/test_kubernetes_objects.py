"""What is read of a cluster's objects: whatever people wrote into them, it is judged and never raises."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.coordination.kubernetes_board import _posting
from trimtab.coordination.kubernetes_objects import (
    Place,
    data_of,
    metadata_of,
    moment,
    named,
    read_lease,
    term_of,
    version_of,
    whole_seconds,
)

KEYS = st.sampled_from(
    ["metadata", "spec", "name", "resourceVersion", "uid", "labels", "annotations", "data", "body",
     "holderIdentity", "leaseTransitions", "leaseDurationSeconds", "trimtab.dev/term",
     "trimtab.dev/says", "trimtab.dev/part", "trimtab.dev/member"]
)  # fmt: skip
TEXTS = st.one_of(st.text(max_size=8), st.sampled_from(["{}", '{"a":1}', "[", "bucket", "-1", "²"]))
JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.one_of(KEYS, TEXTS), inner, max_size=5)
    ),
    max_leaves=20,
)


@given(JUNK)
def test_nothing_that_people_write_into_an_object_raises(junk: Any) -> None:
    """Seen to catch: an annotation that is no number, a spec that is a list, JSON that is cut."""
    lease = read_lease(junk)
    assert lease.term >= 0
    assert lease.seconds >= 0.0
    assert lease.holder is None or lease.holder
    assert version_of(junk) == lease.version
    assert term_of(metadata_of(junk)) >= 0
    assert isinstance(data_of(junk, "body"), str)
    posting = _posting(junk, 1.0)
    assert posting is None or isinstance(posting.body, dict)


@given(st.text(max_size=80))
def test_any_word_becomes_part_of_a_name_and_two_words_never_the_same(word: str) -> None:
    found = named(word)
    assert found
    assert len(found) <= 63
    assert set(found) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")
    assert found == word or found.startswith("x-")


def test_names_say_what_an_object_is_of() -> None:
    place = Place(namespace="ml", group="prod")
    assert place.bucket_name(7) == "trimtab-prod-bucket-07"
    assert place.bucket_name(255) == "trimtab-prod-bucket-255"
    assert place.member_name("node-1.a-0123") == "trimtab-prod-member-node-1.a-0123"
    assert place.posting_name("claims", "a") == "trimtab-prod-board-claims-a"
    assert place.leases == "/apis/coordination.k8s.io/v1/namespaces/ml/leases"
    for bucket in (7, 255):
        document = {
            "metadata": {
                "name": place.bucket_name(bucket),
                "labels": {"trimtab.dev/part": "bucket"},
            }
        }
        assert read_lease(document).bucket == bucket


def test_the_later_of_two_terms_is_believed() -> None:
    for transitions, noted in ((3, "5"), (5, "3")):
        document = {
            "metadata": {"annotations": {"trimtab.dev/term": noted}},
            "spec": {"leaseTransitions": transitions},
        }
        assert read_lease(document).term == 5


@pytest.mark.parametrize(("seconds", "whole"), [(15.0, 15), (14.2, 15), (0.1, 1)])
def test_a_lease_says_no_less_than_is_meant(seconds: float, whole: int) -> None:
    assert whole_seconds(seconds) == whole


def test_a_moment_has_exactly_six_digits_of_a_second() -> None:
    assert moment(1_800_000_000.0) == "2027-01-15T08:00:00.000000Z"
    assert moment(1_800_000_000.25) == "2027-01-15T08:00:00.250000Z"
