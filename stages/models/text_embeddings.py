"""Names in prompt templates through the language encoder L: one embedding a name.

Shapes: C names, T templates, D embedding width.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import torch
from torch.nn import functional as F  # noqa: N812

from stages.models.text_encoding import encode_trimmed
from stages.text.templates import clean_name, fill_template

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stages.models.network import Clip

AVERAGING: Final = ("reference", "openai")


@torch.no_grad()
def embed_names(
    clip: Clip,
    names: Sequence[str],
    templates: Sequence[str],
    averaging: str,
    batch: int,
    long: str = "cut",
) -> torch.Tensor:
    """The embedding of each name: the mean over its prompts.

    A name that reads the same as another, once cleaned, is encoded once. How many prompts share
    a batch moves the last bits only.

    Args:
        clip: Its language encoder is used.
        names: C of them.
        templates: T sentences with a hole, as `stages.text.templates` reads them.
        averaging: One of `AVERAGING`, see `average`.
        batch: Prompts encoded together, at the least those of one name.
        long: One of `stages.models.tokens.LONG`.

    Returns:
        (C, D) float32 on the CPU.
    """
    rows: dict[str, int] = {}
    for name in names:
        rows.setdefault(clean_name(name), len(rows))
    distinct, step = list(rows), max(1, batch // len(templates))
    means = [
        average(_encode(clip, distinct[first : first + step], templates, long), averaging)
        for first in range(0, len(distinct), step)
    ]
    if not means:
        return torch.zeros(0, clip.width)
    return torch.cat(means)[[rows[clean_name(name)] for name in names]]


def average(embeddings: torch.Tensor, averaging: str) -> torch.Tensor:
    """Mean over prompts (C, T, D) to (C, D).

    Args:
        embeddings: Not normalised.
        averaging: "reference": the plain mean, as RegionCLIP; longer embeddings weigh more.
            "openai": the unit vector along the mean of unit vectors, as CLIP's own ensembles.
    """
    if averaging == "reference":
        return embeddings.mean(dim=1)
    return F.normalize(F.normalize(embeddings, dim=2).mean(dim=1), dim=1)


def _encode(clip: Clip, names: Sequence[str], templates: Sequence[str], long: str) -> torch.Tensor:
    prompts = [fill_template(template, name) for name in names for template in templates]
    tokens = clip.tokenize(prompts, long).to(clip.logit_scale.device)
    embeddings = encode_trimmed(clip, tokens).float().cpu()
    return embeddings.view(len(names), len(templates), -1)  # (C, T, D)
