"""A real kube-apiserver on a real etcd, where both are installed: what the strict API is measured by."""

from __future__ import annotations

import contextlib
import os
import shutil
import ssl
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.servers.kubernetes_api.certificates import certified
from tests.servers.process import answers, free_port, running


def missing() -> str | None:
    """Why there is no real server here; ``None`` where there is one."""
    lacking = [name for name in ("kube-apiserver", "etcd") if _found(name) is None]
    if not lacking:
        return None
    return f"{' and '.join(lacking)} not on PATH (nor in KUBEBUILDER_ASSETS): the strict API stands alone"


def _found(name: str) -> str | None:
    places = [os.environ.get("PATH", ""), os.environ.get("KUBEBUILDER_ASSETS", "")]
    return shutil.which(name, path=os.pathsep.join(place for place in places if place))


@contextlib.contextmanager
def real_api(folder: Path, tokens: dict[str, tuple[str, str]]) -> Iterator[tuple[str, Path]]:
    """Run one; ``tokens`` are token → (user, group). Yields its URL and its authority's certificate."""
    etcd, server = _found("etcd"), _found("kube-apiserver")
    assert etcd is not None
    assert server is not None
    authority, _ = certified(folder)
    (folder / "tokens.csv").write_text(
        "".join(f'{token},{user},{user},"{group}"\n' for token, (user, group) in tokens.items())
    )
    peer, client, port = free_port(), free_port(), free_port()
    store = f"http://127.0.0.1:{client}"
    start_etcd = [etcd, "--data-dir", str(folder / "etcd"), "--unsafe-no-fsync"]
    start_etcd += ["--listen-client-urls", store, "--advertise-client-urls", store]
    start_etcd += ["--listen-peer-urls", f"http://127.0.0.1:{peer}"]
    start = [server, f"--etcd-servers={store}", "--bind-address=127.0.0.1", f"--secure-port={port}"]
    start += [
        f"--tls-cert-file={folder / 'server.pem'}",
        f"--tls-private-key-file={folder / 'server.key'}",
    ]
    start += [f"--token-auth-file={folder / 'tokens.csv'}", "--authorization-mode=RBAC"]
    start += ["--anonymous-auth=false", "--service-cluster-ip-range=10.0.0.0/24"]
    start += ["--service-account-issuer=https://kubernetes.default.svc"]
    start += [f"--service-account-key-file={folder / 'server.pem'}"]
    start += [f"--service-account-signing-key-file={folder / 'server.key'}"]
    start += ["--disable-admission-plugins=ServiceAccount", f"--cert-dir={folder}"]
    url = f"https://127.0.0.1:{port}"
    token = next(iter(tokens))

    def is_ready() -> bool:
        context = ssl.create_default_context(cafile=str(authority))
        headers = {"Authorization": f"Bearer {token}"}
        request = urllib.request.Request(f"{url}/readyz", headers=headers)  # noqa: S310  our own URL
        with (
            contextlib.suppress(OSError),
            urllib.request.urlopen(request, timeout=1, context=context) as answer,  # noqa: S310  the same
        ):
            return bool(answer.status == 200)
        return False

    with (
        running(start_etcd, log=folder / "etcd.log", is_ready=lambda: answers(f"{store}/health")),
        running(start, log=folder / "kube-apiserver.log", is_ready=is_ready),
    ):
        yield url, authority
