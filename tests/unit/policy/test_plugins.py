"""Strategies of other packages: installed for real, used only if allowed, told about like our own."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

from trimtab.core.engine import Engine
from trimtab.core.signals import Sample
from trimtab.errors import SettingsError
from trimtab.policy import plugins
from trimtab.policy.plugins import allow_plugins, installed_plugins
from trimtab.policy.registry import BUILT_IN, STRATEGIES, StrategyKind
from trimtab.policy.strategies.fixed import FixedConfig
from trimtab.policy.strategies.interface import StrategyConfig
from trimtab.testing import a_view, broken_promises

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from trimtab.policy import LoadReport

    Diagnose = Callable[..., LoadReport]

EXAMPLE = Path(__file__).parents[2] / "plugin_example"

POLICY = """\
apiVersion: trimtab.dev/v1
kind: ScalingPolicy
metadata: {name: chat}
spec:
  deployments: {name: accounts/acme/deployments/chat}
  signals: {in_flight: {source: gateway, query: in_flight, maxAge: 60s}}
  rules:
    - name: some-to-spare
      role: demand
      strategy: {type: headroom, signal: in_flight, slots: 8, spare: 2}
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the example installed in it, as pip does it, without any network."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--disable-pip-version-check", "--target", str(target)]
    arguments = [*command, str(EXAMPLE)]
    subprocess.run(arguments, check=True, capture_output=True, timeout=100)  # noqa: S603  ours
    return target


@pytest.fixture
def _installed(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(site))
    yield
    sys.modules.pop("trimtab_headroom", None)


@pytest.fixture(autouse=True)
def _nothing_stays_allowed() -> Iterator[None]:
    yield
    allow_plugins(())


@pytest.mark.usefixtures("_installed")
def test_an_installed_plugin_is_refused_until_the_settings_allow_it(diagnose: Diagnose) -> None:
    assert installed_plugins() == ("headroom",)
    assert [one.code.id for one in diagnose(POLICY).diagnostics if one.severity == "error"] == [
        "POL107"
    ]
    assert "trimtab_headroom" not in sys.modules  # what is not allowed is not even imported
    allow_plugins(["headroom"])
    assert diagnose(POLICY).diagnostics == ()
    allow_plugins(())
    assert [one.code.id for one in diagnose(POLICY).errors] == ["POL107"]


@pytest.mark.usefixtures("_installed")
def test_a_policy_scales_by_an_allowed_plugin(diagnose: Diagnose) -> None:
    allow_plugins(["headroom"])
    deployment = a_view().deployment
    engine = Engine(diagnose(POLICY).policies)
    samples = [Sample(deployment.name, "in_flight", 1_774_746_000.0, 40.0)]
    (decision,) = engine.step(1_774_746_000.0, {deployment.name: deployment}, samples).decisions
    assert decision.wanted == 7
    assert "40 in flight use 5, and 2 to spare: 7" in decision.sentence


@pytest.mark.usefixtures("_installed")
def test_mistakes_in_its_settings_are_told_about_like_those_in_ours(diagnose: Diagnose) -> None:
    allow_plugins(["headroom"])
    text = POLICY.replace("slots: 8, spare: 2", "slots: 0, spear: 2").replace(
        "signal: in_flight", "signal: in_flght"
    )
    found = [(one.code.id, one.line, one.column) for one in diagnose(text).diagnostics]
    line = POLICY.count("\n")
    assert found == [("POL202", line, 59), ("POL104", line, 62)]
    text = POLICY.replace("signal: in_flight", "signal: in_flght")
    assert [one.code.id for one in diagnose(text).errors] == ["POL304"]


@pytest.mark.usefixtures("_installed")
def test_the_example_keeps_the_contract() -> None:
    headroom = importlib.import_module("trimtab_headroom").Headroom
    assert broken_promises(headroom(signal="in_flight", slots=8.0, spare=1)) == ()


class OtherConfig(StrategyConfig):
    type: Literal["other"]


NO_KIND = "not a StrategyKind"
OTHER = StrategyKind(config=OtherConfig, build=FixedConfig.build, summary="another")


def entry_points(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    found = tuple(EntryPoint(name, value, plugins.GROUP) for name, value in values.items())
    monkeypatch.setattr(plugins, "entry_points", lambda **_: found)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("hedroom", "x:y", "is offered by no installed package; did you mean `headroom`?"),
        ("fixed", "x:y", "is built in; remove it from the list"),
        ("broken", "no.such.module:KIND", "cannot be loaded (ModuleNotFoundError"),
        ("broken", f"{__name__}:NOTHING", "cannot be loaded ("),
        ("broken", "trimtab.testing.contract:EVALUATIONS", "names int, not a StrategyKind"),
    ],
)
def test_a_plugin_that_cannot_be_used_stops_the_process_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, why: str
) -> None:
    entry_points(monkeypatch, headroom="x:y", **({name: value} if name == "broken" else {}))
    with pytest.raises(SettingsError) as caught:
        allow_plugins([name])
    assert f"strategy_plugins: '{name}' {why}" in str(caught.value)
    assert dict(STRATEGIES) == dict(BUILT_IN)


def test_a_plugin_must_go_by_the_name_of_its_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    class Found(EntryPoint):
        def load(self) -> StrategyKind:
            return OTHER

    found = (Found("headroom", "x:y", plugins.GROUP),)
    monkeypatch.setattr(plugins, "entry_points", lambda **_: found)
    with pytest.raises(SettingsError, match="whose `type` is not Literal\\['headroom'\\]"):
        allow_plugins(["headroom"])


def test_all_problems_are_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    entry_points(monkeypatch)
    with pytest.raises(SettingsError) as caught:
        allow_plugins(["one", "fixed"])
    assert len(str(caught.value).splitlines()) == 2


def _check(path: Path, *options: str, site: Path) -> subprocess.CompletedProcess[str]:
    """Run ``trimtab check`` as a process that finds the example's packages."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), *sys.path])}
    command = [sys.executable, "-m", "trimtab", "check", str(path), *options]
    return subprocess.run(  # noqa: S603  our own command
        [*command, "--source", "gateway"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_commands_use_the_plugins_they_are_told_of(tmp_path: Path, site: Path) -> None:
    file = tmp_path / "chat.yaml"
    file.write_text(POLICY)
    assert _check(file, "--plugin", "headroom", site=site).returncode == 0
    without = _check(file, site=site)
    assert without.returncode == 1
    assert "POL107" in without.stdout
    unknown = _check(file, "--plugin", "legroom", site=site)
    assert unknown.returncode == 2
    assert "legroom" in unknown.stderr
    assert "Traceback" not in unknown.stderr
