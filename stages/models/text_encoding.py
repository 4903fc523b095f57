"""Encode captions with the language encoder, without its padding tokens.

Shapes: T texts, L tokens, D embedding width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from open_clip import CLIP
from open_clip.hf_model import HFTextEncoder
from torch.nn import functional as F  # noqa: N812  # the name all of torch's users know

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stages.models.clip import Clip


def encode_trimmed(clip: Clip, tokens: torch.Tensor) -> torch.Tensor:
    """The same as `clip.encode_tokens`, computed without the padding after the longest text.

    Captions have about 12 of 77 tokens, so this saves most of the work. Two kinds of text tower
    allow it: causal ones, whose end token, which becomes the embedding, does not depend on later
    tokens; and those of transformers, which mask the padding. Others read the padding, or take
    the embedding after it (SigLIP, CLIPA, most of MobileCLIP, CoCa): nothing is trimmed for them.

    Args:
        clip: Its language encoder is used.
        tokens: (T, L) int64.

    Returns:
        (T, D), not normalised.
    """
    tower = getattr(clip.network, "text", clip.network)
    if isinstance(tower, HFTextEncoder):
        used = (tokens != tower.config.pad_token_id).any(dim=0).nonzero()  # (positions, 1)
        return clip.encode_tokens(tokens[:, : int(used.max()) + 1] if len(used) else tokens)
    ends = _ends(tower, tokens)
    return clip.encode_tokens(tokens) if ends is None else _encode_causal(tower, tokens, ends)


def _ends(tower: Any, tokens: torch.Tensor) -> torch.Tensor | None:
    """Position (T,) of the token whose output is the embedding; None if it reads later ones."""
    pool, end = (
        (tower.text_pool_type, tower.text_eos_id)
        if isinstance(tower, CLIP)
        else (tower.pool_type, tower.eos_id)
    )
    if tower.attn_mask is None or getattr(tower, "cls_emb", None) is not None:
        return None
    if pool == "argmax":
        return tokens.argmax(dim=1)
    return (tokens == end).int().argmax(dim=1) if pool == "eos" else None


def _encode_causal(tower: Any, tokens: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
    length = int(ends.max()) + 1
    out = tower.token_embedding(tokens[:, :length]) + tower.positional_embedding[:length]
    out = tower.transformer(out, attn_mask=tower.attn_mask[:length, :length])
    out = tower.ln_final(out[torch.arange(len(ends), device=out.device), ends])  # (T, width)
    projection = tower.text_projection
    if projection is None:
        return torch.as_tensor(out)
    return torch.as_tensor(projection(out) if callable(projection) else out @ projection)


class FrozenTextEncoder:
    """Unit embeddings of captions from a language encoder that is not trained.

    On a CPU each caption is encoded alone, then cached. Alone, because the last bits of an
    embedding depend on the rest of its batch, and a resumed run must get the same bits.
    """

    def __init__(
        self, clip: Clip, device: torch.device, long: str = "keep-end", cached: int = 20_000
    ) -> None:
        """Make an encoder; the default cache needs up to 80 MB for embeddings 1024 wide.

        Args:
            clip: Its language encoder is used.
            device: The device of `clip`.
            long: One of `stages.models.tokens.LONG`.
            cached: Most captions in the cache.
        """
        self._clip = clip
        self._long = long
        self._device = device
        self._cached = cached
        self._cache: dict[str, torch.Tensor] = {}

    @torch.no_grad()
    def embed(self, captions: Sequence[str]) -> torch.Tensor:
        """Embeddings (T, D) float32, unit rows."""
        if self._device.type != "cpu":
            return self._encode(captions)
        return torch.cat([self._encode_cached(caption) for caption in captions])

    def _encode_cached(self, caption: str) -> torch.Tensor:
        embedding = self._cache.get(caption)
        if embedding is None:
            embedding = self._encode([caption])
            if len(self._cache) < self._cached:
                self._cache[caption] = embedding
        return embedding

    def _encode(self, captions: Sequence[str]) -> torch.Tensor:
        tokens = self._clip.tokenize(captions, self._long).to(self._device)
        return F.normalize(encode_trimmed(self._clip, tokens).float(), dim=1)
