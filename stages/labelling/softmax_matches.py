"""Matches of regions under a softmax over all concepts, from blocks of cosines.

Everything is relative to the largest cosine so far, so nothing overflows at any temperature.

Shapes: N regions, C concepts, c of a block, K concepts kept.

Source: RegionCLIP (arXiv:2112.09106), pseudo-labels by a teacher.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from stages.labelling.concept_matches import ConceptMatches
from stages.labelling.concept_ranking import sort_pairs, top_concepts


@dataclass(frozen=True, slots=True)
class SoftmaxMatches:
    """Matches after some blocks of concepts; sums are of exp((cosine - highest) / temperature).

    Attributes:
        temperature: Divides the cosine similarity before the softmax.
        values: (N, up to K) cosines of the top concepts.
        indices: (N, up to K) indices of the top concepts.
        count: K.
        highest: (N, 1) largest cosine.
        others: (N, 1) sum over all concepts but the top.
        weighted: (N, 1) sum over all concepts of exp(x) * x.
    """

    temperature: float
    values: torch.Tensor
    indices: torch.Tensor
    count: int
    highest: torch.Tensor
    others: torch.Tensor
    weighted: torch.Tensor

    @classmethod
    def start(cls, features: torch.Tensor, count: int, temperature: float) -> SoftmaxMatches:
        """No concepts yet, for features (N, D)."""
        rows = len(features)
        return cls(
            temperature=temperature,
            values=features.new_zeros(rows, 0),
            indices=torch.zeros(rows, 0, dtype=torch.int64, device=features.device),
            count=count,
            highest=features.new_full((rows, 1), -2.0),  # below any cosine
            others=features.new_zeros(rows, 1),
            weighted=features.new_zeros(rows, 1),
        )

    def add(self, cosines: torch.Tensor, first: int) -> SoftmaxMatches:
        """Add the next block (N, c), whose first concept has index `first`; overwrites it."""
        temperature = self.temperature
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
            values, indices = sort_pairs(values, torch.cat([self.indices, indices], dim=1))
        dropped = ((values[:, self.count :] - highest) / temperature).exp().sum(dim=1, keepdim=True)
        return SoftmaxMatches(
            temperature,
            values[:, : self.count],
            indices[:, : self.count],
            self.count,
            highest,
            others + dropped,
            weighted,
        )

    def finish(self, top_k: int) -> ConceptMatches:
        """The matches, after the last block."""
        top = ((self.values - self.highest) / self.temperature).exp()  # (N, K), the first is 1
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
