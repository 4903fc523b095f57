"""Annotated captions and the scores of a parser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.parser import Score, annotated, read_annotated, score

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

TEXT = "[Two dogs] near a <small bus> with {some time} and [wine glasses]"


class ToyParser:
    """Finds the same concepts in every caption."""

    def __init__(self, *names: str) -> None:
        self.names = set(names)

    def concepts(self, captions: Iterable[str]) -> Iterator[set[str]]:
        for _ in captions:
            yield set(self.names)


def test_brackets_are_removed_and_become_gold_concepts() -> None:
    row = annotated(TEXT)
    assert row.caption == "Two dogs near a small bus with some time and wine glasses"
    assert row.gold == {"two dog", "wine glass"}
    assert row.neutral == {"small", "bus"}


def test_notes_are_skipped_and_the_last_column_is_read(tmp_path: Path) -> None:
    path = tmp_path / "captions.tsv"
    path.write_text("# a note\ncoco\t1\ta [dog]\n\nflickr\t2\ta [cat]\n")
    assert [row.caption for row in read_annotated(path)] == ["a dog", "a cat"]


def test_ambiguous_predictions_are_ignored_and_wrong_ones_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    parser = ToyParser("two dog", "small bus", "time")
    concepts, words = score(parser, [annotated(TEXT)], verbose=True)  # type: ignore[arg-type]
    assert concepts == Score(hits=1, false=1, missed=1)
    assert words == Score(hits=2, false=1, missed=2)
    assert "false ['time'] missed ['wine glass']" in capsys.readouterr().out


@pytest.mark.parametrize(("counts", "text"), [((3, 1, 2), "F1 0.6667"), ((0, 0, 0), "F1 0.0000")])
def test_f1_is_the_harmonic_mean_of_precision_and_recall(
    counts: tuple[int, int, int], text: str
) -> None:
    hits, false, missed = counts
    if hits:
        precision, recall = hits / (hits + false), hits / (hits + missed)
        assert text == f"F1 {2 * precision * recall / (precision + recall):.4f}"
    assert str(Score(*counts)).startswith(text)
