"""Which deployment is meant: by its full name, or by the last part of it where that is unambiguous."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from trimtab.policy.suggestions import did_you_mean
from trimtab.web.problem import ProblemError

if TYPE_CHECKING:
    from trimtab.service.fleet import Fleet

GUESSED_MAX = 500
"""Beyond so many deployments no near miss is looked for: that would take tenths of a second."""

NAMED_MAX = 5
SHOWN_CHARACTERS_MAX = 200


class Names:
    """Finds full names. The short ones are looked up in an index that is made anew when the fleet changes."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._version = -1
        self._by_short: dict[str, list[str]] = {}

    def full(self, text: str, *, is_past: bool = False) -> str:
        """Return the full name that ``text`` means. Raises ``ProblemError`` (404).

        ``is_past``: what looks like a full name may be of a deployment that is no more.
        """
        deployments = self._fleet.deployments
        if text in deployments or (is_past and "/" in text):
            return text
        found = self._short().get(text, ())
        if len(found) == 1:
            return found[0]
        raise ProblemError(HTTPStatus.NOT_FOUND, self._why_not(text[:SHOWN_CHARACTERS_MAX], found))

    def _short(self) -> dict[str, list[str]]:
        if self._version != self._fleet.roster_version:
            self._version = self._fleet.roster_version
            self._by_short = {}
            for name in self._fleet.deployments:
                self._by_short.setdefault(short_name(name), []).append(name)
        return self._by_short

    def _why_not(self, text: str, found: list[str] | tuple[str, ...]) -> str:
        if found:
            listed = ", ".join(sorted(found)[:NAMED_MAX])
            more = ", …" if len(found) > NAMED_MAX else ""
            return f"{text!r} may be {listed}{more}; give the full name"
        deployments = self._fleet.deployments
        hint = ""
        if len(deployments) <= GUESSED_MAX:
            hint = did_you_mean(text, [*deployments] if "/" in text else [*self._short()])
            if not hint and deployments:
                short = sorted(self._short())
                more = ", …" if len(short) > NAMED_MAX else ""
                hint = f"there are {', '.join(short[:NAMED_MAX])}{more}"
        if unread := self._fleet.unread:
            hint = f"{', '.join(unread)} has not been read yet"
        return f"there is no deployment {text!r}" + (f"; {hint}" if hint else "")


def short_name(name: str) -> str:
    """Return the last part of a full name."""
    return name.rpartition("/")[2]
