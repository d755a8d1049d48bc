"""Start values of lead times: one ordered list, the first that fits counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from trimtab.errors import SettingsError
from trimtab.settings import load_settings

if TYPE_CHECKING:
    from pathlib import Path

START = "accounts: {acme: {api_key: key-0123}}\n"


def test_start_values_are_kept_in_their_order_and_are_seconds_once_loaded(tmp_path: Path) -> None:
    path = tmp_path / "trimtab.yaml"
    path.write_text(
        START
        + """\
lead_time:
  default: 4m
  start_values:
    - {time: 2m, accelerator: NVIDIA_H100_80GB, parameters_max: 8000000000}
    - {time: 7m, accelerator: NVIDIA_H100_80GB}
    - {time: 90s, parameters_max: 1000000000}
""",
        encoding="utf-8",
    )
    lead_time = load_settings(path).lead_time
    assert lead_time.default == 240.0
    assert [(one.time, one.accelerator, one.parameters_max) for one in lead_time.start_values] == [
        (120.0, "NVIDIA_H100_80GB", 8_000_000_000),
        (420.0, "NVIDIA_H100_80GB", None),
        (90.0, None, 1_000_000_000),
    ]


@pytest.mark.parametrize(
    "one", ["{accelerator: NVIDIA_H100_80GB}", "{time: 0s}", "{time: 240}", "{time: 4m, gpus: 8}"]
)
def test_what_cannot_be_a_start_value_is_refused_with_its_place(tmp_path: Path, one: str) -> None:
    path = tmp_path / "trimtab.yaml"
    path.write_text(f"{START}lead_time: {{start_values: [{one}]}}\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="start_values"):
        load_settings(path)
