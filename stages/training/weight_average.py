"""An exponential average of the weights of a network in training.

After each step, average = decay * average + (1 - decay) * weights; it begins at the weights before
the first step. So it remembers about 1 / (1 - decay) steps, and in a shorter run mostly what the
network began with: a student's average lies between its teacher and its last weights. Buffers, such
as the statistics of batch norms, are no weights: those of the last step are kept.

Source: Mean Teacher (arXiv:1703.01780), without its ramp of the decay.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping


class WeightAverage:
    """The average of all trained parameters of a network, on the network's device, in float32."""

    def __init__(self, module: torch.nn.Module, decay: float) -> None:
        """Begin with the weights of `module` as they are; `decay` is in [0, 1)."""
        self._trained = {n: p for n, p in module.named_parameters() if p.requires_grad}
        self._decay = decay
        self._average = {n: p.detach().float().clone() for n, p in self._trained.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take the weights into the average; call it once after each step."""
        for name, parameter in self._trained.items():
            self._average[name].lerp_(parameter.float(), 1 - self._decay)

    @torch.no_grad()
    def apply(self) -> None:
        """Give the network its averaged weights."""
        for name, parameter in self._trained.items():
            parameter.copy_(self._average[name])

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The average by the names of the parameters, for a checkpoint."""
        return self._average

    def load_state_dict(self, saved: Mapping[str, torch.Tensor]) -> None:
        """Go on from the average of a checkpoint."""
        for name, average in self._average.items():
            average.copy_(saved[name])
