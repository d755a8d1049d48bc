"""One cluster for a module: the strict API, and beside it a real kube-apiserver where there is one."""

from __future__ import annotations

import itertools
import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from tests.servers.kubernetes_api.certificates import certified
from tests.servers.kubernetes_api.rbac import service_account
from tests.servers.kubernetes_api.real import missing, real_api
from tests.servers.kubernetes_api.service import ADMIN_TOKEN
from tests.servers.kubernetes_api.serving import Server, served_in_a_thread

WEAK_TOKEN = "token-of-a-service-account"
WEAK_USER = service_account("default", "weak").name
NUMBERS = itertools.count(1)


@dataclass
class Running:
    """A cluster's API. ``server`` is the strict one, ``None`` for the real."""

    url: str
    authority: Path
    server: Server | None = None
    clients: dict[str, httpx2.Client] = field(default_factory=dict)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = ADMIN_TOKEN,
        media_type: str = "application/json",
        **query: Any,
    ) -> httpx2.Response:
        """Send one request as it stands."""
        client = self.clients.get("")
        if client is None:
            context = ssl.create_default_context(cafile=str(self.authority))
            client = self.clients[""] = httpx2.Client(base_url=self.url, verify=context, timeout=30)
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        content = body if isinstance(body, bytes) else None if body is None else json.dumps(body)
        if body is not None:
            headers["Content-Type"] = media_type
        return client.request(method, path, content=content, headers=headers, params=query)

    def watch(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """What a watch says until it ends."""
        answer = self.ask("GET", path, watch="true", **query)
        assert answer.status_code == 200, answer.text
        return [json.loads(line) for line in answer.content.split(b"\n") if line]

    def kubeconfig(self, folder: Path, namespace: str) -> Path:
        cluster = {"server": self.url, "certificate-authority": str(self.authority)}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "clusters": [{"name": "here", "cluster": cluster}],
            "users": [{"name": "me", "user": {"token": ADMIN_TOKEN}}],
            "contexts": [
                {
                    "name": "here",
                    "context": {"cluster": "here", "user": "me", "namespace": namespace},
                }
            ],
        }
        path = folder / "kubeconfig"
        path.write_text(yaml.safe_dump(config), encoding="utf-8")
        return path


HERE = ["strict"] if missing() is not None else ["strict", "real"]


@pytest.fixture(scope="module", params=HERE)
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("cluster")
    if request.param == "real":
        tokens = {ADMIN_TOKEN: ("admin", "system:masters"), WEAK_TOKEN: (WEAK_USER, "weak")}
        with real_api(folder, tokens) as (url, authority):
            yield from _closing(Running(url, authority))
        return
    authority, tls = certified(folder)
    with served_in_a_thread(tls=tls) as server:
        weak = service_account("default", "weak")
        server.do(lambda: server.api.gatekeeper.let_in(WEAK_TOKEN, weak))
        yield from _closing(Running(server.url, authority, server))


def _closing(running: Running) -> Iterator[Running]:
    yield running
    for client in running.clients.values():
        client.close()


@pytest.fixture
def namespace(cluster: Running) -> str:
    """A namespace of the test's own."""
    name = f"test-{next(NUMBERS)}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    assert cluster.ask("POST", "/api/v1/namespaces", body).status_code == 201
    return name
