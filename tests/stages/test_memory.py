"""Batches are halved where memory runs out; what has no room at all is one sentence."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING

import pytest
import torch

from schemas.errors import DeviceMemoryError
from stages.detect import Detect
from stages.embed_concepts import EmbedConcepts
from stages.evaluate import Evaluate
from stages.featurize import Featurize
from stages.finetune import Finetune
from stages.label import Label
from stages.memory import in_batches, is_out_of_memory, remark, sentence, watched
from stages.pretrain import Pretrain
from stages.propose import Propose
from stages.train import Train
from stages.train_rpn import TrainRpn
from tests.in_memory import InMemory

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stages.base import Stage


FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


class Device:
    """Has room for so many items; remembers the batches that it was given."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.batches: list[int] = []

    def __call__(self, items: list[int]) -> list[int]:
        self.batches.append(len(items))
        if len(items) > self.room:
            raise torch.OutOfMemoryError(str(FULL))
        return [10 * item for item in items]


@pytest.fixture
def part() -> Iterator[InMemory]:
    part = InMemory({})
    with watched(Featurize(), part):
        yield part


@pytest.mark.parametrize(
    ("room", "batches"),
    [(8, [8, 3]), (4, [8, 4, 4, 3]), (3, [8, 4, 2, 2, 2, 2, 2, 1]), (1, [8, 4, 2, *[1] * 11])],
)
def test_a_batch_is_halved_until_it_fits_and_later_ones_stay_small(
    part: InMemory, room: int, batches: list[int]
) -> None:
    device = Device(room)
    results = in_batches(list(range(11)), 8, device, "image")
    assert [value for batch in results for value in batch] == [10 * n for n in range(11)]
    assert device.batches == batches


def test_another_kind_of_batch_keeps_its_size_and_so_does_the_next_part(part: InMemory) -> None:
    in_batches(list(range(4)), 4, Device(1), "image")
    device = Device(9)
    in_batches(list(range(4)), 4, device, "region")
    with watched(Featurize(), part):
        in_batches(list(range(4)), 4, device, "image")
    assert device.batches == [4, 4]


def test_no_items_give_no_results() -> None:
    assert in_batches([], 4, Device(0), "image") == []


def test_tensors_ranges_and_lists_are_cut_alike(part: InMemory) -> None:
    halves = in_batches(torch.arange(5), 2, lambda some: some + 1, "region")
    assert [half.tolist() for half in halves] == [[1, 2], [3, 4], [5]]
    assert in_batches(range(5), 3, list, "region") == [[0, 1, 2], [3, 4]]


def test_one_that_does_not_fit_is_an_error_and_the_batch_that_holds_it_is_halved(
    part: InMemory,
) -> None:
    regions: list[tuple[int, int]] = []

    def encode(images: list[int]) -> list[int]:
        def embed(some: range) -> int:
            regions.append((len(images), len(some)))
            if len(images) > 1:  # what they hold leaves no room for a region
                raise torch.OutOfMemoryError(str(FULL))
            return len(some)

        return in_batches(range(2), 2, embed, "region")

    assert in_batches([1, 2], 2, encode, "image") == [[2], [2]]
    assert regions == [(2, 2), (2, 1), (1, 2), (1, 2)]  # and of one image all regions are tried


def test_the_failed_attempt_is_gone_before_the_next_begins(part: InMemory) -> None:
    class Tensor:
        """Stands for gigabytes."""

    held: list[weakref.ref[Tensor]] = []

    def work(items: list[int]) -> int:
        assert all(ref() is None for ref in held)
        tensor = Tensor()
        held.append(weakref.ref(tensor))
        if len(items) > 1:
            raise torch.OutOfMemoryError(str(FULL))
        return 1

    in_batches([1, 2, 3, 4], 4, work, "image")
    assert len(held) == 6


