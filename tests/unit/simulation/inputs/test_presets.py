"""Presets: built-in models on accelerators, and one's own in a strict file."""

from __future__ import annotations

from pathlib import Path

import pytest

from trimtab.plant import SERVING_MODELS, capacity_requests_per_second
from trimtab.simulation.inputs import (
    LEAD_SECONDS,
    PRESETS,
    InputError,
    Preset,
    read_presets,
    start_times_of,
)
from trimtab.simulation.inputs.presets import by_name


def test_each_serving_model_has_a_preset_of_its_name() -> None:
    assert set(PRESETS) == set(SERVING_MODELS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_serves_conversations_within_its_slo(name: str) -> None:
    preset = by_name(name)

    assert capacity_requests_per_second(preset.model, 1155.0, 211.0, preset.slo) > 1.0
    assert preset.usd_per_accelerator_hour is not None
    assert (preset.accelerators_per_replica == 4) == name.startswith("70b")


@pytest.mark.parametrize("lead", LEAD_SECONDS)
def test_replicas_take_exactly_the_lead_time_in_phases_that_all_last(lead: float) -> None:
    start = start_times_of(lead)

    assert start.lead_time_seconds == lead
    assert min(start.pending_seconds, start.downloading_seconds, start.initializing_seconds) > 0
    assert (start.cv, start.failure_probability) == (0.3, 0.02)


@pytest.mark.parametrize(("lead", "like"), [(30.0, 60.0), (150.0, 180.0), (900.0, 600.0)])
def test_another_lead_time_stretches_the_nearest(lead: float, like: float) -> None:
    start, nearest = start_times_of(lead), start_times_of(like)

    assert start.lead_time_seconds == pytest.approx(lead)
    assert start.pending_seconds / lead == pytest.approx(nearest.pending_seconds / like)


def test_no_lead_time_at_all_can_be_had() -> None:
    assert start_times_of(0.0).lead_time_seconds == 0.0


def test_a_preset_with_another_lead_time_keeps_the_rest() -> None:
    preset = PRESETS["70b-4xa100"]
    slower = preset.with_lead_time(600.0)

    assert slower.start_times.lead_time_seconds == 600.0
    assert (slower.model, slower.slo) == (preset.model, preset.slo)


@pytest.mark.parametrize("lead", [-1.0, float("inf"), float("nan")])
def test_a_lead_time_that_cannot_be_is_a_sentence(lead: float) -> None:
    with pytest.raises(InputError, match=f"a lead time of {lead} s cannot be"):
        start_times_of(lead)


def test_a_preset_that_there_is_not_is_answered_with_the_nearest() -> None:
    with pytest.raises(InputError, match="no preset is called '8b-h10'; did you mean 8b-h100"):
        by_name("8b-h10")


HEAD = "apiVersion: trimtab.dev/v1\nkind: ServingPreset\nmetadata: {name: mine}\nspec:\n"


def read(tmp_path: Path, text: str) -> dict[str, Preset]:
    path = tmp_path / "presets.yaml"
    path.write_text(text)
    return read_presets(path)


def test_what_a_file_leaves_out_is_that_of_the_preset_it_names(tmp_path: Path) -> None:
    found = read(tmp_path, HEAD + "  from: 8b-a100\n  slo: {ttft: 800ms}\n")
    mine, like = found["mine"], PRESETS["8b-a100"]

    assert mine.slo.ttft_seconds == 0.8
    assert mine.slo.tpot_seconds == like.slo.tpot_seconds
    assert mine.model.ms_per_token == like.model.ms_per_token
    assert mine.start_times == like.start_times
    assert mine.model.name == "mine"
    assert set(found) == {*PRESETS, "mine"}


FULL = """\
  from: 8b-h100
  model:
    overheadMs: 1
    weightReadMs: 7.5
    msPerToken: 0.05
    msPerThousandKvTokens: 0.1
    kvCapacityTokens: 500000
    sequencesMax: 128
    prefillChunkTokens: 1024
  slo: {ttft: 2s, tpot: 80ms}
  startTimes: {pending: 10s, downloading: 1m, initializing: 50s, readyLag: 2s, cv: 0.2,
               failureProbability: 0}
  accelerator: B200
  acceleratorsPerReplica: 2
  usdPerAcceleratorHour: 9.5
"""


def test_everything_can_be_said(tmp_path: Path) -> None:
    mine = read(tmp_path, HEAD + FULL)["mine"]

    assert (mine.model.overhead_ms, mine.model.weight_read_ms) == (1.0, 7.5)
    assert (mine.model.kv_capacity_tokens, mine.model.sequences_max) == (500_000.0, 128)
    assert mine.model.prefill_chunk_tokens == 1024
    assert (mine.slo.ttft_seconds, mine.slo.tpot_seconds) == (2.0, 0.08)
    assert mine.start_times.lead_time_seconds == 122.0
    assert (mine.start_times.cv, mine.start_times.failure_probability) == (0.2, 0.0)
    assert (mine.accelerator, mine.accelerators_per_replica) == ("B200", 2)
    assert mine.usd_per_accelerator_hour == 9.5


def test_a_lead_time_alone_is_split_into_phases(tmp_path: Path) -> None:
    mine = read(tmp_path, HEAD + "  from: 8b-h100\n  startTimes: {leadTime: 5m, cv: 0.1}\n")["mine"]

    assert mine.start_times.lead_time_seconds == pytest.approx(300.0)
    assert mine.start_times.cv == 0.1


def test_a_preset_may_stand_on_one_above_it(tmp_path: Path) -> None:
    second = HEAD.replace("mine", "other") + "  from: mine\n  slo: {tpot: 30ms}\n"
    text = HEAD + "  from: 8b-h100\n  slo: {ttft: 700ms}\n---\n" + second
    other = read(tmp_path, text)["other"]

    times = (other.slo.ttft_seconds, other.slo.tpot_seconds)
    assert times == pytest.approx((0.7, 0.03))


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        (HEAD + "  from: 8b-h10\n", ["line 1: no preset is called '8b-h10'; did you mean 8b-h100?"]),
        (HEAD + "  from: 8b-h100\n  slo: {tfft: 1s}\n", [":6:9: error POL104", "did you mean `ttft`?"]),
        (HEAD + "  from: 8b-h100\n  slo: {ttft: 1}\n", [":6:15: error POL204", "say which unit"]),
        (HEAD + "  from: 8b-h100\n  model: {msPerToken: -1}\n", [":6:23: error POL202"]),
        (HEAD + "  slo: {ttft: 1s}\n", [":4:1: error POL105", "from"]),
        (HEAD + "  from: 8b-h100\n  startTimes: {leadTime: 1m, pending: 1s}\n", [":6:3: error POL206", "`leadTime` and `pending`"]),
        (HEAD.replace("mine", "8b-h100") + "  from: 8b-a100\n", ["line 1: a built-in preset is called"]),
        (2 * (HEAD + "  from: 8b-a100\n---\n"), ["line 7: a preset above is called mine too; rename"]),
        (HEAD + "  from: 8b-h100\n  model: {sequencesMax: 4096}\n", ["has no room for prompts"]),
        (HEAD.replace("ServingPreset", "Serving") + "  from: 8b-h100\n", [":2:7: error"]),
        ("- 1\n", ["line 1: a preset is a mapping; begin with"]),
        ("", ["holds no preset; write one with `kind: ServingPreset`"]),
        ("a: [\n", ["error POL004"]),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_remedy(
    tmp_path: Path, text: str, sentences: list[str]
) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)

    message = str(caught.value)
    assert message.startswith(str(tmp_path / "presets.yaml"))
    for sentence in sentences:
        assert sentence in message


def test_every_mistake_of_a_file_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read(tmp_path, HEAD + "  from: 8b-h100\n  slo: {tfft: 1s}\n  model: {msPerToken: x}\n")

    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize("content", [None, b"\xff\xfe", b"#" * 300_000])
def test_a_file_that_cannot_be_read_is_a_sentence(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "presets.yaml"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(InputError, match=r"cannot be read|is not UTF-8|is larger than 256 KiB"):
        read_presets(path)
