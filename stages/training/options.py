"""What every training offers: the options that `rc pretrain` and `rc train` share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from stages.base import Stage, option

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from stages.base import Part
    from stages.training.config import TrainingConfig
    from stages.training.dataset import ShuffledDataset

    Watch = Callable[[int, Sequence[Mapping[str, Any]]], None]


@dataclass(frozen=True, kw_only=True)
class TrainingStage(Stage):
    """A stage that takes optimiser steps; its progress is told in percent of the run."""

    epochs: int = option(1, "passes over the images", at_least=0)
    steps: int | None = option(None, "optimiser steps, instead of --epochs", at_least=0)
    images_per_batch: int = option(96, "images a step", at_least=1)
    optimiser: Literal["sgd", "adamw"] = option("sgd", "how parameters move")
    learning_rate: float = option(0.002, "largest of the run", above=0)
    weight_decay: float = option(1e-4, "decay of parameters, times the rate", at_least=0)
    momentum: float = option(0.9, "of sgd", at_least=0, below=1)
    schedule: Literal["steps", "cosine", "constant"] = option(
        "steps", "course of the learning rate"
    )
    milestones: tuple[float, ...] = option(
        (0.5, 0.875), "shares of the run after which 'steps' drops to a tenth"
    )
    warmup: int = option(1000, "steps of linear warm-up; a tenth of the run at most", at_least=0)
    clip: float = option(0.0, "largest norm of a gradient; 0 is no limit", at_least=0)
    clip_by: Literal["parameter", "total"] = option(
        "parameter", "whose norm is limited: each tensor's, or all"
    )
    precision: Literal["float32", "bfloat16"] = option("float32", "numbers of the networks")
    seed: int = option(0, "of every random draw", at_least=0, below=1 << 31)
    shuffle_buffer: int = option(512, "images of several parts that are mixed", at_least=1)
    save_dtype: Literal["float32", "float16"] = option("float32", "weights are saved in")
    log_every: int = option(50, "steps a row of the journal stands for", at_least=1)
    checkpoint_every: int = option(
        200, "steps between checkpoints, from which a killed run goes on", recipe=False, at_least=1
    )
    loaders: int = option(1, "threads that decode images ahead", recipe=False, at_least=0)
    cache_mb: int = option(0, "memory to keep decoded images in", recipe=False, at_least=0)
    tensorboard: str | None = option(None, "folder for TensorBoard's events", recipe=False)

    unit: ClassVar[str] = "percent"
    single_task: ClassVar[bool] = True

    def recipe(self) -> dict[str, Any]:
        """See `Stage.recipe`: epochs decide nothing where steps are given."""
        options = super().recipe()
        return options if self.steps is None else {**options, "epochs": None}

    def total(self) -> int | None:
        """See `Stage.total`: a run is a hundred percent."""
        return 100

    def num_steps(self, dataset: ShuffledDataset[Any]) -> int:
        """Optimiser steps of the whole run."""
        if self.steps is not None:
            return self.steps
        return max(1, math.ceil(self.epochs * len(dataset) / self.images_per_batch))

    def config(self, steps: int) -> TrainingConfig:
        """The run that the options ask for."""
        from stages.training.config import TrainingConfig
        from stages.training.optimisers import Optimisation
        from stages.training.schedule import Schedule

        return TrainingConfig(
            steps=steps,
            optimisation=Optimisation(
                kind=self.optimiser,
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                momentum=self.momentum,
                clip=self.clip,
                clip_by=self.clip_by,
            ),
            schedule=Schedule(
                kind=self.schedule,
                steps=steps,
                warmup=self.warmup,
                milestones=tuple(self.milestones),
            ),
            seed=self.seed,
            log_every=self.log_every,
            checkpoint_every=self.checkpoint_every,
        )

    def pixels(self) -> Callable[[Mapping[str, Any]], NDArray[np.uint8]]:
        """Decodes a row of images, at most once while there is room in the cache."""
        from stages.pixels import load_image
        from stages.training.pixel_cache import PixelCache

        return PixelCache(load_image, self.cache_mb << 20) if self.cache_mb else load_image

    def watch(self, part: Part, steps: int) -> Watch:
        """A function to be told of steps done: passes them on in percent, rows to TensorBoard.

        Raises:
            OptionError: If TensorBoard was asked for and is not installed.
        """
        from stages.training.tensorboard import board

        show = board(self.tensorboard, self.name)
        done = told = 0

        def listen(count: int, rows: Sequence[Mapping[str, Any]]) -> None:
            nonlocal done, told
            done += count
            if 100 * done // steps > told:
                part.advance(100 * done // steps - told)
                told = 100 * done // steps
            if rows:
                show(rows)

        return listen
