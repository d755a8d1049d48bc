"""A real Alertmanager that notifies one webhook."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.servers.process import binary, free_port, running


@contextlib.contextmanager
def alertmanager(folder: Path, *, webhook: Mapping[str, object]) -> Iterator[str]:
    """Notify ``webhook`` at once and of everything; give the server's address."""
    config = {
        "route": {
            "receiver": "trimtab",
            "group_by": ["alertname"],
            "group_wait": "0s",
            "group_interval": "1s",
            "repeat_interval": "1m",
        },
        "receivers": [{"name": "trimtab", "webhook_configs": [webhook]}],
    }
    path = folder / "alertmanager.yml"
    path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    url = f"http://127.0.0.1:{free_port()}"

    def is_ready() -> bool:
        with contextlib.suppress(OSError):
            return bool(urllib.request.urlopen(f"{url}/-/ready", timeout=1).status == 200)  # noqa: S310  our own address
        return False

    command = [
        binary("prometheus-alertmanager"),
        f"--config.file={path}",
        f"--storage.path={folder / 'alertmanager-data'}",
        f"--web.listen-address={url.removeprefix('http://')}",
        "--cluster.listen-address=",
    ]
    with running(command, log=folder / "alertmanager.log", is_ready=is_ready):
        yield url
