"""Options shared by all stages that embed names: the prompts, and how they are averaged."""

from __future__ import annotations

from typing import Any, Literal

from stages.option import option

Averaging = Literal["reference", "openai"]


def templates_option() -> Any:
    """The prompt templates; see `stages.text.templates.read_templates`."""
    return option(
        "paper",
        "prompt templates: paper (81), plain ('a photo of a {}.'), or a file, one per line",
        recipe=False,
    )


def averaging_option() -> Any:
    """How the prompts of a name are averaged; see `stages.models.text_embeddings`."""
    return option(
        "reference",
        "over prompts: reference (mean as they are) or openai (normalise, mean, normalise)",
    )
