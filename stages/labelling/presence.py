"""Presence: which concepts an image certainly lacks, and which its captions mention in vain.

A region passes for a concept if it is more probable than a threshold to be it. A concept is unmet
if a caption mentions it, and no region passes for it or for a near-synonym. It is absent if no
caption mentions it or a near-synonym, and no region reaches a much lower threshold for any of them.
Images lack nearly all concepts of a large pool, so only the hardest are listed: those that a region
is most similar to.

Shapes: R regions of an image, n of a block, C concepts, D embedding width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from stages.labelling.concept_ranking import top_concepts
from stages.labelling.near_synonyms import with_near_synonyms

if TYPE_CHECKING:
    from stages.labelling.label_similarity import LabelSimilarity


@dataclass(frozen=True, slots=True)
class BestRegions:
    """What the regions of an image say of each concept.

    Attributes:
        cosines: (C,) the highest of any region.
        regions: (C,) place of that region; of equal cosines the first.
        probabilities: (C,) the highest of any region, which may be another one.
    """

    cosines: torch.Tensor
    regions: torch.Tensor
    probabilities: torch.Tensor


@dataclass(frozen=True, slots=True)
class PresenceRule:
    """When a concept is unmet, or absent.

    Attributes:
        count: Absent concepts listed of an image.
        pass_above: Probability above which a region passes for a concept.
        absent_up_to: Probability that no region of an image exceeds for what is absent.
    """

    count: int
    pass_above: float
    absent_up_to: float


@dataclass(frozen=True, slots=True)
class ImagePresence:
    """Concepts of one image, as indices of the pool.

    Attributes:
        unmet: (U,) rising.
        absent: (A,) the hardest first; of equal cosines the lowest index first.
        lacking: How many concepts are absent, listed or not.
    """

    unmet: torch.Tensor
    absent: torch.Tensor
    lacking: int


def best_regions(
    features: torch.Tensor, embeddings: torch.Tensor, scale: LabelSimilarity, block: int
) -> BestRegions:
    """What regions say of each concept, in blocks of regions; memory is that of n x C numbers.

    Args:
        features: (R, D) unit rows, at least one.
        embeddings: (C, D) unit rows, at least one.
        scale: From cosine to probability.
        block: Regions compared at a time, n.
    """
    cosines = embeddings.new_full((len(embeddings),), -2.0)  # below any cosine
    logs = embeddings.new_full((len(embeddings),), -torch.inf)
    regions = torch.zeros(len(embeddings), dtype=torch.int64, device=embeddings.device)
    for first in range(0, len(features), block):
        compared = features[first : first + block] @ embeddings.T  # (n, C)
        best, places = compared.max(dim=0)  # the first of equal ones
        better = best > cosines
        cosines = torch.where(better, best, cosines)
        regions = torch.where(better, places + first, regions)
        logs = torch.maximum(logs, _log_probabilities(compared, scale).amax(dim=0))
    return BestRegions(cosines.clamp(-1, 1), regions, logs.exp())


def find_presence(
    best: BestRegions, mentioned: torch.Tensor, vectors: torch.Tensor, rule: PresenceRule
) -> ImagePresence:
    """The unmet and the absent concepts of one image.

    Args:
        best: What its regions say.
        mentioned: (C,) bool, what its captions mention.
        vectors: (C, D) `centred` embeddings.
        rule: The thresholds.
    """
    met = with_near_synonyms(best.probabilities > rule.pass_above, vectors)
    seen = mentioned | (best.probabilities > rule.absent_up_to)
    lacking = ~with_near_synonyms(seen, vectors)
    ranked = torch.where(lacking, best.cosines, -torch.inf)[None]
    listed = min(rule.count, len(vectors))
    hardest = top_concepts(ranked, listed)[1][0][: int(lacking.sum())]
    return ImagePresence((mentioned & ~met).nonzero()[:, 0], hardest, int(lacking.sum()))


def _log_probabilities(cosines: torch.Tensor, scale: LabelSimilarity) -> torch.Tensor:
    """Logarithms of the probabilities (n, C) of regions to be each concept."""
    logits = cosines / scale.temperature
    if scale.bias is None:
        return torch.log_softmax(logits, dim=1)
    return torch.nn.functional.logsigmoid(logits + scale.bias)
