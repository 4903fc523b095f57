"""Near-synonyms: concepts whose embeddings are similar once what all have in common is taken away.

That is the mean of all embeddings: every prompt has it, and it makes all cosines high. (Mu and
Viswanath, "All-but-the-top", 2018.)

Shapes: C concepts, D embedding width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

NEAR: Final = 0.6  # centred cosine from which concepts are near-synonyms
_BLOCK: Final = 256  # concepts whose near-synonyms are looked for at a time


def centred(embeddings: NDArray[Any]) -> NDArray[np.float32]:
    """Unit rows (C, D) after the mean of all unit rows is taken away; 0 where nothing is left."""
    rows = embeddings.astype(np.float64)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    rows -= rows.mean(axis=0)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(lengths > 1e-6, rows / np.maximum(lengths, 1e-6), 0).astype(np.float32)


def with_near_synonyms(chosen: torch.Tensor, vectors: torch.Tensor) -> torch.Tensor:
    """Which concepts are chosen, or near-synonyms of one that is: (C,) bool to (C,) bool.

    Args:
        chosen: (C,).
        vectors: (C, D) `centred` embeddings.
    """
    widened = chosen.clone()
    places = chosen.nonzero()[:, 0]
    for first in range(0, len(places), _BLOCK):
        some = places[first : first + _BLOCK]
        widened |= (vectors[some] @ vectors.T >= NEAR).any(dim=0)
    return widened
