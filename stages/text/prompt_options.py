"""Options of every stage that embeds names: which prompts, and how they become one embedding."""

from __future__ import annotations

from typing import Any, Literal

from stages.option import option

Averaging = Literal["reference", "openai"]


def templates_option() -> Any:
    """Which prompt templates; see `stages.text.templates.read_templates`."""
    return option(
        "paper",
        "prompt templates: paper (81), plain ('a photo of a {}.'), or a file, one per line",
        recipe=False,
    )


def averaging_option() -> Any:
    """How the prompts of a name become one embedding; see `stages.models.text_embeddings`."""
    return option(
        "reference",
        "over prompts: reference (mean as they are) or openai (normalise, mean, normalise)",
    )
