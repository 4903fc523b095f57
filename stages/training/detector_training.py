"""A step of detector training: images with sampled regions in, both losses out.

Shapes: N sampled regions of a batch, K categories.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from stages.training.detector_losses import box_regression, classification
from stages.training.precision import autocast

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from stages.models.detector import Detector
    from stages.training.detector_batches import DetectorBatch


@dataclass(frozen=True, kw_only=True)
class DetectorLossConfig:
    """Weights of the losses of a detector.

    Attributes:
        background_weight: Weight of a background region in the classification loss.
        focal_gamma: Exponent of the focal scaling; 0 is off.
        box_weight: Weight of the box loss in the total loss.
    """

    background_weight: float = 0.2
    focal_gamma: float = 0.5
    box_weight: float = 1.0


class DetectorTraining:
    """Satisfies `loop.Learner`: trains a detector."""

    def __init__(
        self,
        detector: Detector,
        loss_config: DetectorLossConfig,
        precision: str,
        dump: Path | None = None,
    ) -> None:
        """Train `detector`, already on its device, with its parameters already frozen or not.

        Args:
            detector: Trained in place.
            loss_config: Weights of the losses.
            precision: See `stages.training.precision`.
            dump: File to append a line of JSON to at each step, see `_dump_record`.
        """
        self._detector = detector
        self._loss_config = loss_config
        self._device = detector.embeddings.device
        self._autocast = autocast(precision, self._device)
        self._dump = dump
        detector.clip.network.visual.to(memory_format=torch.channels_last)

    @property
    def module(self) -> torch.nn.Module:
        """See `loop.Learner.module`."""
        return self._detector

    def losses(self, batch: DetectorBatch) -> Mapping[str, torch.Tensor]:
        """See `loop.Learner.losses`: the total, both terms, and facts of the regions."""
        boxes = torch.cat([rois.boxes for rois in batch.rois])
        if not len(boxes):
            return {"regions": torch.tensor(0.0)}
        classes = torch.cat([rois.classes for rois in batch.rois]).to(self._device)
        targets = torch.cat([rois.targets for rois in batch.rois]).to(self._device)
        features = self._features(batch)
        logits = self._detector.classify(features)
        terms = {
            "classification": classification(
                logits, classes, self._loss_config.background_weight, self._loss_config.focal_gamma
            )
        }
        deltas = self._detector.regress(features)
        loss = terms["classification"]
        if deltas is not None:
            weights = self._detector.head.weights
            terms["regression"] = box_regression(
                deltas, boxes.to(self._device), targets, classes, weights
            )
            loss = loss + self._loss_config.box_weight * terms["regression"]
        terms["loss"] = loss
        if self._dump:
            with self._dump.open("a", encoding="utf-8") as file:
                file.write(json.dumps(_dump_record(batch, terms, logits.shape[1] - 1)) + "\n")
        return terms | _statistics(logits.detach(), classes)

    def after_step(self) -> Mapping[str, float]:
        """See `loop.Learner.after_step`: nothing to do."""
        return {}

    def _features(self, batch: DetectorBatch) -> torch.Tensor:
        """Features (N, D) of the sampled regions, not normalised, from one pass."""
        boxes = [rois.boxes.to(self._device) for rois in batch.rois]
        with self._autocast:
            feature_map = self._detector.clip.trunk(batch.pixels.to(self._device))
            features = self._detector.clip.pool_regions(feature_map, boxes)
        return features.float()


def _statistics(logits: torch.Tensor, classes: torch.Tensor) -> dict[str, torch.Tensor]:
    """Number of regions, share on objects, and of these the share classified correctly."""
    objects = classes < logits.shape[1] - 1
    statistics = {
        "regions": torch.tensor(float(len(classes))),
        "foreground": objects.float().mean(),
    }
    if objects.any():
        predicted = logits[objects, :-1].argmax(dim=1)
        statistics["accuracy"] = (predicted == classes[objects]).float().mean()
    return statistics


def _dump_record(
    batch: DetectorBatch, terms: Mapping[str, torch.Tensor], background: int
) -> dict[str, Any]:
    """The losses, and all inputs that an independent computation of them needs."""
    classes = torch.cat([rois.classes for rois in batch.rois])
    foreground = int((classes < background).sum())
    return {
        "loss": float(terms["loss"].detach()),
        "loss_cls": float(terms["classification"].detach()),
        "loss_box_reg": float(terms["regression"].detach()) if "regression" in terms else None,
        "num_foreground": foreground,
        "num_background": len(classes) - foreground,
        "background_class": background,
        "images": [
            {
                **view,
                "boxes": rois.boxes.tolist(),
                "classes": rois.classes.tolist(),
                "targets": rois.targets.tolist(),
            }
            for view, rois in zip(batch.views, batch.rois, strict=True)
        ],
    }
