"""The gradient of a batch that no process holds at once: of micro-batches, and of ranks.

A loss that compares all images of a batch is no sum over pieces of it. So the network is cut from
its losses at its outputs, which are small. Outputs of all micro-batches of all ranks are joined;
every rank computes the losses of the whole batch from them, and the gradient of each output; each
micro-batch carries the gradients of its own outputs back through the network; and what arrives at
the parameters is summed over micro-batches and ranks. But for rounding, that is the gradient of the
whole batch in one process, however many images, regions or captions each micro-batch has.

A single micro-batch keeps what it needs for the way back. Several are computed twice, first without
gradient, then one by one with gradient and the same random numbers: so only one is in memory.

Source: GradCache (arXiv:2101.06983).
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Protocol

import torch

from stages.training.distributed import gather_rows, num_ranks, rank, sum_gradients

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

    Rows = Mapping[str, torch.Tensor]  # each (N, ...); N of a micro-batch may be 0
    Seeded = Callable[..., AbstractContextManager[None]]


class Learner(Protocol):
    """A network to train, and its losses."""

    @property
    def module(self) -> torch.nn.Module:
        """The network; its trained parameters and buffers are checkpointed."""
        ...

    def outputs(self, micro_batch: Any) -> Rows:
        """All that the losses need of the network: rows, in the order of the images."""
        ...

    def targets(self, micro_batch: Any) -> Rows:
        """What the outputs are compared with: rows, without gradient."""
        ...

    def losses(self, outputs: Rows, targets: Rows) -> Mapping[str, torch.Tensor]:
        """`loss` to minimise (absent if the batch teaches nothing), and further terms to log.

        Args:
            outputs: Of the whole batch: rows of all micro-batches, joined.
            targets: The same.
        """
        ...

    def after_step(self) -> Mapping[str, float]:
        """Clamp parameters to their range; return values to log without averaging."""
        ...


def batch_gradient(
    learner: Learner, micro_batches: Sequence[Any], seeded: Seeded
) -> dict[str, float]:
    """The terms of a whole batch; its gradient is added to that of the parameters.

    Args:
        learner: Its network is computed on this rank's micro-batches.
        micro_batches: Of this rank; equally many on each rank.
        seeded: Makes a context in which random numbers follow from the number given, if any.
    """
    passes = _Passes(learner, micro_batches, seeded)
    outputs, places = _gathered(passes.first())
    targets, _ = _gathered([learner.targets(micro_batch) for micro_batch in micro_batches])
    cut = {name: _leaf(rows) for name, rows in outputs.items()}
    with seeded():
        terms = learner.losses(cut, targets)
    if "loss" in terms:
        terms["loss"].backward()  # type: ignore[no-untyped-call]
        if rank():  # what a loss gives a parameter directly is equal on all ranks, and counts once
            learner.module.zero_grad(set_to_none=True)
        for number in range(len(micro_batches)):
            _carry_back(passes.second(number), cut, places[number])
        sum_gradients(learner.module.parameters())
    return {name: float(term.detach()) for name, term in terms.items()}


class _Passes:
    """The forward passes of this rank's micro-batches: one of a single one, else two of each."""

    def __init__(self, learner: Learner, micro_batches: Sequence[Any], seeded: Seeded) -> None:
        self._learner, self._micro_batches, self._seeded = learner, micro_batches, seeded
        self._kept: Rows | None = None

    def first(self) -> list[Rows]:
        """Outputs of each micro-batch; of a single one with its graph."""
        if len(self._micro_batches) == 1:
            self._kept = self._outputs(0)
            return [self._kept]
        with torch.no_grad(), _unchanged_buffers(self._learner.module):
            return [self._outputs(number) for number in range(len(self._micro_batches))]

    def second(self, number: int) -> Rows:
        """Outputs of a micro-batch with its graph."""
        return self._outputs(number) if self._kept is None else self._kept

    def _outputs(self, number: int) -> Rows:
        count = len(self._micro_batches)
        whole = num_ranks() * count == 1
        with self._seeded() if whole else self._seeded(rank() * count + number):
            return self._learner.outputs(self._micro_batches[number])


@contextmanager
def _unchanged_buffers(module: torch.nn.Module) -> Iterator[None]:
    """Statistics of norms are moved by the second pass alone."""
    before = [buffer.clone() for buffer in module.buffers()]
    yield
    for buffer, value in zip(module.buffers(), before, strict=True):
        buffer.copy_(value)


def _gathered(
    micro_batches: Sequence[Rows],
) -> tuple[dict[str, torch.Tensor], list[dict[str, slice]]]:
    """Rows of all micro-batches of all ranks; and where those of each of this rank now are."""
    joined: dict[str, torch.Tensor] = {}
    places: list[dict[str, slice]] = [{} for _ in micro_batches]
    for name in micro_batches[0]:
        rows = [rows_of[name] for rows_of in micro_batches]
        some = [r for r in rows if len(r)] or rows[:1]
        joined[name], first = gather_rows(some[0] if len(some) == 1 else torch.cat(some))
        ends = list(accumulate([len(r) for r in rows], initial=first))
        for place, start, end in zip(places, ends, ends[1:], strict=False):
            place[name] = slice(start, end)
    return joined, places


def _leaf(rows: torch.Tensor) -> torch.Tensor:
    return rows.detach().requires_grad_(rows.is_floating_point())


def _carry_back(outputs: Rows, cut: Rows, place: Mapping[str, slice]) -> None:
    """Add to the parameters' gradients what the gradients of a micro-batch's outputs give them."""
    pairs = [
        (rows, gradient[place[name]])
        for name, rows in outputs.items()
        if rows.requires_grad and (gradient := cut[name].grad) is not None
    ]
    if pairs:
        torch.autograd.backward([rows for rows, _ in pairs], [given for _, given in pairs])
