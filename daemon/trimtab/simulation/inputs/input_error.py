"""Why an input cannot be used."""

from __future__ import annotations

from trimtab.errors import AuthorError


class InputError(AuthorError):
    """An input of a simulation cannot be used.

    One sentence that names the file and line if there are any, the value, and the remedy.
    """
