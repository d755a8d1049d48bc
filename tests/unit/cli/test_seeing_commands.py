"""``status``, ``explain``, ``decisions``, ``upcoming``, ``what-if``: what they say of a daemon with a past."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

import pytest
from tests.worlds.daemon_thread import daemon_in_thread
from tests.worlds.lived_in import POLICY, name_of

from trimtab.cli.deployment_output import deployment_lines
from trimtab.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

EXPLAINED = ("because", "that means", "to do")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A daemon whose time stands still after an hour, so that every question has one answer."""
    with daemon_in_thread(tmp_path_factory.mktemp("daemon"), seconds_a_tenth=0.0) as found:
        yield found


@pytest.fixture
def seen(trimtab: Any, url: str) -> Any:
    """Run a command on the daemon; it has to end well."""

    def run(*words: object) -> str:
        result = trimtab(*words, "--url", url)
        assert result.exit_code == ExitCode.CLEAN, result.output
        return str(result.stdout)

    return run


def of_api(url: str, path: str) -> Any:
    with urlopen(url + path) as response:  # noqa: S310  our own daemon
        return json.load(response)


# -- status --------------------------------------------------------------------------------------


def test_status_puts_what_needs_somebody_first(seen: Any) -> None:
    lines = seen("status").splitlines()
    assert lines[1] == (
        "7 deployments: 2 failing, 1 short, 1 held, 3 well; 1 more without a policy"
    )
    table = [line.split() for line in lines if line[:1] in ("✕", "▲", "‖", "✓")]
    assert [row[1] for row in table] == ["failing"] * 2 + ["short", "held"] + ["well"] * 3
    assert table[2][2] == "chat-full"
    assert "20 wanted, 6 asked for: at most 6 (policy chat)" in next(
        line for line in lines if "chat-full" in line
    )


def test_lines_of_a_table_in_a_pipe_end_with_their_last_word(seen: Any) -> None:
    for words in (("decisions",), ("status",)):
        lines = seen(*words).splitlines()
        assert len(lines) > 3
        assert lines == [line.rstrip() for line in lines]


def test_status_shows_only_what_is_asked_for_and_says_when_that_is_nothing(seen: Any) -> None:
    assert "chat-full" not in seen("status", "--level", "failing")
    assert "none of them is as asked for" in seen("status", "--text", "no such thing")
    assert "… and 6 more; --limit shows more" in seen("status", "--limit", "1")


def test_status_of_one_deployment_says_what_holds_there(seen: Any) -> None:
    text = seen("status", "chat-full")
    assert text.startswith("▲ short  chat-full: 20 wanted, 6 asked for")
    facts = dict(re.findall(r"^(\w[\w ]*?) {2,}(.+)$", text, re.MULTILINE))
    assert facts["name"] == name_of("chat-full")
    assert facts["allowed"].endswith("to 6 (policy chat)")
    assert facts["serving"] == "6 of 6 asked for"
    assert "no policy matches it" in seen("status", "nobody's")


@pytest.mark.parametrize(("maximum", "said"), [(8, "2 to 8"), (None, "2 or more")])
def test_status_tells_the_range_on_the_wire_with_or_without_a_maximum(
    url: str, maximum: int | None, said: str
) -> None:
    found = of_api(url, "/v1/deployments/chat-0") | {"min_replicas": 2, "max_replicas": maximum}
    (line,) = (one for one in deployment_lines(found, None) if "on the wire" in one)
    assert line.endswith(f" {said}")


def test_status_of_one_deployment_cannot_be_narrowed_down(trimtab: Any, url: str) -> None:
    result = trimtab("status", "chat-0", "--level", "well", "--url", url)
    assert (result.exit_code, "leave out --level" in result.stderr) == (ExitCode.USAGE, True)


# -- explain -------------------------------------------------------------------------------------


