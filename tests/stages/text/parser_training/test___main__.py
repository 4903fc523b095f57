from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from stages.text.parser_training.__main__ import (
    _accuracy,
    _argument_parser,
    _read_annotated,
    _without_compound_flags,
    main,
)
from stages.text.parser_training.treebank import Sentence
from stages.text.parsing.engines import load_parser

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

SENTENCE = (
    "1\tA\ta\tDET\tDT\t_\t2\tdet\t_\t_\n"
    "2\tdog\tdog\tNOUN\tNN\tNumber=Sing\t3\tnsubj\t_\t_\n"
    "3\truns\trun\tVERB\tVBZ\t_\t0\troot\t_\t_\n\n"
)


def test_one_command_makes_a_pipeline_that_parses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for split in ("train", "dev", "test"):
        (tmp_path / f"en_x-ud-{split}.conllu").write_text(SENTENCE * 3)
    captions = tmp_path / "captions.tsv"
    captions.write_text("coco\t1\tA dog runs.\ncoco\t2\tA cat.\n")
    held_out = tmp_path / "annotated.tsv"
    held_out.write_text("# notes\ncoco\tA [cat].\n")
    out = tmp_path / "parser"
    out.mkdir()
    (out / "README.md").write_text("unchanged")
    options = {
        "--treebank": tmp_path, "--captions": captions, "--held-out": held_out, "--out": out,
        "--captions-made": 60,
    }  # fmt: skip
    flat = [str(part) for pair in options.items() for part in pair]
    monkeypatch.setattr(sys, "argv", ["parser_training", *flat, "--steps", "8", "8"])
    main()
    assert (out / "README.md").read_text() == "unchanged"
    (concepts,) = load_parser(f"spacy:{out}").concepts(["A dog runs."])
    assert isinstance(concepts, list)


class FixedTagger:
    """Gives every word the same tag."""

    def tag(self, sentences: list[tuple[str, ...]]) -> list[list[str]]:
        return [["NOUN.s"] * len(words) for words in sentences]


def test_accuracy_is_the_share_of_correct_tags_over_all_words() -> None:
    gold = [Sentence(("a", "dog"), ("DET", "NOUN.s")), Sentence(("cat",), ("NOUN.s",))]
    assert _accuracy(FixedTagger(), gold) == 2 / 3  # type: ignore[arg-type]


def test_annotated_captions_lose_their_comments_and_brackets(tmp_path: Path) -> None:
    path = tmp_path / "annotated.tsv"
    path.write_text("# source, caption\ncoco\tA [{hot dog}] on a <plate>.\nA [cat]\n")
    assert _read_annotated(path) == ["A hot dog on a plate.", "A cat"]


def test_the_perceptron_learns_tags_without_compound_flags() -> None:
    sentence = Sentence(("tennis", "racket"), ("NOUN.s.c", "NOUN.s"))
    assert _without_compound_flags(sentence) == (("tennis", "racket"), ("NOUN.s", "NOUN.s"))


@pytest.mark.parametrize("missing", ["--treebank", "--captions", "--out"])
def test_a_missing_path_is_refused_by_name(
    missing: str, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [f"{flag}=x" for flag in ("--treebank", "--captions", "--out") if flag != missing]
    with pytest.raises(SystemExit):
        _argument_parser().parse_args(given)
    assert f"the following arguments are required: {missing}" in capsys.readouterr().err
