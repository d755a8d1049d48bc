from __future__ import annotations

from contextlib import AsyncExitStack
from random import Random
from typing import TYPE_CHECKING

import pytest
from tests.contract.kubernetes_target.cluster_world import NAME, World
from tests.servers.kubernetes_api.serving import served

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with served() as server, AsyncExitStack() as stack:
        yield World(server, tmp_path, stack)


@pytest.fixture
def name() -> str:
    return NAME


@pytest.fixture
def random() -> Random:
    return Random(1)
