"""Optimisers: SGD as published for students, AdamW as customary for CLIP; gradient clipping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ADAMW_BETAS = (0.9, 0.98)  # CLIP (arXiv:2103.00020), table of hyperparameters, ResNets' 0.999
ADAMW_EPSILON = 1e-6


@dataclass(frozen=True, kw_only=True)
class OptimiserConfig:
    """Which optimiser, and its settings.

    Attributes:
        kind: "sgd" or "adamw".
        learning_rate: Before the schedule multiplies it.
        weight_decay: Of all parameters under SGD (as published); of those with two or more
            dimensions under AdamW (gains, biases and the logit scale are left alone).
        momentum: Of SGD.
        clip: Largest gradient norm; 0 for no limit.
        clip_by: "parameter" limits the norm of each tensor (as published), "total" that of all.
    """

    kind: Literal["sgd", "adamw"]
    learning_rate: float
    weight_decay: float
    momentum: float = 0.9
    clip: float = 0.0
    clip_by: Literal["parameter", "total"] = "total"

    def create(self, parameters: Iterable[torch.nn.Parameter]) -> torch.optim.Optimizer:
        """An optimiser over the parameters that require a gradient."""
        trained = [p for p in parameters if p.requires_grad]
        if self.kind == "sgd":
            return torch.optim.SGD(
                trained,
                lr=self.learning_rate,
                momentum=self.momentum,
                weight_decay=self.weight_decay,
            )
        groups = [
            {"params": [p for p in trained if p.ndim >= 2], "weight_decay": self.weight_decay},
            {"params": [p for p in trained if p.ndim < 2], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(
            [group for group in groups if group["params"]],
            lr=self.learning_rate,
            betas=ADAMW_BETAS,
            eps=ADAMW_EPSILON,
        )

    def clip_gradients(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        """Scale gradients down, in place, to the largest allowed norm."""
        if self.clip == 0:
            return
        if self.clip_by == "total":
            torch.nn.utils.clip_grad_norm_(parameters, self.clip)
            return
        for parameter in parameters:
            if parameter.grad is not None:
                torch.nn.utils.clip_grad_norm_(parameter, self.clip)
