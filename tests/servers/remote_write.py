"""A real Prometheus that scrapes a server and remote-writes what it finds."""

from __future__ import annotations

import contextlib
import json
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path

from tests.servers.process import binary, free_port, running


@contextlib.contextmanager
def prometheus_writing(folder: Path, *, scraped: str, write: Mapping[str, object]) -> Iterator[str]:
    """Scrape ``scraped`` (host:port) each second, remote-write as ``write`` says; give our address."""
    port = free_port()
    config = {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
        "scrape_configs": [
            {
                "job_name": "gateway",
                "static_configs": [{"targets": [scraped]}],
            }
        ],
        "remote_write": [write],
    }
    path = folder / "remote-write.yml"
    path.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
    url = f"http://127.0.0.1:{port}"

    def is_ready() -> bool:
        with contextlib.suppress(OSError):
            return bool(urllib.request.urlopen(f"{url}/-/ready", timeout=1).status == 200)  # noqa: S310  our own address
        return False

    command = [
        binary("prometheus"),
        f"--config.file={path}",
        f"--storage.tsdb.path={folder / 'remote-write-data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with running(command, log=folder / "remote-write.log", is_ready=is_ready):
        yield url
