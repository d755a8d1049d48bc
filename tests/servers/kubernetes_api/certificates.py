"""An authority of our own and a server's certificate: clients in Go send no token without TLS."""

from __future__ import annotations

import ssl
import subprocess
from pathlib import Path

from tests.servers.process import binary


def certified(folder: Path) -> tuple[Path, ssl.SSLContext]:
    """Return the authority's certificate and what a server on 127.0.0.1 serves with."""
    openssl = binary("openssl")
    for name in ("ca", "server"):
        signing = () if name == "ca" else ("-CA", "ca.pem", "-CAkey", "ca.key")
        command = [openssl, "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"]
        command += ["-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", f"/CN={name}", *signing]
        command += ["-addext", "subjectAltName=IP:127.0.0.1"]
        is_authority = "TRUE" if name == "ca" else "FALSE"
        command += ["-addext", f"basicConstraints=critical,CA:{is_authority}"]
        command += ["-keyout", f"{name}.key", "-out", f"{name}.pem"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)  # noqa: S603  our own command
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    return folder / "ca.pem", context
