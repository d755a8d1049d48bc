"""Every service of the compose file as a process: the same commands, environment and files, on free ports.

What stands for the containers of others is what Debian has of them: Prometheus. Grafana is not there; that its
dashboards say something is asked of Prometheus instead, query by query.
"""

from __future__ import annotations

import contextlib
import json
import re
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from compose_file import here, mounts, published, services, trimtab_process
from container_file import ROOT
from tests.monitoring.bundle import boards
from tests.servers.process import answers, binary, free_port, listens, running

PATIENCE_SECONDS = 180.0

SEEN_OF_EACH_BOARD_MIN = {"trimtab-fleet": 0.4, "trimtab-deployment": 0.6, "trimtab-daemon": 0.6}
"""The share of queries that show something within the first minutes. The others are about what goes wrong,
or about quotas, budgets and teams, of which there are none here; tests/monitoring shows them all."""

VARIABLES = {
    "$__rate_interval": "1m",
    "$job": "trimtab",
    "$deployment": "accounts/demo/deployments/code-8b",
}


@dataclass(frozen=True)
class Stack:
    trimtab: str
    prometheus: str

    def ask(self, expr: str) -> list[Any]:
        found: list[Any] = self.get(f"query?{urllib.parse.urlencode({'query': expr})}")["result"]
        return found

    def get(self, path: str) -> Any:
        url = f"{self.prometheus}/api/v1/{path}"
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  our own URL
            return json.load(answer)["data"]

    def wait_for(self, expr: str) -> list[Any]:
        """What a query says, once it says anything."""
        give_up_at = time.monotonic() + PATIENCE_SECONDS  # noqa: TID251  servers live in real time
        while not (found := self.ask(expr)):
            assert time.monotonic() < give_up_at, f"nothing seen of {expr}"  # noqa: TID251  the same
            time.sleep(1)
        return found


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("compose")
    ports = {name: free_port() for name in services()}
    inside = {name: published(name)[0][2] for name in ("trimtab", "prometheus")}
    inside["emulator"] = int(services()["emulator"]["expose"][0])
    (folder / "state").mkdir()
    # Names of services become ports of this machine, mounts become what is mounted.
    places = {f"{name}:{inside[name]}": f"127.0.0.1:{ports[name]}" for name in inside}
    for name, port in inside.items():
        places[f"0.0.0.0:{port}"] = f"127.0.0.1:{ports[name]}"
        for mount in mounts(name):
            source = folder / "state" if mount.is_named else mount.source
            places.setdefault(mount.place, str(source))
    with contextlib.ExitStack() as running_services:
        for name in ("emulator", "trimtab"):
            command, environment = trimtab_process(name, places)
            env = environment | {"PYTHONPATH": str(ROOT / "daemon")}
            port = ports[name]
            running_services.enter_context(
                running(
                    command,
                    log=folder / f"{name}.log",
                    is_ready=lambda port=port: listens(port),  # type: ignore[misc]  # bound now
                    env=env,
                )
            )
        config = next(one for one in mounts("prometheus") if one.place.endswith("prometheus.yaml"))
        file = folder / "prometheus.yaml"
        text = here(config.source.read_text(encoding="utf-8"), places)
        file.write_text(text, encoding="utf-8")
        flags = [
            here(one, places | {config.place: str(file), "/prometheus": str(folder / "tsdb")})
            for one in services()["prometheus"]["command"]
            if "config.file" not in one
        ]
        url = f"http://127.0.0.1:{ports['prometheus']}"
        running_services.enter_context(
            running(
                [
                    *(binary("prometheus"), f"--config.file={file}", *flags),
                    f"--web.listen-address=127.0.0.1:{ports['prometheus']}",
                ],
                log=folder / "prometheus.log",
                is_ready=lambda: answers(f"{url}/-/ready"),
            )
        )
        yield Stack(f"http://127.0.0.1:{ports['trimtab']}", url)


def test_the_daemon_scales_what_the_emulator_serves(stack: Stack) -> None:
    stack.wait_for('trimtab_writes_total{outcome="applied"} > 0')
    (leader,) = stack.wait_for("trimtab_leader == 1")
    assert leader["metric"]["job"] == "trimtab"
    deployments = {
        one["metric"]["deployment"] for one in stack.wait_for("trimtab_deployment_ready_replicas")
    }
    assert deployments == {
        f"accounts/demo/deployments/{one}" for one in ("chat-8b", "chat-70b", "code-8b")
    }


def test_the_token_of_the_file_opens_the_api(stack: Stack) -> None:
    token = services()["trimtab"]["environment"]["TRIMTAB_CONTROL__TOKEN"]
    assert answers(f"{stack.trimtab}/v1/daemon", {"Authorization": f"Bearer {token}"})


@pytest.mark.timeout(400)
def test_the_dashboards_show_what_happens(stack: Stack) -> None:
    stack.wait_for('trimtab_writes_total{outcome="applied"} > 0')
    stack.wait_for("rate(trimtab_decisions_total[1m]) > 0")
    seen, silent = {}, []
    for board in boards():
        shown = []
        for where, expr in board.queries():
            shown.append(bool(stack.ask(re.sub(r"\$\w+", lambda one: VARIABLES[one[0]], expr))))
            silent += [] if shown[-1] else [where]
        seen[str(board.content["uid"])] = sum(shown) / len(shown)
    short = {name: share for name, share in seen.items() if share < SEEN_OF_EACH_BOARD_MIN[name]}
    assert short == {}, (seen, silent)
    assert seen.keys() == SEEN_OF_EACH_BOARD_MIN.keys()


def test_every_rule_is_evaluated_and_no_alert_fires_of_what_works(stack: Stack) -> None:
    stack.wait_for("trimtab_leader == 1")
    rules = [rule for group in stack.get("rules")["groups"] for rule in group["rules"]]
    assert len(rules) > 20
    assert {rule["health"] for rule in rules} <= {"ok", "unknown"}
    firing = {one["metric"]["alertname"] for one in stack.ask('ALERTS{alertstate="firing"}')}
    assert firing == set()
