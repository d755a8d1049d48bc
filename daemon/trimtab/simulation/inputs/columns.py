"""Which column of a CSV file means what, as it is written on a command line.

``time=when,requests=count,prompt=tokens_in,output=tokens_out`` names the columns of a file of bins;
with ``rate=`` in place of ``requests=`` the file holds requests per second. With neither, each row is
one request.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from trimtab.policy.suggestions import did_you_mean, one_of
from trimtab.simulation.inputs.input_error import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Role(StrEnum):
    """What a column means.

    ``time`` is when a bin begins or a request arrives. ``requests`` counts the requests of a bin,
    ``rate`` is requests per second. Tokens are sums over the bin (``prompt``, ``output``), sums per
    second (``…_rate``) or means of a request (``…_mean``).
    """

    TIME = "time"
    REQUESTS = "requests"
    RATE = "rate"
    PROMPT = "prompt"
    PROMPT_RATE = "prompt_rate"
    PROMPT_MEAN = "prompt_mean"
    OUTPUT = "output"
    OUTPUT_RATE = "output_rate"
    OUTPUT_MEAN = "output_mean"


_ALIKE = (
    (Role.REQUESTS, Role.RATE),
    (Role.PROMPT, Role.PROMPT_RATE, Role.PROMPT_MEAN),
    (Role.OUTPUT, Role.OUTPUT_RATE, Role.OUTPUT_MEAN),
)
"""Of each line one at most: they say the same thing in other units."""

PROMPT_ROLES = _ALIKE[1]
OUTPUT_ROLES = _ALIKE[2]


@dataclass(frozen=True, slots=True)
class Columns:
    """Names of columns by what they mean."""

    names: Mapping[Role, str]

    def __post_init__(self) -> None:
        if Role.TIME not in self.names:
            raise InputError("the columns name no time; add time=NAME")
        for alike in _ALIKE:
            given = [role for role in alike if role in self.names]
            if len(given) > 1:
                raise InputError(f"the columns name both {given[0]} and {given[1]}; keep one")
        if self.is_of_requests:
            per_bin = [role for role in (Role.PROMPT_RATE, Role.OUTPUT_RATE) if role in self.names]
            if per_bin:
                raise InputError(
                    f"the columns name {per_bin[0]} but no requests or rate; add one of them, "
                    "or name the tokens of a single request as prompt and output"
                )

    def __hash__(self) -> int:
        """Return a hash: loads are remembered by how they are read, and a mapping has none of its own."""
        return hash(frozenset(self.names.items()))

    @property
    def is_of_requests(self) -> bool:
        """Whether each row is one request."""
        return Role.REQUESTS not in self.names and Role.RATE not in self.names

    def first_of(self, roles: tuple[Role, ...]) -> Role | None:
        """Return the one of these roles that has a column."""
        return next((role for role in roles if role in self.names), None)


TRACE = Columns(
    {
        Role.TIME: "t_s",
        Role.REQUESTS: "requests",
        Role.PROMPT: "prompt_tokens",
        Role.OUTPUT: "output_tokens",
    }
)
"""The project's own format of bins."""

REQUESTS = Columns(
    {Role.TIME: "arrival_s", Role.PROMPT: "prompt_tokens", Role.OUTPUT: "output_tokens"}
)
"""The project's own format of requests, one row each."""


def parse_columns(text: str) -> Columns:
    """Return what ``role=name,role=name`` means; raise ``InputError`` for what it cannot mean."""
    names: dict[Role, str] = {}
    known = [role.value for role in Role]
    for part in text.split(","):
        word, equals, name = (one.strip() for one in part.partition("="))
        if not equals or not name:
            raise InputError(f"columns has {part.strip()!r}; write {word or 'time'}=NAME")
        if word not in known:
            hint = did_you_mean(word, known) or one_of(known)
            raise InputError(f"columns has {part.strip()!r}, and {word!r} means nothing; {hint}")
        role = Role(word)
        if role in names:
            raise InputError(f"columns names {word} twice, {names[role]!r} and {name!r}; keep one")
        names[role] = name
    return Columns(names)


def columns_of(header: tuple[str, ...]) -> Columns | None:
    """Return what a header of one of the project's own formats means; ``None`` for any other."""
    for own in (TRACE, REQUESTS):
        if header == tuple(own.names.values()):
            return own
    return None
