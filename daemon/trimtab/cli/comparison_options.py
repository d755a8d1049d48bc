"""The options of ``compare``, with their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

Traces: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Recorded loads: every CSV in this directory, lists of requests left out.  Default: "
        "made-up loads.",
    ),
]
LoadNames: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Only these loads, by name. Repeatable."),
]
PeerNames: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME", help="Only these peers at their defaults; none. Repeatable."),
]
Leads: TypeAlias = Annotated[
    str, typer.Option("--leads", metavar="LIST", help="Lead times in seconds.")
]
Needs: TypeAlias = Annotated[
    str, typer.Option("--needs", metavar="LIST", help="Mean needs in replicas.")
]
Attainments: TypeAlias = Annotated[
    str, typer.Option("--asked", metavar="LIST", help="Attainments to ask of our policy.")
]
Seeds: TypeAlias = Annotated[int, typer.Option(min=1, max=1000, help="Seeds, from 1 on.")]
Days: TypeAlias = Annotated[
    float | None, typer.Option(metavar="N", help="The first N days of each load.")
]
PresetName: TypeAlias = Annotated[str, typer.Option(metavar="NAME", help="Model and accelerators.")]
MetricAge: TypeAlias = Annotated[
    str, typer.Option(metavar="DURATION", help="How old metrics are when heard.")
]
Quick: TypeAlias = Annotated[
    bool,
    typer.Option("--quick", help="One seed, one lead, short made-up loads, a few targets."),
]
Processes: TypeAlias = Annotated[
    int | None, typer.Option("--jobs", min=1, help="Runs at once.  Default: one for each core.")
]
JsonFile: TypeAlias = Annotated[
    Path,
    typer.Option(
        "--json",
        metavar="FILE",
        help="Where the results are written; one by one, as they come, to FILE with an l.",
    ),
]
Page: TypeAlias = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Where the page is written, if at all.")
]
FromJson: TypeAlias = Annotated[
    Path | None,
    typer.Option("--from", metavar="FILE", help="Run nothing: write the page of these results."),
]
