"""Train: a student of a tiny world, end to end, killed and resumed, saved and loaded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import open_clip
import pyarrow as pa
import pytest
import torch
from safetensors.torch import load_file

from schemas.errors import ArtifactError, OptionError, StageError
from schemas.students import STUDENTS
from stages.models.clip import Clip, create_clip, read_clip, save_clip
from stages.models.preprocess import Size, prepare
from stages.models.similarity import Similarity
from stages.outcome import Result
from stages.pixels import load_image
from stages.train import Train
from tests.in_memory import InMemory
from tests.stages.models.tiny import tiny_clip
from tests.stages.training import tiny

if TYPE_CHECKING:
    from pathlib import Path


def quick(**changes: Any) -> Train:
    options = {
        "steps": 10,
        "images_per_batch": 4,
        "resize": ("48x96", "60x96"),
        "log_every": 3,
        "learning_rate": 0.01,
        "momentum": 0.5,
        "schedule": "cosine",
        "temperature": 0.1,
        "device": "cpu",
        "threads": 1,
    }
    return Train(**(options | changes))


def run(part: InMemory, **changes: Any) -> list[dict[str, Any]]:
    (rows,) = quick(**changes).run(part)
    STUDENTS.check(rows)
    found: list[dict[str, Any]] = rows.to_pylist()
    return found


def student(part: InMemory) -> Clip:
    return read_clip(part.folder / "model.json", part.folder / "weights.safetensors")


def recognised(clip: Clip) -> float:
    """Share of squares in pictures never trained on whose concept is the most similar."""
    right = []
    for number in range(100, 120):
        (row,) = tiny.images(range(number, number + 1)).to_pylist()
        _, _, boxes, concepts = tiny.picture(number)
        seen = prepare(load_image(row), Size(96), "bicubic", clip.spec.mean, clip.spec.std)
        with torch.no_grad():
            features = clip.encode_regions(seen.pixels[None], [seen.scale_boxes(np.float32(boxes))])
        right += (features[:, :3].argmax(dim=1) == torch.tensor(concepts)).tolist()
    return float(np.mean(right))


@pytest.mark.slow
def test_a_student_learns_what_its_pseudo_labels_say(tmp_path: Path) -> None:
    part = tiny.labelled(tmp_path)
    before = recognised(
        read_clip(*(part.files["teacher", n] for n in ("model.json", "weights.safetensors")))
    )
    rows = run(part, steps=60, resize=("96x200",), log_every=15, learning_rate=0.02)
    assert before < 0.6
    assert recognised(student(part)) > 0.9
    assert rows[-1]["contrastive"] < rows[0]["contrastive"] / 2
    assert rows[-1]["distillation"] < rows[0]["distillation"] / 2


@pytest.mark.slow
def test_the_curve_counts_steps_images_and_regions(tmp_path: Path) -> None:
    rows = run(tiny.labelled(tmp_path))
    assert [row["step"] for row in rows] == [3, 6, 9, 10]
    assert [row["images"] for row in rows] == [12, 24, 36, 40]
    assert all(row["regions"] == 12 for row in rows)
    total = rows[0]["contrastive"] + rows[0]["distillation"] + rows[0]["image_text"]
    assert rows[0]["loss"] == pytest.approx(total, rel=1e-5)


@pytest.mark.slow
def test_a_loss_that_is_off_is_null(tmp_path: Path) -> None:
    rows = run(tiny.labelled(tmp_path), distillation_weight=0.0, image_text_weight=0.0)
    assert {(row["distillation"], row["image_text"]) for row in rows} == {(None, None)}
    assert all(row["loss"] == row["contrastive"] for row in rows)


class KilledError(Exception):
    pass


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [
        {"optimiser": "sgd"},
        {"optimiser": "adamw", "average_decay": 0.9, "crop_distillation_weight": 1.0},
    ],
    ids=["sgd", "adamw, averaged"],
)
def test_a_killed_run_ends_in_the_same_bytes(tmp_path: Path, changes: dict[str, Any]) -> None:
    names = ("undisturbed", "killed")
    for name in names:
        (tmp_path / name).mkdir()
    undisturbed, killed = (tiny.labelled(tmp_path / name) for name in names)
    options = {**changes, "checkpoint_every": 4}
    expected = run(undisturbed, **options)

    def die(count: int = 1) -> None:
        killed.advanced += count
        if killed.advanced >= 7:
            raise KilledError

    killed.advance = die
    with pytest.raises(KilledError):
        run(killed, **options)
    again = tiny.labelled(tmp_path / "killed")
    assert run(again, **options) == expected
    assert again.advanced == 10
    for name in ("weights.safetensors", "model.json"):
        assert (tmp_path / "killed" / name).read_bytes() == (undisturbed.folder / name).read_bytes()


@pytest.mark.slow
def test_threads_and_caches_do_not_change_a_byte(tmp_path: Path) -> None:
    found = []
    for i, speed in enumerate(({"loaders": 0}, {"loaders": 3}, {"loaders": 2, "cache_mb": 5})):
        (tmp_path / str(i)).mkdir()
        part = tiny.labelled(tmp_path / str(i))
        rows = run(part, steps=5, **speed)
        found.append((rows, (part.folder / "weights.safetensors").read_bytes()))
    assert found[0] == found[1] == found[2]


@pytest.mark.slow
def test_another_seed_is_another_run(tmp_path: Path) -> None:
    assert run(tiny.labelled(tmp_path), seed=1) != run(tiny.labelled(tmp_path), seed=2)


@pytest.mark.slow
def test_open_clip_loads_a_student_by_itself(tmp_path: Path) -> None:
    part = tiny.labelled(tmp_path)
    run(part)
    config = json.loads((tmp_path / "model.json").read_text())["config"]
    theirs = open_clip.CLIP(**config).eval()
    theirs.load_state_dict(load_file(tmp_path / "weights.safetensors"), strict=True)
    ours = student(part)
    pixels = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(theirs.encode_image(pixels), ours.encode_images(pixels))
        tokens = ours.tokenize(["a red square"])
        assert torch.equal(theirs.encode_text(tokens), ours.encode_tokens(tokens))


@pytest.mark.slow
def test_only_what_the_reference_trains_has_changed(tmp_path: Path) -> None:
    part = tiny.labelled(tmp_path)
    run(part, image_text_weight=0.0, temperature="teacher")
    teacher = load_file(part.files["teacher", "weights.safetensors"])
    found = load_file(tmp_path / "weights.safetensors")
    moved = {n.split(".")[1] for n in teacher if not torch.equal(teacher[n], found[n])}
    assert moved == {"layer2", "layer3", "layer4", "attnpool"}


@pytest.mark.slow
def test_a_student_is_trained_at_the_temperature_of_its_teacher_and_keeps_the_one_it_had(
    tmp_path: Path,
) -> None:
    losses = {}
    for name, temperature in (("own", "teacher"), ("same", 0.07), ("other", 0.02)):
        (tmp_path / name).mkdir()
        part = tiny.labelled(tmp_path / name)  # its temperature is 0.07
        rows = run(part, steps=2, log_every=1, temperature=temperature)
        losses[name] = [row["loss"] for row in rows]
        used = 0.07 if temperature == "teacher" else temperature
        assert part.notes["temperature"] == Similarity.of(student(part)).temperature == used
        last = quick(temperature=temperature).outcome(Result(2, {}, part.notes)).summary[0]
        assert last.endswith(f"temperature {used}" + (", the teacher's" if name == "own" else ""))
    assert losses["own"] == losses["same"] != losses["other"]


def independent(part: InMemory) -> InMemory:
    """The same part with pseudo-labels whose probabilities are independent."""
    for piece in part.slices():
        labels = piece.tables["pseudo_labels"]
        residual = pa.array([0.4] * len(labels), pa.float32())
        index = labels.schema.get_field_index("residual")
        piece.tables["pseudo_labels"] = labels.set_column(index, "residual", residual)
    return part


@pytest.mark.slow
def test_independent_labels_are_distilled_with_the_bias_of_the_weights_or_not_at_all(
    tmp_path: Path,
) -> None:
    part = independent(tiny.labelled(tmp_path))
    with pytest.raises(ArtifactError, match="were made with --probability sigmoid"):
        run(part, steps=1)
    with pytest.raises(ArtifactError, match="these have no logit bias"):
        run(part, steps=1, probability="sigmoid")
    assert run(part, steps=1, distillation_weight=0.0)[0]["distillation"] is None
    biased = json.dumps({**tiny.CONFIG, "init_logit_bias": -4.0})
    (tmp_path / "biased.json").write_text(biased)
    files = (part.files["teacher", n] for n in ("model.json", "weights.safetensors"))
    save_clip(create_clip(str(tmp_path / "biased.json")), *files)
    (tmp_path / "scratch" / "checkpoint.pt").unlink(missing_ok=True)
    (row,) = run(part, steps=1, probability="sigmoid")
    assert row["distillation"] > 0
    assert part.notes["logit_bias"] == Similarity.of(student(part)).logit_bias == -4


@pytest.mark.parametrize(("made", "asked"), [("softmax", "sigmoid"), ("sigmoid", "softmax")])
def test_labels_are_distilled_as_they_say_they_were_made(made: Any, asked: Any) -> None:
    facts = {("pseudo_labels", "similarity"): {"probability": made, "temperature": 0.1}}
    part = InMemory({}, facts=facts)
    with pytest.raises(ArtifactError, match=rf"--probability {made}, .* {made} here too"):
        list(Train(probability=asked, device="cpu", threads=1).run(part))
    with pytest.raises(ArtifactError, match=r"teacher has no model\.json"):  # that is next
        list(Train(probability=made, device="cpu", threads=1).run(part))


@pytest.mark.slow
def test_weights_may_be_saved_in_half_the_bytes(tmp_path: Path) -> None:
    run(tiny.labelled(tmp_path), save_dtype="float16")
    found = load_file(tmp_path / "weights.safetensors")
    assert found["visual.conv1.weight"].dtype == torch.float16


@pytest.mark.slow
@pytest.mark.parametrize("tower", ["vit", "pe"])
def test_a_student_is_read_as_it_was_trained(tmp_path: Path, tower: str) -> None:
    files = tmp_path / "teacher-model.json", tmp_path / "teacher-weights.safetensors"
    save_clip(tiny_clip(tmp_path, tower), *files)
    part = tiny.labelled(tmp_path)
    rows = run(part, steps=2, dense="last-block")
    assert all(np.isfinite(row["loss"]) for row in rows)
    trained = student(part)
    assert (trained.spec.dense, trained.tower.dense) == ("last-block", "last-block")


@pytest.mark.slow
def test_epochs_become_steps(tmp_path: Path) -> None:
    rows = run(tiny.labelled(tmp_path), steps=None, epochs=2)
    assert rows[-1]["step"] == 6  # 2 epochs of 12 images, 4 a step


@pytest.mark.slow
def test_images_without_captions_or_pseudo_labels_do_what_they_can(tmp_path: Path) -> None:
    part = tiny.labelled(tmp_path, captions={n: [] for n in range(6)}, leave_out=(5, 6, 7, 8, 9))
    rows = run(part, steps=9, images_per_batch=1, log_every=1)
    assert {row["regions"] for row in rows} == {0.0, 3.0}
    assert {row["contrastive"] is None for row in rows} == {True, False}


@pytest.mark.slow
def test_nothing_to_train_on_is_one_sentence(tmp_path: Path) -> None:
    part = tiny.labelled(tmp_path, leave_out=tuple(range(12)))
    with pytest.raises(StageError, match="no image is left to train on"):
        run(part, image_text_weight=0.0)


@pytest.mark.slow
def test_embeddings_of_another_space_are_refused(tmp_path: Path) -> None:
    part = tiny.labelled(tmp_path)
    part.tables["embeddings"] = tiny.embeddings(width=16)
    with pytest.raises(ArtifactError, match="embedded 16 wide, the teacher's space is 32 wide"):
        run(part)


@pytest.mark.slow
def test_embeddings_may_come_in_any_order_but_without_gaps(tmp_path: Path) -> None:
    part = tiny.labelled(tmp_path)
    expected = run(part, steps=3)
    part.tables["embeddings"] = tiny.embeddings().take([2, 0, 1])
    assert run(tiny.labelled(tmp_path), steps=3) == expected
    part.tables["embeddings"] = tiny.embeddings().take(pa.array([0, 2]))
    with pytest.raises(ArtifactError, match="concept ids of the embeddings are not 0, 1, 2"):
        run(part)


@pytest.mark.slow
def test_regions_beyond_the_limit_do_not_take_part(tmp_path: Path) -> None:
    few = run(tiny.labelled(tmp_path), regions_per_image=2)
    assert all(row["regions"] == 8 for row in few)


OTHERS = {"contrastive_weight": 0.0, "distillation_weight": 0.0, "image_text_weight": 0.0}


def distances(clip: Clip, numbers: range) -> list[float]:
    """Of the student's regions to the features of their crops, in pictures seen in training."""
    found = []
    for number in numbers:
        (row,) = tiny.images(range(number, number + 1)).to_pylist()
        seen = prepare(load_image(row), Size(96), "bicubic", clip.spec.mean, clip.spec.std)
        boxes = seen.scale_boxes(np.float32(tiny.picture(number)[2]))
        with torch.no_grad():
            regions = clip.encode_regions(seen.pixels[None], [boxes])
        crops = torch.from_numpy(tiny.feature_vectors(number)).float()
        cosines = torch.nn.functional.cosine_similarity(regions, crops, dim=1)
        found += (1 - cosines).tolist()
    return found


