"""Tokens of CLIP's own tokenizer, and two ways to cut a text that is too long for the encoder.

The published code cuts such a text and loses its end token. The encoder takes the token with the
highest id for the end; without an end token this is the start token, so all texts that are too
long have the same embedding. CLIP's own tokenizer puts the end token at the last position.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final

from open_clip.tokenizer import DEFAULT_CONTEXT_LENGTH, SimpleTokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

LONG: Final = ("cut", "keep-end")
CONTEXT_LENGTH: Final[int] = DEFAULT_CONTEXT_LENGTH  # where a configuration has none


def tokenize(
    texts: Sequence[str], length: int, long: str = "keep-end", clean: str = "lower"
) -> torch.Tensor:
    """Token ids (T, L) int64 on the CPU: start token, text, end token, zeros.

    Args:
        texts: T of them.
        length: L, the number of tokens that the encoder reads.
        long: How to treat longer texts: "cut" drops the rest, as in RegionCLIP; "keep-end" also
            puts the end token at the last position, as in CLIP.
        clean: What happens to a text before, as open_clip calls it.
    """
    if long == "keep-end":
        ids: torch.Tensor = _tokenizer(clean)(list(texts), length)
        return ids
    # an end token that replaces text is at the last of length + 1 positions, and is dropped
    longer: torch.Tensor = _tokenizer(clean)(list(texts), length + 1)
    return longer[:, :length]


@functools.cache
def _tokenizer(clean: str) -> SimpleTokenizer:
    return SimpleTokenizer(clean=clean)
