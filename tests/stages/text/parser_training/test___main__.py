from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from stages.text.parser_training.__main__ import main
from stages.text.parsing.engines import load_parser

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

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