@pytest.mark.slow
@pytest.mark.parametrize("teacher", [tiny.clip, tiny.vision_transformer], ids=["ResNet", "ViT"])
def test_a_student_learns_the_features_of_crops_and_needs_nothing_else(
    tmp_path: Path, teacher: Any
) -> None:
    part = tiny.labelled(tmp_path, teacher=teacher)
    del part.tables["embeddings"]
    for each in part.more:
        del each.tables["pseudo_labels"]
    first = read_clip(*(part.files["teacher", n] for n in ("model.json", "weights.safetensors")))
    options = {"crop_distillation_weight": 1.0, "steps": 40, "resize": ("96x200",)}
    rows = run(part, **OTHERS, **options, optimiser="adamw", learning_rate=0.003, flip=False)
    assert rows[-1]["crop_distillation"] < rows[0]["crop_distillation"] / 2
    assert rows[-1]["loss"] == rows[-1]["crop_distillation"]
    assert {rows[-1][name.removesuffix("_weight")] for name in OTHERS} == {None}
    before, after = (np.mean(distances(clip, range(12))) for clip in (first, student(part)))
    assert after < 0.4 * before


@pytest.mark.slow
def test_two_teachers_are_learned_from_with_both_weights(tmp_path: Path) -> None:
    rows = run(tiny.labelled(tmp_path), **{**OTHERS, "distillation_weight": 2.0},
               crop_distillation_weight=3.0)  # fmt: skip
    for row in rows:
        total = 2 * row["distillation"] + 3 * row["crop_distillation"]
        assert row["loss"] == pytest.approx(total, rel=1e-5)
        assert row["regions"] == 24


