"""Matches of regions whose concepts are independent of each other, from blocks of cosines.

Each concept has a probability of its own, sigmoid(cosine / temperature + bias), so a region may be
several things, or none. Every sum is over terms of one sign: nothing overflows or cancels out.

Shapes: N regions, C concepts, c of a block, K concepts kept.

Source: SigLIP (arXiv:2303.15343), the sigmoid loss.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn import functional as F  # noqa: N812  # the name all of torch's users know

from stages.labelling.concept_matches import ConceptMatches
from stages.labelling.concept_ranking import sort_pairs, top_concepts


@dataclass(frozen=True, slots=True)
class SigmoidMatches:
    """Matches after some blocks of concepts.

    Attributes:
        temperature: Divides the cosine similarity.
        bias: Added to every logit.
        values: (N, up to K) cosines of the top concepts.
        indices: (N, up to K) indices of the top concepts.
        count: K.
        none: (N, 1) -log of the probability that a region is none of the concepts but the top.
        entropy: (N, 1) sum over all concepts of the entropy of yes or no, nats.
    """

    temperature: float
    bias: float
    values: torch.Tensor
    indices: torch.Tensor
    count: int
    none: torch.Tensor
    entropy: torch.Tensor

    @classmethod
    def start(
        cls, features: torch.Tensor, count: int, temperature: float, bias: float
    ) -> SigmoidMatches:
        """No concepts yet, for features (N, D)."""
        rows = len(features)
        return cls(
            temperature=temperature,
            bias=bias,
            values=features.new_zeros(rows, 0),
            indices=torch.zeros(rows, 0, dtype=torch.int64, device=features.device),
            count=count,
            none=features.new_zeros(rows, 1),
            entropy=features.new_zeros(rows, 1),
        )

    def add(self, cosines: torch.Tensor, first: int) -> SigmoidMatches:
        """Add the next block (N, c), whose first concept has index `first`; overwrites it."""
        values, indices = top_concepts(cosines, self.count)
        logits = cosines.div_(self.temperature).add_(self.bias)
        entropy = _binary_entropy(logits).sum(dim=1, keepdim=True)
        none = F.softplus(logits).scatter_(1, indices, 0.0).sum(dim=1, keepdim=True)
        indices = indices + first
        if self.values.shape[1]:
            values = torch.cat([self.values, values], dim=1)
            values, indices = sort_pairs(values, torch.cat([self.indices, indices], dim=1))
        dropped = F.softplus(self._logits(values[:, self.count :])).sum(dim=1, keepdim=True)
        return SigmoidMatches(
            self.temperature,
            self.bias,
            values[:, : self.count],
            indices[:, : self.count],
            self.count,
            self.none + none + dropped,
            self.entropy + entropy,
        )

    def finish(self, top_k: int) -> ConceptMatches:
        """The matches, after the last block."""
        logits = self._logits(self.values)
        probabilities = logits.sigmoid()
        none = self.none + F.softplus(logits[:, top_k:]).sum(dim=1, keepdim=True)
        second = probabilities[:, 1] if self.count > 1 else 0.0
        return ConceptMatches(
            indices=self.indices[:, :top_k],
            cosines=self.values[:, :top_k].clamp(-1, 1),
            probabilities=probabilities[:, :top_k],
            residual=-torch.expm1(-none)[:, 0],
            margin=probabilities[:, 0] - second,
            entropy=self.entropy[:, 0],
        )

    def _logits(self, cosines: torch.Tensor) -> torch.Tensor:
        return cosines / self.temperature + self.bias


def _binary_entropy(logits: torch.Tensor) -> torch.Tensor:
    """Entropy of yes or no at some logits, nats; the same for a logit and its negative."""
    size = logits.abs()
    return F.softplus(-size) + size * torch.sigmoid(-size)
