"""Why an input cannot be used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trimtab.errors import AuthorError, excerpt
from trimtab.policy.suggestions import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection


class InputError(AuthorError):
    """An input of a simulation cannot be used.

    One sentence that names the file and line if there are any, the value, and the remedy.
    """


def unknown_name(kind: str, name: str, known: Collection[str]) -> InputError:
    """Return the error for a name that there is not; ``kind`` as in ``made-up load``."""
    near = did_you_mean(name, known).replace("`", "")
    return InputError(
        f"no {kind} is called {excerpt(name, 60)!r}; {near or 'there are ' + ', '.join(known)}"
    )
