"""Finetune: a detector of a tiny world, end to end, killed and resumed, saved and loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.detectors import DETECTORS
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


def test_a_detector_learns_what_objects_are_called_and_where_they_end(tmp_path: Path) -> None:
    part = tiny_scenes.part(tmp_path)
    rows = run(part, steps=60, log_every=20, learning_rate=0.02, rois_per_image=32)
    assert rows[-1]["classification"] < rows[0]["classification"] / 2
    assert rows[-1]["accuracy"] > 0.9
    assert 0.1 < rows[-1]["foreground"] < 0.5
    assert detector(part).head.categories == tuple(sorted(tiny_scenes.NAMES))
