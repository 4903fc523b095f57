"""An averaged perceptron tagger: the second tagger of self-training.

It makes other errors than the network (greedy, left to right, exact words instead of hashed ones),
so the tags that both agree on are nearly always right.

Source: M. Collins, Discriminative training methods for hidden Markov models (EMNLP 2002).
"""

from __future__ import annotations

import random
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stages.text.parser_training.treebank import Sentence

_EDGE = "<edge>"


class PerceptronTagger:
    """Tags words by a sparse linear score of their context."""

    def __init__(self) -> None:
        self._weights: dict[str, dict[str, float]] = {}
        self._tags: list[str] = []

    def tag(self, words: Sequence[str]) -> list[str]:
        """One tag per word."""
        padded = _pad(words)
        tags: list[str] = []
        for i in range(len(words)):
            before = tags[-1] if tags else _EDGE
            features = _features(padded, i + 2, before, tags[-2] if i > 1 else _EDGE)
            tags.append(self._best_tag(features))
        return tags

    def train(self, sentences: Sequence[Sentence], passes: int, seed: int) -> None:
        """Learn from tagged sentences; weights are averaged over all updates."""
        self._tags = sorted({tag for sentence in sentences for tag in sentence.tags})
        totals: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        order = list(sentences)
        rng = random.Random(seed)
        step = 0
        for _ in range(passes):
            rng.shuffle(order)
            for sentence in order:
                step = self._learn(sentence, totals, step)
        for feature, weights in self._weights.items():
            for tag in weights:
                weights[tag] -= totals[feature][tag] / max(step, 1)

    def _learn(self, sentence: Sentence, totals: dict[str, dict[str, float]], step: int) -> int:
        """Update on one sentence, with the predicted tags as context; return the next step.

        `totals` sums each change times its step: the last weights minus the mean of `totals`
        are the weights averaged over time.
        """
        padded = _pad(sentence.words)
        before = earlier = _EDGE
        for i, gold in enumerate(sentence.tags):
            features = _features(padded, i + 2, before, earlier)
            predicted = self._best_tag(features)
            if predicted != gold:
                for feature in features:
                    weights = self._weights.setdefault(feature, {})
                    for tag, change in ((gold, 1.0), (predicted, -1.0)):
                        weights[tag] = weights.get(tag, 0.0) + change
                        totals[feature][tag] += change * step
            before, earlier = predicted, before
            step += 1
        return step

    def _best_tag(self, features: Sequence[str]) -> str:
        scores: dict[str, float] = dict.fromkeys(self._tags, 0.0)
        for feature in features:
            for tag, weight in self._weights.get(feature, {}).items():
                scores[tag] += weight
        return max(scores, key=scores.__getitem__)


def _pad(words: Sequence[str]) -> list[str]:
    """Lower-case words between two edge marks on either side."""
    return [_EDGE, _EDGE, *(word.lower() for word in words), _EDGE, _EDGE]


def _features(padded: Sequence[str], i: int, before: str, earlier: str) -> list[str]:
    """Names of the active features at position `i`; the first character is their kind."""
    word, left, right = padded[i], padded[i - 1], padded[i + 1]
    return [
        "0",
        f"1{word}",
        f"2{word[-3:]}",
        f"3{word[-2:]}{word[:1]}",
        f"4{before}",
        f"5{before} {earlier}",
        f"6{before} {word}",
        f"7{left}",
        f"8{padded[i - 2]}",
        f"9{right}",
        f"a{right[-3:]}",
        f"b{padded[i + 2]}",
        f"c{before} {right}",
        f"d{word.isdigit()}{'-' in word}",
    ]
