"""The training loop: its log, its error for a loss that is not finite, its resumption."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from schemas.errors import StageError
from stages.training.config import TrainingConfig
from stages.training.loader import BatchShare
from stages.training.loop import Position, fit
from stages.training.optimisers import OptimiserConfig
from stages.training.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    Rows = Mapping[str, torch.Tensor]


class Line:
    """Learns y = 2x, with dropout and a batch norm, whose states must be restored."""

    def __init__(self) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.module: torch.nn.Module = torch.nn.Sequential(
                torch.nn.Linear(1, 8),
                torch.nn.BatchNorm1d(8),
                torch.nn.Dropout(0.5),
                torch.nn.Linear(8, 1),
            )

    def outputs(self, batch: Sequence[float]) -> Rows:
        return {"y": self.module(self.targets(batch)["x"])}

    def targets(self, batch: Sequence[float]) -> Rows:
        return {"x": torch.tensor(batch)[:, None]}

    def losses(self, outputs: Rows, targets: Rows) -> Rows:
        if targets["x"][0] < 0:
            return {"skipped": torch.tensor(1.0)}
        loss = (outputs["y"] - 2 * targets["x"]).square().mean()
        return {"loss": loss, "twice": 2 * loss}

    def after_step(self) -> Mapping[str, float]:
        return {"reading": 7.0}


class Numbers:
    """Ten different batches per epoch, from any position."""

    def __init__(self, *, fifth: float | None = None) -> None:
        self.fifth = fifth
        self.starts: list[Position] = []

    def batches(self, start: Position) -> Iterator[BatchShare]:
        self.starts.append(start)
        epoch, used = start
        while True:
            for i in range(used, 10):
                first = self.fifth if self.fifth is not None and i == 4 else epoch + i / 10
                yield BatchShare([[first, 0.5, i / 3]], 3, (epoch, i + 1))
            epoch, used = epoch + 1, 0


def config(steps: int = 20, **changes: Any) -> TrainingConfig:
    optimiser = OptimiserConfig(
        kind=changes.pop("kind", "sgd"), learning_rate=0.01, weight_decay=0.1
    )
    schedule = Schedule(kind="cosine", steps=steps, warmup=2)
    return TrainingConfig(steps=steps, optimiser=optimiser, schedule=schedule, **changes)


def weights(learner: Line) -> bytes:
    state = learner.module.state_dict()
    return b"".join(value.numpy().tobytes() for value in state.values())


class KilledError(Exception):
    pass


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sgd", "adamw"])
@pytest.mark.parametrize("at", [1, 8, 19])
def test_a_killed_and_resumed_run_ends_like_an_uninterrupted_one(
    tmp_path: Path, kind: str, at: int
) -> None:
    plan = config(kind=kind, log_every=3, checkpoint_every=4)
    uninterrupted = Line()
    expected = fit(uninterrupted, Numbers(), plan)

    done = 0

    def kill(steps: int, rows: Sequence[Mapping[str, Any]]) -> None:
        nonlocal done
        done += steps
        if done == at:
            raise KilledError

    with pytest.raises(KilledError):
        fit(Line(), Numbers(), plan, tmp_path / "checkpoint.pt", kill)
    resumed, loader = Line(), Numbers()
    torch.rand(at)  # a process that was started anew has another global state
    rows = fit(resumed, loader, plan, tmp_path / "checkpoint.pt")
    assert loader.starts == [(at // 4 * 4 // 10, at // 4 * 4 % 10)]
    assert rows == expected
    assert weights(resumed) == weights(uninterrupted)


@pytest.mark.slow
@pytest.mark.parametrize("at", [1, 8, 19])
def test_a_killed_and_resumed_run_ends_with_the_same_average(tmp_path: Path, at: int) -> None:
    plan = config(checkpoint_every=4, average_decay=0.9)
    uninterrupted, last = Line(), Line()
    fit(uninterrupted, Numbers(), plan)
    fit(last, Numbers(), config())

    def kill(steps: int, rows: Sequence[Mapping[str, Any]]) -> None:
        kill.done += steps  # type: ignore[attr-defined]
        if kill.done == at:  # type: ignore[attr-defined]
            raise KilledError

    kill.done = 0  # type: ignore[attr-defined]
    with pytest.raises(KilledError):
        fit(Line(), Numbers(), plan, tmp_path / "checkpoint.pt", kill)
    resumed = Line()
    fit(resumed, Numbers(), plan, tmp_path / "checkpoint.pt")
    assert weights(resumed) == weights(uninterrupted) != weights(last)


def test_the_weights_at_the_end_are_the_average_over_all_steps() -> None:
    decay, steps = 0.8, 12
    learner, after = Line(), []

    def keep(count: int, rows: Sequence[Mapping[str, Any]]) -> None:
        after.append({n: p.detach().double() for n, p in learner.module.named_parameters()})

    expected = {n: p.detach().double() for n, p in learner.module.named_parameters()}
    fit(learner, Numbers(), config(steps, average_decay=decay), on_step=keep)
    for step in after:
        expected = {n: decay * e + (1 - decay) * step[n] for n, e in expected.items()}
    for name, parameter in learner.module.named_parameters():
        torch.testing.assert_close(parameter.detach().double(), expected[name], rtol=0, atol=1e-6)
    unaveraged = Line()
    fit(unaveraged, Numbers(), config(steps))
    pairs = zip(learner.module.buffers(), unaveraged.module.buffers(), strict=True)
    assert all(torch.equal(ours, last) for ours, last in pairs)


def test_another_seed_gives_another_dropout() -> None:
    assert fit(Line(), Numbers(), config(seed=1)) != fit(Line(), Numbers(), config(seed=2))


def test_the_global_generator_is_left_alone() -> None:
    before = torch.random.get_rng_state()
    fit(Line(), Numbers(), config(3))
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_row_holds_means_since_the_row_before() -> None:
    each = fit(Line(), Numbers(), config(6, log_every=1))
    rows = fit(Line(), Numbers(), config(6, log_every=4))
    assert [row["step"] for row in rows] == [4, 6]
    assert [row["images"] for row in rows] == [12, 18]
    assert rows[1]["loss"] == pytest.approx((each[4]["loss"] + each[5]["loss"]) / 2)
    assert rows[1]["twice"] == pytest.approx(2 * rows[1]["loss"])
    assert rows[1]["learning_rate"] == each[5]["learning_rate"]
    assert rows[0]["reading"] == 7


def test_a_step_without_a_loss_changes_no_weight() -> None:
    learner = Line()
    before = [parameter.detach().clone() for parameter in learner.module.parameters()]

    class WithoutLoss(Numbers):
        def batches(self, start: Position) -> Iterator[BatchShare]:
            while True:
                yield BatchShare([[-1.0, -1.0]], 2, (0, 1))

    rows = fit(learner, WithoutLoss(), config(2, log_every=1))
    pairs = zip(learner.module.parameters(), before, strict=True)
    assert all(torch.equal(after, value) for after, value in pairs)
    assert "loss" not in rows[0]
    assert rows[0]["skipped"] == 1


def test_the_mean_of_a_term_is_over_the_steps_that_have_it() -> None:
    rows = fit(Line(), Numbers(fifth=-1.0), config(12, log_every=10))
    each = fit(Line(), Numbers(fifth=-1.0), config(12, log_every=1))
    present = [row["loss"] for row in each[:10] if "loss" in row]
    assert len(present) == 9
    assert rows[0]["loss"] == pytest.approx(sum(present) / 9)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_step(value: float) -> None:
    with pytest.raises(StageError, match=r"the loss became nan at step 5; lower --learning-rate"):
        fit(Line(), Numbers(fifth=value), config())


def test_progress_counts_every_step_once_even_when_resumed(tmp_path: Path) -> None:
    plan, reported = config(10, checkpoint_every=4), []
    fit(Line(), Numbers(), config(8, checkpoint_every=4), tmp_path / "c.pt")
    fit(Line(), Numbers(), plan, tmp_path / "c.pt", lambda steps, rows: reported.append(steps))
    assert reported == [8, 1, 1]


@pytest.mark.parametrize(
    ("steps", "log_every", "logged"),
    [(3, 50, [1, 3]), (4, 4, [1, 4]), (1, 50, [1]), (5, 4, [4, 5]), (8, 4, [4, 8])],
)
def test_a_short_run_has_its_first_and_last_step_in_the_log(
    steps: int, log_every: int, logged: list[int]
) -> None:
    rows = fit(Line(), Numbers(), config(steps, log_every=log_every))
    assert [row["step"] for row in rows] == logged
