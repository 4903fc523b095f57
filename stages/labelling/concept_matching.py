"""The most similar concepts of a region: exact cosines and a softmax over all concepts.

The (N, C) matrix of cosines is never in memory as a whole. Regions and concepts are compared in
blocks; for each region only the K most similar concepts, two sums and a maximum are kept. All
computation is in log space or relative to that maximum, so nothing overflows at any temperature.

Shapes: N regions, C concepts, D embedding width, K concepts kept.

Source: RegionCLIP (arXiv:2112.09106), pseudo-labels by a teacher.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from itertools import count, groupby, islice
from typing import TYPE_CHECKING, Final

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

_GROUP: Final = 8  # columns per group; fewer give more maxima to sort, more give more members


@dataclass(frozen=True, slots=True)
class ConceptMatches:
    """The K most probable concepts of each region, and facts of its whole distribution.

    Attributes:
        indices: (N, K) int64, most similar first; of equal cosines the lowest index first.
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

    def cpu(self) -> ConceptMatches:
        """The same on the CPU."""
        return ConceptMatches(**{f.name: getattr(self, f.name).cpu() for f in fields(self)})

    @classmethod
    def concatenate(cls, blocks: Sequence[ConceptMatches]) -> ConceptMatches:
        """The matches of several blocks of regions, in order; at least one block."""
        names = [f.name for f in fields(cls)]
        return cls(**{name: torch.cat([getattr(m, name) for m in blocks]) for name in names})


def match_concepts(
    features: torch.Tensor,
    embeddings: torch.Tensor,
    temperature: float,
    top_k: int,
    block: tuple[int, int] = (256, 8192),
) -> ConceptMatches:
    """The most probable concepts of each region, and facts of its whole distribution.

    Args:
        features: (N, D) unit rows.
        embeddings: (C, D) unit rows; at least one.
        temperature: Divides the cosine similarity before the softmax.
        top_k: Number of concepts kept, K; all C if there are fewer.
        block: Regions and concepts compared at a time; memory is twice their product of numbers.
    """
    count = min(max(top_k, 2), len(embeddings))  # the margin needs two
    matches = []
    for regions in torch.split(features, block[0]):
        running = _RunningMatches.start(regions, count)
        for first in range(0, len(embeddings), block[1]):
            cosines = regions @ embeddings[first : first + block[1]].T  # (n, c)
            running = running.add(cosines, first, temperature)
        matches.append(running.finish(min(top_k, count), temperature))
    return ConceptMatches.concatenate(matches)


def match_subsets(
    features: torch.Tensor,
    embeddings: torch.Tensor,
    subsets: Sequence[Sequence[int]],
    temperature: float,
    top_k: int,
) -> ConceptMatches:
    """As `match_concepts`, but each region is compared with its own subset of the concepts.

    Args:
        features: (N, D) unit rows.
        embeddings: (C, D) unit rows.
        subsets: N lists of ascending indices of `embeddings`, none empty; the softmax is over
            these, and any other concept has probability 0. Consecutive regions with equal lists
            are compared together.
        temperature: Divides the cosine similarity before the softmax.
        top_k: Number of concepts kept, K; a shorter list is filled with other concepts, of
            probability 0.
    """
    kept = min(top_k, len(embeddings))
    matches, first = [], 0
    for subset, run in groupby(subsets):
        last = first + sum(1 for _ in run)
        block = match_concepts(features[first:last], embeddings[list(subset)], temperature, kept)
        matches.append(_expand_subset(block, subset, kept))
        first = last
    if not matches:
        return match_concepts(features, embeddings, temperature, kept)
    return ConceptMatches.concatenate(matches)


def _expand_subset(matches: ConceptMatches, subset: Sequence[int], kept: int) -> ConceptMatches:
    """Matches within a subset, with indices of the whole pool, filled up to K concepts."""
    members = set(subset)
    missing = kept - matches.indices.shape[1]
    others = list(islice((c for c in count() if c not in members), max(missing, 0)))
    rows = len(matches.indices)
    pool_indices = torch.tensor(subset, device=matches.indices.device)
    fill = pool_indices.new_tensor(others).expand(rows, -1)
    zeros = matches.probabilities.new_zeros(rows, len(others))
    return replace(
        matches,
        indices=torch.cat([pool_indices[matches.indices], fill], dim=1),
        cosines=torch.cat([matches.cosines, zeros], dim=1),
        probabilities=torch.cat([matches.probabilities, zeros], dim=1),
    )


