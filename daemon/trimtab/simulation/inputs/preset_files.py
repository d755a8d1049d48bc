"""Presets of one's own, in a YAML file: strict, with every mistake at its line.

A file holds one or more documents::

    apiVersion: trimtab.dev/v1
    kind: ServingPreset
    metadata: {name: my-8b}
    spec:
      from: 8b-h100              # what is left out is that of this preset
      slo: {ttft: 800ms, tpot: 40ms}
      startTimes: {leadTime: 4m, failureProbability: 0.05}
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from trimtab.errors import excerpt
from trimtab.plant.serving_model import ServingModel, Slo
from trimtab.policy.diagnostics import FileText, Findings
from trimtab.policy.model_errors import note_model_errors
from trimtab.policy.parts import DAY, Duration, Part, PolicyName, PositiveCount, Text, within
from trimtab.policy.reading import FILE_BYTES_MAX
from trimtab.policy.yaml_nodes import read_nodes
from trimtab.simulation.inputs.input_error import InputError
from trimtab.simulation.inputs.presets import PRESETS, Preset, by_name, start_times_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Self

    from trimtab.plant.start_times import StartTimes

KIND = "ServingPreset"


def _number(value: object) -> object:
    """Take a whole number for a decimal one: ``overheadMs: 1`` means what ``1.0`` does."""
    is_whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if is_whole else value  # type: ignore[arg-type]  # is_whole says it is one


NotNegative = Annotated[float, BeforeValidator(_number), Field(ge=0)]
Positive = Annotated[float, BeforeValidator(_number), Field(gt=0)]
Share = Annotated[float, BeforeValidator(_number), Field(ge=0, lt=1)]
Latency = Annotated[Duration, within(0.001, 3600)]
Phase = Annotated[Duration, within(0, DAY)]


class PresetMetadata(Part):
    """What the preset is called."""

    name: PolicyName = Field(description="How it is asked for; may not be that of a built-in one.")
    description: Text | None = Field(default=None, description="What it is.")


class ModelConstants(Part):
    """One replica: its iteration time and what limits its batch; see ``plant/serving_model.py``."""

    overhead_ms: NotNegative | None = Field(alias="overheadMs", default=None)
    weight_read_ms: Positive | None = Field(alias="weightReadMs", default=None)
    ms_per_token: Positive | None = Field(alias="msPerToken", default=None)
    ms_per_thousand_kv_tokens: NotNegative | None = Field(
        alias="msPerThousandKvTokens", default=None
    )
    kv_capacity_tokens: Positive | None = Field(alias="kvCapacityTokens", default=None)
    sequences_max: PositiveCount | None = Field(alias="sequencesMax", default=None)
    prefill_chunk_tokens: PositiveCount | None = Field(alias="prefillChunkTokens", default=None)


class SloTimes(Part):
    """What a request must get to count, at its 95th percentile."""

    ttft: Latency | None = Field(default=None, description="Time to first token.")
    tpot: Latency | None = Field(default=None, description="Time per output token.")


class StartPhases(Part):
    """How long a replica takes to start: in all, or phase by phase."""

    lead_time: Phase | None = Field(alias="leadTime", default=None)
    pending: Phase | None = Field(default=None)
    downloading: Phase | None = Field(default=None)
    initializing: Phase | None = Field(default=None)
    ready_lag: Phase | None = Field(alias="readyLag", default=None)
    cv: NotNegative | None = Field(default=None)
    failure_probability: Share | None = Field(alias="failureProbability", default=None)

    @model_validator(mode="after")
    def _is_told_once(self) -> Self:
        phases = ("pending", "downloading", "initializing", "ready_lag")
        given = [phase for phase in phases if getattr(self, phase) is not None]
        if self.lead_time is not None and given:
            message = "{count} of {names} is needed"
            names = ["leadTime", given[0].replace("ready_lag", "readyLag")]
            context = {"count": "exactly one", "names": names, "given": 2}
            raise PydanticCustomError("one_of", message, context)
        return self


class PresetSpec(Part):
    """A preset as what differs from another."""

    like: Text = Field(alias="from", description="The preset that gives what is left out.")
    model: ModelConstants = ModelConstants()
    slo: SloTimes = SloTimes()
    start_times: StartPhases = Field(alias="startTimes", default=StartPhases())
    accelerator: Text | None = Field(default=None)
    accelerators_per_replica: PositiveCount | None = Field(
        alias="acceleratorsPerReplica", default=None
    )
    usd_per_accelerator_hour: NotNegative | None = Field(
        alias="usdPerAcceleratorHour", default=None
    )


class ServingPreset(Part):
    """One document."""

    api_version: Literal["trimtab.dev/v1"] = Field(alias="apiVersion")
    kind: Literal["ServingPreset"]
    metadata: PresetMetadata
    spec: PresetSpec


def read_presets(path: Path) -> dict[str, Preset]:
    """Return the presets of a file besides the built-in ones, by name.

    One may stand on another that comes before it. Raises ``InputError`` with everything that is
    wrong, one line for each mistake with its place and remedy.
    """
    try:
        with path.open("rb") as file:
            text = file.read(FILE_BYTES_MAX + 1).decode().removeprefix("\ufeff")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; name a YAML file") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text; save it as UTF-8") from error
    if len(text.encode()) > FILE_BYTES_MAX:
        raise InputError(f"{path} is larger than {FILE_BYTES_MAX // 1024} KiB; cut it in two")
    findings = Findings(FileText(str(path), text))
    roots = read_nodes(findings)
    documents: list[tuple[int, ServingPreset]] = []
    for root in roots:
        if not isinstance(root.data, dict):
            raise InputError(
                f"{path} line {root.span.line}: a preset is a mapping; begin with `apiVersion: …`"
            )
        try:
            documents.append((root.span.line, ServingPreset.model_validate(root.data)))
        except ValidationError as error:
            note_model_errors(findings, error.errors(include_url=False), root, ServingPreset)
    if findings.diagnostics:
        raise InputError("\n".join(str(one) for one in findings.diagnostics))
    if not documents:
        raise InputError(f"{path} holds no preset; write one with `kind: {KIND}`")
    return _in_turn(path, documents)


def _in_turn(path: Path, documents: list[tuple[int, ServingPreset]]) -> dict[str, Preset]:
    presets: dict[str, Preset] = dict(PRESETS)
    for line, document in documents:
        name = document.metadata.name
        if name in presets:
            built_in = "a built-in preset" if name in PRESETS else "a preset above"
            raise InputError(
                f"{path} line {line}: {built_in} is called {name} too; rename this one"
            )
        try:
            presets[name] = _made(name, document.spec, presets)
        except InputError as error:
            raise InputError(f"{path} line {line}: {error}") from error
        except ValueError as error:  # the plant's values say what cannot be together
            raise InputError(f"{path} line {line}: {excerpt(str(error))}") from error
    return presets


def _made(name: str, spec: PresetSpec, presets: Mapping[str, Preset]) -> Preset:
    like = by_name(spec.like, presets)
    return Preset(
        name=name,
        model=_with_given(replace(like.model, name=name), spec.model),
        slo=Slo(
            ttft_seconds=spec.slo.ttft or like.slo.ttft_seconds,
            tpot_seconds=spec.slo.tpot or like.slo.tpot_seconds,
        ),
        start_times=_start_times(like.start_times, spec.start_times),
        accelerator=spec.accelerator or like.accelerator,
        accelerators_per_replica=spec.accelerators_per_replica or like.accelerators_per_replica,
        usd_per_accelerator_hour=(
            like.usd_per_accelerator_hour
            if spec.usd_per_accelerator_hour is None
            else spec.usd_per_accelerator_hour
        ),
    )


def _with_given(model: ServingModel, given: ModelConstants) -> ServingModel:
    return replace(model, **given.model_dump(exclude_none=True))


def _start_times(like: StartTimes, given: StartPhases) -> StartTimes:
    start = like if given.lead_time is None else start_times_of(given.lead_time, like=like)
    values = {
        "pending_seconds": given.pending,
        "downloading_seconds": given.downloading,
        "initializing_seconds": given.initializing,
        "ready_lag_seconds": given.ready_lag,
        "cv": given.cv,
        "failure_probability": given.failure_probability,
    }
    return replace(start, **{key: value for key, value in values.items() if value is not None})