@pytest.mark.slow
def test_captions_alone_need_no_regions(tmp_path: Path) -> None:
    part = tiny.labelled(tmp_path)
    del part.tables["embeddings"]
    for each in part.more:
        for role in ("pseudo_labels", "proposals", "features"):
            del each.tables[role]
    rows = run(part, **{**OTHERS, "image_text_weight": 1.0}, steps=3)
    assert {row["regions"] for row in rows} == {0.0}


@pytest.mark.slow
def test_an_averaged_student_lies_between_its_teacher_and_its_last_weights(tmp_path: Path) -> None:
    last = tiny.labelled(tmp_path)
    rows = run(last, steps=4)
    weights = load_file(tmp_path / "weights.safetensors")
    assert run(tiny.labelled(tmp_path), steps=4, average_decay=0.5) == rows
    averaged = load_file(tmp_path / "weights.safetensors")
    teacher = load_file(last.files["teacher", "weights.safetensors"])
    name = "visual.attnpool.c_proj.weight"
    whole, part_way = (w[name] - teacher[name] for w in (weights, averaged))
    share = float((whole * part_way).sum() / whole.square().sum())
    assert 0.4 < share < 0.95  # of the way; a constant step would be 0.77 of it
    assert torch.equal(averaged["visual.conv1.weight"], teacher["visual.conv1.weight"])