def test_the_cache_is_emptied_before_each_new_attempt(
    part: InMemory, monkeypatch: pytest.MonkeyPatch
) -> None:
    emptied: list[bool] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(True))
    in_batches([1, 2, 3, 4], 4, Device(1), "image")
    assert len(emptied) == 2


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be asynchronous"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
)
def test_errors_that_mean_out_of_memory(error: RuntimeError) -> None:
    assert is_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("CUDA error: device-side assert triggered"),
        RuntimeError("shape '[2]' is invalid for input of size 3"),
        RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED"),
        MemoryError(),
        OSError("CUDA error: out of memory"),
    ],
)
def test_other_errors_are_not_tried_again(part: InMemory, error: Exception) -> None:
    tries: list[int] = []

    def work(items: list[int]) -> None:
        tries.append(len(items))
        raise error

    with pytest.raises(type(error)):
        in_batches([1, 2, 3, 4], 4, work, "image")
    assert tries == [4]
    assert not is_out_of_memory(error)


def test_a_part_counts_what_was_halved_and_a_run_says_it_once() -> None:
    first, second = InMemory({}), InMemory({})
    with watched(Featurize(), first):
        in_batches(list(range(8)), 8, Device(2), "image")
    with watched(Featurize(), second):
        in_batches(list(range(8)), 8, Device(8), "image")
    assert first.notes == {"halved": {"image": {"4": 1, "2": 1}}}
    assert second.notes == {}
    (said,) = remark(first.notes)
    assert "ran out 2 times, so batches were halved, down to 2 images" in said
    assert remark({}) == []


def test_what_was_halved_in_vain_is_not_counted() -> None:
    part = InMemory({})
    with pytest.raises(DeviceMemoryError), watched(Featurize(), part):
        in_batches([1, 2], 2, Device(0), "region")
    assert part.notes == {}


@pytest.mark.parametrize(
    ("stage", "advice"),
    [
        (
            Train(images_per_batch=96),
            "memory: give --accumulate 2, .*; or give --images-per-batch 48 instead of 96",
        ),
        (Train(images_per_batch=96, accumulate=24, ranks=2), "memory: give --accumulate 48, "),
        (Train(images_per_batch=96, accumulate=24, ranks=4), "memory: give --images-per-batch 48"),
        (
            Pretrain(images_per_batch=7),
            "memory: give --accumulate 2, .*; or give --images-per-batch 3 instead of 7",
        ),
        (Finetune(images_per_batch=1), "memory: give a smaller --resize"),
        (TrainRpn(images_per_batch=8, accumulate=8), "memory: give --images-per-batch 4 instead"),
        (Featurize(), "memory: give a smaller --resize; or end .*, give fewer --workers, or"),
        (Featurize(pooling="crop"), "memory: end other programs"),
        (Propose(), "memory: give a smaller --resize"),
        (Detect(), "memory: give a smaller --resize"),
        (Evaluate(), "memory: give a smaller --resize"),
        (Label(), "memory: give --block-concepts 4096 instead of 8192; or end other programs"),
        (
            Label(from_images=True),
            "memory: give --block-concepts 4096 .*; or give a smaller",
        ),
        (EmbedConcepts(), "memory: end other programs that use it, or say --device"),
    ],
)
def test_the_sentence_says_which_option_to_lower_and_to_what(stage: Stage, advice: str) -> None:
    with (
        pytest.raises(DeviceMemoryError, match=f"^the device has too little {advice}"),
        watched(stage, InMemory({})),
    ):
        raise FULL
    assert "--images-per-batch" not in sentence(FULL, Train(images_per_batch=1))


def test_the_sentence_says_that_one_does_not_fit() -> None:
    with (
        pytest.raises(DeviceMemoryError, match=r"too little memory: one image alone has no room:"),
        watched(Featurize(), InMemory({})),
    ):
        in_batches([1, 2], 2, Device(0), "image")


def test_an_error_of_another_kind_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match=r"^shape$"), watched(Train(), InMemory({})):
        raise RuntimeError("shape")
