"""Pseudo-labels of COCO photographs by a detector, where no weights of a real CLIP are at hand.

The teacher is YOLOX-nano (its ONNX file), which was trained on other images of COCO with all 80
categories: a real network, with the mistakes of a real one. Its boxes are the regions, its class
probabilities the labels, what its class branch sees the features (each of its three scales has
numbers of its own), and CLIP's text embeddings of the 80 names the concept embeddings. The 20 boxes
of an image with the best score are taken, after suppression at an IoU of 0.7.

Shapes: A anchors, R regions, C classes, D width of the class branch.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from PIL import Image

from pipeline import api
from pipeline.execution import runner
from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.concepts import CONCEPTS
from schemas.features import FEATURES
from schemas.images import IMAGES
from schemas.mentions import MENTIONS
from schemas.proposals import PROPOSALS
from schemas.pseudo_labels import PSEUDO_LABELS
from stages.base import Part, Reads, Stage, each, option, whole
from stages.geometry import pairwise_iou
from stages.pixels import load_image

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pyarrow as pa
    from numpy.typing import NDArray

    from pipeline.store.artifact import Artifact
    from schemas.table import Table

NO_DETECTOR: Final = "for want of the photographs, the detector or onnxruntime (see the docstring)"
DATA: Final = Path(__file__).resolve().parents[2] / "shared" / "data"
_SIDE, _STRIDES, _REGIONS, _KEPT = 416, (8, 16, 32), 20, 5
_LEAST: Final = 0.1  # probability of a kept label, as in rc label


@dataclass(frozen=True)
class Detected:
    """What the detector says of the regions of an image, best score first."""

    boxes: NDArray[np.float32]  # (R, 4)
    objectness: NDArray[np.float32]  # (R,)
    probabilities: NDArray[np.float32]  # (R, C), each by itself
    features: NDArray[np.float32]  # (R, 3 D)


def can_label(data: Path) -> bool:
    """Whether a folder has all that is needed, and the detector can run."""
    needed = ("coco_subset/annotations", "localizer/yolox_nano.onnx", "clip_embeddings")
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError:
        return False
    return all((data / name).exists() for name in needed)


def label_photographs(folder: Path, data: Path) -> tuple[api.Store, Artifact]:
    """Suspicions of the detector's labels of the photographs of val2017."""
    store, source = api.Store(folder / "store"), folder / "source"
    coco = (data / "coco_subset").resolve()
    for name in ("images/val2017", *(f"annotations/{k}_val2017.json" for k in _KINDS)):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        if not (source / name).exists():
            (source / name).symlink_to(coco / name)
    content = json.loads((coco / "annotations" / "instances_val2017.json").read_text())
    names = [one["name"] for one in sorted(content["categories"], key=lambda one: one["id"])]
    (folder / "names.txt").write_text("\n".join(names) + "\n")
    images = store.run("ingest", sources=[str(source)])
    listed: dict[str, Any] = {"from_file": folder / "names.txt", "parser": "lexicon"}
    concepts = store.run("extract-concepts", {"images": images}, **listed)
    where = str(data.resolve())

    def made(stage: Stage, **inputs: Artifact) -> Artifact:
        return runner.materialize(stage, inputs, store.root)

    embeddings = made(NameEmbeddings(data=where), concepts=concepts)
    proposals = made(DetectedBoxes(data=where), images=images)
    seen = {"images": images, "proposals": proposals}
    features = made(DetectedFeatures(data=where), **seen)
    labels = made(
        DetectedLabels(data=where),
        **seen,
        features=features,
        embeddings=embeddings,
        mentions=concepts,
    )
    inputs = {"pseudo_labels": labels, "features": features, "mentions": concepts}
    return store, store.run("suspect", {**inputs, "embeddings": embeddings})


_KINDS: Final = ("captions", "instances")


@dataclass(frozen=True, kw_only=True)
class OfDetector(Stage):
    """What all stages of the detector share."""

    data: str = option("", "folder of shared data", recipe=False)

    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {"images": each(IMAGES)}

    def detected(self, part: Part) -> Iterator[tuple[str, Detected]]:
        """Each image of a part with what the detector says of it."""
        for row in part.table("images").to_pylist():
            yield row["image_id"], detect(self.data, row["uri"], _pixels(row))


