"""From settings to a daemon that is one of several."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from trimtab.clock import ManualClock
from trimtab.errors import SettingsError
from trimtab.journal.port import VolatileJournal
from trimtab.journal.postgresql.journal import PostgresqlJournal
from trimtab.service.coordination_wiring import bucket_function, coordination_of
from trimtab.service.wiring import build_daemon
from trimtab.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

URL = "postgresql://trimtab@127.0.0.1:1/trimtab"
START = 1_767_225_600.0


def settings(**said: Any) -> Settings:
    return Settings(accounts={"acme": {"api_key": "fw_made_up"}}, **said)


def test_a_process_is_alone_unless_the_settings_say_otherwise() -> None:
    clock = ManualClock(START)
    journal = VolatileJournal(since=START)
    assert coordination_of(settings(), clock, Random(1), journal) is None
    assert bucket_function(settings().coordination) is None


def test_members_on_postgresql_need_a_journal_that_all_share() -> None:
    said = settings(coordination={"service": "postgresql", "postgresql": {"url": URL}})
    with pytest.raises(SettingsError, match=r"journal\.postgresql\.url"):
        coordination_of(said, ManualClock(START), Random(1), VolatileJournal(since=START))


def test_a_daemon_on_postgresql_takes_memory_from_the_journal_it_writes() -> None:
    said = settings(
        journal={"postgresql": {"url": URL}},
        coordination={
            "service": "postgresql",
            "postgresql": {"url": URL},
            "buckets": 32,
            "member": "one",
        },
    )
    daemon = build_daemon(said, [], ManualClock(START), Random(1))
    assert daemon.tenancy is not None
    coordination = daemon.tenancy.coordination
    assert isinstance(coordination.shared, PostgresqlJournal)
    assert coordination.buckets == 32
    assert coordination.member.startswith("one-")
    in_bucket = bucket_function(said.coordination)
    assert in_bucket is not None
    name = "accounts/acme/deployments/chat"
    assert in_bucket(name) == daemon.tenancy.bucket_of(name)


def test_a_daemon_on_kubernetes_keeps_its_memory_there_unless_a_journal_is_shared(
    tmp_path: Path,
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
                "users": [{"name": "u", "user": {"token": "made-up"}}],
                "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
                "current-context": "x",
            }
        )
    )
    said = {"service": "kubernetes", "kubernetes": {"kubeconfig": str(kubeconfig)}}
    alone = build_daemon(
        settings(journal={"path": "off"}, coordination=said), [], ManualClock(START), Random(1)
    )
    assert alone.tenancy is not None
    names = [name for name, _ in alone.tenancy.tasks()]
    assert "keep the memory of our buckets" in names
    assert alone.tenancy.memory_of(3).deployments == {}
    shared = build_daemon(
        settings(journal={"postgresql": {"url": URL}}, coordination=said),
        [],
        ManualClock(START),
        Random(1),
    )
    assert shared.tenancy is not None
    assert isinstance(shared.tenancy.coordination.shared, PostgresqlJournal)
