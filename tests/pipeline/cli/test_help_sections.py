"""Help in sections: groups of verbs, everyday options first, nothing cut off."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest
from typer.testing import CliRunner

from pipeline.cli.app import make_app
from pipeline.cli.help_sections import VERB_GROUPS
from pipeline.verbs import VERBS
from stages.label import Label


def shown_help(rc, *words: str) -> str:  # type: ignore[no-untyped-def]
    result = rc(*words)
    assert (result.code, result.err) == (0, "")
    return str(result.out)


@pytest.fixture(autouse=True)
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_every_visible_verb_is_in_one_group() -> None:
    app = make_app([])
    shown = [str(c.name) for c in app.registered_commands if not c.hidden]
    shown = sorted([*shown, *(str(group.name) for group in app.registered_groups)])
    assert sorted(name for names in VERB_GROUPS.values() for name in names) == shown


def test_no_summary_is_cut_off_or_takes_two_lines_of_80_columns() -> None:
    text = CliRunner().invoke(make_app([]), ["--help"]).output.partition("\nOptions:\n")[0]
    lines = [line for line in text.splitlines() if re.match(r"  \S+  +\S", line)]
    assert len(lines) == sum(map(len, VERB_GROUPS.values()))
    assert not re.search(r"^ {10,}\S", text, re.MULTILINE)
    assert not any(line.endswith("...") for line in lines if not line.startswith("  export "))
    assert max(map(len, lines)) <= 80
    for title in ("Data:", "Labels:", "Training:", "Looking:", "Store:"):
        assert f"\n{title}\n" in text


@pytest.mark.slow
@pytest.mark.parametrize("words", [["-h"], ["sql", "-h"], ["label", "-h"]])
def test_h_is_help_everywhere(rc, words: list[str]) -> None:  # type: ignore[no-untyped-def]
    assert shown_help(rc, *words) == shown_help(rc, *words[:-1], "--help")


def test_the_version_is_printed(rc) -> None:  # type: ignore[no-untyped-def]
    assert re.fullmatch(r"rc \d+\.\d+\.\d+\n", shown_help(rc, "--version"))


def test_a_stage_shows_everyday_options_and_an_example_first(  # type: ignore[no-untyped-def]
    rc, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = VERBS["label"].load()
    monkeypatch.setattr(stage, "everyday", ("temperature", "embeddings"))
    monkeypatch.setattr(stage, "example", "rc label --temperature 0.1")
    text = shown_help(rc, "label", "-h")
    headings = re.findall(r"^(\S.*):$", text, re.MULTILINE)
    assert headings == ["Options", "Inputs", "More options", "Running"]
    assert "\n  Example: rc label --temperature 0.1\n" in text
    first = text.split("\nOptions:\n")[1].split("\nInputs:\n")[0]
    assert re.findall(r"^  (--[\w-]+)", first, re.MULTILINE) == ["--temperature", "--embeddings"]
    assert "--store" in text.split("\nRunning:\n")[1]


def test_what_means_nothing_without_a_switch_is_under_its_heading_and_last() -> None:
    text = CliRunner().invoke(make_app(["label"]), ["label", "--help"]).output
    headings = re.findall(r"^(\S.*):$", text, re.MULTILINE)
    switches = ["Only with --from-images", "Only with --absent"]
    assert headings == ["Options", "Inputs", "More options", *switches, "Running"]
    shown = text.split("\nOnly with --from-images:\n")[1].split("\nOnly with --absent:\n")[0]
    flags = re.findall(r"^  --([\w-]+)", shown, re.MULTILINE)
    assert set(flags) == {name.replace("_", "-") for name in Label.only_with["from_images"]}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ingest", "propose", "label", "train", "evaluate"])
def test_everyday_options_of_a_real_stage_are_its_own(name: str) -> None:
    stage = VERBS[name].load()
    known = {f.name for f in fields(stage)} | set(stage.reads)
    assert stage.everyday
    assert set(stage.everyday) <= known
    assert stage.example.startswith(f"rc {name} ")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("line", "position", "answer"),
    [
        ("rc feat", 1, ["featurize"]),
        ("rc export-", 1, ["export-weights", "export-features", "export-detections"]),
        ("rc label --temp", 2, ["--temperature"]),
        ("rc gc --", 2, ["--store", "--yes", "--quiet", "--help"]),
    ],
)
def test_verbs_and_their_options_are_completed(
    rc,  # type: ignore[no-untyped-def]
    monkeypatch: pytest.MonkeyPatch,
    line: str,
    position: int,
    answer: list[str],
) -> None:
    monkeypatch.setenv("_RC_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(position))
    assert sorted(shown_help(rc).split()) == sorted(answer)


def test_a_shell_can_load_the_completion(rc, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setenv("_RC_COMPLETE", "source_bash")
    assert "complete -o default -F _rc_completion rc" in shown_help(rc)
