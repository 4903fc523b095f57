from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from stages.text.parser_training.treebank import Sentence, read_treebank

if TYPE_CHECKING:
    from pathlib import Path

ROWS = """\
# text = Ann Lee isn't near the tennis courts in pajamas.
1 Ann PROPN Number=Sing 6 nsubj
2 Lee PROPN Number=Sing 1 flat
3-4 isn't _ _ _ _
3 is AUX Tense=Pres 6 cop
4 n't PART _ 6 advmod
5 near ADP _ 8 case
6 the DET _ 8 det
7 tennis NOUN Number=Sing 8 compound
8 courts NOUN Number=Plur 0 root
8.1 seen VERB _ _ _
9 in ADP _ 10 case
10 pajamas NOUN Number=Ptan 8 nmod

1 Grown VERB _ 2 amod
2 up NOUN Number=Sing 3 compound:prt
3 run VERB _ 0 root
"""


def write(path: Path) -> Path:
    lines = []
    for line in ROWS.splitlines():
        cells = line.split(" ")
        if line[:1].isdigit():
            index, word, pos, features, head, relation = cells
            line = "\t".join([index, word, word, pos, "_", features, head, relation, "_", "_"])
        lines.append(line)
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt") as file:
        file.write("\n".join(lines))
    return path


def test_tags_hold_number_and_compound_and_skip_ranges_and_empty_nodes(tmp_path: Path) -> None:
    first, _ = read_treebank(write(tmp_path / "a.conllu"))
    assert first == Sentence(
        ("Ann", "Lee", "is", "n't", "near", "the", "tennis", "courts", "in", "pajamas"),
        (
            "PROPN.s.c", "PROPN.s", "AUX", "PART", "ADP", "DET", "NOUN.s.c", "NOUN.p", "ADP",
            "NOUN.p",
        ),
    )  # fmt: skip


def test_a_compound_of_something_else_than_a_noun_is_no_modifier(tmp_path: Path) -> None:
    _, second = read_treebank(write(tmp_path / "a.conllu"))
    assert second.tags == ("VERB", "NOUN.s", "VERB")


def test_gzipped_files_read_the_same(tmp_path: Path) -> None:
    plain, packed = write(tmp_path / "a.conllu"), write(tmp_path / "b.conllu.gz")
    assert list(read_treebank(plain)) == list(read_treebank(packed))


def conllu(path: Path, *rows: str) -> Path:
    """Write one sentence; a row is "word pos features head relation"."""
    lines = []
    for index, row in enumerate(rows, start=1):
        word, pos, features, head, relation = row.split(" ")
        cells = [str(index), word, word, pos, "_", features, head, relation, "_", "_"]
        lines.append("\t".join(cells))
    path.write_text("\n".join(lines))
    return path


def test_all_words_of_a_flat_name_but_the_last_modify(tmp_path: Path) -> None:
    rows = ("Martin PROPN _ 0 root", "Luther PROPN _ 1 flat", "King PROPN _ 1 flat:name")
    (sentence,) = read_treebank(conllu(tmp_path / "a.conllu", *rows))
    assert sentence.tags == ("PROPN.s.c", "PROPN.s.c", "PROPN.s")


def test_a_flat_word_that_is_no_noun_ends_the_name(tmp_path: Path) -> None:
    rows = ("Henry PROPN _ 0 root", "the DET _ 1 flat", "Eighth ADJ _ 1 flat")
    (sentence,) = read_treebank(conllu(tmp_path / "a.conllu", *rows))
    assert sentence.tags == ("PROPN.s", "DET", "ADJ")


def test_a_compound_whose_head_is_to_the_left_is_no_modifier(tmp_path: Path) -> None:
    rows = ("boats NOUN Number=Plur 0 root", "sail NOUN Number=Sing 1 compound")
    (sentence,) = read_treebank(conllu(tmp_path / "a.conllu", *rows))
    assert sentence.tags == ("NOUN.p", "NOUN.s")


def test_an_empty_treebank_has_no_sentences(tmp_path: Path) -> None:
    (tmp_path / "a.conllu").write_text("\n\n# nothing\n\n")
    assert list(read_treebank(tmp_path / "a.conllu")) == []
