"""Losses: region-text contrastive, distillation, image-text contrastive; each a plain function.

Shapes: N regions of a batch, M texts they are compared with, C concepts, K kept concepts,
B images, D embedding width.
Everything stays in log space from start to end: at temperature 0.01 logits reach 100, where
the textbook form `-log(sum(target * softmax))` is infinite in float32.

Source: RegionCLIP (arXiv:2112.09106); values as `PretrainFastRCNN` computes them.
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
    """Pull each region to the text of its own pseudo-label, away from those of the others.

    As published every region brings one column, so a concept counts as often as it was given.
    Texts of the same concept are the same text, so all of them count as positive; otherwise two
    dogs in one batch would push each other away.

    Args:
        regions: (N, D) student region features, unit rows, carries gradient.
        texts: (M, D) what they are compared with, unit rows: the embedding of each region's
            pseudo-label (M = N), unless `column_ids` says otherwise.
        concept_ids: (N,) integer pseudo-label of each region.
        temperature: Positive; 0.01 in the published configuration.
        column_ids: (M,) concept of each text, where these are not one a region in order: each
            concept once, or those of other ranks beside one's own. Holds every `concept_ids`.

    Returns:
        Scalar: mean over regions, in nats. At least 0; 0 when all texts are of one concept.
    """
    columns = concept_ids if column_ids is None else column_ids
    log_probs = F.log_softmax(regions @ texts.T / temperature, dim=1)  # (N, M)
    positive = concept_ids[:, None] == columns[None, :]  # (N, M), one in each row at least
    return -log_probs.masked_fill(~positive, -torch.inf).logsumexp(dim=1).mean()


def distillation(
    regions: torch.Tensor,
    embeddings: torch.Tensor,
    teacher: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    temperature: float,
) -> torch.Tensor:
    """Hold the student's distribution over the concepts to its teacher's: KL(teacher, student).

    The teacher's K best concepts are compared one by one, all others together as one event:
    its `residual` against the student's mass outside the K. This is exact for K = C and never
    more than the full divergence, and it is 0 where the student agrees with the teacher on
    what was stored. (Spreading the residual evenly would be exact for K = C too, but would pull
    the student away from its teacher, whose unstored tail is not even.)

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
    if top_ids.shape[1] < logits.shape[1]:  # else no concept is left, and its log would be -inf
        log_rest = logits.scatter(1, top_ids, -torch.inf).logsumexp(dim=1) - log_total  # (N,)
        divergence = divergence + _relative_entropy(residual, log_rest)
    return divergence.mean()


def full_distillation(
    regions: torch.Tensor, embeddings: torch.Tensor, teacher: torch.Tensor, temperature: float
) -> torch.Tensor:
    """KL(teacher, student) where the teacher's whole distribution is known.

    Args:
        regions: (N, D) student region features, unit rows, carries gradient.
        embeddings: (C, D) embeddings of all concepts, unit rows.
        teacher: (N, C) probabilities; rows sum to 1.
        temperature: Positive; divides the student's cosine similarities.

    Returns:
        Scalar: sum over concepts, mean over regions, in nats.
    """
    log_student = F.log_softmax(regions @ embeddings.T / temperature, dim=1)  # (N, C)
    return _relative_entropy(teacher, log_student).sum(dim=1).mean()


def image_text_contrastive(
    images: torch.Tensor, texts: torch.Tensor, temperature: float | torch.Tensor
) -> torch.Tensor:
    """Match each image with its own caption among those of the batch, and the other way round.

    Args:
        images: (B, D) features of whole images, unit rows, carries gradient.
        texts: (B, D) embedding of one caption each, unit rows.
        temperature: Positive; a tensor where it is learned.

    Returns:
        Scalar: mean of both directions, in nats. At least 0; 0 when B is 1.
    """
    logits = images @ texts.T / temperature  # (B, B)
    own = torch.arange(len(logits), device=logits.device)
    return (F.cross_entropy(logits, own) + F.cross_entropy(logits.T, own)) / 2


def _relative_entropy(p: torch.Tensor, log_q: torch.Tensor) -> torch.Tensor:
    p_log_p: torch.Tensor = torch.special.xlogy(p, p)  # 0 log 0 is 0, as in the limit
    return p_log_p - p * log_q
