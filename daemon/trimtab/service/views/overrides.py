"""From people's orders to their views."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from pydantic import TypeAdapter

from trimtab.web.views.override import OverrideView

if TYPE_CHECKING:
    from trimtab.core.overrides import Override

_ADAPTER = TypeAdapter(OverrideView)


def override_view(one: Override) -> OverrideView:
    """Return the view of an order."""
    return OverrideView(
        id=one.id,
        kind=one.kind.value,
        deployment=one.deployment,
        text=one.text,
        author=one.author,
        peer=one.peer,
        reason=one.reason,
        since=one.since,
        until=one.until,
        replicas=one.replicas,
        blocks=None if one.blocks is None else one.blocks.value,
    )


def override_as_json(one: Override) -> dict[str, object]:
    """Return the view as JSON values."""
    return cast("dict[str, object]", _ADAPTER.dump_python(override_view(one), mode="json"))
