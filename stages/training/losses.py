"""Losses of a student and of pretraining; each a plain function.

Shapes: N regions of a batch, M texts that they are compared with, C concepts, K kept concepts,
B images, D embedding width.
All computation is in log space: at temperature 0.01 logits reach 100, where the textbook form
`-log(sum(target * softmax))` is infinite in float32.

Source: RegionCLIP (arXiv:2112.09106), values as `PretrainFastRCNN` computes them; crop
distillation from CLIPSelf (arXiv:2310.01403).
"""

from __future__ import annotations

import torch
from torch.nn import functional as F  # noqa: N812  # the name all of torch's users know


def region_text_contrastive(
    regions: torch.Tensor,
    texts: torch.Tensor,
    concept_ids: torch.Tensor,
    temperature: float,
    column_ids: torch.Tensor | None = None,
) -> torch.Tensor:
    """Pull each region to the text of its pseudo-label, and away from the other texts.

    As published, every region adds one column, so a concept counts once per region that has it.
    All texts of a region's own concept count as positive; otherwise two dogs in one batch would
    push each other away.

    Args:
        regions: (N, D) student region features, unit rows, carries gradient.
        texts: (M, D) embeddings of concepts, unit rows: that of each region's pseudo-label
            (M = N), unless `column_ids` is given.
        concept_ids: (N,) integer pseudo-label of each region.
        temperature: Positive; 0.01 in the published configuration.
        column_ids: (M,) concept of each text, if these are not one per region in order: each
            concept once, or also concepts of other ranks. Must contain all `concept_ids`.

    Returns:
        Scalar: mean over regions, in nats. At least 0; 0 if all texts are of one concept.
    """
    columns = concept_ids if column_ids is None else column_ids
    log_probs = F.log_softmax(regions @ texts.T / temperature, dim=1)  # (N, M)
    positive = concept_ids[:, None] == columns[None, :]  # (N, M), at least one per row
    return -log_probs.masked_fill(~positive, -torch.inf).logsumexp(dim=1).mean()


def distillation(
    regions: torch.Tensor,
    embeddings: torch.Tensor,
    teacher: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    temperature: float,
) -> torch.Tensor:
    """KL(teacher, student) of their distributions over concepts, from K stored probabilities.

    The teacher's K best concepts are compared one by one, and all others together as one event:
    its `residual` against the student's probability of the others. This is exact for K = C,
    never more than the full divergence, and 0 where the student agrees with the teacher on what
    was stored. (Spreading the residual evenly would also be exact for K = C, but would pull the
    student away from its teacher, whose other probabilities are not equal.)

    Args:
        regions: (N, D) student region features, unit rows, carries gradient.
        embeddings: (C, D) embeddings of all concepts, unit rows.
        teacher: Its K best concepts (N, K) int64, distinct in a row; their probabilities
            (N, K); and the probability of all others (N,).
        temperature: Positive; divides the student's cosine similarities.

    Returns:
        Scalar: mean over regions, in nats; at least 0 up to rounding of the stored numbers.
    """
    top_ids, top_probabilities, residual = teacher
    logits = regions @ embeddings.T / temperature  # (N, C)
    log_total = logits.logsumexp(dim=1)  # (N,)
    log_student = logits.gather(1, top_ids) - log_total[:, None]  # (N, K)
    divergence = _relative_entropy(top_probabilities, log_student).sum(dim=1)  # (N,)
    if top_ids.shape[1] < logits.shape[1]:  # else there are no others, and their log would be -inf
        log_rest = logits.scatter(1, top_ids, -torch.inf).logsumexp(dim=1) - log_total  # (N,)
        divergence = divergence + _relative_entropy(residual, log_rest)
    return divergence.mean()


def crop_distillation(regions: torch.Tensor, crops: torch.Tensor) -> torch.Tensor:
    """Draw each region to what the frozen tower sees in the crop of the region.

    Args:
        regions: (N, D) student region features, unit rows, carries gradient.
        crops: (N, D) features of the crops, unit rows.

    Returns:
        Scalar: mean cosine distance, in [0, 2].
    """
    return 1 - (regions * crops).sum(dim=1).mean()


def image_text_contrastive(
    images: torch.Tensor, texts: torch.Tensor, temperature: float | torch.Tensor
) -> torch.Tensor:
    """Match each image with its caption among those of the batch, and each caption with its image.

    Args:
        images: (B, D) features of whole images, unit rows, carries gradient.
        texts: (B, D) embedding of one caption of each, unit rows.
        temperature: Positive; a tensor if it is learned.

    Returns:
        Scalar: mean of both directions, in nats. At least 0; 0 if B is 1.
    """
    logits = images @ texts.T / temperature  # (B, B)
    targets = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, targets) + F.cross_entropy(logits.T, targets)) / 2


def _relative_entropy(p: torch.Tensor, log_q: torch.Tensor) -> torch.Tensor:
    p_log_p: torch.Tensor = torch.special.xlogy(p, p)  # 0 log 0 is 0, as in the limit
    return p_log_p - p * log_q
