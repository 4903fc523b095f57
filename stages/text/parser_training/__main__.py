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
from stages.text.parser_training.perceptron import PerceptronTagger
from stages.text.parser_training.self_training import keep_agreed_tags, read_captions
from stages.text.parser_training.tagger_network import TaggerNetwork
from stages.text.parser_training.treebank import Sentence, read_treebank

if TYPE_CHECKING:
    from collections.abc import Sequence

_log = logging.getLogger("parser_training")
_PERCEPTRON_PASSES = 5


def main() -> None:
    """Train in two phases and write the pipeline; progress goes to stderr."""
    options = _argument_parser().parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("spacy").setLevel(logging.WARNING)

    gold = _read_split(options.treebank, "train") + list(
        captions(options.captions_made, options.seed)
    )
    network = TaggerNetwork(gold, options.seed)
    network.train(gold, options.steps[0])
    _log_accuracy("after the treebank and the grammar", network, options.treebank)

    perceptron = PerceptronTagger()
    perceptron.train(
        [_without_compound_flags(sentence) for sentence in gold], _PERCEPTRON_PASSES, options.seed
    )
    held_out = _read_annotated(options.held_out) if options.held_out else []
    raw = read_captions(options.captions, options.source, held_out)
    pseudo_tagged = keep_agreed_tags(raw, network, perceptron)
    _log.info("kept %d of %d real captions", len(pseudo_tagged), len(raw))

    network.train(gold + pseudo_tagged, options.steps[1])
    _log_accuracy("after self-training", network, options.treebank)
    _write_pipeline(network, options.out)
    _log.info("%.1f CPU minutes in all", time.process_time() / 60)


def _argument_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="parser_training", description=__doc__)
    add = parser.add_argument
    add("--treebank", type=Path, required=True, help="folder of UD English EWT .conllu[.gz] files")
    add("--captions", type=Path, required=True, help="TSV of source, image, caption; may be .gz")
    add("--out", type=Path, required=True, help="folder that receives the pipeline")
    add("--held-out", type=Path, help="annotated captions; their images are excluded from training")
    add("--source", default="coco", help="use captions whose source column begins with this")
    add("--captions-made", type=int, default=12_000, help="captions sampled from the grammar")
    add("--steps", type=int, nargs=2, default=(1800, 2600), help="updates in the two phases")
    add("--seed", type=int, default=0, help="decides grammar, order and initial weights")
    return parser


def _read_split(folder: Path, split: str) -> list[Sentence]:
    (path,) = folder.glob(f"*-ud-{split}.conllu*")
    return list(read_treebank(path))


def _without_compound_flags(sentence: Sentence) -> Sentence:
    """Without compound flags: they depend on words to the right, which have no tag yet."""
    return sentence._replace(tags=tuple(tag.removesuffix(".c") for tag in sentence.tags))


def _read_annotated(path: Path) -> list[str]:
    """Captions of an annotated TSV, without brackets."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [re.sub(r"[\[\]{}<>]", "", line.split("\t")[-1]) for line in lines if line[:1] != "#"]


def _log_accuracy(phase: str, network: TaggerNetwork, treebank: Path) -> None:
    for split in ("dev", "test"):
        share = _accuracy(network, _read_split(treebank, split))
        _log.info("%s: %.2f%% of the tags of EWT %s are right", phase, 100 * share, split)


def _accuracy(network: TaggerNetwork, gold: Sequence[Sentence]) -> float:
    predictions = network.tag([sentence.words for sentence in gold])
    tag_pairs = [
        (tag, prediction)
        for sentence, tags in zip(gold, predictions, strict=True)
        for tag, prediction in zip(sentence.tags, tags, strict=True)
    ]
    return sum(tag == prediction for tag, prediction in tag_pairs) / len(tag_pairs)


def _write_pipeline(network: TaggerNetwork, out: Path) -> None:
    """Write the pipeline files into `out`; other files there, such as a README, stay."""
    with tempfile.TemporaryDirectory() as scratch:
        network.save(Path(scratch))
        shutil.copytree(scratch, out, dirs_exist_ok=True)


if __name__ == "__main__":
    main()
