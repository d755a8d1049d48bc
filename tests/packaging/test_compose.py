"""The compose file, as far as it can be judged without a container engine. Its processes run in slow/."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from compose_file import FOLDER, compose, here, image_environment, mounts, published, services
from container_file import ROOT, instructions
from tests.servers.process import binary

from trimtab.settings import Settings

KEYS = {
    "build": dict,
    "cap_drop": list,
    "command": list,
    "depends_on": (dict, list),
    "environment": dict,
    "expose": list,
    "healthcheck": dict,
    "image": str,
    "ports": list,
    "pull_policy": str,
    "read_only": bool,
    "restart": str,
    "security_opt": list,
    "stop_grace_period": str,
    "tmpfs": list,
    "volumes": list,
}
"""What of the Compose Specification is used, and the form in which it is."""

every_service = pytest.mark.parametrize("name", services())


def test_the_four_services_are_there_and_nothing_is_misspelt() -> None:
    file = compose()
    assert set(services()) == {"emulator", "trimtab", "prometheus", "grafana"}
    assert {key for key in file if not key.startswith("x-")} == {"name", "services", "volumes"}
    for service in services().values():
        assert service.keys() <= KEYS.keys()
        assert all(isinstance(value, KEYS[key]) for key, value in service.items())  # type: ignore[arg-type]  # types, or tuples of them
        assert all(isinstance(one, str) for one in service.get("environment", {}).values())
        assert set(service.get("depends_on", [])) <= services().keys()


@every_service
def test_every_mounted_path_is_there_and_every_volume_is_declared(name: str) -> None:
    for mount in mounts(name):
        if mount.is_named:
            assert str(mount.source) in compose()["volumes"]
            assert not mount.is_read_only
        else:
            assert mount.source.exists(), mount
            assert mount.is_read_only, f"{mount} is a file of the project"


@every_service
def test_each_runs_with_the_least_rights_and_is_seen_from_this_machine_only(name: str) -> None:
    service = services()[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {address for address, _, _ in published(name)} <= {"127.0.0.1"}


@every_service
def test_every_image_is_built_here_or_of_one_version(name: str) -> None:
    service = services()[name]
    if service["image"] == "trimtab:compose":
        builders = [one for one in services().values() if "build" in one]
        assert [one["build"] for one in builders] == [{"context": "../.."}]
        assert (FOLDER / "../.." / "Dockerfile").resolve() == ROOT / "Dockerfile"
    else:
        assert re.fullmatch(r"[a-z/]+:v?\d+\.\d+\.\d+", service["image"])


def test_the_daemon_keeps_its_state_and_follows_the_policies_of_the_project() -> None:
    places = {mount.place: mount for mount in mounts("trimtab")}
    environment = image_environment()
    assert places[environment["TRIMTAB_POLICIES"]].source == ROOT / "policies"
    state = str(Path(environment["TRIMTAB_JOURNAL__PATH"]).parent)
    assert places[state].is_named
    assert published("trimtab")[0][2] == int(environment["TRIMTAB_LISTEN"].rpartition(":")[2])
    stop_seconds = Settings.model_fields["shutdown_timeout"].default
    assert int(services()["trimtab"]["stop_grace_period"].removesuffix("s")) > stop_seconds


def test_the_daemon_has_a_place_for_temporary_files_though_it_is_read_only() -> None:
    assert services()["trimtab"]["read_only"] is True
    assert services()["trimtab"]["tmpfs"] == ["/tmp"]  # noqa: S108  inside the container


def test_the_health_of_the_emulator_is_asked_in_python_that_works() -> None:
    test = services()["emulator"]["healthcheck"]["test"]
    assert test[:3] == ["CMD", "/opt/trimtab/bin/python", "-c"]
    assert any('"/opt/trimtab/bin/python"' in one.rest for one in instructions())
    compile(test[3], "healthcheck", "exec")
    port = services()["emulator"]["expose"][0]
    assert port in test[3]
    assert f"0.0.0.0:{port}" in services()["emulator"]["command"]


def test_prometheus_takes_its_configuration_and_finds_all_rules(tmp_path: Path) -> None:
    places = {mount.place: mount.source for mount in mounts("prometheus")}
    (flag,) = [one for one in services()["prometheus"]["command"] if "config.file" in one]
    text = places[flag.partition("=")[2]].read_text(encoding="utf-8")
    config = yaml.safe_load(text)
    assert [places[one] for one in config["rule_files"]] == [
        ROOT / "deploy" / "prometheus" / f"trimtab-{part}.yaml" for part in ("recording", "alerts")
    ]
    (targets,) = config["scrape_configs"][0]["static_configs"]
    assert targets["targets"] == [f"trimtab:{published('trimtab')[0][2]}"]
    file = tmp_path / "prometheus.yaml"
    text = here(text, {place: str(source) for place, source in places.items()})
    file.write_text(text, encoding="utf-8")
    checked = subprocess.run(  # noqa: S603  our own command
        [binary("promtool"), "check", "config", file], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_grafana_finds_its_data_source_and_every_dashboard() -> None:
    places = {mount.place: mount.source for mount in mounts("grafana")}
    provisioning = "/etc/grafana/provisioning"

    def read(kind: str) -> Any:
        text = places[f"{provisioning}/{kind}/trimtab.yaml"].read_text(encoding="utf-8")
        return yaml.safe_load(text)

    (source,) = read("datasources")["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    assert source["isDefault"] is True
    (provider,) = read("dashboards")["providers"]
    boards = places[provider["options"]["path"]]
    assert {one.name for one in boards.glob("*.json")} == {
        one.name for one in (ROOT / "deploy" / "grafana").glob("*.json")
    }
    home = Path(services()["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"])
    board = boards / home.relative_to(provider["options"]["path"])
    assert json.loads(board.read_text(encoding="utf-8"))["uid"] == "trimtab-fleet"


def test_every_setting_of_the_daemon_is_one() -> None:
    for variable in services()["trimtab"]["environment"]:
        setting = variable.removeprefix("TRIMTAB_").lower().split("__")[0]
        assert setting in Settings.model_fields
