"""Encode captions with the language encoder, without its padding tokens.

Shapes: T texts, L tokens, D embedding width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from open_clip import CLIP
from torch.nn import functional as F  # noqa: N812  # the name all of torch's users know

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stages.models.clip import Clip


def encode_trimmed(clip: Clip, tokens: torch.Tensor) -> torch.Tensor:
    """The same as `clip.encode_tokens`, computed without the padding after the longest text.

    L is causal: the end token, which becomes the embedding, does not depend on later tokens.
    Captions have about 12 of 77 tokens, so this saves most of the work.

    Args:
        clip: If its language encoder is not one of open_clip's causal ones, nothing is trimmed.
        tokens: (T, L) int64, padded after the end token, which has the highest id.

    Returns:
        (T, D), not normalised.
    """
    network = clip.network
    causal = isinstance(network, CLIP) and network.attn_mask is not None
    if not causal or network.text_pool_type != "argmax":
        return clip.encode_tokens(tokens)
    ends = tokens.argmax(dim=1)  # (T,)
    length = int(ends.max()) + 1
    out = network.token_embedding(tokens[:, :length]) + network.positional_embedding[:length]
    out = network.transformer(out, attn_mask=network.attn_mask[:length, :length])
    out = network.ln_final(out[torch.arange(len(ends), device=out.device), ends])  # (T, width)
    projection = network.text_projection
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
