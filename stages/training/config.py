"""The course of a run: how long it is, and how parameters move on the way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stages.training.optimisers import Optimisation
    from stages.training.schedule import Schedule


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How a run goes.

    Attributes:
        steps: Optimiser steps.
        optimisation: How parameters move.
        schedule: What the learning rate is multiplied by.
        seed: Of whatever the network draws.
        log_every: Steps a row of the journal stands for.
        checkpoint_every: Steps between checkpoints.
    """

    steps: int
    optimisation: Optimisation
    schedule: Schedule
    seed: int = 0
    log_every: int = 50
    checkpoint_every: int = 200
