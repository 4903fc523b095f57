"""Captions through the language encoder, without computing what is then thrown away.

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
    """What `clip.encode_tokens` returns, without the padding behind the longest text.

    L is causal: the end token, which becomes the embedding, never looks at what comes after it.
    Captions have about 12 of 77 tokens, so this saves most of the work.

    Args:
        clip: If its language encoder is none of open_clip's causal ones, nothing is trimmed.
        tokens: (T, L) int64, padded behind the end token, which has the highest id.

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


class FrozenTexts:
    """Unit embeddings of captions under a language encoder that does not change.

    On the CPU each caption is encoded alone and remembered. Alone, because the last bits of an
    embedding depend on what shares its batch, and a resumed run must meet the same bits.
    """

    def __init__(
        self, clip: Clip, device: torch.device, long: str = "keep-end", remembered: int = 20_000
    ) -> None:
        """Remember at most `remembered` captions: 80 MB of embeddings 1024 wide.

        Args:
            clip: Its language encoder is used.
            device: Where `clip` is.
            long: One of `stages.models.tokens.LONG`.
            remembered: Captions.
        """
        self._clip = clip
        self._long = long
        self._device = device
        self._remembered = remembered
        self._known: dict[str, torch.Tensor] = {}

    @torch.no_grad()
    def embed(self, captions: Sequence[str]) -> torch.Tensor:
        """Embeddings (T, D) float32, unit rows."""
        if self._device.type != "cpu":
            return self._encode(captions)
        return torch.cat([self._remember(caption) for caption in captions])

    def _remember(self, caption: str) -> torch.Tensor:
        found = self._known.get(caption)
        if found is None:
            found = self._encode([caption])
            if len(self._known) < self._remembered:
                self._known[caption] = found
        return found

    def _encode(self, captions: Sequence[str]) -> torch.Tensor:
        tokens = self._clip.tokenize(captions, self._long).to(self._device)
        return F.normalize(encode_trimmed(self._clip, tokens).float(), dim=1)
