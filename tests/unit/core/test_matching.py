"""The index answers what a comparison with every policy would."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.worlds.engine_world import a_deployment, a_policy

from trimtab.core import matching
from trimtab.core.matching import Matcher
from trimtab.core.policy import Policy, Selector

texts = st.lists(st.sampled_from("aab["), max_size=3).map("".join)
patterns = st.lists(st.sampled_from(["a", "a", "b", "*", "?", "[ab]", "[", "]"]), max_size=4).map(
    "".join
)
rarely = st.none() | st.none() | patterns
regions = st.sampled_from([None, None, (), ("eu",), ("us", "eu")])
selectors = st.one_of(
    st.builds(Selector, name=st.sampled_from(["one", "two"])),
    st.builds(Selector, display_name=patterns, base_model=rarely, regions=regions),
    st.builds(Selector, display_name=rarely, base_model=patterns, regions=regions),
)
deployments = st.builds(
    lambda name, base, display, region: replace(
        a_deployment(), name=name, base_model=base, display_name=display, region=region
    ),
    st.sampled_from(["one", "three"]),
    texts,
    texts,
    st.sampled_from(["", "eu", "us"]),
)


def policies_of(*selectors: Selector) -> tuple[Policy, ...]:
    plain = a_policy()
    return tuple(
        replace(plain, name=f"p{number}", selector=one) for number, one in enumerate(selectors)
    )


@settings(max_examples=300)
@given(st.lists(selectors, max_size=20), st.lists(deployments, min_size=1, max_size=8))
def test_those_and_only_those_policies_are_found_that_match(
    selectors: list[Selector], deployments: list
) -> None:
    """Several matches, which are an author's mistake, are all found, those that name it first.

    Seen to catch: a tail taken although a bracket is open, ``<`` for ``<=`` at the lengths, ``*``
    left out of the wildcards, an answer kept without the region, candidates
    left unsorted, every ``[`` taken to mean itself.
    """
    policies = policies_of(*selectors)
    matcher = Matcher(policies)
    for deployment in deployments * 2:  # the second time from what was kept
        matching = [one for one in policies if one.selector.matches(deployment)]
        expected = sorted(matching, key=lambda one: one.selector.name is None)
        assert list(matcher.policies_for(deployment)) == expected


@pytest.mark.parametrize("form", ["team-{}-*", "team-{}-chat", "*-{}-chat", "te?m-{}-chat"])
def test_a_policy_for_each_deployment_compares_each_with_its_own(
    form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    count, compared, fits = 300, 0, matching._fits

    def counting(*both: object) -> bool:
        nonlocal compared
        compared += 1
        return fits(*both)

    monkeypatch.setattr(matching, "_fits", counting)
    matcher = Matcher(
        policies_of(*(Selector(display_name=form.format(one)) for one in range(count)))
    )
    for one in range(count):
        deployment = replace(a_deployment(), display_name=f"team-{one}-chat")
        assert [policy.name for policy in matcher.policies_for(deployment)] == [f"p{one}"]
    assert compared == count


def test_a_name_and_a_pattern_that_both_match_are_both_an_answer() -> None:
    deployment = a_deployment()
    by_pattern, by_name = policies_of(Selector(), Selector(name=deployment.name))
    assert Matcher((by_pattern, by_name)).policies_for(deployment) == (by_name, by_pattern)


def test_answers_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "ANSWERS_MAX", 3)
    matcher = Matcher(policies_of(Selector(display_name="x*")))
    for number in range(10):
        matcher.policies_for(replace(a_deployment(), display_name=f"x{number}"))
    assert len(matcher._by_traits) == 3
