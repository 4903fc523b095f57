"""Make the bundled caption parser: `python -m stages.text.parser_training --help`."""

from __future__ import annotations

import argparse
import logging
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from stages.text.parser_training.grammar import captions
from stages.text.parser_training.perceptron import Perceptron
from stages.text.parser_training.selftraining import agreed, read_captions
from stages.text.parser_training.tagger_network import Network
from stages.text.parser_training.treebank import Sentence, read_treebank

if TYPE_CHECKING:
    from collections.abc import Sequence

_log = logging.getLogger("parser_training")
_PERCEPTRON_PASSES = 5


def main() -> None:
    """Train in two phases and write the pipeline; progress goes to stderr."""
    options = _parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("spacy").setLevel(logging.WARNING)

    gold = _treebank(options.treebank, "train") + list(
        captions(options.captions_made, options.seed)
    )
    network = Network(gold, options.seed)
    network.train(gold, options.steps[0])
    _report("after the treebank and the grammar", network, options.treebank)

    perceptron = Perceptron()
    perceptron.train([_plain(sentence) for sentence in gold], _PERCEPTRON_PASSES, options.seed)
    held_out = _read_plain(options.held_out) if options.held_out else []
    raw = read_captions(options.captions, options.source, held_out)
    self_made = agreed(raw, network, perceptron)
    _log.info("kept %d of %d real captions", len(self_made), len(raw))

    network.train(gold + self_made, options.steps[1])
    _report("after self-training", network, options.treebank)
    _replace_pipeline(network, options.out)
    _log.info("%.1f CPU minutes in all", time.process_time() / 60)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="parser_training", description=__doc__)
    add = parser.add_argument
    add("--treebank", type=Path, required=True, help="folder of UD English EWT .conllu[.gz] files")
    add("--captions", type=Path, required=True, help="TSV of source, image, caption; may be .gz")
    add("--out", type=Path, required=True, help="folder that receives the pipeline")
    add("--held-out", type=Path, help="annotated captions whose images must not be trained on")
    add("--source", default="coco", help="beginning of the source column of captions to use")
    add("--captions-made", type=int, default=12_000, help="captions drawn from the grammar")
    add("--steps", type=int, nargs=2, default=(1800, 2600), help="updates in the two phases")
    add("--seed", type=int, default=0, help="decides grammar, order and initial weights")
    return parser


def _treebank(folder: Path, split: str) -> list[Sentence]:
    (path,) = folder.glob(f"*-ud-{split}.conllu*")
    return list(read_treebank(path))


def _plain(sentence: Sentence) -> Sentence:
    """Without compound flags, which look to the right where the perceptron knows no tags yet."""
    return sentence._replace(tags=tuple(tag.removesuffix(".c") for tag in sentence.tags))


def _read_plain(path: Path) -> list[str]:
    """Captions of an annotated TSV, brackets removed."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [re.sub(r"[\[\]{}<>]", "", line.split("\t")[-1]) for line in lines if line[:1] != "#"]


def _report(when: str, network: Network, treebank: Path) -> None:
    for split in ("dev", "test"):
        share = _accuracy(network, _treebank(treebank, split))
        _log.info("%s: %.2f%% of the tags of EWT %s are right", when, 100 * share, split)


def _accuracy(network: Network, gold: Sequence[Sentence]) -> float:
    guesses = network.tag([sentence.words for sentence in gold])
    pairs = [
        (tag, guess)
        for sentence, tags in zip(gold, guesses, strict=True)
        for tag, guess in zip(sentence.tags, tags, strict=True)
    ]
    return sum(tag == guess for tag, guess in pairs) / len(pairs)


def _replace_pipeline(network: Network, out: Path) -> None:
    """Write the pipeline's own files into `out`; a README or licence beside them stays."""
    with tempfile.TemporaryDirectory() as scratch:
        network.save(Path(scratch))
        shutil.copytree(scratch, out, dirs_exist_ok=True)


if __name__ == "__main__":
    main()
