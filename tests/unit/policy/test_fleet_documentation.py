"""What docs/fleet.md shows is what the reader takes."""

from __future__ import annotations

import re
from pathlib import Path

from trimtab.policy import read_policy_texts

PAGE = Path(__file__).parents[3] / "docs" / "fleet.md"


def test_the_files_on_the_page_are_right() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    report = read_policy_texts([(f"{index}.yaml", text) for index, text in enumerate(blocks)])
    assert [str(one) for one in report.diagnostics] == []
    assert len(report.fleet.teams) == 2
    assert [group.name for group in report.groups] == ["chat"]