@dataclass(frozen=True, kw_only=True)
class DetectedBoxes(OfDetector):
    """The detector's boxes."""

    name: ClassVar[str] = "propose"
    writes: ClassVar[Table] = PROPOSALS

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """See `stages.base.Stage.run`."""
        for image, found in self.detected(part):
            rows = {"objectness": found.objectness, "objectness_logit": [None] * len(found.boxes)}
            yield PROPOSALS.batch({**_keys(image, found), **_sides(found), **rows})


@dataclass(frozen=True, kw_only=True)
class DetectedFeatures(OfDetector):
    """What the detector's class branch sees in each box."""

    name: ClassVar[str] = "featurize"
    reads: ClassVar[Mapping[str, Reads]] = {"images": each(IMAGES), "proposals": each(PROPOSALS)}
    writes: ClassVar[Table] = FEATURES

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """See `stages.base.Stage.run`."""
        for image, found in self.detected(part):
            yield FEATURES.batch({**_keys(image, found), "feature": found.features})


@dataclass(frozen=True, kw_only=True)
class NameEmbeddings(OfDetector):
    """CLIP's text embeddings of COCO's names."""

    name: ClassVar[str] = "embed-concepts"
    reads: ClassVar[Mapping[str, Reads]] = {"concepts": whole(CONCEPTS)}
    writes: ClassVar[Table] = CONCEPT_EMBEDDINGS
    single_task: ClassVar[bool] = True

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """See `stages.base.Stage.run`."""
        rows = part.table("concepts").sort_by("concept_id")
        vectors = np.load(Path(self.data) / "clip_embeddings" / "coco_clip_a+cname.npy")
        names = _names(self.data)
        places = [names.index(name) for name in rows.column("concept").to_pylist()]
        columns = {name: rows.column(name) for name in ("concept_id", "concept")}
        chosen = vectors[places].astype(np.float32)
        yield CONCEPT_EMBEDDINGS.batch(
            {**columns, "prompts": [1] * len(places), "embedding": chosen}
        )


@dataclass(frozen=True, kw_only=True)
class DetectedLabels(OfDetector):
    """The detector's classes of its boxes."""

    name: ClassVar[str] = "label"
    reads: ClassVar[Mapping[str, Reads]] = {
        "images": each(IMAGES),
        "proposals": each(PROPOSALS),
        "features": each(FEATURES),
        "embeddings": whole(CONCEPT_EMBEDDINGS),
        "mentions": each(CONCEPTS, drafts=MENTIONS),
    }
    writes: ClassVar[Table] = PSEUDO_LABELS

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        """See `stages.base.Stage.run`."""
        pool = part.table("embeddings").to_pydict()
        ids = dict(zip(pool["concept"], pool["concept_id"], strict=True))
        of_class = np.array([ids[name] for name in _names(self.data)], np.int32)
        mentioned: dict[str, set[int]] = {}
        for row in part.table("mentions").to_pylist():
            if row["concept"] in ids:
                mentioned.setdefault(row["image_id"], set()).add(ids[row["concept"]])
        for image, found in self.detected(part):
            chances = found.probabilities.astype(np.float64).clip(1e-9, 1 - 1e-9)
            order = np.argsort(-chances, axis=1, kind="stable")[:, :_KEPT]
            top = np.take_along_axis(chances, order, axis=1)
            best = of_class[order[:, 0]]
            entropy = -(chances * np.log(chances) + (1 - chances) * np.log(1 - chances))
            names = mentioned.get(image, set())
            yield PSEUDO_LABELS.batch(
                {
                    **_keys(image, found),
                    **_sides(found),
                    "objectness": found.objectness,
                    "reviewed": [None] * len(best),
                    "concept_id": best,
                    "cosine": np.zeros(len(best), np.float32),
                    "probability": top[:, 0].astype(np.float32),
                    "margin": (top[:, 0] - top[:, 1]).astype(np.float32),
                    "entropy": entropy.sum(axis=1).astype(np.float32),
                    "kept": top[:, 0] > _LEAST,
                    "in_caption": [int(one) in names for one in best],
                    "top_ids": list(of_class[order]),
                    "top_probabilities": list(top.astype(np.float32)),
                    "residual": np.zeros(len(best), np.float32),
                }
            )


