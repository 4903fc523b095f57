"""Tiny training data: twelve synthetic images, three concepts, a CLIP of 8 channels."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch
from PIL import Image

from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.features import FEATURES
from schemas.images import IMAGES
from schemas.proposals import PROPOSALS
from schemas.pseudo_labels import PSEUDO_LABELS
from stages.models.clip import Clip, create_clip, save_clip
from stages.models.preprocess import normalise
from stages.models.preprocessing import CLIPS
from tests.in_memory import InMemory

if TYPE_CHECKING:
    from pathlib import Path

WIDTH = 32
CONFIG = {
    "embed_dim": WIDTH,
    "vision_cfg": {"image_size": 64, "layers": [1, 1, 1, 1], "width": 8, "head_width": 64},
    "text_cfg": {
        "context_length": 16,
        "vocab_size": 49408,
        "width": 32,
        "heads": 2,
        "layers": 1,
    },
}
COLOURS = {"red square": (220, 30, 30), "green square": (30, 200, 30), "blue square": (30, 30, 230)}
NAMES = list(COLOURS)


def describe(folder: Path) -> Path:
    """A JSON configuration of the tiny CLIP."""
    path = folder / "tiny.json"
    path.write_text(json.dumps({"model_cfg": CONFIG, "preprocess_cfg": CLIPS.content()}))
    return path


def clip(folder: Path, seed: int = 0) -> Clip:
    """A tiny CLIP whose features differ: open residual branches, batch norms fitted to images."""
    network = create_clip(str(describe(folder)), seed=seed)
    norms = [m for m in network.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    for norm in norms:
        torch.nn.init.ones_(norm.weight)
        norm.momentum = None  # the plain mean over all batches
    inputs = [
        normalise(pixels(picture(n)[0]), network.spec.mean, network.spec.std)
        for n in range(200, 216)
    ]
    with torch.no_grad():
        network.train().encode_images(torch.stack(inputs))
    for norm in norms:
        norm.momentum = 0.1
    return network.eval()


def vision_transformer(folder: Path) -> Clip:
    """A tiny CLIP with 8 x 8 patches and a class token."""
    tower = {"image_size": 64, "patch_size": 8, "layers": 2, "width": 32, "head_width": 16}
    path = folder / "tiny_vit.json"
    path.write_text(json.dumps({**CONFIG, "vision_cfg": tower}))
    return create_clip(str(path), seed=0)


def pixels(content: bytes) -> Any:
    """An encoded picture as (64, 64, 3) uint8."""
    return np.asarray(Image.open(io.BytesIO(content)).resize((64, 64)))


def picture(number: int) -> tuple[bytes, str, list[list[float]], list[int]]:
    """An encoded image 60 wide and 48 high, its caption, boxes of its squares, their concepts."""
    rng = np.random.default_rng(number)
    canvas = rng.integers(90, 130, (48, 60, 3)).astype(np.uint8)
    boxes, concepts = [], []
    for column in range(3):
        concept = int(rng.integers(3))
        side = int(rng.integers(10, 17))
        x, y = 2 + 20 * column, int(rng.integers(0, 48 - side))
        canvas[y : y + side, x : x + side] = list(COLOURS.values())[concept]
        boxes.append([float(x), float(y), float(x + side), float(y + side)])
        concepts.append(concept)
    file = io.BytesIO()
    Image.fromarray(canvas).save(file, format="PNG")
    caption = "a " + " and a ".join(NAMES[c] for c in concepts)
    return file.getvalue(), caption, boxes, concepts


def images(numbers: range, captions: dict[int, list[str]] | None = None) -> pa.Table:
    """Rows of images, packed; `captions` replaces those of some numbers."""
    pictures = [picture(n) for n in numbers]
    own = {n: [p[1]] for n, p in zip(numbers, pictures, strict=True)} | (captions or {})
    count = len(pictures)
    columns: dict[str, Any] = {
        "image_id": [f"tiny/{n:03d}" for n in numbers],
        "source": ["folder"] * count,
        "source_id": [None] * count,
        "split": [None] * count,
        "uri": [f"{n}.png" for n in numbers],
        "member": [None] * count,
        "offset": [None] * count,
        "num_bytes": [len(p[0]) for p in pictures],
        "sha256": [""] * count,
        "format": ["PNG"] * count,
        "width": [60] * count,
        "height": [48] * count,
        "orientation": [1] * count,
        "captions": [own[n] for n in numbers],
        "objects": [[] for _ in numbers],
        "content": [p[0] for p in pictures],
    }
    return pa.Table.from_batches([IMAGES.batch(columns)])


def proposals(numbers: range) -> pa.Table:
    """The boxes of the squares, three per image."""
    boxes = np.float32([box for n in numbers for box in picture(n)[2]]).reshape(-1, 4)
    columns = {
        "image_id": [f"tiny/{n:03d}" for n in numbers for _ in range(3)],
        "region": [r for _ in numbers for r in range(3)],
        **{side: boxes[:, i] for i, side in enumerate(("x0", "y0", "x1", "y1"))},
        "objectness": [0.9] * len(boxes),
        "objectness_logit": [None] * len(boxes),
    }
    return pa.Table.from_batches([PROPOSALS.batch(columns)])


def pseudo_labels(numbers: range, leave_out: tuple[int, ...] = ()) -> pa.Table:
    """A correct label of probability 0.8 for each square, except of images in `leave_out`."""
    labels = [(n, r, c) for n in numbers if n not in leave_out for r, c in enumerate(picture(n)[3])]
    count = len(labels)
    boxes = np.float32([picture(n)[2][r] for n, r, _ in labels]).reshape(-1, 4)
    columns = {
        "image_id": [f"tiny/{n:03d}" for n, _, _ in labels],
        "region": [r for _, r, _ in labels],
        "concept_id": [c for _, _, c in labels],
        "cosine": [0.3] * count,
        "probability": [0.8] * count,
        "margin": [0.65] * count,
        "entropy": [0.5] * count,
        "kept": [True] * count,
        "in_caption": [True] * count,
        "top_ids": [[c, (c + 1) % 3] for _, _, c in labels],
        "top_probabilities": [[0.8, 0.15] for _ in labels],
        "residual": [0.05] * count,
        **{side: boxes[:, i] for i, side in enumerate(("x0", "y0", "x1", "y1"))},
        "objectness": [0.9] * count,
        "reviewed": [None] * count,
    }
    return pa.Table.from_batches([PSEUDO_LABELS.batch(columns)])


def feature_vectors(number: int) -> Any:
    """A feature (3, D) for each square of a picture, float16: mostly along its concept's axis."""
    concepts = picture(number)[3]
    noise = np.random.default_rng(number).normal(0, 0.1, (len(concepts), WIDTH))
    return (np.eye(WIDTH)[concepts] * 2 + noise).astype(np.float16)


