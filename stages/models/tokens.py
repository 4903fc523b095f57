"""Tokens of texts, and what becomes of a text that is longer than the encoder reads.

The published code cuts such a text and loses its end token. The encoder takes the token with the
highest id for the end, which then is the start token: every over-long text has one and the same
embedding, whatever it says. CLIP's own way puts the end token in the last place.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

from open_clip.tokenizer import SimpleTokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

LONG: Final = ("cut", "keep-end")


def tokenize(texts: Sequence[str], length: int, long: str = "keep-end") -> torch.Tensor:
    """Token ids (T, L) int64 on the CPU: start token, text, end token, zeros.

    Args:
        texts: T of them.
        length: L, tokens the encoder reads.
        long: What is done to texts of more: "cut" ends them anywhere, as RegionCLIP; "keep-end"
            also puts the end token in the last place, as CLIP.
    """
    if long == "keep-end":
        ids: torch.Tensor = _tokenizer()(list(texts), length)
        return ids
    one_more: torch.Tensor = _tokenizer()(list(texts), length + 1)  # an end token forced in is last
    return one_more[:, :length]


@functools.cache
def _tokenizer() -> SimpleTokenizer:
    return SimpleTokenizer()