def test_explain_marks_the_step_that_decided_and_says_what_would_change_it(seen: Any) -> None:
    lines = seen("explain", "chat-full").splitlines()
    assert lines[0].startswith("hold at 6: load 200 in all")
    marked = [line for line in lines if line.startswith("▸")]
    assert [line.split()[1] for line in marked] == ["bounds"]
    assert "[at_max] at most 6 (policy chat)" in marked[0]
    said = [line for line in lines if line.startswith(EXPLAINED)]
    assert said[0].endswith("at_max, at the step bounds")
    assert "Raise the bound" in said[2]


@pytest.mark.parametrize("at", ["20m", "2026-01-01T01:40+01:00", "2026-01-01T00:40:00Z"])
def test_explain_answers_for_a_time_however_it_is_written(seen: Any, at: str) -> None:
    found = json.loads(seen("explain", "chat-0", "--at", at, "--json"))
    assert found["deployment"] == name_of("chat-0")
    assert found["at"] <= "2026-01-01T00:40:00.000+00:00"
    assert found["id"] is not None


def test_explain_reads_a_time_without_a_zone_in_the_zone_that_is_given(seen: Any) -> None:
    there = seen(
        "explain", "chat-0", "--at", "2026-01-01T01:40", "--timezone", "Europe/Berlin", "--json"
    )
    assert there == seen("explain", "chat-0", "--at", "2026-01-01T00:40Z", "--json")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "exactly one of the two"),
        (("chat-0", "--policy", "."), "exactly one of the two"),
        (("chat-0", "--after", "2h"), "it is for --policy"),
        (("chat-0", "--signal", "load=3"), "it is for --policy"),
        (("chat-0", "--deployment", "replicas=3"), "it is for --policy"),
        (("chat-0", "--at", "2026-01-01T01:40"), "a time with its zone"),
        (("chat-0", "--at", "yesterday"), "is no moment"),
        (("chat-0", "--at", "20m", "--timezone", "Berlin"), "Europe/Berlin"),
    ],
)
def test_explain_says_which_of_its_two_ways_a_command_line_is_for(
    trimtab: Any, url: str, words: tuple[str, ...], says: str
) -> None:
    result = trimtab("explain", *words, "--url", url)
    assert result.exit_code == ExitCode.USAGE
    assert says in " ".join(result.stderr.replace("│", " ").split())


def test_explain_says_in_a_sentence_why_there_is_nothing_to_explain(trimtab: Any, url: str) -> None:
    for words, sentence in (
        (("nope",), "there is no deployment 'nope'"),
        (("nobody's",), "nothing is decided for accounts/acme/deployments/nobody's"),
    ):
        result = trimtab("explain", *words, "--url", url)
        assert result.exit_code == ExitCode.FAILED
        assert result.stderr.startswith(sentence)
        assert result.stderr.count("\n") == 1


# -- decisions -----------------------------------------------------------------------------------


def test_decisions_are_listed_with_the_newest_first(seen: Any, url: str) -> None:
    text = seen("decisions", "--limit", "3")
    newest = of_api(url, "/v1/decisions?limit=3")["rows"]
    lines = text.splitlines()
    assert lines[0].split() == ["DECIDED", "FOR", "DEPLOYMENT", "REASON", "DECISION"]
    for line, row in zip(lines[1:], newest, strict=False):
        assert row["sentence"] in line
    assert lines[-1].startswith("… and older ones")


def test_decisions_can_be_chosen(seen: Any) -> None:
    words = ("decisions", "--deployment", "chat-0", "--verdict", "scale-up", "--since", "30m")
    rows = json.loads(seen(*words, "--json"))["rows"]
    assert rows
    assert {(row["deployment"], row["verdict"]) for row in rows} == {
        (name_of("chat-0"), "scale-up")
    }
    assert all(row["until"] >= "2026-01-01T00:30" for row in rows)
    assert "no decision is journalled" in seen("decisions", "--reason", "paused")


