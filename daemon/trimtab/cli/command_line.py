"""Commands as typer runs them, and what it says of a command line in the words of this project.

Help fills the lines that the terminal has, flags take nothing, and what is wrong with an argument
names the value and what to write instead.
"""

from __future__ import annotations

import errno
import inspect
from typing import TYPE_CHECKING, Any

from typer import BadParameter
from typer.core import TyperCommand, TyperGroup

if TYPE_CHECKING:
    from collections.abc import Sequence

HELP_NAMES = {"help_option_names": ["--help", "-h"]}
"""Settings of typer's for every command: the long name first, as errors point at it."""

NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO})

SHOWN_CHARACTERS_MAX = 80
_AS_IT_IS = "\b\n"
"""What docstrings put before a paragraph whose lines are to stay lines, as click has it."""


class Command(TyperCommand):
    """A command whose help and errors are for people who never heard of typer."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **settings)
        self.help = filled(self.help or "")

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters; a flag is not shown with the type that it has inside."""
        parameters = _flags_untyped(super().get_params(ctx))
        for one in parameters:
            if one.param_type_name == "argument" and one.metavar is None:
                one.metavar = one.name.upper()
        return parameters

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words behind the command: what need not be there in brackets, once."""
        words = [one for one in self.get_params(ctx) if one.param_type_name == "argument"]
        return [
            "[OPTIONS]",
            *(
                one.metavar if one.required or one.metavar.startswith("[") else f"[{one.metavar}]"
                for one in words
            ),
        ]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words of a command line; raise ``BadParameter`` in a sentence with a remedy."""
        try:
            return super().parse_args(ctx, args)
        except BadParameter as error:
            error.message = sentence_for(error) or error.message
            raise


class Overview(TyperGroup):
    """All commands together, shown as each of them is."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the parameters; a flag is not shown with the type that it has inside."""
        return _flags_untyped(super().get_params(ctx))


def _flags_untyped(parameters: list[Any]) -> list[Any]:
    for one in parameters:
        if getattr(one, "is_flag", False) and one.metavar is None:
            one.metavar = ""
    return parameters


def filled(text: str) -> str:
    """Return a docstring whose paragraphs are a line each, examples as they are."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(
        one.removeprefix(_AS_IT_IS) if one.startswith(_AS_IT_IS) else " ".join(one.split())
        for one in paragraphs
    )


def sentence_for(error: BadParameter) -> str | None:
    """Return what is wrong with a value that could not be read; ``None`` where typer says it well."""
    from pydantic import ValidationError

    from trimtab.errors import excerpt

    cause = error.__cause__
    if not isinstance(cause, ValidationError):
        return None
    fault = cause.errors()[0]
    given = repr(excerpt(str(fault["input"]), SHOWN_CHARACTERS_MAX))
    descriptor: Any = getattr(error.param, "type_descriptor", None)
    if getattr(descriptor, "is_choice", False):
        words = [str(getattr(one, "value", one)) for one in descriptor.choices]
        return f"{given} is none of {', '.join(words)}{_nearest(str(fault['input']), words)}"
    least, most = getattr(error.param, "min", None), getattr(error.param, "max", None)
    kind = str(fault["type"])
    if kind in ("greater_than_equal", "less_than_equal", "greater_than", "less_than"):
        return f"{given} is out of range; give {_range(least, most)}"
    if kind.startswith(("int_", "float_")):
        what = "whole number" if kind.startswith("int_") else "number"
        span = _range(least, most)
        return f"{given} is no {what}" + (f"; give {span}" if span else "")
    return None


def _nearest(word: str, words: Sequence[str]) -> str:
    from trimtab.policy.suggestions import did_you_mean

    hint = did_you_mean(word, words)
    return f"; {hint}" if hint else ""


def _range(least: float | None, most: float | None) -> str:
    if least is None:
        return "" if most is None else f"{most:.12g} at most"
    return f"{least:.12g} or more" if most is None else f"{least:.12g} to {most:.12g}"


def sentence_for_machine(error: OSError) -> str | None:
    """Return what a file or the output refused, with a remedy; ``None`` for anything else.

    Empty where the reader of a pipe left, who needs no telling.
    """
    if error.filename is not None:
        return f"{error.filename}: {error.strerror}; check path and permissions"
    if isinstance(error, BrokenPipeError):
        return ""
    if error.errno in NO_ROOM:
        why = error.strerror
        return f"trimtab cannot write what it has to say ({why}); make room, or send it elsewhere"
    return None
