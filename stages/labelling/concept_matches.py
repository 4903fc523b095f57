"""Concept matches: the K most probable concepts of regions, and facts of all their probabilities.

Shapes: N regions, C concepts, K concepts kept.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class ConceptMatches:
    """The K most probable concepts of each region, and facts of its whole distribution.

    Attributes:
        indices: (N, K) int64, most similar first; of equal cosines the lowest index first.
        cosines: (N, K) in [-1, 1].
        probabilities: (N, K), under a softmax over all C concepts or each by its own sigmoid.
        residual: (N,) probability that the region is any of the other concepts; under a softmax
            their sum, for independent probabilities 1 - prod(1 - p).
        margin: (N,) best probability minus the second; the best itself if C is 1.
        entropy: (N,) nats, of the distribution over all C concepts; for independent probabilities
            the sum of C entropies of yes or no.
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
