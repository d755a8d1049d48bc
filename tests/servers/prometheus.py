"""A real Prometheus with a quarter of an hour of made-up history behind it and ten minutes ahead."""

from __future__ import annotations

import contextlib
import math
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.servers.process import answers, binary, free_port, running

STEP_SECONDS = 15
STOPPED_SECONDS_AGO = 150
CHAT = "accounts/acme/deployments/chat"
CODE = "accounts/acme/deployments/code"
BOUNDS = (0.1, 0.5, 1.0, 2.5, math.inf)
PER_STEP = (3, 10, 24, 28, 30)
"""How many requests of each step were at most as slow as the bound."""


@dataclass(frozen=True)
class PrometheusServer:
    url: str
    started_at: float
    """The time around which the history was made up, in UTC seconds."""


def history(now: float) -> str:
    times = range(int(now) - 900, int(now) + 600, STEP_SECONDS)
    lines = ["# TYPE queue_length gauge"]
    for deployment, length in ((CHAT, 7), ("code", 3), ("elsewhere", 99)):
        lines += [f'queue_length{{deployment="{deployment}"}} {length} {at}' for at in times]
    lines += ["# TYPE by_pod gauge"]
    for pod in ("a", "b"):
        lines += [f'by_pod{{deployment="chat",pod="{pod}"}} 2 {at}' for at in times]
    lines += ["# TYPE stopped gauge"]
    until = now - STOPPED_SECONDS_AGO
    lines += [f'stopped{{deployment="chat"}} 5 {at}' for at in times if at <= until]
    lines += ["# TYPE odd gauge"]
    lines += [f'odd{{deployment="chat"}} NaN {at}' for at in times]
    lines += [f'odd{{deployment="code"}} +Inf {at}' for at in times]
    lines += ["# TYPE work counter"]
    lines += [f'work_total{{deployment="chat"}} {30 * i} {at}' for i, at in enumerate(times)]
    lines += ["# TYPE wait histogram"]
    for bound, count in zip(BOUNDS, PER_STEP, strict=True):
        le = "+Inf" if math.isinf(bound) else f"{bound}"
        lines += [
            f'wait_bucket{{deployment="chat",le="{le}"}} {count * i} {at}'
            for i, at in enumerate(times)
        ]
    return "\n".join([*lines, "# EOF", ""])


@contextlib.contextmanager
def prometheus_server(folder: Path) -> Iterator[PrometheusServer]:
    now = time.time()  # noqa: TID251  the server lives in real time
    with backfilled_prometheus(folder, history(now)) as url:
        yield PrometheusServer(url, now)


@contextlib.contextmanager
def backfilled_prometheus(folder: Path, openmetrics: str) -> Iterator[str]:
    """A server that has what the text says, whenever that was; its address."""
    prometheus, promtool = binary("prometheus"), binary("promtool")
    text, data, config = folder / "history.txt", folder / "data", folder / "prometheus.yml"
    text.write_text(openmetrics, encoding="utf-8")
    config.write_text("global: {scrape_interval: 1h}\n", encoding="utf-8")
    subprocess.run(  # noqa: S603  our own command
        [promtool, "tsdb", "create-blocks-from", "openmetrics", text, data],
        check=True,
        capture_output=True,
    )
    port = free_port()
    url = f"http://127.0.0.1:{port}"

    command = [
        prometheus,
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        "--storage.tsdb.retention.time=100y",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with running(
        command, log=folder / "prometheus.log", is_ready=lambda: answers(f"{url}/-/ready")
    ):
        yield url
