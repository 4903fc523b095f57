"""Options that all training stages share, such as `rc pretrain` and `rc train`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from schemas.errors import OptionError
from stages.base import Stage, option
from stages.outcome import Outcome, Result, counted

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence, Sized

    import numpy as np
    from numpy.typing import NDArray

    from stages.base import Part
    from stages.training.config import TrainingConfig
    from stages.training.dataset import ShuffledDataset
    from stages.training.loader import BatchLoader

    Watch = Callable[[int, Sequence[Mapping[str, Any]]], None]

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True, kw_only=True)
class TrainingStage(Stage):
    """A stage that takes optimiser steps; its progress is in steps."""

    epochs: int = option(1, "passes over the images", at_least=0)
    steps: int | None = option(None, "optimiser steps, instead of --epochs", at_least=0)
    images_per_batch: int = option(96, "images per step", at_least=1)
    accumulate: int = option(
        1,
        "micro-batches that a step is computed in, one after the other: the same step with less "
        "memory, in more time; batch norms that are not frozen see one at a time",
        recipe="changed",
        at_least=1,
    )
    optimiser: Literal["sgd", "adamw"] = option("sgd", "optimiser")
    learning_rate: float = option(0.002, "largest learning rate of the run", above=0)
    weight_decay: float = option(1e-4, "weight decay, times the learning rate", at_least=0)
    momentum: float = option(0.9, "of sgd", at_least=0, below=1)
    schedule: Literal["steps", "cosine", "constant"] = option(
        "steps", "schedule of the learning rate"
    )
    milestones: tuple[float, ...] = option(
        (0.5, 0.875), "shares of the run at which 'steps' drops to a tenth"
    )
    warmup: int = option(1000, "steps of linear warm-up; at most a tenth of the run", at_least=0)
    clip: float = option(0.0, "largest gradient norm; 0 is no limit", at_least=0)
    clip_by: Literal["parameter", "total"] = option(
        "parameter", "which norm is limited: of each tensor, or of all"
    )
    precision: Literal["float32", "bfloat16"] = option("float32", "number format of the networks")
    threads: int = option(
        2,
        "threads that share each operation; more are faster, and give other last bits",
        at_least=1,
    )
    ranks: int = option(
        1,
        "processes that train together, each on its share of a batch, and on a GPU of its own",
        recipe=False,
        at_least=1,
    )
    seed: int = option(0, "seed of every random choice", at_least=0, below=1 << 31)
    shuffle_buffer: int = option(512, "images in the shuffle buffer, which mixes parts", at_least=1)
    save_dtype: Literal["float32", "float16"] = option("float32", "number format of saved weights")
    log_every: int = option(50, "steps per row of the training log", at_least=1)
    checkpoint_every: int = option(
        200, "steps between checkpoints, from which a killed run resumes", recipe=False, at_least=1
    )
    loaders: int = option(1, "threads that decode images ahead", recipe=False, at_least=0)
    cache_mb: int = option(0, "memory for decoded images", recipe=False, at_least=0)
    tensorboard: str | None = option(None, "folder for TensorBoard's events", recipe=False)

    unit: ClassVar[str] = "steps"
    counts_rows: ClassVar[bool] = False
    single_task: ClassVar[bool] = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.ranks * self.accumulate > self.images_per_batch:
            raise OptionError(
                f"rc {self.name}: --images-per-batch {self.images_per_batch} is too few for "
                f"--ranks {self.ranks} and --accumulate {self.accumulate}: each needs an image"
            )

    def recipe(self) -> dict[str, Any]:
        """See `Stage.recipe`: epochs count only without steps, ranks only where they decide."""
        options = super().recipe()
        if self.ranks > 1 and self.ranks_decide():
            options["ranks"] = self.ranks
        return options if self.steps is None else {**options, "epochs": None}

    def ranks_decide(self) -> bool:
        """Whether their number decides what is learned, by more than how numbers are rounded.

        So it does where batch norms are trained, of which each rank has statistics of its own.
        """
        return False

    def num_processes(self) -> int:
        """See `Stage.num_processes`: the ranks."""
        return self.ranks

    def total(self) -> int | None:
        """See `Stage.total`: before images are counted, it is known only if --steps is given."""
        return self.steps

    def num_steps(self, dataset: ShuffledDataset[Any]) -> int:
        """Number of optimiser steps of the run."""
        if self.steps is not None:
            return self.steps
        return max(1, math.ceil(self.epochs * len(dataset) / self.images_per_batch))

    def outcome(self, result: Result) -> Outcome:
        """See `Stage.outcome`: steps, and the loss at the beginning and at the end of its curve."""
        loss = result.notes.get("loss")
        if loss is None:  # taken as it was, without a step
            return super().outcome(result)
        line = (
            f"{counted(loss['steps'], 'step')} over {counted(loss['images'], 'image')}: "
            f"loss {loss['first']:.3g} → {loss['last']:.3g}"
        )
        return Outcome([line, "rc view draws the curve of the training"])

    def note_loss(self, part: Part, rows: Sequence[Mapping[str, Any]]) -> None:
        """Note where the loss began and where it ended, from the rows of the curve."""
        curve = [row for row in rows if row.get("loss") is not None]
        if curve:
            first, last = curve[0], curve[-1]
            ends = {"first": float(first["loss"]), "last": float(last["loss"])}
            part.note("loss", {**ends, "steps": rows[-1]["step"], "images": rows[-1]["images"]})

    def config(self, steps: int) -> TrainingConfig:
        """The configuration of a run of so many steps."""
        from stages.training.config import TrainingConfig
        from stages.training.optimisers import OptimiserConfig
        from stages.training.schedule import Schedule

        return TrainingConfig(
            steps=steps,
            optimiser=OptimiserConfig(
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

    def batch_loader(
        self,
        dataset: ShuffledDataset[T],
        load: Callable[[T, int], U],
        collate: Callable[[Sequence[Sequence[U]]], Sequence[Sized]],
    ) -> BatchLoader[T, U]:
        """Batches of a data set, as the options divide it; see `BatchLoader` for the arguments."""
        from stages.training.loader import BatchLoader

        size, threads = self.images_per_batch, self.loaders
        return BatchLoader(dataset, load, collate, size, threads, self.accumulate)

    def pixels(self) -> Callable[[Mapping[str, Any]], NDArray[np.uint8]]:
        """A function that decodes a row of images, through the cache if there is one."""
        from stages.pixels import load_image
        from stages.training.pixel_cache import PixelCache

        return PixelCache(load_image, self.cache_mb << 20) if self.cache_mb else load_image

    def watch(self, part: Part) -> Watch:
        """A function for `fit` to call: reports steps, and log rows to TensorBoard.

        Raises:
            OptionError: If --tensorboard is given and TensorBoard is not installed.
        """
        from stages.training.tensorboard import event_writer

        write_events = event_writer(self.tensorboard, self.name)

        def on_step(count: int, rows: Sequence[Mapping[str, Any]]) -> None:
            part.advance(count)
            if rows:
                write_events(rows)

        return on_step
