from __future__ import annotations

import os
import signal
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import freezegun
import pytest
from hypothesis import HealthCheck, settings
from xdist.scheduler import LoadScopeScheduling

if TYPE_CHECKING:
    from collections.abc import Iterator

# Two noisy cores: a slow example is not a failed one. CI looks at more examples than a laptop, and at the
# same ones each time: what it refuses is what was changed. Every run elsewhere looks at new ones.
settings.register_profile("default", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile(
    "ci",
    deadline=None,
    max_examples=200,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if os.environ.get("CI") else "default")

# Freezing looks at every attribute of every module, and this one makes its pydantic models when looked at: with
# a frozen `datetime` it cannot, and time would stay frozen for all tests behind.
freezegun.configure(extend_ignore_list=["kubernetes"])

# What a shell starts in the background ignores SIGINT, and so do its children, which tests end by it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--vectors",
        metavar="DIR",
        default=None,
        help="run tests/conformance on the vectors in DIR instead of tests/conformance/vectors",
    )
    parser.addoption(
        "--seeds",
        metavar="A-B",
        default="21-24",
        help="run tests/simulation on the worlds of these seeds instead of a few small ones",
    )
    parser.addoption(
        "--surfaces",
        action="store_true",
        help="run what drives a browser, the API by its description, and pages as a reader would",
    )
    parser.addoption(
        "--packaging",
        action="store_true",
        help="run tests/packaging/slow too: installing, building, the container file's steps",
    )


@pytest.fixture(autouse=True)
def time_runs_on() -> Iterator[None]:
    """Fail the test behind which time stays frozen: else all later ones that wait for anything would."""
    yield
    assert not freezegun.api.freeze_factories, "time is still frozen"


SHARING_SERVERS = tuple(
    f"tests/contract/sources/test_{name}.py"
    for name in ("brokers", "prometheus", "from_a_source_to_a_write")
)


HERE = Path(__file__).parent

SURFACES = frozenset(
    {HERE / "ui", HERE / "contract" / "api", HERE / "documentation" / "test_walkthroughs.py"}
)
"""What takes minutes together: `make test-surfaces` runs it, and so does CI."""


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    is_left_out = collection_path in SURFACES and not config.getoption("--surfaces")
    return True if is_left_out else None


def pytest_itemcollected(item: pytest.Item) -> None:
    # schemathesis says which operation a test is about in the test's name only, of which pytest 9.2 makes no id.
    _, _, operation = item.name.partition("[")
    if operation and item.id.params is None:
        item._id = item.id.with_params(operation.removesuffix("]"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse tests that share an id: over several workers xdist would run one of them."""
    shared = [nodeid for nodeid, times in Counter(one.nodeid for one in items).items() if times > 1]
    if shared:
        raise pytest.UsageError(
            f"{len(shared)} ids are those of several tests, of which one would run; "
            f"give each its own: {', '.join(shared[:5])}"
        )


BROWSER = "tests/ui/"


class ServersOnce(LoadScopeScheduling):
    """Hands out tests one by one, but all that share servers to one worker, where each is started once.

    Likewise those that look at the same running demo with the same browser.

    xdist's own mark for it, ``xdist_group``, groups nothing under pytest 9.2
    (https://github.com/pytest-dev/pytest-xdist/issues/1386).
    """

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(BROWSER):
            return "browser"
        return "servers" if nodeid.startswith(SHARING_SERVERS) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ServersOnce:
    return ServersOnce(config, log)
