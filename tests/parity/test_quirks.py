"""Item 29: quirks of the reference are the default, and an option turns each off."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from stages.embed_concepts import EmbedConcepts
from stages.evaluate import Evaluate
from stages.label import Label
from stages.models.preprocess import Size, prepare
from stages.propose import Propose
from stages.text.mirroring import mirror_caption
from stages.train import Train
from stages.training.augment import MultiScale
from stages.training.region_batches import RegionTransform
from stages.training.regions import Regions
from stages.training.samples import Sample
from tests.parity import nets
from tests.parity.photographs import rendered

if TYPE_CHECKING:
    from stages.base import Stage

# stage, option, as published, otherwise
QUIRKS: tuple[tuple[type[Stage], str, Any, Any], ...] = (
    (Train, "contrastive_over", "occurrences", "concepts"),
    (Train, "negatives", "batch", "gathered"),
    (Train, "whole_image", "padded", "image"),
    (Train, "long_captions", "cut", "keep-end"),
    (Train, "mirror_captions", False, True),
    (Train, "if_none_kept", "all", "none"),
    (Train, "clip_by", "parameter", "total"),
    (Train, "regions_among", "proposals", "labelled"),
    (Train, "interpolation", "bicubic", "bilinear"),
    (EmbedConcepts, "long_prompts", "cut", "keep-end"),
    (EmbedConcepts, "averaging", "reference", "openai"),
    (Evaluate, "averaging", "reference", "openai"),
)


@pytest.mark.parametrize(("stage", "option", "published", "other"), QUIRKS)
def test_item_29_the_published_way_is_the_default_and_the_other_an_option(
    stage: type[Stage], option: str, published: Any, other: Any
) -> None:
    assert option in {f.name for f in fields(stage)}
    assert getattr(stage(), option) == published
    assert getattr(stage(**{option: other}), option) == other


def test_item_29_numbers_that_decide_a_quirk_are_the_published_ones() -> None:
    assert (Label().min_probability, Label().temperature) == (0.1, "teacher")  # CLIP's is 0.01
    assert (Propose().nms, Propose().top_k, Propose().min_size) == (0.5, 300, 0.0)
    assert Propose().min_objectness is None


def test_item_29_a_flipped_image_keeps_its_caption_unless_captions_are_mirrored(tmp_path) -> None:
    augment = MultiScale((Size(None),), True, "bicubic", nets.thin(tmp_path, side=64).spec)
    none = np.zeros(0, np.int64)
    regions = Regions(
        np.zeros((0, 4), np.float32),
        none,
        np.zeros((0, 4), np.float32),
        none,
        np.zeros((0, 1), np.int32),
        np.zeros((0, 1), np.float32),
        np.zeros(0, np.float32),
        np.zeros(0, np.bool_),
    )
    image = {"image_id": "a", "captions": ["a dog on the left"]}
    picture = rendered(40, 50)
    plain = prepare(picture, Size(None), "bicubic", augment.spec.mean, augment.spec.std).pixels

    def captions(*, mirror: bool) -> dict[bool, set[str | None]]:
        """Captions over some epochs, by whether the image was flipped."""
        transform, by_flip = (
            RegionTransform(lambda _: picture, augment, 10, "proposals", 0, mirror),
            {},
        )
        for epoch in range(12):
            view = transform(Sample(0, image, regions), epoch)
            by_flip.setdefault(torch.equal(view.pixels, plain.flip(2)), set()).add(view.caption)
        return by_flip

    assert captions(mirror=False) == {False: {"a dog on the left"}, True: {"a dog on the left"}}
    assert captions(mirror=True) == {False: {"a dog on the left"}, True: {"a dog on the right"}}


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("left, right, LEFT", "right, left, right"),
        ("the leftmost man faces rightward", "the rightmost man faces leftward"),
        ("a bright copyright sign", "a bright copyright sign"),
        ("leftovers", "leftovers"),
        ("", ""),
    ],
)
def test_item_29_only_words_are_mirrored(caption: str, expected: str) -> None:
    assert mirror_caption(caption) == expected
