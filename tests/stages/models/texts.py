"""Texts through the language encoder in the plainest way: all at once, all tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from stages.models.clip import Clip


def encode_texts(clip: Clip, texts: Sequence[str]) -> torch.Tensor:
    """Embeddings (T, D) of texts, as one batch, not normalised."""
    return clip.encode_tokens(clip.tokenize(texts).to(clip.logit_scale.device))
