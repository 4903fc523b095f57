"""Self-training: real captions with the tags that two taggers agree on.

If the taggers disagree whether a token is a noun, the token loses its tag, so that nothing is
learned from it; a caption with many such tokens is left out.
"""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING

from stages.text.parser_training.treebank import Sentence
from stages.text.parsing.tags import parse_tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from stages.text.parser_training.perceptron import PerceptronTagger
    from stages.text.parser_training.tagger_network import TaggerNetwork

UNKNOWN = ""
_MAX_UNKNOWN = 2  # tokens without a tag in a caption
_MAX_TOKENS = 40  # tokens; longer captions are rarely one sentence


def read_captions(path: Path, source: str, excluded: Iterable[str] = ()) -> list[str]:
    """Distinct captions of a TSV (source, image, caption) whose source begins with `source`.

    Args:
        path: Plain or gzipped.
        source: Beginning of the first column.
        excluded: Captions for evaluation; every caption of their images is left out.
    """
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines if line.startswith(source)]
    excluded_keys = {_letters(caption) for caption in excluded}
    excluded_images = {image for _, image, caption in rows if _letters(caption) in excluded_keys}
    return list(
        dict.fromkeys(caption for _, image, caption in rows if image not in excluded_images)
    )


def keep_agreed_tags(
    captions: Sequence[str], network: TaggerNetwork, perceptron: PerceptronTagger
) -> list[Sentence]:
    """Captions tagged by the network; tokens lose their tag where the perceptron disagrees."""
    tokens = [words for words in network.tokenise(captions) if 0 < len(words) <= _MAX_TOKENS]
    sentences = []
    for words, tags in zip(tokens, network.tag(tokens), strict=True):
        second_tags = perceptron.tag(words)
        agreed_tags = tuple(
            tag if _is_noun(tag) == _is_noun(second_tag) else UNKNOWN
            for tag, second_tag in zip(tags, second_tags, strict=True)
        )
        if agreed_tags.count(UNKNOWN) <= _MAX_UNKNOWN:
            sentences.append(Sentence(words, agreed_tags))
    return sentences


def _is_noun(tag: str) -> bool:
    return parse_tag(tag).number is not None


def _letters(caption: str) -> str:
    """The letters and digits of a caption, in lower case."""
    return re.sub(r"[^a-z0-9]", "", caption.lower())