def test_each_loss_asks_for_its_own_inputs() -> None:
    alone = {
        "contrastive_weight": {"pseudo_labels", "suspicions", "proposals", "embeddings"},
        "distillation_weight": {"pseudo_labels", "suspicions", "proposals", "embeddings"},
        "image_text_weight": set(),
        "crop_distillation_weight": {"features", "proposals"},
    }
    for name, inputs in alone.items():
        assert set(Train(**{**OTHERS, name: 1.0}).requires()) == {"images", "teacher", *inputs}
    assert set(Train().requires()) == {*Train.reads} - {"features"}
    assert set(Train(crop_distillation_weight=1.0).requires()) == {*Train.reads}


def test_everything_off_is_refused() -> None:
    with pytest.raises(OptionError, match="rc train: at least one loss needs a weight above 0"):
        Train(contrastive_weight=0, distillation_weight=0, image_text_weight=0)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"temperature": 0}, "--temperature must be above 0"),
        ({"steps": 0}, "--steps must be at least 1"),
        ({"optimiser": "lion"}, "--optimiser must be one of sgd, adamw"),
        ({"contrastive_weight": -1}, "--contrastive-weight must be at least 0"),
        ({"average_decay": 1.0}, "--average-decay must be below 1"),
    ],
)
def test_options_outside_their_range_are_refused(options: dict[str, Any], complaint: str) -> None:
    with pytest.raises(OptionError, match=complaint):
        Train(**options)


