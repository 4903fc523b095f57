"""The network of the bundled parser: hashed word features, a small convolution, one tag per token.

The sizes were chosen for speed first (thousands of captions a second on one core) and for a folder
under 4 MB; see the measurements in `data/parser/README.md`.
"""

from __future__ import annotations

import logging
import random
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from spacy.language import Language
    from spacy.training import Example

    from stages.text.parser_training.treebank import Sentence

_log = logging.getLogger(__name__)

_WIDTH = 80
_MODEL: dict[str, Any] = {
    "@architectures": "spacy.Tagger.v2",
    "nO": None,
    "normalize": False,
    "tok2vec": {
        "@architectures": "spacy.Tok2Vec.v2",
        "embed": {
            "@architectures": "spacy.MultiHashEmbed.v2",
            "width": _WIDTH,
            "attrs": ["NORM", "PREFIX", "SUFFIX", "SHAPE"],
            "rows": [3000, 500, 1500, 500],
            "include_static_vectors": False,
        },
        "encode": {
            "@architectures": "spacy.MaxoutWindowEncoder.v2",
            "width": _WIDTH,
            "depth": 3,
            "window_size": 1,
            "maxout_pieces": 3,
        },
    },
}
_LABEL_SMOOTHING = 0.05
_DROPOUT = 0.1
_LEARN_RATE = 1e-3
_FIRST_BATCH, _LAST_BATCH, _GROWTH = 300, 2000, 1.002  # words per update
_META = {
    "name": "caption_tagger",
    "version": "1.0.0",
    "spacy_version": ">=3.8.0,<4.0.0",
    "description": "Tags nouns, their number and compounds in captions; made by parser_training.",
    "author": "The authors of regionclip-toolkit; treebank by the contributors to UD English EWT",
    "license": "CC BY-SA 4.0",
    "sources": [
        {"name": "UD English EWT", "license": "CC BY-SA 4.0"},
        {"name": "COCO captions", "license": "CC BY 4.0"},
    ],
}
_LOWER_CASED = 0.3  # share of sentences in lower case, like many captions


class TaggerNetwork:
    """The tagger during training: one optimiser for all phases, weights averaged over time."""

    def __init__(self, sentences: Sequence[Sentence], seed: int) -> None:
        """Initialise the weights; the tag set is that of `sentences`."""
        import spacy
        from thinc.api import fix_random_seed

        fix_random_seed(seed)
        self._rng = random.Random(seed)
        self._nlp: Language = spacy.blank("en")
        self._nlp.add_pipe("tagger", config={"model": _MODEL, "label_smoothing": _LABEL_SMOOTHING})
        self._optimizer = self._nlp.initialize(lambda: self._examples(sentences))
        self._optimizer.learn_rate = _LEARN_RATE
        self._step = 0

    def train(self, sentences: Sequence[Sentence], steps: int) -> None:
        """Make `steps` updates on shuffled sentences, with as many passes as needed."""
        batches = self._batches(sentences)
        losses: dict[str, float] = {}
        for done in range(1, steps + 1):
            self._nlp.update(next(batches), drop=_DROPOUT, sgd=self._optimizer, losses=losses)
            if done % 100 == 0:
                _log.info("step %d of %d, loss %.0f", done, steps, losses.pop("tagger"))

    def tag(self, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
        """Tags of tokenised sentences under the averaged weights."""
        from spacy.tokens import Doc

        docs = (Doc(self._nlp.vocab, words=list(words)) for words in sentences)
        with self._nlp.use_params(self._optimizer.averages):
            return [[token.tag_ for token in doc] for doc in self._nlp.pipe(docs, batch_size=256)]

    def tokenise(self, captions: Sequence[str]) -> list[tuple[str, ...]]:
        """Tokens of raw captions, as the parser will split them."""
        return [tuple(token.text for token in self._nlp.tokenizer(text)) for text in captions]

    def save(self, folder: Path) -> None:
        """Write the averaged weights as a spaCy pipeline, without the words seen in training.

        A pipeline only needs the strings of tokenizer exceptions and labels; without the others,
        the published files do not contain the vocabulary of the treebank.
        """
        import spacy

        self._nlp.meta.update(_META)
        with self._nlp.use_params(self._optimizer.averages):
            self._nlp.to_disk(folder)
        blank = spacy.blank("en")
        for label in self._nlp.pipe_labels["tagger"]:
            blank.vocab.strings.add(label)
        blank.vocab.strings.to_disk(folder / "vocab" / "strings.json")
        for unused in ("key2row", "lookups.bin", "vectors", "vectors.cfg"):
            (folder / "vocab" / unused).unlink(missing_ok=True)

    def _examples(self, sentences: Sequence[Sentence]) -> list[Example]:
        from spacy.tokens import Doc
        from spacy.training import Example

        return [
            Example.from_dict(Doc(self._nlp.vocab, words=list(words)), {"tags": list(tags)})
            for words, tags in sentences
        ]

    def _batches(self, sentences: Sequence[Sentence]) -> Iterator[list[Example]]:
        """Yield batches without end; their number of words grows slowly."""
        shuffled = self._shuffled(sentences)
        for _ in count():
            size = min(_FIRST_BATCH * _GROWTH**self._step, _LAST_BATCH)
            self._step += 1
            batch: list[Sentence] = []
            while sum(len(sentence.words) for sentence in batch) < size:
                batch.append(next(shuffled))
            yield self._examples(batch)

    def _shuffled(self, sentences: Sequence[Sentence]) -> Iterator[Sentence]:
        order = list(sentences)
        while True:
            self._rng.shuffle(order)
            for sentence in order:
                lower = self._rng.random() < _LOWER_CASED
                words = tuple(word.lower() for word in sentence.words)
                yield sentence._replace(words=words) if lower else sentence
