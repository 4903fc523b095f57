"""Image-text pretraining: views of pairs, and what is trained."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from stages.models.clip_spec import ClipSpec
from stages.training.augment import ZoomedCrop
from stages.training.pretraining import PairBatch, PairTransform, Pretraining, collate_pairs
from stages.training.samples import Sample
from tests.stages.training import tiny
from tests.stages.training.terms import terms_of

if TYPE_CHECKING:
    from pathlib import Path

SPEC = ClipSpec(
    architecture=None, config={}, image_size=16, mean=(0.5,) * 3, std=(0.5,) * 3, origin="none"
)


def pixels(image: Any) -> Any:
    return np.random.default_rng(0).integers(0, 255, (40, 60, 3)).astype(np.uint8)


def transform(seed: int = 0) -> PairTransform:
    return PairTransform(pixels, ZoomedCrop((0.5, 2.0), flip=True, spec=SPEC), seed)


def sample(name: str = "a", captions: tuple[str, ...] = ("one", "two", "three")) -> Sample:
    return Sample(part=2, image={"image_id": name, "captions": list(captions)})


def test_a_pair_follows_from_seed_epoch_part_and_image() -> None:
    first, caption = transform()(sample(), epoch=1)
    again, same_caption = transform()(sample(), epoch=1)
    assert torch.equal(first, again)
    assert caption == same_caption
    others = [transform(5)(sample(), 1), transform()(sample("b"), 1), transform()(sample(), 2)]
    assert all(not torch.equal(first, other) for other, _ in others)


def test_a_pair_has_native_size_and_one_of_the_captions() -> None:
    pairs = [transform()(sample(), epoch) for epoch in range(20)]
    assert {crop.shape for crop, _ in pairs} == {(3, 16, 16)}
    assert {caption for _, caption in pairs} == {"one", "two", "three"}


def test_a_batch_has_the_pairs_in_order() -> None:
    pairs = [transform()(sample(name), 0) for name in "abc"]
    (batch,) = collate_pairs([pairs])
    assert len(batch) == 3
    assert batch.pixels.shape == (3, 3, 16, 16)
    assert torch.equal(batch.pixels[1], pairs[1][0])
    assert batch.captions == [caption for _, caption in pairs]


def batch() -> PairBatch:
    images = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    return PairBatch(images, ["a red square", "a cat", "two blue squares"])


@pytest.mark.slow
@pytest.mark.parametrize("freeze_text", [False, True])
def test_both_towers_get_a_gradient_unless_the_text_tower_is_frozen(
    tmp_path: Path, freeze_text: bool
) -> None:
    clip = tiny.clip(tmp_path)
    learner = Pretraining(clip, "float32", freeze_text=freeze_text)
    terms_of(learner, batch())["loss"].backward()
    moving = {
        name.split(".")[0] for name, p in clip.network.named_parameters() if p.grad is not None
    }
    assert "visual" in moving
    assert ("transformer" in moving) is not freeze_text
    assert ("token_embedding" in moving) is not freeze_text
    assert clip.logit_scale.grad is not None
    assert learner.module is clip


def test_a_temperature_within_its_range_is_not_changed(tmp_path: Path) -> None:
    clip = tiny.clip(tmp_path)
    learner = Pretraining(clip, "float32", freeze_text=False)
    before = clip.logit_scale.item()
    assert learner.after_step()["logit_scale"] == pytest.approx(np.exp(before), rel=1e-6)
    assert clip.logit_scale.item() == before


@pytest.mark.slow
def test_bfloat16_is_near_float32(tmp_path: Path) -> None:
    losses = [
        terms_of(Pretraining(tiny.clip(tmp_path), precision, freeze_text=False), batch())["loss"]
        for precision in ("float32", "bfloat16")
    ]
    assert losses[1].dtype == torch.float32
    assert losses[1].item() == pytest.approx(losses[0].item(), rel=0.1)
