"""The shipped unit, judged by systemd itself, and the real process with what systemd would give it."""

from __future__ import annotations

import asyncio
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from control_plane import ACCOUNT, KEY, ControlPlane
from running import POLICY
from systemd_service import UNIT, Machine, NotifyListener, command, reload_signal, settings

from trimtab.errors import SettingsError
from trimtab.service.notify import START_EXTENSION_SECONDS
from trimtab.settings import Settings, load_settings

START_SECONDS_DEFAULT = 90.0
"""DefaultTimeoutStartSec= of systemd."""

EXPOSURE_MAX = 1.5
"""Of 10; what is left is the network, which is what it is there for."""


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed, so nobody judges the unit")
    return subprocess.run(  # noqa: S603  our own command
        [program, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture
def unit_here(tmp_path: Path) -> Path:
    """The unit with a program that exists in the place of the installed one."""
    text = UNIT.read_text(encoding="utf-8").replace("/opt/trimtab/bin/trimtab", sys.executable)
    path = tmp_path / "trimtab.service"
    path.write_text(text, encoding="utf-8")
    return path


def test_systemd_finds_nothing_wrong_with_the_unit(unit_here: Path) -> None:
    verdict = analyze("verify", str(unit_here))
    assert (verdict.returncode, verdict.stderr) == (0, "")


def test_systemd_would_find_a_misspelt_line(unit_here: Path) -> None:
    text = unit_here.read_text(encoding="utf-8").replace("WatchdogSec", "WatchdogSeconds")
    unit_here.write_text(text, encoding="utf-8")
    assert "WatchdogSeconds" in analyze("verify", str(unit_here)).stderr


def test_little_of_the_machine_is_exposed_to_it(unit_here: Path) -> None:
    verdict = analyze(
        "security",
        "--offline=true",
        "--no-pager",
        f"--threshold={round(EXPOSURE_MAX * 10)}",
        str(unit_here),
    )
    assert verdict.returncode == 0, verdict.stdout


def test_systemd_waits_for_the_first_decision_and_watches_from_then_on() -> None:
    service = settings()
    assert (service["Type"], service["NotifyAccess"]) == (["notify"], ["main"])
    assert int(service["WatchdogSec"][0]) > 0
    # A start that waits asks for more time well before the time it was given is over.
    assert "TimeoutStartSec" not in service
    assert START_EXTENSION_SECONDS < START_SECONDS_DEFAULT


def test_everything_that_the_unit_sets_is_where_the_daemon_looks(tmp_path: Path) -> None:
    environment = Machine(tmp_path, KEY).environment()
    set_by_the_unit = {name for name in environment if name.startswith("TRIMTAB_")}
    assert set_by_the_unit == {"TRIMTAB_POLICIES", "TRIMTAB_FIREWORKS__API_KEY_FILE"}
    assert {"policies", "fireworks"} <= set(Settings.model_fields)
    assert Path(environment["TRIMTAB_FIREWORKS__API_KEY_FILE"]).read_text().strip() == KEY


def drop_ins() -> list[str]:
    """What the documentation says to write with `systemctl edit`."""
    text = (UNIT.parents[1] / "README.md").read_text(encoding="utf-8")
    return re.findall(r"^```ini\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_the_documented_changes_of_the_unit_are_taken_by_systemd_and_by_the_daemon(
    tmp_path: Path, unit_here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    several, clusters_alone = drop_ins()
    (tmp_path / "kubeconfig").touch()
    folder = unit_here.with_name("trimtab.service.d")
    folder.mkdir()
    for text, file, names in (
        (several, "", {"ACME", "BETA"}),
        (clusters_alone, f"clusters: {{prod: {{kubeconfig: {tmp_path}/kubeconfig}}}}\n", set()),
    ):
        (folder / "override.conf").write_text(text, encoding="utf-8")
        assert analyze("verify", str(unit_here)).stderr == ""
        machine = Machine(tmp_path / "root", KEY, {"TRIMTAB_CONFIG": str(tmp_path / "settings")})
        (tmp_path / "settings").write_text(file, encoding="utf-8")
        with monkeypatch.context() as patch:
            for name, value in machine.environment(changed_by=text).items():
                patch.setenv(name, value)
            assert {name.upper() for name in load_settings().accounts} == names


def test_a_file_with_accounts_and_the_key_of_the_unit_beside_it_are_told_apart_from_a_missing_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "settings").write_text("clusters: {prod: {}}\n", encoding="utf-8")
    machine = Machine(tmp_path / "root", KEY, {"TRIMTAB_CONFIG": str(tmp_path / "settings")})
    for name, value in machine.environment().items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match="leave TRIMTAB_FIREWORKS__API_KEY_FILE out"):
        load_settings()


def test_arithmetic_brings_no_threads_that_a_unit_or_a_container_has_no_room_for() -> None:
    """OpenBLAS takes one for each core of the machine, and interrupts the process where it may not."""
    code = (
        "import contextlib, os\n"
        "from pathlib import Path\n"
        "from trimtab.cli.run import run\n"
        "with contextlib.suppress(BaseException):\n"
        "    run(policies=Path('/nowhere'))\n"
        "import numpy\n"
        "print(len(os.listdir('/proc/self/task')))\n"
    )
    judged = subprocess.run(  # noqa: S603  our own command
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={"PYTHONPATH": str(UNIT.parents[2] / "daemon"), "PATH": "/usr/bin:/bin"},
    )
    assert judged.stdout == "1\n"


async def test_the_process_tells_systemd_of_its_life_from_start_to_stop(tmp_path: Path) -> None:
    async with ControlPlane() as plane:
        machine = Machine(
            tmp_path / "root",
            KEY,
            {
                "TRIMTAB_FIREWORKS__ACCOUNT_ID": ACCOUNT,
                "TRIMTAB_FIREWORKS__BASE_URL": plane.base_url,
                "TRIMTAB_LISTEN": "off",
                "TRIMTAB_TICK_INTERVAL": "1s",
            },
        )
        (machine.policies / "chat.yaml").write_text(POLICY, encoding="utf-8")
        listener = NotifyListener(tmp_path / "notify")
        environment = machine.environment(listener.path) | {"WATCHDOG_USEC": "1000000"}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *command(Path("trimtab"))),
            env=environment | {"PYTHONPATH": str(UNIT.parents[2] / "daemon")},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            cwd=machine.state,
        )
        try:
            for line in ("READY=1", "STATUS=deployments: 1, policies: 1", "WATCHDOG=1"):
                await asyncio.to_thread(listener.wait_for, line)

            heard = len(listener.lines)
            process.send_signal(reload_signal())
            for line in ("RELOADING=1", "MONOTONIC_USEC=", "READY=1", "WATCHDOG=1"):
                await asyncio.to_thread(listener.wait_for, line, after=heard)

            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(listener.wait_for, "STOPPING=1")
            _, errors = await asyncio.wait_for(process.communicate(), 30)
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            listener.close()
    assert (process.returncode, errors) == (0, b"")
    assert (machine.state / "journal.db").is_file()
    stamps = [line for line in listener.lines if line.startswith("MONOTONIC_USEC=")]
    assert len(stamps) == 1
    assert int(stamps[0].partition("=")[2]) > 0
