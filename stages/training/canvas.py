"""The canvas of a batch: the size that all its images are padded to, whichever rank has them.

What a network sees near the edge of an image depends on its padding, and the whole-image region may
include it. So a micro-batch is padded to the largest image of the whole batch.

Shapes: b images of a micro-batch, H W of the largest image of the batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stages.models.preprocess import pad_batch
from stages.training.distributed import largest

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch


def padded(micro_batches: Sequence[Sequence[torch.Tensor]]) -> list[torch.Tensor]:
    """Images (3, h, w) of this rank's micro-batches as (b, 3, H, W) each; all ranks call it."""
    shapes = [image.shape for images in micro_batches for image in images]
    height, width = largest([max(shape[1] for shape in shapes), max(shape[2] for shape in shapes)])
    return [pad_batch(images, (height, width)) for images in micro_batches]
