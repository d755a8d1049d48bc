"""One subject under libFuzzer: ``coverage_guided.py SUBJECT [libFuzzer's own options]``.

Half of the changes are libFuzzer's, half come from ``mutation.py``, which knows the languages.
"""

from __future__ import annotations

import sys
from random import Random

import atheris  # type: ignore[import-not-found,unused-ignore]  # only where it is installed

with atheris.instrument_imports(include=["trimtab", "prometheus_client.parser", "cronsim"]):
    from subjects import SUBJECTS


def main() -> None:
    """Hand over to libFuzzer, which ends the process."""
    subject = SUBJECTS[sys.argv[1]]
    mutator = subject.mutator()

    def changed(data: bytes, bytes_max: int, seed: int) -> bytes:
        rng = Random(seed)
        if rng.random() < 0.5:
            return atheris.Mutate(data, bytes_max)
        return (mutator.change(rng, data) if rng.random() < 0.7 else mutator.make(rng))[:bytes_max]

    atheris.Setup([sys.argv[0], *sys.argv[2:]], subject.feed, custom_mutator=changed)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
