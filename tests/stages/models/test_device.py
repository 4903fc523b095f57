from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
import torch

from schemas.errors import OptionError
from stages.models.device import (
    deterministic,
    in_order,
    resolve,
    set_operation_threads,
    set_threads,
)
from tests.waiting import HANG_S

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_cpu_is_cpu() -> None:
    assert resolve("cpu") == torch.device("cpu")


def test_auto_takes_cuda_only_if_there_is_one(monkeypatch) -> None:
    for there, expected in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert resolve("auto").type == expected


@pytest.mark.parametrize("name", ["gpu", "cpu:1", "cuda:x", "", "CUDA"])
def test_an_unknown_device_is_refused(name) -> None:
    with pytest.raises(OptionError, match="--device must be auto, cpu, cuda or cuda:N"):
        resolve(name)


def test_a_missing_cuda_device_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(OptionError, match=r"--device cuda was asked for, but .* sees 0 CUDA"):
        resolve("cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert resolve("cuda:1") == torch.device("cuda:1")
    with pytest.raises(OptionError, match=r"--device cuda:2 was asked for, but .* sees 2 CUDA"):
        resolve("cuda:2")


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    set_threads(None)
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_several_items_are_computed_at_once_and_each_on_one_core() -> None:
    torch.set_num_threads(3)
    set_threads(2)
    both = threading.Barrier(2)

    def work(item: int) -> tuple[int, int]:
        both.wait(timeout=HANG_S)  # passes only if two items are there at once
        return item, torch.get_num_threads()

    assert list(in_order(range(4), work, torch.device("cpu"))) == [(n, 1) for n in range(4)]


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(("given", "where"), [(None, "cpu"), (1, "cpu"), (4, "cuda")])
def test_one_thread_and_a_gpu_compute_where_they_are_called(given: int | None, where: str) -> None:
    set_threads(given)
    results = in_order(range(3), lambda _: threading.get_ident(), torch.device(where))
    assert set(results) == {threading.get_ident()}


@pytest.mark.usefixtures("threads")
def test_threads_of_an_operation_compute_one_item_at_a_time() -> None:
    set_threads(4)
    set_operation_threads(2)
    results = in_order(range(3), lambda _: threading.get_ident(), torch.device("cpu"))
    assert set(results) == {threading.get_ident()}
    assert torch.get_num_threads() == 2


def test_deterministic_turns_off_reduced_precision_and_the_choice_of_algorithms() -> None:
    cudnn, matmul = torch.backends.cudnn, torch.backends.cuda.matmul
    flags = [(cudnn, "benchmark"), (cudnn, "allow_tf32"), (matmul, "allow_tf32")]
    before = [getattr(owner, name) for owner, name in flags]
    fixed = cudnn.deterministic
    try:
        for owner, name in flags:
            setattr(owner, name, True)
        cudnn.deterministic = False
        deterministic()
        assert not any(getattr(owner, name) for owner, name in flags)
        assert cudnn.deterministic
    finally:
        cudnn.deterministic = fixed
        for (owner, name), value in zip(flags, before, strict=True):
            setattr(owner, name, value)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(
    ("name", "value"), [("OMP_THREAD_LIMIT", "2"), ("OMP_DYNAMIC", "TRUE"), ("OMP_DYNAMIC", "true")]
)
def test_fewer_threads_than_asked_for_are_refused(monkeypatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(OptionError, match=f"--threads 3 may become fewer by {name}="):
        set_operation_threads(3)
    set_operation_threads(1)
