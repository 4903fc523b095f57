from __future__ import annotations

import torch
from torch.nn import functional as F  # noqa: N812

from stages.labelling.concept_matches import ConceptMatches
from stages.labelling.concept_matching import match_concepts


def unit(rows: int, width: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(rows, width, generator=generator, dtype=torch.float64), dim=1)


def test_concatenated_matches_are_those_of_all_regions() -> None:
    features, embeddings = unit(7, 8, 3), unit(9, 8, 4)
    blocks = [match_concepts(block, embeddings, 0.1, 3) for block in features.split(3)]
    joined, expected = (
        ConceptMatches.concatenate(blocks),
        match_concepts(features, embeddings, 0.1, 3),
    )
    for name in ("indices", "cosines", "probabilities", "residual", "margin", "entropy"):
        torch.testing.assert_close(getattr(joined, name), getattr(expected, name))
    assert joined.cpu().indices.device.type == "cpu"
