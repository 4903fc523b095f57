"""Which concepts a region looks like: exact cosines and a softmax over all of them.

The (N, C) matrix of cosines is never whole: concepts pass in blocks, and of each region only the
K most similar, two sums and a maximum are carried along. Everything stays in log space or
relative to that maximum, so nothing overflows at any temperature.

Shapes: N regions, C concepts, D embedding width, K concepts kept.

Source: RegionCLIP (arXiv:2112.09106), pseudo-labels by a teacher.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F  # noqa: N812

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Matches:
    """The distribution over all concepts of each region, as far as it is kept.

    Attributes:
        indices: (N, K) int64, most similar first; of equals the lowest first.
        cosines: (N, K) in [-1, 1].
        probabilities: (N, K) under the softmax over all C concepts.
        residual: (N,) probability of all other concepts together.
        margin: (N,) best probability minus the second; the best itself if C is 1.
        entropy: (N,) of the distribution over all C concepts, nats.
    """

    indices: torch.Tensor
    cosines: torch.Tensor
    probabilities: torch.Tensor
    residual: torch.Tensor
    margin: torch.Tensor
    entropy: torch.Tensor

    def cpu(self) -> Matches:
        """The same in main memory."""
        return Matches(**{f.name: getattr(self, f.name).cpu() for f in fields(self)})


def concept_probabilities(
    features: torch.Tensor, embeddings: torch.Tensor, temperature: float
) -> torch.Tensor:
    """Probability of each concept for each region, all at once.

    Args:
        features: (N, D), any length.
        embeddings: (C, D), any length.
        temperature: Divides the cosine similarity before the softmax.

    Returns:
        (N, C) in [0, 1]; rows sum to 1.
    """
    cosines = F.normalize(features, dim=1) @ F.normalize(embeddings, dim=1).T
    return (cosines / temperature).softmax(dim=1)


def match_concepts(
    features: torch.Tensor,
    embeddings: torch.Tensor,
    temperature: float,
    top_k: int,
    block: int = 8192,
) -> Matches:
    """The most probable concepts of each region, and what the rest of its distribution is like.

    Args:
        features: (N, D) unit rows.
        embeddings: (C, D) unit rows; at least one.
        temperature: Divides the cosine similarity before the softmax.
        top_k: Concepts kept, K; all C if there are fewer.
        block: Concepts compared at a time; memory is N * block numbers, twice.
    """
    carried = min(max(top_k, 2), len(embeddings))  # the margin needs two
    running = _Running.start(features, carried)
    for first, cosines in _blocks(features, embeddings, block):
        running = running.after(cosines, first, temperature)
    return running.finish(min(top_k, carried), temperature)


def top_concepts(cosines: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The `count` largest of each row and their places, largest first; of equals the first first.

    (N, C) to (N, count) and (N, count) int64; all C if there are fewer. `torch.topk` alone
    promises no order of equals, nor which of them it takes.
    """
    columns = cosines.shape[1]
    values, places = cosines.topk(min(count + 1, columns), dim=1)
    if columns > count:
        torn = values[:, count - 1] == values[:, count]  # equals on both sides of the cut
        if bool(torn.any()):
            whole = cosines[torn].sort(dim=1, descending=True, stable=True)
            values[torn], places[torn] = whole.values[:, : count + 1], whole.indices[:, : count + 1]
        values, places = values[:, :count], places[:, :count]
    return _ordered(values, places)


@dataclass(frozen=True, slots=True)
class _Running:
    """What is known after some blocks; sums are of exp((cosine - highest) / temperature).

    Attributes:
        values: (N, up to K) cosines of the leading concepts.
        places: (N, up to K) which they are.
        count: K.
        highest: (N, 1) largest cosine.
        others: (N, 1) sum over concepts that do not lead.
        weighted: (N, 1) sum over all concepts of exp(x) * x.
    """

    values: torch.Tensor
    places: torch.Tensor
    count: int
    highest: torch.Tensor
    others: torch.Tensor
    weighted: torch.Tensor

    @classmethod
    def start(cls, features: torch.Tensor, count: int) -> _Running:
        rows = len(features)
        return cls(
            values=features.new_zeros(rows, 0),
            places=torch.zeros(rows, 0, dtype=torch.int64, device=features.device),
            count=count,
            highest=features.new_full((rows, 1), -2.0),  # below any cosine
            others=features.new_zeros(rows, 1),
            weighted=features.new_zeros(rows, 1),
        )

    def after(self, cosines: torch.Tensor, first: int, temperature: float) -> _Running:
        """With the next block (N, c), whose first concept is number `first`; overwrites it."""
        values, places = top_concepts(cosines, self.count)
        highest = torch.maximum(self.highest, values[:, :1])
        drop = (self.highest - highest) / temperature  # what was summed is now further below
        logits = cosines.sub_(highest).div_(temperature)
        weights = logits.exp()
        fresh = torch.linalg.vecdot(weights, logits)[:, None]
        others = weights.scatter_(1, places, 0.0).sum(dim=1, keepdim=True)

        leading = ((self.values - self.highest) / temperature).exp()
        mass = self.others + leading.sum(dim=1, keepdim=True)
        weighted = drop.exp() * (self.weighted + drop * mass) + fresh
        others = others + drop.exp() * self.others

        values, places = _ordered(
            torch.cat([self.values, values], dim=1), torch.cat([self.places, places + first], dim=1)
        )
        beaten = ((values[:, self.count :] - highest) / temperature).exp().sum(dim=1, keepdim=True)
        return _Running(
            values[:, : self.count],
            places[:, : self.count],
            self.count,
            highest,
            others + beaten,
            weighted,
        )

    def finish(self, top_k: int, temperature: float) -> Matches:
        """The distribution, now that every concept has been seen."""
        leading = ((self.values - self.highest) / temperature).exp()  # (N, K), the first is 1
        total = self.others + leading.sum(dim=1, keepdim=True)
        probabilities = leading / total
        residual = (self.others + leading[:, top_k:].sum(dim=1, keepdim=True)) / total
        second = probabilities[:, 1] if self.count > 1 else 0.0
        return Matches(
            indices=self.places[:, :top_k],
            cosines=self.values[:, :top_k].clamp(-1, 1),
            probabilities=probabilities[:, :top_k],
            residual=residual[:, 0],
            margin=probabilities[:, 0] - second,
            entropy=(total.log() - self.weighted / total)[:, 0].clamp(min=0),
        )


def _blocks(
    features: torch.Tensor, embeddings: torch.Tensor, block: int
) -> Iterator[tuple[int, torch.Tensor]]:
    for first in range(0, len(embeddings), block):
        yield first, features @ embeddings[first : first + block].T


def _ordered(values: torch.Tensor, places: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Pairs sorted by falling value, equals by rising place."""
    by_place = places.argsort(dim=1)
    values, places = values.gather(1, by_place), places.gather(1, by_place)
    by_value = values.argsort(dim=1, descending=True, stable=True)
    return values.gather(1, by_value), places.gather(1, by_value)
