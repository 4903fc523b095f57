"""What ranks say to each other: with one process, and with two that have different things."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from stages.training import distributed
from stages.training.distributed import (
    from_first_rank,
    gather_rows,
    largest,
    num_ranks,
    rank,
    share_state,
    sum_gradients,
)
from tests.stages.training.ranks import on_ranks

pytestmark = pytest.mark.slow


def test_a_single_process_is_rank_0_of_1_and_keeps_what_it_has() -> None:
    assert (rank(), num_ranks()) == (0, 1)
    rows = torch.randn(3, 2, requires_grad=True)
    joined, first = gather_rows(rows)
    assert torch.equal(joined, rows)
    assert first == 0
    assert not joined.requires_grad
    assert largest([3, -1]) == [3, -1]
    assert from_first_rank({"a": 1}) == {"a": 1}


class Layers(torch.nn.Module):
    """Several parameters and a buffer, which differ from rank to rank."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.both = torch.nn.Parameter(torch.full((2, 3, 4, 4), float(number)))
        self.one = torch.nn.Parameter(torch.full((3,), float(number)))
        self.none = torch.nn.Parameter(torch.zeros(2))
        self.frozen = torch.nn.Parameter(torch.zeros(2), requires_grad=False)
        self.register_buffer("count", torch.tensor(number))
        self.to(memory_format=torch.channels_last)


def _meet(number: int) -> dict[str, Any]:
    ids = torch.tensor([7, 7, 1]) if number == 0 else torch.tensor([4])
    rows = torch.arange(6.0).view(3, 2) if number == 0 else torch.zeros(0, 9)
    layers = Layers(number + 1)
    share_state(layers)
    shared = {name: value.clone() for name, value in layers.state_dict().items()}
    weights = torch.arange(96.0).view_as(layers.both) * (number + 1)
    (layers.both * weights).sum().backward()
    if number == 1:
        (3 * layers.one).sum().backward()
    distributed._BUCKET = 50  # each parameter is a message, and the larger one is alone
    sum_gradients(layers.parameters())
    return {
        "rank": [rank(), num_ranks()],
        "ids": gather_rows(ids),
        "rows": gather_rows(rows),
        "nothing": gather_rows(rows[:0]),
        "largest": largest([number, -number, 5]),
        "first": from_first_rank([number, {"a": torch.tensor([number])}]),
        "shared": shared,
        "both": layers.both.grad,
        "strides": [list(layers.both.grad.stride()), list(layers.both.stride())],
        "one": layers.one.grad,
        "none": [layers.none.grad is None, layers.frozen.grad is None],
    }


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return on_ranks(_meet, tmp_path_factory.mktemp("ranks"))


def test_rows_are_joined_in_order_of_rank_however_many_each_has(results: list[Any]) -> None:
    for number, result in enumerate(results):
        assert result["rank"] == [number, 2]
        ids, first = result["ids"]
        assert ids.tolist() == [7, 7, 1, 4]
        assert first == (0, 3)[number]
        rows, first = result["rows"]
        assert torch.equal(rows, torch.arange(6.0).view(3, 2))
        assert first == (0, 3)[number]
        assert len(result["nothing"][0]) == 0


def test_numbers_are_the_largest_and_states_those_of_the_first_rank(results: list[Any]) -> None:
    for result in results:
        assert result["largest"] == [1, 0, 5]
        assert result["first"] == [0, {"a": torch.tensor([0])}]
        assert {float(value.max()) for value in result["shared"].values()} == {0.0, 1.0}
        assert result["shared"]["count"].item() == 1


def test_gradients_are_summed_and_a_parameter_that_no_rank_used_gets_none(
    results: list[Any],
) -> None:
    for result in results:
        assert torch.equal(result["both"], torch.arange(96.0).view(2, 3, 4, 4) * 3)
        assert result["strides"][0] == result["strides"][1]
        assert result["one"].tolist() == [3.0, 3.0, 3.0]
        assert result["none"] == [True, True]
