"""Embed names: the language encoder L reads each name in prompt templates.

Shapes: C names, T templates, D embedding width; G groups of names.
"""

from __future__ import annotations

from itertools import chain
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
    return embed_groups(clip, [(name,) for name in names], templates, averaging, batch, long)


def embed_groups(
    clip: Clip,
    groups: Sequence[Sequence[str]],
    templates: Sequence[str],
    averaging: Averaging,
    batch: int,
    long: str = "cut",
) -> torch.Tensor:
    """The embedding of each group of names: the mean over the prompts of all of its names.

    Args:
        clip: As in `embed_names`, like all others.
        groups: G of at least one name each.
        templates: T sentences.
        averaging: See `average`.
        batch: Prompts encoded together.
        long: One of `stages.models.tokens.LONG`.

    Returns:
        (G, D) float32 on the CPU.
    """
    rows: dict[str, int] = {}
    for name in chain.from_iterable(groups):
        rows.setdefault(clean_name(name), len(rows))
    distinct, step = list(rows), max(1, batch // len(templates))
    batches = (distinct[first : first + step] for first in range(0, len(distinct), step))
    tokens = (_tokens(clip, some, templates, long) for some in batches)  # not made in threads

    def encode(tokens: torch.Tensor) -> torch.Tensor:
        return encode_trimmed(clip, tokens).float().cpu()

    def mean(tokens: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():  # of this thread
            embeddings = torch.cat(in_batches(tokens, len(tokens), encode, "prompt"))
        return _mean(embeddings.view(-1, len(templates), embeddings.shape[1]), averaging)

    means = list(in_order(tokens, mean, clip.logit_scale.device))
    if not means:
        return torch.zeros(0, clip.width)
    of_names = torch.cat(means)
    of_groups = (of_names[[rows[clean_name(name)] for name in names]] for names in groups)
    return _finished(torch.cat([_mean_row(some) for some in of_groups]), averaging)


def average(embeddings: torch.Tensor, averaging: Averaging) -> torch.Tensor:
    """Mean over prompts (C, T, D) to (C, D).

    Args:
        embeddings: Not normalised.
        averaging: "reference": the plain mean, as in RegionCLIP; longer embeddings weigh more.
            "openai": normalise, take the mean, normalise again, as in CLIP's own ensembles.
    """
    return _finished(_mean(embeddings, averaging), averaging)


def _mean(embeddings: torch.Tensor, averaging: Averaging) -> torch.Tensor:
    """Mean over prompts (C, T, D) to (C, D), before what is done to means at the end."""
    if averaging == "openai":
        embeddings = F.normalize(embeddings, dim=2)
    return embeddings.mean(dim=1)


def _mean_row(rows: torch.Tensor) -> torch.Tensor:
    """Mean (1, D) of rows (C, D); one row stays as it is, to the last bit."""
    return rows if len(rows) == 1 else rows.mean(dim=0, keepdim=True)


def _finished(means: torch.Tensor, averaging: Averaging) -> torch.Tensor:
    return F.normalize(means, dim=1) if averaging == "openai" else means


def _tokens(clip: Clip, names: Sequence[str], templates: Sequence[str], long: str) -> torch.Tensor:
    """Token ids (C * T, L) of the prompts, name by name."""
    prompts = [fill_template(template, name) for name in names for template in templates]
    return clip.tokenize(prompts, long).to(clip.logit_scale.device)
