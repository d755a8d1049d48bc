"""``trimtab schema``: the JSON Schemas of the documents, for editors and other checkers."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003  typer reads the annotations when it runs
from typing import Annotated

import typer

from trimtab.cli.exit_codes import ExitCode


class Kind(StrEnum):
    """Which document."""

    POLICY = "policy"
    POLICY_TEST = "policytest"
    FLEET = "fleet"
    GROUP = "group"


def schema(
    kind: Annotated[
        Kind, typer.Option(help="Which one to print: of policies, their tests, fleets or groups.")
    ] = Kind.POLICY,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Write them all here, as <kind>.schema.json, instead of printing."
        ),
    ] = None,
) -> None:
    """Print or write the JSON Schemas (draft 2020-12) that policy files are written by.

    They are generated from the models that the daemon reads with.
    """
    from trimtab.policy.schema import SCHEMAS, schema_text

    if out is None:
        typer.echo(schema_text(kind.value), nl=False)
        return
    try:
        out.mkdir(parents=True, exist_ok=True)
        for name in SCHEMAS:
            path = out / f"{name}.schema.json"
            path.write_text(schema_text(name), encoding="utf-8")
            typer.echo(f"wrote {path}")
    except OSError as error:
        typer.echo(f"cannot write to {out}: {error.strerror}; choose another --out", err=True)
        raise typer.Exit(ExitCode.FAILED) from None
