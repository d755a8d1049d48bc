"""How a deployment is doing, so that what needs somebody stands first."""

from __future__ import annotations

from enum import StrEnum

from trimtab.web.views.values import view


class Level(StrEnum):
    """From what needs somebody now to what needs nobody."""

    FAILING = "failing"
    """It cannot be decided on, read or written as it should be."""

    SHORT = "short"
    """It needs more than it may have, or than it can get."""

    HELD = "held"
    """A person, a rule or its life keeps it where it is, though something else is wanted."""

    WELL = "well"
    """It is where it should be, or on its way there."""


@view
class Trouble:
    """The level, and why in one sentence (empty where all is well)."""

    level: Level
    sentence: str = ""