def test_many_decisions_are_gathered_over_several_pages(
    trimtab: Any, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trimtab.cli.decisions.PAGE_ROWS_MAX", 7)
    found = json.loads(trimtab("decisions", "--limit", "20", "--url", url, "--json").stdout)
    at_once = of_api(url, "/v1/decisions?limit=20")
    assert found == at_once
    assert len(found["rows"]) == 20


def test_what_follows_cannot_end_before(trimtab: Any, url: str) -> None:
    result = trimtab("decisions", "--follow", "--until", "1h", "--url", url)
    assert (result.exit_code, "--until" in result.stderr) == (ExitCode.USAGE, True)


# -- upcoming ------------------------------------------------------------------------------------


def test_upcoming_lists_what_happens_by_itself_the_nearest_first(seen: Any) -> None:
    lines = seen("upcoming").splitlines()
    assert [line.split()[-1] for line in lines[1:3]] == ["3", "expires"]
    assert "all of chat" in lines[1]
    assert "nothing is known to happen until" in seen("upcoming", "batch-0", "--for", "1s")


# -- what-if -------------------------------------------------------------------------------------


def test_what_if_holds_another_policy_against_what_was(seen: Any, tmp_path: Path) -> None:
    path = tmp_path / "other.yaml"
    path.write_text(POLICY.replace("target: 10", "target: 5"), encoding="utf-8")
    lines = seen("what-if", "--policy", path, "--hours", "1", "--deployment", "chat-0").splitlines()
    head = next(index for index, line in enumerate(lines) if line.startswith("DEPLOYMENT"))
    row = lines[head + 1].split()
    assert row[:2] == ["chat-0", "chat"]
    assert float(row[2]) > float(row[3])  # half the target is about twice the replicas
    assert any(line.startswith("mind  ") for line in lines)


def test_what_if_names_the_file_and_the_line_of_a_mistake(
    trimtab: Any, url: str, tmp_path: Path
) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(POLICY.replace("target: 10", "targt: 10"), encoding="utf-8")
    result = trimtab("what-if", "--policy", path, "--url", url)
    assert result.exit_code == ExitCode.FAILED
    assert f"{path}:11:" in result.stderr
    assert "did you mean `target`?" in result.stderr


@pytest.mark.parametrize("text", ["", "---\n# later\n"])
def test_what_if_of_a_file_without_a_policy_has_not_done_what_it_was_asked(
    trimtab: Any, url: str, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text(text, encoding="utf-8")
    result = trimtab("what-if", "--policy", path, "--url", url)
    assert result.exit_code == ExitCode.FAILED
    assert f"{path}:1:1: error POL002: there is no policy here" in result.stderr


# -- all of them ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "path"),
    [
        (("status", "chat-0"), "/v1/deployments/chat-0"),
        (("explain", "chat-0", "--at", "20m"), "/v1/decisions/at/chat-0?at=20m"),
        (("decisions", "--limit", "5"), "/v1/decisions?limit=5"),
        (("upcoming", "--for", "12h"), "/v1/events/upcoming?horizon=12h&limit=100"),
    ],
)
def test_programs_get_what_the_daemon_answers(
    seen: Any, url: str, words: tuple[str, ...], path: str
) -> None:
    assert json.loads(seen(*words, "--json")) == of_api(url, path)


def test_the_status_for_programs_is_two_answers_of_the_daemon(seen: Any, url: str) -> None:
    found = json.loads(seen("status", "--json"))
    assert found["fleet"] == of_api(url, "/v1/fleet?limit=50")
    assert found["daemon"] == of_api(url, "/v1/daemon")


@pytest.mark.parametrize(
    "words",
    [("status",), ("status", "x"), ("explain", "x"), ("decisions",), ("decisions", "--follow"),
     ("upcoming",), ("watch",)],
)  # fmt: skip
def test_without_a_daemon_it_is_one_sentence_and_69(trimtab: Any, words: tuple[str, ...]) -> None:
    result = trimtab(*words, "--url", "http://127.0.0.1:1")
    assert result.exit_code == ExitCode.DEPENDENCY_UNAVAILABLE
    assert result.stderr.startswith("no daemon answers at http://127.0.0.1:1 (Connection refused)")
    assert "TRIMTAB_URL" in result.stderr
    assert result.stderr.count("\n") == 1
