"""Real captions with tags that two taggers agree on.

A token on whose being a noun they differ keeps its place but loses its tag, so it teaches nothing;
a caption with many such tokens is left out.
"""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

from stages.text.parser_training.treebank import Sentence
from stages.text.parsing.tags import read

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from stages.text.parser_training.perceptron import Perceptron
    from stages.text.parser_training.tagger_network import Network

UNKNOWN = ""
_MOST_UNKNOWN = 2  # tokens of a caption that may go without a tag
_LONGEST = 40  # tokens; longer captions are rarely one sentence


def read_captions(path: Path, source: str, excluded: Iterable[str] = ()) -> list[str]:
    """Distinct captions of a TSV (source, image, caption) whose source begins with `source`.

    Args:
        path: Plain or gzipped.
        source: Beginning of the first column.
        excluded: Captions kept for evaluation; every caption of their images is left out.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines if line.startswith(source)]
    keys = {_key(caption) for caption in excluded}
    held_out = {image for _, image, caption in rows if _key(caption) in keys}
    return list(dict.fromkeys(caption for _, image, caption in rows if image not in held_out))


def agreed(captions: Sequence[str], network: Network, other: Perceptron) -> list[Sentence]:
    """Captions tagged by the network, tags of disputed tokens withdrawn."""
    tokens = [words for words in network.tokenise(captions) if 0 < len(words) <= _LONGEST]
    sentences = []
    for words, tags in zip(tokens, network.tag(tokens), strict=True):
        second = other.tag(words)
        settled = tuple(
            tag if _is_noun(tag) == _is_noun(opinion) else UNKNOWN
            for tag, opinion in zip(tags, second, strict=True)
        )
        if settled.count(UNKNOWN) <= _MOST_UNKNOWN:
            sentences.append(Sentence(words, settled))
    return sentences


def _is_noun(tag: str) -> bool:
    return read(tag).number is not None


def _key(caption: str) -> str:
    """What is left of a caption without marks, case and spacing."""
    return re.sub(r"[^a-z0-9]", "", caption.lower())
