"""The options of ``explain``, with their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from trimtab.cli import ordering
from trimtab.cli.deployment_names import completed

POLICY = "--policy"
DEPLOYMENT, SIGNAL, AFTER = "--deployment", "--signal", "--after"
"""Of no use without ``--policy``."""

AFTER_DEFAULT = "1h"

Named: TypeAlias = Annotated[
    str | None,
    typer.Argument(
        metavar="DEPLOYMENT",
        help=f"Of the running daemon. {ordering.DEPLOYMENT_HELP}",
        show_default=False,
        autocompletion=completed,
    ),
]
Policy: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        POLICY,
        exists=True,
        show_default=False,
        help="In place of DEPLOYMENT: what these would decide. File or directory of policies.",
    ),
]
Deployment: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        DEPLOYMENT,
        metavar="FILE|KEY=VALUE",
        help="With --policy: a deployment as the API returns it (JSON or YAML), or its fields; "
        "repeatable: name, displayName, baseModel, region, min, max, replicas, state, "
        "acceleratorType, acceleratorsPerReplica, leadTime, expiresAfter. Of a file the fields given "
        "besides win. Left out, a deployment that the policy is for, with one replica.",
    ),
]
Signal: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        SIGNAL,
        metavar="NAME=VALUE[@AGE]",
        help="With --policy: a signal and how old it is (requests=120, requests=120@90s); "
        "repeatable. One that is left out is missing.",
    ),
]
At: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="When: 2026-03-02T07:30, with an offset (+01:00) or in --timezone; of the daemon also "
        "20m (ago) and 18:30 (the last one).  [default: now]",
    ),
]
Timezone: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="ZONE", help="IANA zone of --at.  [default: UTC; of 18:30 the local zone]"
    ),
]
After: TypeAlias = Annotated[
    str | None,
    typer.Option(
        AFTER,
        metavar="DURATION",
        help="With --policy: for how long it has been like this, so that stabilisation windows are "
        f"over; 0s asks as of a daemon that has just started.  [default: {AFTER_DEFAULT}]",
    ),
]
AsJson: TypeAlias = Annotated[bool, typer.Option("--json", help="One JSON object.")]
