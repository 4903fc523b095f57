"""The loop: takes steps until none is left, keeps a journal, survives being killed.

A run that was killed and started again ends in the same weights and the same journal, bit by
bit on one device: batches follow from a position in the feed, and whatever a network draws at
random (dropout) follows from the seed and the step.
"""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import torch

from schemas.errors import StageError
from stages.seeds import generator
from stages.training import checkpoints

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence, Sized
    from pathlib import Path

    from stages.training.config import TrainingConfig

Position = tuple[int, int]  # epoch, and how many samples of it were used
Row = dict[str, Any]  # step, images, learning_rate, and what the learner reports
START: Position = (0, 0)


class Learner(Protocol):
    """What is trained, and how a batch becomes losses."""

    @property
    def module(self) -> torch.nn.Module:
        """The network; its trained parameters and buffers are checkpointed."""
        ...

    def losses(self, batch: Any) -> Mapping[str, torch.Tensor]:
        """`loss`, which is minimised (absent if there is nothing to learn), and terms to log."""
        ...

    def after_step(self) -> Mapping[str, float]:
        """Put parameters back into their range; return readings to log as they are."""
        ...


class Loader(Protocol):
    """Where batches come from; never ends."""

    def batches(self, start: Position) -> Iterator[tuple[Sized, Position]]:
        """Batches from `start` on, each with the position behind it."""
        ...


@dataclass
class _TrainingState:
    """Where a run stands; everything of a checkpoint but tensors."""

    step: int = 0
    images: int = 0
    position: Position = START
    sums: dict[str, float] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    def add(self, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
            self.counts[name] = self.counts.get(name, 0) + 1

    def close(self, learning_rate: float, readings: Mapping[str, float]) -> None:
        means = {name: total / self.counts[name] for name, total in self.sums.items()}
        head = {"step": self.step, "images": self.images, "learning_rate": learning_rate}
        self.rows.append({**head, **means, **readings})
        self.sums, self.counts = {}, {}


def fit(
    learner: Learner,
    loader: Loader,
    config: TrainingConfig,
    checkpoint: Path | None = None,
    watch: Callable[[int, Sequence[Row]], None] = lambda steps, rows: None,
) -> list[Row]:
    """Train to the end of `config`, from `checkpoint` if it exists.

    Args:
        learner: Trained in place.
        loader: Its batches.
        config: How.
        checkpoint: File to keep the run in; None to keep none.
        watch: Told how many steps were just done, and the rows closed with them.

    Returns:
        Rows of the journal: means since the row before of every term that took part.

    Raises:
        StageError: If the loss is not a finite number; names the step.
    """
    optimiser = config.optimisation.optimiser(learner.module.parameters())
    state = _resume(checkpoint, learner, optimiser)
    if state.step:
        watch(state.step, state.rows)
    batches = loader.batches(state.position)
    while state.step < config.steps:
        batch, state.position = next(batches)
        known = len(state.rows)
        _step(learner, optimiser, batch, config, state)
        if checkpoint and state.step % config.checkpoint_every == 0:
            _save(checkpoint, learner, optimiser, state)
        watch(1, state.rows[known:])
    return state.rows


def _step(
    learner: Learner,
    optimiser: torch.optim.Optimizer,
    batch: Sized,
    config: TrainingConfig,
    state: _TrainingState,
) -> None:
    learning_rate = config.optimisation.learning_rate * config.schedule.factor(state.step)
    for group in optimiser.param_groups:
        group["lr"] = learning_rate
    with _seeded(config.seed, state.step, learner.module):
        terms = learner.losses(batch)
        _descend(terms.get("loss"), optimiser, config)
    state.step += 1
    state.images += len(batch)
    values = {name: float(term.detach()) for name, term in terms.items()}
    if not math.isfinite(values.get("loss", 0.0)):
        raise StageError(
            f"the loss became {values['loss']} at step {state.step}; lower --learning-rate "
            f"or use --precision float32"
        )
    readings = learner.after_step()
    state.add(values)
    if state.step % config.log_every == 0 or state.step == config.steps:
        state.close(learning_rate, readings)


def _descend(
    loss: torch.Tensor | None, optimiser: torch.optim.Optimizer, config: TrainingConfig
) -> None:
    if loss is None:
        return
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    config.optimisation.limit([p for g in optimiser.param_groups for p in g["params"]])
    optimiser.step()


@contextmanager
def _seeded(seed: int, step: int, module: torch.nn.Module) -> Iterator[None]:
    """Whatever is drawn inside follows from seed and step, and leaves no trace outside."""
    devices = list({p.device for p in module.parameters() if p.device.type == "cuda"})
    drawn = int(generator(seed, "step", step).integers(1 << 32))  # a CPU generator takes 32 bits
    with torch.random.fork_rng(devices=devices):
        torch.default_generator.manual_seed(drawn)
        for device in devices:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(drawn)
        yield


def _resume(
    checkpoint: Path | None, learner: Learner, optimiser: torch.optim.Optimizer
) -> _TrainingState:
    saved = checkpoints.load(checkpoint) if checkpoint else None
    if saved is None:
        return _TrainingState()
    learner.module.load_state_dict(saved["module"], strict=False)
    optimiser.load_state_dict(saved["optimiser"])
    state: dict[str, Any] = saved["state"]
    return _TrainingState(**{**state, "position": tuple(state["position"])})


def _save(
    checkpoint: Path, learner: Learner, optimiser: torch.optim.Optimizer, state: _TrainingState
) -> None:
    tensors = {
        "module": checkpoints.changing(learner.module),
        "optimiser": optimiser.state_dict(),
        "state": asdict(state),
    }
    checkpoints.save(checkpoint, tensors)
