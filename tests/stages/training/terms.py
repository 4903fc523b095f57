"""The losses of a learner on one batch, which is not cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import torch


def terms_of(learner: Any, batch: Any) -> Mapping[str, torch.Tensor]:
    """What the learner says of `batch`, with gradient."""
    terms: Mapping[str, torch.Tensor] = learner.losses(
        learner.outputs(batch), learner.targets(batch)
    )
    return terms
