"""``/metrics`` of a running daemon is what its reference page says, and what is shipped for Prometheus works on it."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import yaml
from aiohttp import ClientSession
from control_plane import ControlPlane
from prometheus_client.parser import text_string_to_metric_families
from running import account_environment, trimtab_run, write_policy
from tests.monitoring.bundle import ALERTS, DEPLOY, reference
from tests.servers.process import answers, binary, free_port, running

from trimtab.service.series import (
    SERIES_PER_DEPLOYMENT_MAX,
    SERIES_PER_RULE_MAX,
    SERIES_PER_SIGNAL_MAX,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PATIENCE_SECONDS = 40.0


@asynccontextmanager
async def a_daemon(folder: Path) -> AsyncIterator[str]:
    """The address of a daemon that has scaled something."""
    policies = write_policy(folder / "policies")
    async with ControlPlane() as control_plane:
        environment = account_environment(control_plane.base_url)
        async with trimtab_run(environment, policies) as process:
            started = await process.wait_for("started")
            await process.wait_for("write", outcome="applied")
            yield str(started["listen"])
            process.process.terminate()
            assert await process.ended() == 0


async def test_the_page_of_a_running_daemon_is_the_reference_page(tmp_path: Path) -> None:
    async with (
        a_daemon(tmp_path) as listen,
        ClientSession() as session,
        session.get(f"http://{listen}/metrics") as response,
    ):
        text = await response.text()
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.MULTILINE))
    assert kinds == {name: one.kind for name, one in reference().items()}
    assert len(re.findall(r"^# HELP \S+ .+\.$", text, re.MULTILINE)) == len(kinds)
    series = 0
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        for sample in family.samples:
            own = tuple(label for label in sample.labels if label != "le")
            assert set(own) == set(reference()[name].labels), sample
            assert not sample.name.endswith("_created")
            series += "deployment" in sample.labels
    assert 0 < series <= SERIES_PER_DEPLOYMENT_MAX + SERIES_PER_SIGNAL_MAX + SERIES_PER_RULE_MAX
    checked = await asyncio.to_thread(
        subprocess.run,
        [binary("promtool"), "check", "metrics"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")


async def test_a_prometheus_set_up_as_shipped_scrapes_it_and_evaluates_every_rule(
    tmp_path: Path,
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    async with a_daemon(tmp_path) as listen, ClientSession() as session:
        config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yaml").read_text("utf-8"))
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [
            str(ALERTS.parent / one.rpartition("/")[2]) for one in config["rule_files"]
        ]
        config["scrape_configs"][0]["static_configs"] = [{"targets": [listen]}]
        del config["alerting"]
        file = tmp_path / "prometheus.yaml"
        file.write_text(json.dumps(config), encoding="utf-8")  # JSON is YAML
        command = [
            binary("prometheus"),
            f"--config.file={file}",
            f"--storage.tsdb.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with running(command, log=tmp_path / "log", is_ready=lambda: answers(f"{url}/-/ready")):

            async def get(path: str, **parameters: str) -> Any:
                async with session.get(f"{url}/api/v1/{path}", params=parameters) as response:
                    return (await response.json())["data"]

            async def is_evaluated() -> bool:
                scraped = await get("query", query="trimtab_leader == 1")
                groups = (await get("rules"))["groups"]
                health = {rule["health"] for group in groups for rule in group["rules"]}
                assert "err" not in health, groups
                return bool(scraped["result"]) and health == {"ok"}

            async with asyncio.timeout(PATIENCE_SECONDS):
                while not await is_evaluated():  # noqa: ASYNC110  another program's doing
                    await asyncio.sleep(0.2)
            firing = await get("query", query="ALERTS")
    names = {one["metric"]["alertname"] for one in firing["result"]}
    assert names <= {"TrimtabNoLeader"}, "before the first scrape nobody is there"