def features(numbers: range, *, whole: bool = False) -> pa.Table:
    """Features of the squares; with `whole` also of the whole image, as region -1."""
    first = [-1] if whole else []
    rows = [
        np.concatenate([feature_vectors(n)[:1]] * whole + [feature_vectors(n)]) for n in numbers
    ]
    regions = [*first, 0, 1, 2]
    columns = {
        "image_id": [f"tiny/{n:03d}" for n in numbers for _ in regions],
        "region": regions * len(numbers),
        "feature": np.concatenate([np.zeros((0, WIDTH), np.float16), *rows]),
    }
    return pa.Table.from_batches([FEATURES.batch(columns)])


def embeddings(width: int = WIDTH) -> pa.Table:
    """Three concepts along three axes, of different lengths."""
    matrix = np.eye(3, width, dtype=np.float32) * np.float32([[1.0], [2.0], [0.5]])
    columns = {"concept_id": [0, 1, 2], "concept": NAMES, "prompts": [1] * 3, "embedding": matrix}
    return pa.Table.from_batches([CONCEPT_EMBEDDINGS.batch(columns)])


def captioned(folder: Path, captions: dict[int, list[str]] | None = None) -> InMemory:
    """The inputs of `rc pretrain`, in two parts."""
    parts = [InMemory({"images": images(n, captions)}, number=i) for i, n in enumerate(_parts())]
    return InMemory({}, folder, more=parts)


def labelled(folder: Path, **changes: Any) -> InMemory:
    """The inputs of `rc train`, in two parts, with a new teacher."""
    teacher = {name: folder / f"teacher-{name}" for name in ("model.json", "weights.safetensors")}
    if not teacher["model.json"].exists():
        save_clip(changes.get("teacher", clip)(folder), *teacher.values())
    parts = []
    for i, numbers in enumerate(_parts()):
        tables = {
            "images": images(numbers, changes.get("captions")),
            "proposals": proposals(numbers),
            "pseudo_labels": pseudo_labels(numbers, changes.get("leave_out", ())),
            "features": features(numbers),
        }
        parts.append(InMemory(tables, number=i))
    files = {("teacher", name): path for name, path in teacher.items()}
    return InMemory({"embeddings": embeddings()}, folder, files=files, more=parts)


def _parts() -> tuple[range, range]:
    return range(7), range(7, 12)
