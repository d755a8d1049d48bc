#!/usr/bin/env python3
"""Fuzz everything that reads foreign bytes: ``make fuzz``.

Two engines feed the same subjects. ``seeded`` changes good inputs and needs nothing but a seed.
``coverage`` is libFuzzer through atheris, where that is installed: it keeps what reached new code. A
finding is made smaller, saved below ``build/fuzz`` and ends the run with 1. Prints one JSON object for
each run; sentences go to stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any

from feeding import Finding, run, trouble_outside
from mutation import smaller
from subjects import SUBJECTS, Subject

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
INPUT_SECONDS_MAX = 20
MEMORY_MEGABYTES_MAX = 2048
MINIMISING_TRIES_MAX = 400


def seeded(subject: Subject, *, seed: int, inputs: int) -> tuple[dict[str, Any], Finding | None]:
    """Run the seeded engine; its numbers, and what it found."""
    came_to = run(subject, seed=seed, inputs=inputs)
    numbers = {
        "inputs": came_to.inputs,
        "seconds": round(came_to.seconds, 1),
        "slowest_input_milliseconds": round(came_to.slowest_seconds * 1000, 1),
    }
    return numbers, came_to.finding


def coverage(subject: Subject, *, seed: int, inputs: int) -> tuple[dict[str, Any], Finding | None]:
    """Run libFuzzer in a process of its own; its numbers, and what it found."""
    with tempfile.TemporaryDirectory(prefix="trimtab-fuzz-") as name:
        folder = Path(name)
        corpus = folder / "corpus"
        corpus.mkdir()
        for number, data in enumerate(subject.seeds):
            (corpus / f"seed-{number}").write_bytes(data)
        started = perf_counter()
        done = subprocess.run(  # noqa: S603  our own file, options of numbers
            [
                *(sys.executable, str(HERE / "coverage_guided.py"), subject.name),
                *(f"-seed={seed + 1}", f"-runs={inputs}", f"-max_len={subject.bytes_max}"),
                *(f"-timeout={INPUT_SECONDS_MAX}", f"-rss_limit_mb={MEMORY_MEGABYTES_MAX}"),
                *(f"-artifact_prefix={folder}/found-", "-print_final_stats=1", str(corpus)),
            ],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        seconds = perf_counter() - started
        found = sorted(folder.glob("found-*"))
        output = done.stderr + done.stdout
        numbers = {
            "inputs": _last(r"stat::number_of_executed_units:\s*(\d+)", output),
            "seconds": round(seconds, 1),
            "coverage_edges": _last(r"cov: (\d+)", output),
            "corpus": len(list(corpus.iterdir())),
        }
        if done.returncode == 0:
            return numbers, None
        data = found[0].read_bytes() if found else b""
        return numbers, Finding(data, output.strip()[-600:])


def _last(pattern: str, text: str) -> int | None:
    found = re.findall(pattern, text)
    return int(found[-1]) if found else None


def saved(subject: Subject, finding: Finding) -> Path:
    """Make the input smaller while the same thing goes wrong, and keep it."""
    kind = (trouble_outside(subject, finding.data) or "").partition(":")[0]

    def is_still_wrong(data: bytes) -> bool:
        return (trouble_outside(subject, data) or "").partition(":")[0] == kind

    small = finding.data
    if kind and not kind.startswith("no end"):  # each try of one that hangs takes as long as that
        small = smaller(small, is_still_wrong, tries_max=MINIMISING_TRIES_MAX)
    folder = ROOT / "build" / "fuzz"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{subject.name}-{abs(hash(small)) % 10**8:08}.bin"
    path.write_bytes(small)
    return path


def main() -> int:
    """Run; 0 if nothing was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("subjects", nargs="*", help=f"of {', '.join(SUBJECTS)}; default: all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--inputs", type=int, help="for each subject; default: its own number")
    parser.add_argument("--engine", choices=("seeded", "coverage", "both"), default="both")
    parser.add_argument(
        "--coverage-share", type=float, default=0.1, help="inputs of `both` that libFuzzer gets"
    )
    parser.add_argument("--replay", type=Path, help="feed this one file instead")
    wanted = parser.parse_args()
    unknown = sorted(set(wanted.subjects) - set(SUBJECTS))
    if unknown:
        parser.error(f"{unknown[0]} is no subject; there are {', '.join(SUBJECTS)}")
    subjects = [SUBJECTS[name] for name in wanted.subjects or SUBJECTS]
    if wanted.replay is not None:
        return _replay(subjects, wanted.replay)
    engines = [("seeded", seeded, 1.0), ("coverage", coverage, wanted.coverage_share)]
    if wanted.engine != "both":
        engines = [(name, engine, 1.0) for name, engine, _ in engines if name == wanted.engine]
    if find_spec("atheris") is None:
        sys.stderr.write("atheris is not installed here: nothing is guided by coverage\n")
        engines = [one for one in engines if one[0] != "coverage"]
    found = 0
    for subject in subjects:
        for name, engine, share in engines:
            inputs = int((wanted.inputs or subject.inputs) * share)
            numbers, finding = engine(subject, seed=wanted.seed, inputs=inputs)
            shown = {"subject": subject.name, "engine": name, "seed": wanted.seed, **numbers}
            rate = round((numbers["inputs"] or 0) / max(numbers["seconds"], 0.1))
            shown |= {"inputs_per_second": rate, "findings": int(finding is not None)}
            sys.stdout.write(f"{json.dumps(shown)}\n")
            sys.stdout.flush()
            if finding is not None:
                found += 1
                path = saved(subject, finding)
                sys.stderr.write(f"{subject.name}: {finding.what}\n  kept as {path}\n")
    return 1 if found or not engines else 0


def _replay(subjects: list[Subject], path: Path) -> int:
    data = path.read_bytes()
    wrong = [(one.name, trouble_outside(one, data)) for one in subjects]
    for name, what in wrong:
        sys.stdout.write(f"{name}: {what or 'stands it'}\n")
    return int(any(what for _, what in wrong))


if __name__ == "__main__":
    os.environ.setdefault("PYTHONHASHSEED", "0")
    sys.exit(main())
