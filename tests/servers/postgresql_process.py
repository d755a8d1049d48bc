"""A PostgreSQL that can be stopped, killed and started again on the same port, with the same data."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from tests.servers.brokers import POSTGRESQL_PLACES, _unprivileged_user
from tests.servers.process import START_SECONDS_MAX, binary, free_port, listens


class PostgresqlProcess:
    """``url`` is that of a database ``postgres`` whose user ``trimtab`` is let in without a password."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.url = f"postgresql://trimtab@127.0.0.1:{self.port}/postgres"
        self._log = folder / "postgresql.log"
        self._user = _unprivileged_user()
        self._data = Path(tempfile.mkdtemp(prefix="trimtab-postgresql-"))
        self._process: subprocess.Popen[bytes] | None = None
        if self._user is not None:
            shutil.chown(self._data, self._user)
        self._data.chmod(0o700)
        subprocess.run(  # noqa: S603  our own command
            [
                binary("initdb", *POSTGRESQL_PLACES),
                *("-D", self._data, "-U", "trimtab", "-A", "trust", "--no-sync", "-E", "UTF8"),
            ],
            check=True,
            capture_output=True,
            user=self._user,
            cwd="/",
        )

    def start(self) -> None:
        """Return once it answers."""
        command = [binary("postgres", *POSTGRESQL_PLACES), "-D", f"{self._data}"]
        command += ["-p", f"{self.port}", "-k", f"{self._data}"]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        with self._log.open("wb") as out:
            self._process = subprocess.Popen(  # noqa: S603  our own command
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                user=self._user,
                start_new_session=True,
                cwd="/",
            )
        give_up_at = time.monotonic() + START_SECONDS_MAX  # noqa: TID251  servers live in real time
        while "ready to accept connections" not in self._log.read_text() or not listens(self.port):
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < give_up_at, self._log.read_text()  # noqa: TID251  the same
            time.sleep(0.05)

    def stop(self) -> None:
        """End it as an administrator does who waits for nobody."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """End it and all of its children at once, as a loss of power does."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            if how is signal.SIGKILL:
                os.killpg(process.pid, how)
            else:
                process.send_signal(how)
        process.wait(30)

    def remove(self) -> None:
        """End it, and delete its data."""
        self.kill()
        shutil.rmtree(self._data, ignore_errors=True)


@contextlib.contextmanager
def postgresql_process(folder: Path) -> Iterator[PostgresqlProcess]:
    """Run one until the block ends."""
    server = PostgresqlProcess(folder)
    try:
        server.start()
        yield server
    finally:
        server.remove()
