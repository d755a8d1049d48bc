"""HTTPS with certificates of our own making: who is trusted, and who is let in."""

from __future__ import annotations

import os
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from tests.servers.process import binary

from trimtab.errors import ErrorKind, SourceError
from trimtab.sources.http import Access, HttpReader


class Certificates:
    """An authority, and what it signs, in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.openssl = binary("openssl")
        self.make("ca")

    def make(self, name: str) -> None:
        signing = () if name == "ca" else ("-CA", "ca.pem", "-CAkey", "ca.key")
        constraints = "CA:TRUE" if name == "ca" else "CA:FALSE"
        command = [self.openssl, "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"]
        command += ["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", f"/CN={name}", *signing]
        command += ["-addext", "subjectAltName=IP:127.0.0.1"]
        command += ["-addext", f"basicConstraints=critical,{constraints}"]
        command += ["-keyout", f"{name}.key", "-out", f"{name}.pem"]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)  # noqa: S603  our own command

    def path(self, name: str) -> Path:
        return self.folder / name


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    made = Certificates(tmp_path_factory.mktemp("certificates"))
    made.make("server")
    made.make("client")
    return made


@pytest.fixture
async def url(certificates: Certificates) -> AsyncIterator[str]:
    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/", hello)
    context = ssl.create_default_context(
        ssl.Purpose.CLIENT_AUTH, cafile=certificates.path("ca.pem")
    )
    context.load_cert_chain(certificates.path("server.pem"), certificates.path("server.key"))
    context.verify_mode = ssl.CERT_REQUIRED
    server = TestServer(app, host="127.0.0.1")
    await server.start_server(ssl=context)
    yield f"https://127.0.0.1:{server.port}"
    await server.close()


async def read(url: str, **access: Path) -> str:
    reader = HttpReader(url, access=Access(**access), timeout_seconds=5)
    try:
        return (await reader.get()).text
    finally:
        await reader.close()


async def test_a_client_certificate_lets_us_in(url: str, certificates: Certificates) -> None:
    files = {"ca_file": "ca.pem", "cert_file": "client.pem", "key_file": "client.key"}
    given = {name: certificates.path(file) for name, file in files.items()}
    assert await read(url, **given) == "hello"


async def test_without_one_we_are_not(url: str, certificates: Certificates) -> None:
    with pytest.raises(SourceError) as caught:
        await read(url, ca_file=certificates.path("ca.pem"))
    assert caught.value.kind is ErrorKind.UNAVAILABLE


async def test_a_certificate_that_nobody_vouches_for_is_told_with_the_remedy(url: str) -> None:
    with pytest.raises(SourceError, match=r"is not trusted .* set ca_file") as caught:
        await read(url)
    assert not caught.value.retryable


async def test_renewed_files_are_used_without_a_restart(
    url: str, certificates: Certificates, tmp_path: Path
) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(certificates.path("client.pem").read_bytes())  # not who signed the server's
    os.utime(ca, (1, 1))
    access = Access(
        ca_file=ca,
        cert_file=certificates.path("client.pem"),
        key_file=certificates.path("client.key"),
    )
    reader = HttpReader(url, access=access, timeout_seconds=5)
    with pytest.raises(SourceError, match="is not trusted"):
        await reader.get()
    ca.write_bytes(certificates.path("ca.pem").read_bytes())
    assert (await reader.get()).text == "hello"
    await reader.close()


async def test_a_file_that_is_gone_is_told(url: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="No such file"):
        await read(url, ca_file=tmp_path / "absent.pem")
