"""What the process says by its exit code. Numbers above 63 are those of BSD's ``sysexits.h``.

====  ============================================================================================
0     clean: it did what it was asked to, or was asked to stop and stopped
1     it failed while running (its address is taken, say); a restart may help
2     the command line was wrong
69    an account could not be read at the start (only with ``--fail-fast``), or no daemon answers
      (commands that speak to one)
70    a bug: an invariant was about to be broken, nothing was written (only with ``--fail-fast``;
      otherwise that one deployment is held and the rest of the fleet goes on)
78    settings or policies are wrong; a restart does not help (systemd: RestartPreventExitStatus=78)
====  ============================================================================================

A second signal while stopping ends the process at once with 128 + the signal's number.
"""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """Every exit code of every command."""

    CLEAN = 0
    FAILED = 1
    USAGE = 2
    DEPENDENCY_UNAVAILABLE = 69
    INVARIANT_VIOLATION = 70
    BAD_CONFIGURATION = 78
