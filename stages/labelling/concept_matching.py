"""The most similar concepts of a region: exact cosines, and a softmax over all or sigmoids.

The (N, C) matrix of cosines is never in memory as a whole. Regions and concepts are compared in
blocks; for each region only the K most similar concepts and two sums are kept.

Shapes: N regions, C concepts, D embedding width, K concepts kept.

Source: RegionCLIP (arXiv:2112.09106), pseudo-labels by a teacher.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import count, groupby, islice
from typing import TYPE_CHECKING

import torch

from stages.labelling.concept_matches import ConceptMatches
from stages.labelling.sigmoid_matches import SigmoidMatches
from stages.labelling.softmax_matches import SoftmaxMatches
from stages.memory import in_batches

if TYPE_CHECKING:
    from collections.abc import Sequence


def match_concepts(
    features: torch.Tensor,
    embeddings: torch.Tensor,
    temperature: float,
    top_k: int,
    block: tuple[int, int] = (256, 8192),
    bias: float | None = None,
) -> ConceptMatches:
    """The most probable concepts of each region, and facts of its whole distribution.

    Args:
        features: (N, D) unit rows.
        embeddings: (C, D) unit rows; at least one.
        temperature: Divides the cosine similarity.
        top_k: Number of concepts kept, K; all C if there are fewer.
        block: Regions and concepts compared at a time; memory is a few times their
            product of numbers.
        bias: None for a softmax over all concepts; a number is added to each logit, and gives
            each concept a probability of its own, by a sigmoid.
    """
    count = min(max(top_k, 2), len(embeddings))  # the margin needs two

    def match(regions: torch.Tensor) -> ConceptMatches:
        running = _start(regions, count, temperature, bias)
        for first in range(0, len(embeddings), block[1]):
            cosines = regions @ embeddings[first : first + block[1]].T  # (n, c)
            running = running.add(cosines, first)
        return running.finish(min(top_k, count))

    return ConceptMatches.concatenate(
        in_batches(features, block[0], match, "labelled region") or [match(features)]
    )


def match_subsets(
    features: torch.Tensor,
    embeddings: torch.Tensor,
    subsets: Sequence[Sequence[int]],
    temperature: float,
    top_k: int,
    bias: float | None = None,
) -> ConceptMatches:
    """As `match_concepts`, but each region is compared with its own subset of the concepts.

    Args:
        features: (N, D) unit rows.
        embeddings: (C, D) unit rows.
        subsets: N lists of ascending indices of `embeddings`, none empty; any other concept has
            probability 0. Consecutive regions with equal lists are compared together.
        temperature: Divides the cosine similarity.
        top_k: Number of concepts kept, K; a shorter list is filled with other concepts, of
            probability 0.
        bias: As for `match_concepts`.
    """
    kept = min(top_k, len(embeddings))
    matches, first = [], 0
    for subset, run in groupby(subsets):
        last = first + sum(1 for _ in run)
        members = embeddings[list(subset)]
        block = match_concepts(features[first:last], members, temperature, kept, bias=bias)
        matches.append(_expand_subset(block, subset, kept))
        first = last
    if not matches:  # no regions, so no probabilities: all that remains is how wide these are
        return match_concepts(features, embeddings, temperature, kept)
    return ConceptMatches.concatenate(matches)


def _start(
    features: torch.Tensor, count: int, temperature: float, bias: float | None
) -> SoftmaxMatches | SigmoidMatches:
    if bias is None:
        return SoftmaxMatches.start(features, count, temperature)
    return SigmoidMatches.start(features, count, temperature, bias)


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
