"""What a network computes in on which device, what is refused, and what is left behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from schemas.errors import OptionError
from stages.models.precision import autocast, chosen_precision, computing_in, require_held
from stages.models.region_encoding import encode_regions_batched
from tests.stages.models.tiny import TOWERS, tiny_clip

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A CUDA device that has everything."""
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **how: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "a card")
    return monkeypatch


def product() -> torch.Tensor:
    return torch.ones(2, 2) @ torch.ones(2, 2)


def switches() -> tuple[bool, bool]:
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


def test_float32_stays_float32() -> None:
    with autocast("float32", CPU):
        assert product().dtype == torch.float32
    with computing_in("float32", CPU):
        assert product().dtype == torch.float32


def test_a_context_can_be_entered_twice_and_ends_each_time() -> None:
    context = autocast("bfloat16", CPU)
    for _ in range(2):
        with context:
            assert product().dtype == torch.bfloat16
        assert product().dtype == torch.float32


def test_a_device_without_bfloat16_is_refused(card: pytest.MonkeyPatch) -> None:
    card.setattr(torch.cuda, "is_bf16_supported", lambda **how: False)
    with pytest.raises(OptionError, match="a card cannot compute in bfloat16"):
        autocast("bfloat16", CUDA)


def test_a_card_before_tf32_is_refused(card: pytest.MonkeyPatch) -> None:
    card.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    with pytest.raises(OptionError, match="a card cannot compute in tf32; use --precision float32"):
        chosen_precision("tf32", CUDA)
    assert chosen_precision("float16", CUDA) == "float16"


@pytest.mark.parametrize("precision", ["tf32", "float16"])
def test_what_a_cpu_does_not_compute_in_is_refused_with_what_to_give(precision: str) -> None:
    said = rf"--precision {precision} needs a CUDA device.* on cpu give --precision float32 or bf"
    for enter in (chosen_precision, computing_in):
        with pytest.raises(OptionError, match=said):
            enter(precision, CPU).__enter__()  # type: ignore[attr-defined]


def test_auto_is_bfloat16_where_a_card_computes_it_itself(card: pytest.MonkeyPatch) -> None:
    assert chosen_precision("auto", CPU) == "float32"
    assert chosen_precision("auto", CUDA) == "bfloat16"
    card.setattr(torch.cuda, "is_bf16_supported", lambda **how: False)
    assert chosen_precision("auto", CUDA) == "float32"


@pytest.mark.parametrize("before", [(False, False), (True, False), (False, True)])
@pytest.mark.usefixtures("card")
def test_tf32_is_on_within_the_block_alone_even_if_that_fails(before: tuple[bool, bool]) -> None:
    matmul, cudnn, initially = torch.backends.cuda.matmul, torch.backends.cudnn, switches()
    matmul.allow_tf32, cudnn.allow_tf32 = before
    try:
        with computing_in("tf32", CUDA):
            assert switches() == (True, True)
        assert switches() == before
        with pytest.raises(ZeroDivisionError), computing_in("tf32", CUDA):
            raise ZeroDivisionError
        assert switches() == before
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = initially


def test_bfloat16_ends_with_its_block_even_if_that_fails() -> None:
    with computing_in("bfloat16", CPU):
        assert product().dtype == torch.bfloat16
    with pytest.raises(ZeroDivisionError), computing_in("bfloat16", CPU):
        raise ZeroDivisionError
    assert product().dtype == torch.float32
    assert not torch.is_autocast_enabled("cpu")


def test_what_float16_could_not_hold_is_refused_and_nothing_else() -> None:
    broken = torch.tensor([1.0, torch.nan])
    with pytest.raises(OptionError, match="not finite in float16, which ends at 65,504; give --p"):
        require_held(broken, "float16")
    require_held(broken[:1], "float16")
    require_held(broken, "float32")  # weights may be bad: whoever uses the results looks


def encoded(folder: Path, tower: str, precision: str, device: torch.device) -> NDArray[np.float32]:
    clip = tiny_clip(folder, tower).to(device)
    rng = torch.Generator().manual_seed(7)
    images = [torch.randn(3, *size, generator=rng) for size in ((64, 96), (80, 64))]
    boxes = [torch.tensor([[0.0, 0.0, 64.0, 64.0], [5.5, 9.0, 40.0, 61.0]])] * 2
    with computing_in(precision, device):
        features = encode_regions_batched(clip, images, boxes, 3)
    assert all(of_image.dtype == np.float32 for of_image in features)
    return np.concatenate(features)


def least_cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    lengths = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(axis=1) / lengths).min())


@pytest.mark.parametrize("tower", TOWERS)
def test_features_in_bfloat16_are_close_to_those_in_float32(tmp_path: Path, tower: str) -> None:
    exact, rough = (encoded(tmp_path, tower, kind, CPU) for kind in ("float32", "bfloat16"))
    assert not np.array_equal(exact, rough)
    assert least_cosine(exact, rough) > 0.99


@pytest.mark.gpu
@pytest.mark.parametrize("tower", TOWERS)
@pytest.mark.parametrize(("precision", "least"), [("tf32", 0.9999), ("float16", 0.999),
                                                  ("bfloat16", 0.99)])  # fmt: skip
def test_cuda_features_are_close_to_those_in_float32(
    tmp_path: Path, tower: str, precision: str, least: float
) -> None:
    from stages.models import device

    device.deterministic()
    exact, rough = (encoded(tmp_path, tower, kind, CUDA) for kind in ("float32", precision))
    assert least_cosine(exact, rough) > least
    assert np.array_equal(rough, encoded(tmp_path, tower, precision, CUDA))
    assert np.array_equal(exact, encoded(tmp_path, tower, "float32", CUDA))  # nothing is left on
