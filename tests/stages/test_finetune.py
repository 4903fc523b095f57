"""Finetune: a detector of a tiny world, end to end, killed and resumed, saved and loaded."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from schemas.detectors import DETECTORS
from schemas.errors import ArtifactError
from stages.finetune import Finetune
from stages.models.detector import read_detector
from tests.stages.training import tiny_scenes

if TYPE_CHECKING:
    from pathlib import Path

    from stages.models.detector import Detector
    from tests.in_memory import InMemory


def quick(**changes: Any) -> Finetune:
    options = {
        "steps": 6,
        "images_per_batch": 4,
        "resize": ("48x96",),
        "rois_per_image": 16,
        "log_every": 2,
        "learning_rate": 0.01,
        "momentum": 0.5,
        "schedule": "cosine",
        "temperature": 0.1,
        "templates": "plain",
        "device": "cpu",
        "threads": 1,
    }
    return Finetune(**(options | changes))


def run(part: InMemory, **changes: Any) -> list[dict[str, Any]]:
    (rows,) = quick(**changes).run(part)
    DETECTORS.check(rows)
    found: list[dict[str, Any]] = rows.to_pylist()
    return found


def detector(part: InMemory) -> Detector:
    return read_detector(part.folder / "model.json", part.folder / "weights.safetensors")


@pytest.mark.slow
def test_by_default_a_detector_has_the_temperature_of_what_it_begins_with(tmp_path: Path) -> None:
    part = tiny_scenes.part(tmp_path)
    run(part, steps=1, temperature="teacher")
    assert detector(part).head.temperature == part.notes["temperature"] == 0.07
    run(part, steps=1, temperature=0.2)
    part.files |= {("model", n): tmp_path / n for n in ("model.json", "weights.safetensors")}
    (tmp_path / "scratch" / "checkpoint.pt").unlink(missing_ok=True)
    run(part, steps=1, temperature="teacher")
    assert detector(part).head.temperature == 0.2


@pytest.mark.slow
def test_a_detector_learns_what_objects_are_called_and_where_they_end(tmp_path: Path) -> None:
    part = tiny_scenes.part(tmp_path)
    rows = run(part, steps=60, log_every=20, learning_rate=0.02, rois_per_image=32)
    assert rows[-1]["classification"] < rows[0]["classification"] / 2
    assert rows[-1]["accuracy"] > 0.9
    assert 0.1 < rows[-1]["foreground"] < 0.5
    assert detector(part).head.categories == tuple(sorted(tiny_scenes.NAMES))


class KilledError(Exception):
    pass


@pytest.mark.slow
def test_a_killed_run_ends_in_the_same_bytes(tmp_path: Path) -> None:
    options: dict[str, Any] = {"steps": 7, "checkpoint_every": 2, "repeat_threshold": 0.9}
    for name in ("undisturbed", "killed"):
        (tmp_path / name).mkdir()
    expected = run(tiny_scenes.part(tmp_path / "undisturbed"), **options)
    part = tiny_scenes.part(tmp_path / "killed")
    steps = 0

    def count(_number: int = 1) -> None:
        nonlocal steps
        steps += 1
        if steps == 5:
            raise KilledError

    part.advance = count  # type: ignore[method-assign]
    with pytest.raises(KilledError):
        run(part, **options)
    assert run(tiny_scenes.part(tmp_path / "killed"), **options) == expected
    killed, undisturbed = (
        (tmp_path / name / "weights.safetensors").read_bytes() for name in ("killed", "undisturbed")
    )
    assert killed == undisturbed


@pytest.mark.slow
def test_losses_of_every_step_are_told_with_the_regions_they_are_of(tmp_path: Path) -> None:
    told = tmp_path / "losses.jsonl"
    run(tiny_scenes.part(tmp_path), steps=2, rois_per_image=512, dump_losses=told)
    first, second = (json.loads(line) for line in told.read_text().splitlines())
    assert first != second
    text = json.dumps(first)
    assert "tiny/" in text
    assert all(np.isfinite(v) for v in first.values() if isinstance(v, float))


@pytest.mark.slow
def test_only_objects_of_the_split_are_learned(tmp_path: Path) -> None:
    splits = tmp_path / "splits.json"
    base, novel = sorted(tiny_scenes.NAMES)[:2], sorted(tiny_scenes.NAMES)[2:]
    splits.write_text(json.dumps({"base": base, "novel": novel}))
    part = tiny_scenes.part(tmp_path)
    run(part, splits=splits)
    assert sorted(detector(part).head.categories) == base


@pytest.mark.slow
@pytest.mark.parametrize(
    "changes",
    [{"bare": (0, 1, 2)}, {"leave_out": (3, 4)}, {"crowds": True}, {"bare": tuple(range(11))}],
)
def test_bare_images_missing_proposals_and_crowds_do_no_harm(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    rows = run(tiny_scenes.part(tmp_path, **changes), bare_images=True, steps=2)
    assert all(np.isfinite(row["loss"]) for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize("regression", ["none", "specific"])
@pytest.mark.parametrize("background", ["zero", "learned"])
def test_heads_are_as_asked_and_come_back(tmp_path: Path, regression: str, background: str) -> None:
    part = tiny_scenes.part(tmp_path)
    run(part, regression=regression, background=background, steps=3)
    found = detector(part)
    count = len(found.head.categories)
    assert (found.bbox_pred is None) == (regression == "none")
    if found.bbox_pred is not None:
        assert found.bbox_pred.out_features == 4 * count
    assert bool((found.background == 0).all()) == (background == "zero")


@pytest.mark.slow
def test_a_random_tower_forgets_what_the_teacher_saw_but_not_its_words(tmp_path: Path) -> None:
    from stages.models.clip import read_clip

    part = tiny_scenes.part(tmp_path)
    run(part, init="random", steps=1, learning_rate=1e-9)
    teacher = read_clip(
        part.attachment("model", "model.json"), part.attachment("model", "weights.safetensors")
    )
    found = detector(part).clip
    pairs = zip(
        found.network.state_dict().items(), teacher.network.state_dict().values(), strict=True
    )
    changed = {name for (name, mine), theirs in pairs if not torch.allclose(mine, theirs)}
    assert len(changed) > 5
    assert all(name.startswith("visual.") for name in changed)


@pytest.mark.slow
def test_no_object_to_learn_from_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError):
        run(tiny_scenes.part(tmp_path, bare=tuple(range(12))))
