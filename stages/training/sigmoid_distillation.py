"""Distillation from a teacher whose concepts are independent: each is a yes or no of its own.

Shapes: N regions of a batch, C concepts, K kept concepts, D embedding width.

Source: RegionCLIP's distillation (arXiv:2112.09106) with SigLIP's probabilities (arXiv:2303.15343).
"""

from __future__ import annotations

from typing import Final

import torch
from torch.nn import functional as F  # noqa: N812  # the name all of torch's users know

_TINY: Final = 1e-37  # a smaller probability of any other concept has no logarithm in float32


def sigmoid_distillation(
    regions: torch.Tensor,
    embeddings: torch.Tensor,
    teacher: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    temperature: float,
    bias: float,
) -> torch.Tensor:
    """KL(teacher, student) of their independent probabilities, from K stored ones.

    The teacher's K best concepts are compared one by one, and all others together as one question,
    whether the region is any of them. This is exact for K = C, never more than the full divergence,
    and 0 where the student agrees with the teacher on what was stored.

    Args:
        regions: (N, D) student region features, unit rows, carries gradient.
        embeddings: (C, D) embeddings of all concepts, unit rows.
        teacher: Its K best concepts (N, K) int64, distinct in a row; their probabilities
            (N, K); and the probability that any other applies (N,).
        temperature: Positive; divides the student's cosine similarities.
        bias: Then added to them.

    Returns:
        Scalar: mean over regions, in nats; at least 0 up to rounding of the stored numbers.
    """
    top_ids, probabilities, residual = teacher
    logits = regions @ embeddings.T / temperature + bias  # (N, C)
    top = logits.gather(1, top_ids)  # (N, K)
    divergence = _divergence(probabilities, F.logsigmoid(top), F.logsigmoid(-top)).sum(dim=1)
    if top_ids.shape[1] < logits.shape[1]:
        none = F.softplus(logits).scatter(1, top_ids, 0.0).sum(dim=1)  # -log of none, (N,)
        any_other = (-torch.expm1(-none)).clamp(min=_TINY).log()
        divergence = divergence + _divergence(residual, any_other, -none)
    return divergence.mean()


def _divergence(p: torch.Tensor, log_q: torch.Tensor, log_not_q: torch.Tensor) -> torch.Tensor:
    """KL of a yes with probability `p` from one with probability q."""
    entropy: torch.Tensor = torch.special.xlogy(p, p) + torch.special.xlogy(1 - p, 1 - p)
    return entropy - p * log_q - (1 - p) * log_not_q