def test_epochs_are_no_part_of_the_recipe_where_steps_are_given() -> None:
    assert Train(steps=5, epochs=2).recipe() == Train(steps=5, epochs=3).recipe()
    assert Train(epochs=2).recipe() != Train(epochs=3).recipe()


def test_speed_is_no_part_of_the_recipe() -> None:
    fast = Train(loaders=8, cache_mb=100, checkpoint_every=7, tensorboard="x")
    assert fast.recipe() == Train().recipe()
    assert Train(threads=3).recipe() != Train().recipe()  # they decide the last bits


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_trains_like_the_cpu(tmp_path: Path) -> None:
    cpu = run(tiny.labelled(tmp_path), steps=5, log_every=1)
    cuda = run(tiny.labelled(tmp_path), steps=5, log_every=1, device="cuda")
    for a, b in zip(cpu, cuda, strict=True):
        assert b["loss"] == pytest.approx(a["loss"], rel=2e-2)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_trains_in_bfloat16(tmp_path: Path) -> None:
    exact = run(tiny.labelled(tmp_path), steps=1, device="cuda")
    rough = run(tiny.labelled(tmp_path), steps=1, device="cuda", precision="bfloat16")
    assert rough[0]["loss"] == pytest.approx(exact[0]["loss"], rel=0.1)
