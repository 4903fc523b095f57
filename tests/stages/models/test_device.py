from __future__ import annotations

import pytest
import torch

from schemas.errors import OptionError
from stages.models.device import deterministic, resolve, set_threads


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


def test_threads_are_set_only_if_given() -> None:
    before = torch.get_num_threads()
    set_threads(None)
    assert torch.get_num_threads() == before
    set_threads(1)
    assert torch.get_num_threads() == 1
    set_threads(before)


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