def _keys(image: str, found: Detected) -> dict[str, Any]:
    return {"image_id": [image] * len(found.boxes), "region": np.arange(len(found.boxes))}


def _sides(found: Detected) -> dict[str, NDArray[np.float32]]:
    return {side: found.boxes[:, n] for n, side in enumerate(("x0", "y0", "x1", "y1"))}


@cache
def _names(data: str) -> list[str]:
    content = json.loads(
        (Path(data) / "coco_subset" / "annotations" / "instances_val2017.json").read_text()
    )
    return [one["name"] for one in sorted(content["categories"], key=lambda one: one["id"])]


_found: dict[str, Detected] = {}


def _pixels(row: dict[str, Any]) -> NDArray[np.uint8]:
    return (
        np.asarray(load_image(row)) if row["uri"] not in _found else np.zeros((0, 0, 3), np.uint8)
    )


def detect(data: str, key: str, pixels: NDArray[np.uint8]) -> Detected:
    """What the detector says of an image, once for each key.

    Args:
        data: Folder of shared data.
        key: Of the image.
        pixels: (H, W, 3) RGB.
    """
    if key not in _found:
        _found[key] = _detect(data, pixels)
    return _found[key]


def _detect(data: str, pixels: NDArray[np.uint8]) -> Detected:
    height, width = pixels.shape[:2]
    scale = min(_SIDE / height, _SIDE / width)
    small = Image.fromarray(pixels).resize((round(width * scale), round(height * scale)))
    canvas = np.full((_SIDE, _SIDE, 3), 114, np.float32)
    canvas[: small.height, : small.width] = np.asarray(small)[:, :, ::-1]  # BGR
    output, *branches = _session(data).run(None, {"images": canvas.transpose(2, 0, 1)[None]})
    raw = output[0]  # (A, 5 + C)
    grids = [_grid(stride) for stride in _STRIDES]
    centres = np.concatenate([grid for grid, _ in grids])
    strides = np.concatenate([stride for _, stride in grids])
    middle = (raw[:, :2] + centres) * strides / scale
    half = np.exp(raw[:, 2:4]) * strides / scale / 2
    limits = np.array([width, height, width, height], np.float32)
    boxes = np.clip(np.concatenate([middle - half, middle + half], axis=1), 0, limits)
    sides = boxes[:, 2:] - boxes[:, :2]
    scores = np.where((sides > 1).all(axis=1), raw[:, 4] * raw[:, 5:].max(axis=1), 0)
    chosen = _suppressed(boxes, scores)
    columns = [branch[0].reshape(branch.shape[1], -1).T for branch in branches]  # (A_l, D)
    blocks = np.zeros((len(raw), sum(c.shape[1] for c in columns)), np.float32)
    row = column = 0
    for one in columns:
        blocks[row : row + len(one), column : column + one.shape[1]] = one
        row, column = row + len(one), column + one.shape[1]
    return Detected(
        boxes[chosen].astype(np.float32), raw[chosen, 4], raw[chosen, 5:], blocks[chosen]
    )


def _grid(stride: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    side = _SIDE // stride
    y, x = np.mgrid[:side, :side].astype(np.float32)
    cells = np.stack([x.ravel(), y.ravel()], axis=1)
    return cells, np.full((len(cells), 1), stride, np.float32)


def _suppressed(boxes: NDArray[np.float32], scores: NDArray[np.float32]) -> list[int]:
    """The best boxes none of which overlaps a better one by an IoU above 0.7."""
    order = np.argsort(-scores, kind="stable")[:400]
    overlaps = pairwise_iou(boxes[order], boxes[order]) > 0.7
    kept: list[int] = []
    for place in range(len(order)):
        if len(kept) < _REGIONS and not overlaps[place, kept].any():
            kept.append(place)
    return [int(order[place]) for place in kept]


@cache
def _session(data: str) -> Any:
    """The detector, with what goes into its last class layers as further outputs."""
    import onnx
    import onnxruntime

    model = onnx.load(Path(data) / "localizer" / "yolox_nano.onnx")
    of_layer = {node.input[1]: node.input[0] for node in model.graph.node if len(node.input) > 1}
    for scale in range(len(_STRIDES)):
        name = of_layer[f"head.cls_preds.{scale}.weight"]
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
