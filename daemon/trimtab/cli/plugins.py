"""``--plugin``: the option by which a command uses strategies of other packages.

The daemon takes their names from its settings; commands that read policies without settings are told.
"""

from __future__ import annotations

from typing import Annotated

import typer


def _allow(names: list[str] | None) -> list[str] | None:
    from trimtab.errors import SettingsError
    from trimtab.policy.plugins import allow_plugins

    try:
        allow_plugins(names or [])
    except SettingsError as error:
        raise typer.BadParameter(str(error)) from error
    return names


Plugins = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="NAME",
        callback=_allow,
        help="A strategy of another package that the settings allow (strategy_plugins); repeatable.",
    ),
]
