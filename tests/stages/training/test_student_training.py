"""A step of student training against the same losses computed region by region."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from stages.models.preprocess import Size
from stages.pixels import load_image
from stages.training.augment import MultiScale
from stages.training.region_batches import RegionBatch, RegionTransform, collate
from stages.training.samples import SupervisedImages, Supervision
from stages.training.student_training import Objective, StudentTraining, make_trainable
from tests.in_memory import InMemory
from tests.stages.models.texts import encode_texts
from tests.stages.training import tiny
from tests.stages.training.terms import terms_of

if TYPE_CHECKING:
    from pathlib import Path

    from stages.models.clip import Clip

pytestmark = pytest.mark.slow

NUMBERS = range(5)
OTHERS = ("contrastive", "distillation", "image_text")


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    return tiny.clip(tmp_path)


def batch(clip: Clip, *, regions: int = 100, sizes: tuple[Size, ...] = (Size(48),)) -> RegionBatch:
    tables = {
        "images": tiny.images(NUMBERS, {1: [], 2: ["a sky", "two skies"]}),
        "proposals": tiny.proposals(NUMBERS),
        "pseudo_labels": tiny.pseudo_labels(NUMBERS, leave_out=(3,)),
        "features": tiny.features(range(1, 4)),
    }
    learned = Supervision(num_concepts=3, captions=True, crops_width=tiny.WIDTH)
    samples = SupervisedImages(InMemory(tables), learned)
    augment = MultiScale(sizes, flip=True, interpolation="bicubic", spec=clip.spec)
    transform = RegionTransform(load_image, augment, regions, "labelled", seed=0)
    (made,) = collate([[transform(sample, epoch=0) for sample in samples]])
    return made


def student(clip: Clip, **objective: Any) -> StudentTraining:
    vectors = torch.from_numpy(np.eye(3, tiny.WIDTH, dtype=np.float32)) * 3
    return StudentTraining(clip, vectors, Objective(temperature=0.1, **objective), "float32")


def unit(rows: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.normalize(rows.double(), dim=1)


def regions_one_by_one(clip: Clip, region_batch: RegionBatch) -> torch.Tensor:
    rows = [
        clip.encode_regions(region_batch.pixels[b : b + 1], [boxes[r : r + 1]])
        for b, boxes in enumerate(region_batch.boxes)
        for r in range(len(boxes))
    ]
    return unit(torch.cat(rows))


def test_the_three_losses_equal_their_textbook_forms(clip: Clip) -> None:
    region_batch = batch(clip, sizes=(Size(48), Size(56)))
    with torch.no_grad():
        terms = terms_of(student(clip), region_batch)
        regions = regions_one_by_one(clip, region_batch)
        height, width = region_batch.pixels.shape[2:]
        captioned = [b for b, caption in enumerate(region_batch.captions) if caption]
        canvas = torch.tensor([[0.0, 0.0, width, height]])
        wholes = [clip.encode_regions(region_batch.pixels[b : b + 1], [canvas]) for b in captioned]
        images = unit(torch.cat(wholes))
        texts = unit(encode_texts(clip, [region_batch.captions[b] or "" for b in captioned]))

    probabilities = (regions[:, :3] / 0.1).softmax(dim=1)  # concepts lie along three axes
    ids = region_batch.concept_ids
    shares = (regions[:, ids] / 0.1).softmax(dim=1)
    same = ids[:, None] == ids[None, :]
    assert terms["contrastive"].item() == pytest.approx(
        -(shares * same).sum(dim=1).log().mean().item(), rel=1e-4
    )
    top, p, residual = region_batch.teacher
    q = probabilities.gather(1, top)
    kl = (p * (p / q).log()).sum(dim=1) + residual * (residual / (1 - q.sum(dim=1))).log()
    assert terms["distillation"].item() == pytest.approx(kl.mean().item(), rel=1e-4)
    logits = images @ texts.T / 0.1
    rows, columns = logits.softmax(dim=1).diagonal(), logits.softmax(dim=0).diagonal()
    assert terms["image_text"].item() == pytest.approx(
        -(rows.log() + columns.log()).mean().item() / 2, rel=1e-4
    )
    total = terms["contrastive"] + terms["distillation"] + terms["image_text"]
    assert terms["loss"].item() == pytest.approx(total.item())
    assert terms["regions"].item() == 12


def test_with_a_bias_independent_probabilities_are_distilled(clip: Clip) -> None:
    region_batch = batch(clip)
    with torch.no_grad():
        terms = terms_of(student(clip, bias=-2.0), region_batch)
        plain = terms_of(student(clip), region_batch)
        q = torch.sigmoid(regions_one_by_one(clip, region_batch)[:, :3] / 0.1 - 2)
    top, p, residual = region_batch.teacher
    q, other = q.gather(1, top), q.scatter(1, top, 0.0).sum(dim=1)  # one of the three is not kept
    kl = (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).sum(dim=1)
    kl += (
        residual * (residual / other).log() + (1 - residual) * ((1 - residual) / (1 - other)).log()
    )
    assert terms["distillation"].item() == pytest.approx(kl.mean().item(), rel=1e-4)
    assert terms["contrastive"].item() == plain["contrastive"].item()
    assert terms["distillation"].item() != plain["distillation"].item()


def test_weights_multiply_their_losses(clip: Clip) -> None:
    region_batch = batch(clip)
    terms = terms_of(student(clip, contrastive=2.0, distillation=0.5, image_text=3.0), region_batch)
    expected = 2 * terms["contrastive"] + 0.5 * terms["distillation"] + 3 * terms["image_text"]
    assert terms["loss"].item() == pytest.approx(expected.item())


def test_crop_distillation_equals_the_mean_distance_region_by_region(clip: Clip) -> None:
    region_batch = batch(clip, sizes=(Size(48), Size(56)))
    both = {"contrastive": 0.5, "crop_distillation": 3.0}
    with torch.no_grad():
        terms = terms_of(student(clip, **both), region_batch)
        alone = student(clip, **dict.fromkeys(OTHERS, 0.0), crop_distillation=3.0)
        only = terms_of(alone, region_batch)
        without = terms_of(student(clip, contrastive=0.5), region_batch)
    assert region_batch.crop_boxes is not None
    assert region_batch.crop_features is not None
    boxes = region_batch.crop_boxes
    assert [len(b) for b in boxes] == [0, 3, 3, 3, 0]
    rows = [
        clip.encode_regions(region_batch.pixels[b : b + 1], [boxes[b][r : r + 1]])
        for b in range(5)
        for r in range(len(boxes[b]))
    ]
    with torch.no_grad():
        cosines = (unit(torch.cat(rows)) * unit(region_batch.crop_features)).sum(dim=1)
    assert terms["crop_distillation"].item() == pytest.approx(1 - cosines.mean().item(), rel=1e-4)
    assert only["crop_distillation"].item() == pytest.approx(terms["crop_distillation"].item())
    assert only["loss"].item() == pytest.approx(3 * only["crop_distillation"].item())
    assert set(only) == {"crop_distillation", "loss", "regions"}
    for name in OTHERS:  # what one loss draws to changes no other
        assert terms[name].item() == pytest.approx(without[name].item(), rel=1e-5)
    added = 3 * terms["crop_distillation"].item()
    assert terms["loss"].item() == pytest.approx(without["loss"].item() + added, rel=1e-5)
    assert (terms["regions"].item(), only["regions"].item()) == (21, 9)


@pytest.mark.parametrize("name", ["contrastive", "distillation", "image_text"])
def test_a_loss_of_weight_zero_is_not_computed(clip: Clip, name: str) -> None:
    terms = terms_of(student(clip, **{name: 0.0}), batch(clip))
    assert name not in terms
    assert len(terms) == 4


def test_without_region_losses_no_region_is_pooled(clip: Clip) -> None:
    terms = terms_of(student(clip, contrastive=0.0, distillation=0.0), batch(clip))
    assert set(terms) == {"image_text", "loss", "regions"}
    assert terms["regions"].item() == 0


def without(region_batch: RegionBatch, *, regions: bool, captions: bool) -> RegionBatch:
    return RegionBatch(
        region_batch.pixels,
        region_batch.sizes,
        [b[:0] for b in region_batch.boxes] if regions else region_batch.boxes,
        region_batch.concept_ids[:0] if regions else region_batch.concept_ids,
        tuple(t[:0] for t in region_batch.teacher) if regions else region_batch.teacher,
        [None] * len(region_batch) if captions else region_batch.captions,
    )


def test_a_step_without_regions_still_learns_from_captions(clip: Clip) -> None:
    terms = terms_of(student(clip), without(batch(clip), regions=True, captions=False))
    assert set(terms) == {"image_text", "loss", "regions"}
    assert torch.isfinite(terms["loss"])


def test_a_step_without_captions_still_learns_from_regions(clip: Clip) -> None:
    terms = terms_of(student(clip), without(batch(clip), regions=False, captions=True))
    assert set(terms) == {"contrastive", "distillation", "loss", "regions"}


def test_a_step_without_regions_and_captions_has_no_loss(clip: Clip) -> None:
    terms = terms_of(student(clip), without(batch(clip), regions=True, captions=True))
    assert set(terms) == {"regions"}


def test_the_whole_image_includes_padding_only_with_padded(clip: Clip) -> None:
    small, large = (batch(clip, sizes=(Size(s),)) for s in (48, 64))
    canvas = torch.zeros_like(large.pixels)
    canvas[:, :, :48, :60] = small.pixels
    padded = RegionBatch(
        canvas, small.sizes, small.boxes, small.concept_ids, small.teacher, small.captions
    )
    with torch.no_grad():
        published = terms_of(student(clip, whole="padded"), padded)["image_text"]
        cropped = terms_of(student(clip, whole="image"), padded)["image_text"]
    assert published.item() != pytest.approx(cropped.item(), abs=1e-4)
    boxes = [torch.tensor([[0.0, 0.0, 60.0, 48.0]])] * 5
    with torch.no_grad():
        images = unit(clip.encode_regions(canvas, boxes))
        captioned = [b for b, caption in enumerate(small.captions) if caption]
        texts = unit(encode_texts(clip, [small.captions[b] or "" for b in captioned]))
    logits = images[captioned] @ texts.T / 0.1
    own = logits.softmax(dim=1).diagonal().log() + logits.softmax(dim=0).diagonal().log()
    assert cropped.item() == pytest.approx(-own.mean().item() / 2, rel=1e-4)


def test_an_image_with_several_captions_gives_one_of_them(clip: Clip) -> None:
    assert {batch(clip).captions[2]} <= {"a sky", "two skies"}
    assert batch(clip).captions[1] is None


def learned(clip: Clip) -> set[str]:
    """Names of the tensors that change in one step."""
    before = {n: v.clone() for n, v in clip.network.state_dict().items()}
    terms = terms_of(student(clip), batch(clip))
    terms["loss"].backward()
    trained = [p for p in clip.parameters() if p.requires_grad]
    torch.optim.SGD(trained, lr=0.1).step()
    after = clip.network.state_dict()
    return {n for n, v in before.items() if not torch.equal(v, after[n])}


def test_freeze_reference_trains_the_second_stage_and_all_after_it(clip: Clip) -> None:
    make_trainable(clip, "reference")
    moved = learned(clip)
    assert {n.split(".")[1] for n in moved} == {"layer2", "layer3", "layer4", "attnpool"}
    assert not any("bn" in n or "running" in n or "downsample.1" in n for n in moved)


def test_freeze_none_trains_the_whole_image_tower_but_never_the_text_tower(clip: Clip) -> None:
    make_trainable(clip, "none")
    moved = learned(clip)
    assert {n.split(".")[0] for n in moved} == {"visual"}
    for name in ("visual.conv1.weight", "visual.bn1.running_mean", "visual.layer1.0.conv1.weight"):
        assert name in moved


def test_bfloat16_is_near_float32(clip: Clip) -> None:
    region_batch = batch(clip)
    exact = terms_of(student(clip), region_batch)
    vectors = torch.from_numpy(np.eye(3, tiny.WIDTH, dtype=np.float32))
    learner = StudentTraining(clip, vectors, Objective(temperature=0.1), "bfloat16")
    rough = terms_of(learner, region_batch)
    assert rough["loss"].dtype == torch.float32
    assert rough["loss"].item() == pytest.approx(exact["loss"].item(), rel=0.1)