def top_concepts(cosines: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The `count` largest of each row and their indices, largest first.

    (N, C) to (N, count) and (N, count) int64; all C if there are fewer. Of equal values the one
    with the lowest index comes first; `torch.topk` alone promises no order of equal values, nor
    which of them it takes.
    """
    columns = cosines.shape[1]
    values, indices = _top_with_any_ties(cosines, min(count + 1, columns))
    if columns > count:
        tied = values[:, count - 1] == values[:, count]  # equal values on both sides of the cut
        if bool(tied.any()):
            rows = cosines[tied].sort(dim=1, descending=True, stable=True)
            values[tied], indices[tied] = rows.values[:, : count + 1], rows.indices[:, : count + 1]
        values, indices = values[:, :count], indices[:, :count]
    equal = (values[:, 1:] == values[:, :-1]).any(dim=1)
    if bool(equal.any()):
        values[equal], indices[equal] = _sort_pairs(values[equal], indices[equal])
    return values, indices


def _top_with_any_ties(cosines: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The `count` largest of each row and their indices; any choice and order of equal values.

    Columns are divided into groups. The largest values are in the `count` groups with the
    largest maxima (for any other group, `count` groups have a value at least as large), so only
    the columns of these groups are sorted.
    """
    rows, columns = cosines.shape
    groups = columns // _GROUP
    if groups < 2 * count:
        return cosines.topk(count, dim=1)
    grouped = cosines[:, : groups * _GROUP].view(rows, _GROUP, groups)
    best = grouped.amax(dim=1).topk(count, dim=1, sorted=False).indices  # (N, count)
    steps = torch.arange(_GROUP, device=cosines.device) * groups
    rest = torch.arange(groups * _GROUP, columns, device=cosines.device)  # columns of no group
    indices = (best[:, None, :] + steps[:, None]).flatten(1)  # (N, count * _GROUP)
    indices = torch.cat([indices, rest.expand(rows, -1)], dim=1)
    values, order = cosines.gather(1, indices).topk(count, dim=1)
    return values, indices.gather(1, order)


@dataclass(frozen=True, slots=True)
class _RunningMatches:
    """Matches after some blocks of concepts; sums are of exp((cosine - highest) / temperature).

    Attributes:
        values: (N, up to K) cosines of the top concepts.
        indices: (N, up to K) indices of the top concepts.
        count: K.
        highest: (N, 1) largest cosine.
        others: (N, 1) sum over all concepts but the top.
        weighted: (N, 1) sum over all concepts of exp(x) * x.
    """

    values: torch.Tensor
    indices: torch.Tensor
    count: int
    highest: torch.Tensor
    others: torch.Tensor
    weighted: torch.Tensor

    @classmethod
    def start(cls, features: torch.Tensor, count: int) -> _RunningMatches:
        rows = len(features)
        return cls(
            values=features.new_zeros(rows, 0),
            indices=torch.zeros(rows, 0, dtype=torch.int64, device=features.device),
            count=count,
            highest=features.new_full((rows, 1), -2.0),  # below any cosine
            others=features.new_zeros(rows, 1),
            weighted=features.new_zeros(rows, 1),
        )

    def add(self, cosines: torch.Tensor, first: int, temperature: float) -> _RunningMatches:
        """Add the next block (N, c), whose first concept has index `first`; overwrites it."""
        values, indices = top_concepts(cosines, self.count)
        highest = torch.maximum(self.highest, values[:, :1])
        drop = (self.highest - highest) / temperature  # of earlier terms, by the new maximum
        logits = cosines.sub_(highest).div_(temperature)
        weights = logits.exp()
        new_weighted = torch.linalg.vecdot(weights, logits)[:, None]
        others = weights.scatter_(1, indices, 0.0).sum(dim=1, keepdim=True)

        top = ((self.values - self.highest) / temperature).exp()
        mass = self.others + top.sum(dim=1, keepdim=True)
        weighted = drop.exp() * (self.weighted + drop * mass) + new_weighted
        others = others + drop.exp() * self.others

        indices = indices + first
        if self.values.shape[1]:
            values = torch.cat([self.values, values], dim=1)
            values, indices = _sort_pairs(values, torch.cat([self.indices, indices], dim=1))
        dropped = ((values[:, self.count :] - highest) / temperature).exp().sum(dim=1, keepdim=True)
        return _RunningMatches(
            values[:, : self.count],
            indices[:, : self.count],
            self.count,
            highest,
            others + dropped,
            weighted,
        )

    def finish(self, top_k: int, temperature: float) -> ConceptMatches:
        """The matches, after the last block."""
        top = ((self.values - self.highest) / temperature).exp()  # (N, K), the first is 1
        total = self.others + top.sum(dim=1, keepdim=True)
        probabilities = top / total
        residual = (self.others + top[:, top_k:].sum(dim=1, keepdim=True)) / total
        second = probabilities[:, 1] if self.count > 1 else 0.0
        return ConceptMatches(
            indices=self.indices[:, :top_k],
            cosines=self.values[:, :top_k].clamp(-1, 1),
            probabilities=probabilities[:, :top_k],
            residual=residual[:, 0],
            margin=probabilities[:, 0] - second,
            entropy=(total.log() - self.weighted / total)[:, 0].clamp(min=0),
        )


def _sort_pairs(values: torch.Tensor, indices: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Pairs by descending value; pairs of equal value by ascending index."""
    by_index = indices.argsort(dim=1)
    values, indices = values.gather(1, by_index), indices.gather(1, by_index)
    by_value = values.argsort(dim=1, descending=True, stable=True)
    return values.gather(1, by_value), indices.gather(1, by_value)
