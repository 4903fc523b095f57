"""A short run of each verb that trains, over tiny data, as several ranks or in micro-batches.

Batch norms are frozen or absent: their statistics are those of a micro-batch. Data are uneven: some
images have no caption, no kept region, no region at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from safetensors.torch import load_file

from stages.finetune import Finetune
from stages.pretrain import Pretrain
from stages.train import Train
from stages.train_rpn import TrainRpn
from tests.stages import squares
from tests.stages.models.tiny_rpn import saved, tiny_rpn
from tests.stages.training import tiny, tiny_scenes

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import torch

    from tests.in_memory import InMemory

    Result = tuple[list[dict[str, Any]], dict[str, torch.Tensor]]  # log, weights

SHARED: dict[str, Any] = {
    "steps": 4,
    "images_per_batch": 7,
    "log_every": 1,
    "checkpoint_every": 2,
    "learning_rate": 0.01,
    "optimiser": "sgd",
    "device": "cpu",
    "threads": 1,
    "loaders": 0,
}
SIZES = ("48x96", "60x96")
ANCHORS = (12, 24, 48, 96)
NETWORK = {"anchor_sizes": ANCHORS}


def train(folder: Path, **changes: Any) -> Result:
    """`rc train` with negatives of the whole batch, unless `changes` says otherwise.

    Args:
        folder: For files.
        **changes: Options; or `captions` and `leave_out`, see `tiny.labelled`; or `on_step`, which
            is called with the number of steps done.
    """
    on_step = changes.pop("on_step", lambda done: None)
    uneven = {"captions": {1: [], 5: [], 9: []}, "leave_out": (2, 3, 8)}
    data = {name: changes.pop(name, default) for name, default in uneven.items()}
    options = {
        **SHARED,
        "resize": SIZES,
        "temperature": 0.1,
        "negatives": "gathered",
        "crop_distillation_weight": 1.0,
    }
    part = tiny.labelled(folder, **data)
    return _run(Train(**options | changes), part, on_step)


def pretrain(folder: Path, **changes: Any) -> Result:
    """`rc pretrain` of a vision transformer.

    Without the accuracy: a batch that ends an epoch and begins another may have an image twice, and
    rounding decides which of two equal captions is nearer.
    """
    tiny.vision_transformer(folder)
    options = {**SHARED, "model": str(folder / "tiny_vit.json"), "learning_rate": 0.1}
    rows, weights = _run(Pretrain(**options | changes), tiny.captioned(folder))
    return [{n: value for n, value in row.items() if n != "accuracy"} for row in rows], weights


def finetune(folder: Path, **changes: Any) -> Result:
    """`rc finetune`; two images have nothing to learn from."""
    options = {**SHARED, "resize": SIZES, "rois_per_image": 16, "temperature": 0.1}
    options |= {"templates": "plain", "add_objects": False, "bare_images": True}
    part = tiny_scenes.part(folder, bare=(1, 8), leave_out=(1, 4, 8))
    return _run(Finetune(**options | changes), part)


def train_rpn(folder: Path, **changes: Any) -> Result:
    """`rc train-rpn` from weights, so that batch norms are frozen."""
    options = {**SHARED, "width": 8, "stride": 8, "anchor_sizes": ANCHORS, "anchors_per_image": 32}
    options |= {"resize": ("48x64", "64x96"), "weights": saved(tiny_rpn(**NETWORK), folder)[1]}
    return _run(TrainRpn(**options | changes), squares.parts(folder, count=12))


VERBS = {"train": train, "pretrain": pretrain, "finetune": finetune, "train-rpn": train_rpn}


def _run(stage: Any, part: InMemory, on_step: Callable[[int], None] = lambda done: None) -> Result:
    def advance(count: int = 1) -> None:
        part.advanced += count
        on_step(part.advanced)

    part.advance = advance  # type: ignore[method-assign]
    (rows,) = stage.run(part)
    return rows.to_pylist(), load_file(part.folder / "weights.safetensors")
