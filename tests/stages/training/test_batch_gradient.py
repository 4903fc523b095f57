"""The gradient of a batch that is cut into micro-batches is that of the whole batch."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from stages.training.batch_gradient import batch_gradient

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    Rows = Mapping[str, torch.Tensor]

PIXELS = torch.randn(12, 3, 16, 16, generator=torch.Generator().manual_seed(0))


class Pairs:
    """Compares each image with each other, by a scale that the loss itself gives a gradient."""

    def __init__(self, dropout: float = 0.0) -> None:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            layers = [torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8), torch.nn.ReLU()]
            more = [torch.nn.Dropout(dropout), torch.nn.Flatten(), torch.nn.Linear(8 * 14 * 14, 5)]
            self.module = torch.nn.Sequential(*layers, *more).double()
        self.module.scale = torch.nn.Parameter(torch.tensor(2.0, dtype=torch.float64))
        self.module.unused = torch.nn.Parameter(torch.zeros(1))
        self.passes: list[bool] = []

    def outputs(self, micro_batch: torch.Tensor) -> Rows:
        self.passes.append(torch.is_grad_enabled())
        rows = self.module(micro_batch.double())
        return {"rows": rows, "constant": rows.detach().sum(dim=1)}

    def targets(self, micro_batch: torch.Tensor) -> Rows:
        return {"ids": (micro_batch.sum(dim=(1, 2, 3)) > 0).long()}

    def losses(self, outputs: Rows, targets: Rows) -> Rows:
        rows = F.normalize(outputs["rows"], dim=1)
        logits = self.module.scale * rows @ rows.T + outputs["constant"]
        loss = F.cross_entropy(logits, targets["ids"])
        return {"loss": loss, "rows": torch.tensor(float(len(rows)))}

    def after_step(self) -> Mapping[str, float]:
        return {}


@contextmanager
def seeded(*keys: int) -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(hash(keys))
        yield


def cut(*sizes: int) -> Sequence[torch.Tensor]:
    return PIXELS[: sum(sizes)].split(list(sizes))


def gradients(learner: Pairs) -> dict[str, torch.Tensor]:
    return {n: p.grad for n, p in learner.module.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("sizes", [(12,), (6, 6), (1, 4, 7), (1,) * 12])
def test_it_is_that_of_the_whole_batch_in_one_pass(sizes: tuple[int, ...]) -> None:
    whole, learner = Pairs(), Pairs()
    for norm in (whole.module[1], learner.module[1]):
        norm.eval()
    loss = whole.losses(whole.outputs(PIXELS), whole.targets(PIXELS))["loss"]
    loss.backward()
    terms = batch_gradient(learner, cut(*sizes), seeded)
    assert terms == {"loss": pytest.approx(loss.item(), rel=1e-12), "rows": 12}
    actual, expected = gradients(learner), gradients(whole)
    assert actual.keys() == expected.keys()
    assert "unused" not in actual
    for name, gradient in expected.items():
        torch.testing.assert_close(actual[name], gradient, rtol=1e-9, atol=1e-12)


def test_both_passes_of_a_micro_batch_have_the_same_random_numbers() -> None:
    learner, whole = Pairs(dropout=0.5), Pairs(dropout=0.5)
    terms = batch_gradient(learner, cut(5, 7), seeded)
    rows = []
    for number, micro_batch in enumerate(cut(5, 7)):
        with seeded(number):
            rows.append(whole.outputs(micro_batch))
    joined = {name: torch.cat([some[name] for some in rows]) for name in rows[0]}
    loss = whole.losses(joined, whole.targets(PIXELS))["loss"]
    loss.backward()
    assert terms["loss"] == pytest.approx(loss.item(), rel=1e-12)
    for name, gradient in gradients(whole).items():
        torch.testing.assert_close(gradients(learner)[name], gradient, rtol=1e-9, atol=1e-12)


def test_a_single_micro_batch_is_computed_once_and_several_twice() -> None:
    learner = Pairs()
    batch_gradient(learner, cut(12), seeded)
    assert learner.passes == [True]
    batch_gradient(learner, cut(6, 6), seeded)
    assert learner.passes[1:] == [False, False, True, True]


def test_statistics_of_norms_move_once_for_each_micro_batch() -> None:
    learner, expected = Pairs(), Pairs()
    batch_gradient(learner, cut(5, 7), seeded)
    for micro_batch in cut(5, 7):
        expected.outputs(micro_batch)
    for (name, actual), value in zip(
        learner.module.named_buffers(), expected.module.buffers(), strict=True
    ):
        assert torch.equal(actual, value), name


class Saved:
    """How many numbers the graphs hold that are alive: now, and at most so far."""

    def __init__(self) -> None:
        self.now = self.most = 0

    def count(self) -> torch.autograd.graph.saved_tensors_hooks:
        return torch.autograd.graph.saved_tensors_hooks(lambda t: Held(self, t), lambda h: h.tensor)


class Held:
    """A tensor of a graph, counted until the graph is freed."""

    def __init__(self, saved: Saved, tensor: torch.Tensor) -> None:
        self.saved, self.tensor = saved, tensor
        saved.now += tensor.numel()
        saved.most = max(saved.most, saved.now)

    def __del__(self) -> None:
        self.saved.now -= self.tensor.numel()


def test_graphs_hold_one_micro_batch_at_a_time() -> None:
    most = {}
    for sizes in ((12,), (4, 4, 4), (1,) * 12):
        saved = Saved()
        with saved.count():
            batch_gradient(Pairs(), cut(*sizes), seeded)
        assert saved.now == 0
        most[len(sizes)] = saved.most
    assert most[3] < 0.45 * most[1]
    assert most[12] < 0.25 * most[1]
