"""Embed names: the language encoder L reads each name in prompt templates.

Shapes: C names, T templates, D embedding width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F  # noqa: N812

from stages.memory import in_batches
from stages.models.device import in_order
from stages.models.text_encoding import encode_trimmed
from stages.text.templates import clean_name, fill_template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stages.models.network import Clip
    from stages.text.prompt_options import Averaging


def embed_names(
    clip: Clip,
    names: Sequence[str],
    templates: Sequence[str],
    averaging: Averaging,
    batch: int,
    long: str = "cut",
) -> torch.Tensor:
    """The embedding of each name: the mean over its prompts.

    Names that are equal after cleaning are encoded once. The size of a batch changes only the last
    bits.

    Args:
        clip: Its language encoder is used.
        names: C of them.
        templates: T sentences with a hole for the name; see `stages.text.templates`.
        averaging: See `average`.
        batch: Prompts encoded together; at least those of one name.
        long: One of `stages.models.tokens.LONG`.

    Returns:
        (C, D) float32 on the CPU.
    """
    rows: dict[str, int] = {}
    for name in names:
        rows.setdefault(clean_name(name), len(rows))
    distinct, step = list(rows), max(1, batch // len(templates))
    batches = (distinct[first : first + step] for first in range(0, len(distinct), step))
    tokens = (_tokens(clip, some, templates, long) for some in batches)  # not made in threads

    def encode(tokens: torch.Tensor) -> torch.Tensor:
        return encode_trimmed(clip, tokens).float().cpu()

    def mean(tokens: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():  # of this thread
            embeddings = torch.cat(in_batches(tokens, len(tokens), encode, "prompt"))
        return average(embeddings.view(-1, len(templates), embeddings.shape[1]), averaging)

    means = list(in_order(tokens, mean, clip.logit_scale.device))
    if not means:
        return torch.zeros(0, clip.width)
    return torch.cat(means)[[rows[clean_name(name)] for name in names]]


def average(embeddings: torch.Tensor, averaging: Averaging) -> torch.Tensor:
    """Mean over prompts (C, T, D) to (C, D).

    Args:
        embeddings: Not normalised.
        averaging: "reference": the plain mean, as in RegionCLIP; longer embeddings weigh more.
            "openai": normalise, take the mean, normalise again, as in CLIP's own ensembles.
    """
    if averaging == "reference":
        return embeddings.mean(dim=1)
    return F.normalize(F.normalize(embeddings, dim=2).mean(dim=1), dim=1)


def _tokens(clip: Clip, names: Sequence[str], templates: Sequence[str], long: str) -> torch.Tensor:
    """Token ids (C * T, L) of the prompts, name by name."""
    prompts = [fill_template(template, name) for name in names for template in templates]
    return clip.tokenize(prompts, long).to(clip.logit_scale.device)
