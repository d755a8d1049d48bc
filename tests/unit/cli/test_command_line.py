"""What the commands say of themselves, and of a command line that is wrong."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from trimtab.cli.command_line import filled, sentence_for_machine
from trimtab.cli.exit_codes import ExitCode
from trimtab.cli.main import COMMANDS, build_app

FULL = Path("/dev/full")


def call(*arguments: str, columns: int = 200) -> tuple[int, str]:
    result = CliRunner(env={"NO_COLOR": "1", "COLUMNS": str(columns)}).invoke(
        build_app(arguments), list(arguments), prog_name="trimtab"
    )
    return result.exit_code, result.output


def test_paragraphs_of_help_fill_the_line_and_examples_stay_as_they_are() -> None:
    text = """First line.

    A paragraph that its
    author broke.

    \b
    trimtab run    one
    trimtab watch  another
    """
    assert filled(text).splitlines() == [
        "First line.",
        "",
        "A paragraph that its author broke.",
        "",
        "trimtab run    one",
        "trimtab watch  another",
    ]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_flag_is_not_shown_as_if_it_took_a_value(name: str) -> None:
    assert "<bool>" not in call(name, "--help")[1]
    assert "<bool>" not in call("--help")[1]


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        ("pin", "Usage: trimtab pin [OPTIONS] N [DEPLOYMENT]"),
        ("journal", "Usage: trimtab journal [OPTIONS] WHAT JOURNAL"),
        ("simulate", "Usage: trimtab simulate [OPTIONS] [POLICY]..."),
    ],
)
def test_brackets_stand_around_what_need_not_be_there_and_once(name: str, usage: str) -> None:
    lines = [line.strip() for line in call(name, "--help")[1].splitlines()]
    assert usage in lines


@pytest.mark.parametrize("words", [(), ("run",), ("pin",)])
def test_the_short_way_to_ask_for_help_is_understood(words: tuple[str, ...]) -> None:
    code, text = call(*words, "-h")
    assert code == ExitCode.CLEAN
    assert "Usage: trimtab" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("schema", "--kind", "polcy"), "policytest, fleet, group; did you mean `policy`?"),
        (("status", "--level", "x"), "'x' is none of failing, short, held, well"),
        (("pin", "chat-8b", "5", "--reason", "x"), "'chat-8b' is no whole number; give 0 or more"),
        (("decisions", "--limit", "0"), "'0' is out of range; give 1 to 10000"),
        (("demo", "--port", "99999"), "'99999' is out of range; give 0 to 65535"),
        (("simulate", "--quota", "1e5"), "'1e5' is no whole number; give 1 or more"),
        (("backtest", "--policy", "p", "--price", "free"), "'free' is no number; give 0 or more"),
        (("what-if", "--policy", "-", "--hours", "nan"),
         "'nan' is out of range; give 0.01 to 168"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_what_to_write_instead(
    words: tuple[str, ...], said: str
) -> None:
    code, text = call(*words)
    assert code == ExitCode.USAGE
    assert said in text
    assert "Value error" not in text
    assert "Input should be" not in text


@pytest.mark.skipif(not FULL.exists(), reason="this machine has no /dev/full")
@pytest.mark.parametrize("words", [("schema",), ("--version",), ("--help",)])
def test_a_full_disk_behind_standard_output_is_a_sentence(words: tuple[str, ...]) -> None:
    with FULL.open("w", encoding="utf-8") as full:
        ended = subprocess.run(  # noqa: S603  our own words
            [sys.executable, "-m", "trimtab", *words],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert ended.returncode == ExitCode.FAILED
    assert ended.stderr == (
        "trimtab cannot write what it has to say (No space left on device); "
        "make room, or send it elsewhere\n"
    )


def test_a_reader_that_leaves_early_is_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "-m", "trimtab", "schema"],
        stdout=writing, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(writing)
    assert ended.stderr == ""


def test_ctrl_c_while_a_command_is_loaded_is_no_traceback() -> None:
    script = (
        "import trimtab.cli.main as main, sys\n"
        "def interrupted(*_): raise KeyboardInterrupt\n"
        "main.imported = interrupted\n"
        "sys.argv = ['trimtab', 'check', '.']\n"
        "main.main()\n"
    )
    ended = subprocess.run(  # noqa: S603  our own words
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 128 + signal.SIGINT
    assert ended.stderr == ""


def test_ctrl_c_while_processes_begin_is_no_traceback_of_theirs(tmp_path: Path) -> None:
    words = ["compare", "--quick", "--trace", "step", "--jobs", "2", "--json", str(tmp_path / "c")]
    with subprocess.Popen(  # noqa: S603  our own words
        [sys.executable, "-m", "trimtab", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        while process.poll() is None and not _have_begun(process.pid, 2):
            time.sleep(0.01)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does it: everybody hears it
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 128 + signal.SIGINT
    assert "Traceback" not in errors


def _have_begun(parent: int, count: int) -> bool:
    """Whether so many processes for the runs are so far that Python makes a traceback of Ctrl-C."""
    ids = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii").split()
    begun = [
        one
        for one in ids
        if b"spawn_main" in Path(f"/proc/{one}/cmdline").read_bytes()
        and _catches_interrupts(Path(f"/proc/{one}/status").read_text(encoding="ascii"))
    ]
    return len(begun) == count


def _catches_interrupts(status: str) -> bool:
    (mask,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(mask, 16) >> (signal.SIGINT - 1) & 1)


def test_a_file_that_cannot_be_written_is_named_with_a_remedy() -> None:
    refused = OSError(errno.EACCES, "Permission denied", "/etc/report.json")
    assert sentence_for_machine(refused) == (
        "/etc/report.json: Permission denied; check path and permissions"
    )


def test_what_is_no_fault_of_the_machine_stays_a_traceback() -> None:
    assert sentence_for_machine(OSError("odd")) is None
