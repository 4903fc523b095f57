"""The application: its verbs, their help, and wrong usage."""

from __future__ import annotations

from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from pipeline.cli.app import make_app
from pipeline.verbs import VERBS
from tests.pipeline.toys import Toy, ToyVerb


def test_help_lists_the_verbs_in_the_order_of_the_pipeline(rc) -> None:  # type: ignore[no-untyped-def]
    result = rc("--help")
    order = ["ingest", "extract-concepts", "propose", "featurize", "label", "train", "sql", "gc"]
    positions = [result.out.index(f"\n  {verb} ") for verb in order]
    assert result.code == 0
    assert positions == sorted(positions)


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ["no-such-verb"],
        ["ingest", "--no-such-flag"],
        ["ingest", "--count", "many"],
        ["ingest", "--workers", "0"],
        ["propose", "unexpected"],
        ["db"],
    ],
)
def test_a_wrong_usage_is_code_2(rc, words: list[str]) -> None:  # type: ignore[no-untyped-def]
    answer = rc(*words)
    assert (answer.code, answer.out) == (2, "")
    assert "rc" in answer.err


def test_only_the_verb_of_the_command_line_is_loaded(
    toy_verbs: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []
    load = ToyVerb.load

    def recorded(verb: ToyVerb) -> type[Toy]:
        loaded.append(verb.name)
        return load(verb)

    monkeypatch.setattr(ToyVerb, "load", recorded)
    make_app(["label", "--store", "ingested"])
    assert loaded == ["label"]
    make_app(["sql"])
    assert loaded == ["label"]
    make_app([], load_all=True)
    assert loaded[1:] == list(VERBS)


def test_every_visible_verb_has_a_sentence_of_help_and_every_option_a_text(toy_verbs: None) -> None:
    group: Any = get_command(make_app([], load_all=True))
    for name, command in group.commands.items():
        assert (command.help or "").split("\n")[0].strip().endswith((".", ",", ":", "..."))
        for parameter in command.params:
            assert parameter.name == "help" or parameter.help, (name, parameter.name)


def test_a_verb_that_is_not_loaded_cannot_run(toy_verbs: None) -> None:
    runner = CliRunner()
    result = runner.invoke(make_app([]), ["label"])
    assert isinstance(result.exception, AssertionError)
