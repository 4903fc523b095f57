"""Tiny data for detectors: images with ground-truth objects, and proposals near them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from schemas.images import IMAGES
from schemas.proposals import PROPOSALS
from stages.models.clip import save_clip
from tests.in_memory import InMemory
from tests.stages.training import tiny
from tests.stages.training.tiny import NAMES, picture

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["NAMES", "images", "part", "proposals"]

_CORNERS = ("x0", "y0", "x1", "y1")


def images(numbers: range, bare: tuple[int, ...] = (), crowds: bool = False) -> pa.Table:
    """Rows of images with the squares as objects, except `bare` ones; with a crowd, if `crowds`."""
    rows = tiny.images(numbers).to_pylist()
    for number, row in zip(numbers, rows, strict=True):
        _, _, boxes, concepts = picture(number)
        row["objects"] = [
            _object(box, NAMES[concept])
            for box, concept in zip(boxes, concepts, strict=True)
            if number not in bare
        ]
        if crowds:
            row["objects"].append({**_object([0, 0, 60, 48], NAMES[0]), "is_crowd": True})
    return pa.Table.from_pylist(rows, IMAGES.arrow)


def proposals(numbers: range, leave_out: tuple[int, ...] = ()) -> pa.Table:
    """Boxes within two pixels of each square, and random boxes."""
    rows: list[dict[str, Any]] = []
    for number in numbers:
        if number in leave_out:
            continue
        rng = np.random.default_rng(number)
        near = np.array(picture(number)[2]) + rng.uniform(-2, 2, (3, 4))
        corner = rng.uniform(0, [50, 40], (12, 2))
        far = np.concatenate([corner, corner + rng.uniform(5, 30, (12, 2))], axis=1)
        boxes = np.concatenate([near, far]).clip(0, [60, 48, 60, 48])
        rows += [
            {
                "image_id": f"tiny/{number:03d}",
                "region": region,
                **dict(zip(_CORNERS, map(float, box), strict=True)),
                "objectness": 0.9,
                "objectness_logit": None,
            }
            for region, box in enumerate(boxes)
        ]
    return pa.Table.from_pylist(rows, PROPOSALS.arrow)


def part(folder: Path, **changes: Any) -> InMemory:
    """The inputs of `rc finetune`, in two parts, with a new teacher.

    Args:
        folder: For files.
        **changes: `bare`, `crowds`, `leave_out`: see `images` and `proposals`.
    """
    model = {name: folder / f"teacher-{name}" for name in ("model.json", "weights.safetensors")}
    if not model["model.json"].exists():
        save_clip(tiny.clip(folder), *model.values())
    parts = []
    for i, numbers in enumerate((range(7), range(7, 12))):
        tables = {
            "images": images(numbers, changes.get("bare", ()), changes.get("crowds", False)),
            "proposals": proposals(numbers, changes.get("leave_out", ())),
        }
        parts.append(InMemory(tables, number=i))
    files = {("model", name): path for name, path in model.items()}
    return InMemory({}, folder, files=files, more=parts)


def _object(box: list[float], category: str) -> dict[str, Any]:
    x0, y0, x1, y1 = box
    corners = dict(zip(_CORNERS, box, strict=True))
    return {"category": category, **corners, "area": (x1 - x0) * (y1 - y0), "is_crowd": False}
