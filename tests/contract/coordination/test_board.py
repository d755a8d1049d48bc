"""What members leave for one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from trimtab.errors import CoordinationError

if TYPE_CHECKING:
    from conftest import Members


async def test_all_read_what_anybody_posted(members: Members) -> None:
    ours, theirs = await members(), await members()
    await ours.post("claims", "a", 3, {"wants": [1, 2.5, None]})
    await theirs.post("claims", "b", 1, {})
    await ours.post("grants", "a", 3, {"of": "another topic"})
    read = await theirs.read("claims")
    assert {name: (one.term, one.body) for name, one in read.items()} == {
        "a": (3, {"wants": [1, 2.5, None]}),
        "b": (1, {}),
    }
    assert await theirs.read("nothing") == {}


async def test_a_posting_replaces_the_last_one_of_the_same_or_a_lower_term(
    members: Members,
) -> None:
    service = await members()
    for term, word in ((2, "first"), (2, "again"), (5, "later"), (4, "from before")):
        await service.post("grants", "a", term, {"word": word})
    (posting,) = (await service.read("grants")).values()
    assert (posting.term, posting.body) == (5, {"word": "later"})


async def test_a_posting_is_never_younger_than_since_it_was_first_seen(members: Members) -> None:
    ours, theirs = await members(), await members()
    await ours.post("grants", "a", 1, {"n": 1})
    await theirs.read("grants")
    members.pass_time(20.0)
    assert (await theirs.read("grants"))["a"].age_seconds >= 20.0
    await ours.post("grants", "a", 1, {"n": 1})
    assert (await theirs.read("grants"))["a"].age_seconds < 20.0


async def test_a_posting_stays_when_its_author_is_gone(members: Members) -> None:
    ours, theirs = await members(), await members()
    await ours.announce("a", {})
    await ours.post("grants", "a", 1, {"n": 1})
    await ours.leave("a")
    assert "a" in await theirs.read("grants")


async def test_what_is_too_large_is_refused(members: Members) -> None:
    service = await members()
    await service.post("claims", "a", 1, {"fits": "x" * 250_000})
    with pytest.raises(CoordinationError, match="claims"):
        await service.post("claims", "a", 1, {"does not": "x" * 263_000})
    assert "fits" in (await service.read("claims"))["a"].body
