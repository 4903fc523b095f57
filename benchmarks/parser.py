"""How well and how fast captions become concepts: `python benchmarks/parser.py --help`.

Concept F1 on captions annotated by hand. A gold concept is the text of a [bracket] in lower case,
hyphens as spaces, its last word in the singular, at most two words before it. For each caption the
sets of gold and of predicted concepts are compared; true positives, false positives and misses are
summed over captions (micro average). A prediction made of words of an <ambiguous> span is ignored;
one in {curly brackets} is a false positive. The word figure compares words instead: a word is a
true positive if it is in a gold concept of its caption and in a predicted one.

Speed is captions per second of processor time of one process, cleaning, tokens, tags and rule
included, loading not.
"""

from __future__ import annotations

import argparse
import gzip
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from stages.text.parsing.engines import load_parser
from stages.text.parsing.lemmas import singularise

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stages.text.parsing.engines import CaptionParser

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "captions"
_SPAN = re.compile(r"\[(?P<gold>[^]]*)\]|<(?P<neutral>[^>]*)>|\{[^}]*\}")
_BRACKETS = re.compile(r"[\[\]{}<>]")


class Annotated(NamedTuple):
    """A caption with the concepts that a person annotated."""

    caption: str
    gold: frozenset[str]
    neutral: frozenset[str]  # words of ambiguous spans


class Score(NamedTuple):
    """Counts for precision, recall and F1."""

    hits: int = 0
    false: int = 0
    missed: int = 0

    def plus(self, predicted: set[str], gold: set[str]) -> Score:
        """These counts and those of one caption."""
        hits = len(predicted & gold)
        return Score(
            self.hits + hits, self.false + len(predicted) - hits, self.missed + len(gold) - hits
        )

    def __str__(self) -> str:
        precision = self.hits / max(self.hits + self.false, 1)
        recall = self.hits / max(self.hits + self.missed, 1)
        f1 = 2 * self.hits / max(2 * self.hits + self.false + self.missed, 1)
        return f"F1 {f1:.4f}  precision {precision:.4f}  recall {recall:.4f}"


def read_annotated(path: Path) -> list[Annotated]:
    """Rows of a TSV whose last column is a bracketed caption; lines that begin with # are notes."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [annotated(line.split("\t")[-1]) for line in lines if line and line[0] != "#"]


def annotated(text: str) -> Annotated:
    """A bracketed caption, parsed."""
    spans = list(_SPAN.finditer(text))
    gold = frozenset(normal(span["gold"]) for span in spans if span["gold"])
    neutral = " ".join(span["neutral"] for span in spans if span["neutral"]).lower().split()
    words = frozenset(neutral) | frozenset(singularise(word) for word in neutral)
    return Annotated(_BRACKETS.sub("", text), gold, words)


def normal(name: str) -> str:
    """A gold concept in the form of a predicted one.

    >>> normal("Street vendors"), normal("train-station")
    ('street vendor', 'train station')
    """
    *before, last = name.lower().replace("-", " ").split()
    if last == "glasses" and before:
        last = "glass"  # wine glasses; without a word before, it means spectacles
    return " ".join((*before[-2:], singularise(last)))


def score(parser: CaptionParser, rows: Sequence[Annotated], verbose: bool) -> tuple[Score, Score]:
    """Counts of concepts and of words over all rows; errors are printed if `verbose`."""
    concepts, words = Score(), Score()
    predictions = parser.concepts(row.caption for row in rows)
    for row, predicted in zip(rows, predictions, strict=True):
        kept = {name for name in predicted if name in row.gold or not _is_neutral(name, row)}
        gold = set(row.gold)
        concepts = concepts.plus(kept, gold)
        words = words.plus(_words(kept), _words(gold))
        if verbose and kept != gold:
            print(f"  {row.caption}\n    false {sorted(kept - gold)} missed {sorted(gold - kept)}")
    return concepts, words


def _is_neutral(name: str, row: Annotated) -> bool:
    return all(word in row.neutral for word in name.split())


def _words(names: Iterable[str]) -> set[str]:
    return {word for name in names for word in name.split()}


def speed(parser: CaptionParser, captions: Sequence[str]) -> float:
    """Captions per second of processor time, after a warm-up."""
    for _ in parser.concepts(captions[:500]):
        pass
    start = time.process_time()
    for _ in parser.concepts(captions):
        pass
    return len(captions) / (time.process_time() - start)


def read_captions(path: Path, source: str, count: int) -> list[str]:
    """The first captions of a gzipped TSV (source, image, caption) from the given source."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = (line.rstrip("\n").split("\t") for line in lines if line.startswith(source))
        return [row[-1] for row, _ in zip(rows, range(count), strict=False)]


def main() -> None:
    """Print quality and speed, engine by engine."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = arguments.add_argument
    add("engines", nargs="*", default=["bundled", "lexicon", "ngram"], help="as for load_parser")
    add("--annotated", type=Path, default=DATA / "annotated_140.tsv")
    add("--captions", type=Path, default=DATA / "captions.tsv.gz")
    add("--count", type=int, default=10_000, help="captions of the speed measurement")
    add("--style", default="visual")
    add("-v", "--verbose", action="store_true", help="print every caption with an error")
    options = arguments.parse_args()

    rows = read_annotated(options.annotated)
    captions = read_captions(options.captions, "coco", options.count)
    names = sorted({name for row in rows for name in row.gold})
    for engine in options.engines:
        # a lexicon of the gold names is an upper bound
        parser = load_parser(engine, options.style, names if engine == "lexicon" else ())
        concepts, words = score(parser, rows, options.verbose)
        print(f"{engine}: concepts {concepts}\n{engine}: words    {words}")
        print(f"{engine}: {speed(parser, captions):.0f} captions/s of one core")


if __name__ == "__main__":
    main()
