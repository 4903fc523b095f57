"""Search queries, a text or boxes of a photograph, as vectors comparable with a model's features.

Shapes: R boxes, D feature width, H W pixels.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np
import torch

from stages.evaluation.evaluated_model import load_model
from stages.evaluation.region_features import region_features
from stages.models.text_embeddings import embed_names
from stages.text.templates import read_templates

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.evaluation.region_features import PoolingConfig
    from stages.text.prompt_options import Averaging

_ARTICLE: Final = re.compile(r"^(a|an|the)\s+", re.IGNORECASE)
_PROMPTS_PER_BATCH: Final = 256


def encode_text(
    model: tuple[Path, Path], text: str, templates: str, averaging: Averaging, device: str
) -> NDArray[np.float32]:
    """The embedding (D,) of a text, made as `rc embed-concepts` makes that of a concept.

    Args:
        model: Description and weights.
        text: As a person types it; a leading article is left out, because templates have one.
        templates: paper, plain, or a file; see `stages.text.templates`.
        averaging: See `stages.models.text_embeddings.average`.
        device: As `stages.models.device.resolve` takes it.

    Raises:
        SourceError: If the model cannot be read, has no language encoder, or there are no
            templates.
    """
    clip = load_model(*model, device).clip
    prompts = read_templates(templates)
    name = _ARTICLE.sub("", " ".join(text.split()))
    embedding = embed_names(clip, [name], prompts, averaging, _PROMPTS_PER_BATCH)[0]
    return np.asarray(embedding.numpy(), np.float32)


def encode_boxes(
    model: tuple[Path, Path],
    image: NDArray[np.uint8],
    boxes: NDArray[np.float32],
    pooling: PoolingConfig,
    device: str,
) -> NDArray[np.float32]:
    """Features (R, D) of boxes of one image, as `rc featurize` makes them.

    Args:
        model: Description and weights.
        image: (H, W, 3) RGB.
        boxes: (R, 4), pixels of `image`.
        pooling: How features are pooled from the image.
        device: As `stages.models.device.resolve` takes it.

    Raises:
        SourceError: If the model cannot be read.
    """
    with torch.inference_mode():
        return region_features(load_model(*model, device).clip, image, boxes, pooling)
