"""Redis, PostgreSQL, RabbitMQ and NATS, real and empty."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

from tests.servers.process import answers, binary, free_port, listens, running

POSTGRESQL_PLACES = tuple(f"/usr/lib/postgresql/{version}/bin" for version in (17, 16, 15, 14, 13))
GUEST = "Basic " + b64encode(b"guest:guest").decode()


@contextlib.contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """The URL of a Redis whose password is ``made-up-password``."""
    port = free_port()
    command = [binary("redis-server"), "--port", f"{port}", "--bind", "127.0.0.1", "--save", ""]
    command += ["--requirepass", "made-up-password", "--dir", f"{folder}"]
    with running(command, log=folder / "redis.log", is_ready=lambda: listens(port)):
        yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def postgresql_server(folder: Path) -> Iterator[str]:
    """The URL of a database ``postgres`` whose user ``trimtab`` is let in without a password."""
    initdb, postgres = (binary(name, *POSTGRESQL_PLACES) for name in ("initdb", "postgres"))
    user = _unprivileged_user()
    data = Path(tempfile.mkdtemp(prefix="trimtab-postgresql-"))  # where another user can get to
    try:
        if user is not None:
            shutil.chown(data, user)
        data.chmod(0o700)
        subprocess.run(  # noqa: S603  our own command
            [initdb, "-D", data, "-U", "trimtab", "-A", "trust", "--no-sync", "-E", "UTF8"],
            check=True,
            capture_output=True,
            user=user,
            cwd="/",
        )
        port = free_port()
        command = [postgres, "-D", f"{data}", "-p", f"{port}", "-k", f"{data}"]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]

        def is_ready() -> bool:
            return listens(port) and "ready to accept connections" in log.read_text()

        log = folder / "postgresql.log"
        with running(command, log=log, is_ready=is_ready, user=user):
            yield f"postgresql://trimtab@127.0.0.1:{port}/postgres"
    finally:
        shutil.rmtree(data, ignore_errors=True)


def _unprivileged_user() -> str | None:
    """Whom to run as, as PostgreSQL refuses to run as root; ``None`` for ourselves."""
    if os.geteuid() != 0:
        return None
    names = {one.pw_name for one in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in names)


@contextlib.contextmanager
def nats_server(folder: Path) -> Iterator[tuple[str, str]]:
    """The URLs of a NATS with JetStream: for clients, and for monitoring."""
    port, monitoring = free_port(), free_port()
    command = [binary("nats-server", "/usr/sbin"), "-a", "127.0.0.1", "-p", f"{port}"]
    command += ["-m", f"{monitoring}", "-js", "-sd", f"{folder / 'jetstream'}"]
    with running(command, log=folder / "nats.log", is_ready=lambda: listens(monitoring)):
        yield f"nats://127.0.0.1:{port}", f"http://127.0.0.1:{monitoring}"


@contextlib.contextmanager
def rabbitmq_server(folder: Path) -> Iterator[str]:
    """The URL of the management plug-in; guest may do everything. It gathers every second."""
    rabbitmq = binary("rabbitmq-server", "/usr/lib/rabbitmq/bin", "/usr/sbin")
    inner = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")  # without Debian's change of user
    epmd = binary("epmd")
    epmd_port, amqp, management, distribution = (free_port() for _ in range(4))
    config, plugins = folder / "rabbitmq.conf", folder / "enabled_plugins"
    config.write_text(
        f"listeners.tcp.1 = 127.0.0.1:{amqp}\nmanagement.tcp.ip = 127.0.0.1\n"
        f"management.tcp.port = {management}\ncollect_statistics_interval = 1000\n",
        encoding="utf-8",
    )
    plugins.write_text("[rabbitmq_management].\n", encoding="utf-8")
    env = {
        "HOME": f"{folder}",
        "ERL_EPMD_PORT": f"{epmd_port}",
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODENAME": f"trimtab{amqp}@localhost",
        "RABBITMQ_DIST_PORT": f"{distribution}",
        "RABBITMQ_CONFIG_FILE": f"{config}",
        "RABBITMQ_ENABLED_PLUGINS_FILE": f"{plugins}",
        "RABBITMQ_MNESIA_BASE": f"{folder / 'mnesia'}",
        "RABBITMQ_LOG_BASE": f"{folder / 'log'}",
        "RABBITMQ_PID_FILE": f"{folder / 'pid'}",
        "RABBITMQ_FEATURE_FLAGS_FILE": f"{folder / 'feature_flags'}",
    }
    url = f"http://127.0.0.1:{management}"

    def is_ready() -> bool:
        return answers(f"{url}/api/overview", {"Authorization": GUEST})

    command = [f"{inner}" if inner.exists() else rabbitmq]
    with (
        running(
            [epmd, "-port", f"{epmd_port}", "-address", "127.0.0.1"],
            log=folder / "epmd.log",
            is_ready=lambda: listens(epmd_port),
        ),
        running(command, log=folder / "rabbitmq.log", is_ready=is_ready, env=env, is_killed=True),
    ):
        yield url
