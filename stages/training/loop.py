"""The training loop: takes all steps, writes a log, resumes from a checkpoint.

A killed and resumed run ends with the same weights and the same log, bit by bit on one device:
batches follow from a position in the dataset, and random numbers of the network (dropout)
follow from the seed and the step; where a batch is cut, also from the number of the micro-batch.

All ranks take the same steps with the same weights. Rank 0 alone reads and writes the checkpoint,
in which nothing depends on the number of ranks; buffers, such as statistics of norms, are its own.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import torch

from schemas.errors import StageError
from stages.seeds import generator
from stages.training import checkpoints
from stages.training.batch_gradient import batch_gradient
from stages.training.distributed import from_first_rank, rank, share_state
from stages.training.weight_average import WeightAverage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from stages.training.batch_gradient import Learner
    from stages.training.config import TrainingConfig
    from stages.training.loader import BatchShare

Position = tuple[int, int]  # epoch, and number of its samples that were used
LogRow = dict[str, Any]  # step, images, learning_rate, and what the learner reports
START: Position = (0, 0)


class Loader(Protocol):
    """An endless source of batches."""

    def batches(self, start: Position) -> Iterator[BatchShare]:
        """This rank's share of each batch from `start` on."""
        ...


@dataclass
class _TrainingState:
    """Progress of a run and its log: all of a checkpoint but tensors."""

    step: int = 0
    images: int = 0
    position: Position = START
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    rows: list[LogRow] = field(default_factory=list)

    def add_values(self, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
            self.counts[name] = self.counts.get(name, 0) + 1

    def add_row(self, learning_rate: float, readings: Mapping[str, float]) -> None:
        means = {name: total / self.counts[name] for name, total in self.sums.items()}
        head = {"step": self.step, "images": self.images, "learning_rate": learning_rate}
        self.rows.append({**head, **means, **readings})
        self.sums, self.counts = {}, {}


@dataclass(frozen=True)
class _Run:
    """What has weights or moments in a run, all of which a checkpoint holds."""

    learner: Learner
    optimiser: torch.optim.Optimizer
    average: WeightAverage | None


def fit(
    learner: Learner,
    loader: Loader,
    config: TrainingConfig,
    checkpoint: Path | None = None,
    on_step: Callable[[int, Sequence[LogRow]], None] = lambda steps, rows: None,
) -> list[LogRow]:
    """Train to the end of `config`; resume from `checkpoint` if it exists.

    Args:
        learner: Trained in place.
        loader: Gives its batches.
        config: Length, optimiser, schedule.
        checkpoint: File to save progress in; None to save none.
        on_step: Called with the number of new steps and the log rows that they completed.

    Returns:
        Rows of the log: the mean of each term since the row before, over steps that have it; of
        the weights at that step, also where their average is kept in the end.

    Raises:
        StageError: If the loss is not finite; names the step.
    """
    share_state(learner.module)
    optimiser = config.optimiser.create(learner.module.parameters())
    average = WeightAverage(learner.module, config.average_decay) if config.average_decay else None
    run = _Run(learner, optimiser, average)
    state = _resume(checkpoint, run)
    if state.step:
        on_step(state.step, state.rows)
    batches = loader.batches(state.position)
    while state.step < config.steps:
        logged = len(state.rows)
        _step(run, next(batches), config, state)
        if checkpoint and rank() == 0 and state.step % config.checkpoint_every == 0:
            _save(checkpoint, run, state)
        on_step(1, state.rows[logged:])
    if average:
        average.apply()
    return state.rows


def _step(run: _Run, share: BatchShare, config: TrainingConfig, state: _TrainingState) -> None:
    learner, optimiser = run.learner, run.optimiser
    learning_rate = config.optimiser.learning_rate * config.schedule.factor(state.step)
    for group in optimiser.param_groups:
        group["lr"] = learning_rate
    optimiser.zero_grad(set_to_none=True)
    seeded = partial(_seeded, learner.module, config.seed, state.step)
    values = batch_gradient(learner, share.micro_batches, seeded)
    state.step += 1
    state.images += share.images
    state.position = share.position
    if not math.isfinite(values.get("loss", 0.0)):
        raise StageError(
            f"the loss became {values['loss']} at step {state.step}; lower --learning-rate "
            f"or use --precision float32"
        )
    if "loss" in values:
        config.optimiser.clip_gradients([p for g in optimiser.param_groups for p in g["params"]])
        optimiser.step()
    readings = learner.after_step()
    if run.average:
        run.average.update()
    state.add_values(values)
    if _is_logged(state.step, config):
        state.add_row(learning_rate, readings)


def _is_logged(step: int, config: TrainingConfig) -> bool:
    """Whether a step ends a row of the log; a run of one such row has its first step too."""
    first = step == 1 and config.steps <= config.log_every
    return first or step % config.log_every == 0 or step == config.steps


@contextmanager
def _seeded(module: torch.nn.Module, seed: int, *keys: int) -> Iterator[None]:
    """Random numbers inside follow from the numbers given; the global generators are restored."""
    devices = list({p.device for p in module.parameters() if p.device.type == "cuda"})
    step_seed = int(generator(seed, "step", *keys).integers(1 << 32))  # the CPU takes 32 bits
    with torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(step_seed)
        for device in devices:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(step_seed)
        yield


def _resume(checkpoint: Path | None, run: _Run) -> _TrainingState:
    saved = from_first_rank(checkpoints.load(checkpoint) if checkpoint and rank() == 0 else None)
    if saved is None or "state" not in saved:  # none, or of an older version
        return _TrainingState()
    run.learner.module.load_state_dict(saved["module"], strict=False)
    run.optimiser.load_state_dict(saved["optimiser"])
    if run.average:
        run.average.load_state_dict(saved["average"])
    state: dict[str, Any] = saved["state"]
    return _TrainingState(**{**state, "position": tuple(state["position"])})


def _save(checkpoint: Path, run: _Run, state: _TrainingState) -> None:
    tensors = {
        "module": checkpoints.trainable_state(run.learner.module),
        "optimiser": run.optimiser.state_dict(),
        "average": run.average.state_dict() if run.average else {},
        "state": asdict(state),
    }
    checkpoints.save(checkpoint, tensors)
