"""A step of detector training: images with sampled regions in, both losses out.

Shapes: N sampled regions of a batch, K categories.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from schemas.errors import OptionError
from stages.models.precision import autocast
from stages.training.detector_losses import box_regression, classification
from stages.training.distributed import num_ranks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
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
    """Satisfies `batch_gradient.Learner`: trains a detector."""

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
            precision: See `stages.models.precision`.
            dump: File to append a line of JSON to at each step, see `_dump_record`.

        Raises:
            OptionError: If there is a file and there are several ranks: none has all regions.
        """
        if dump and num_ranks() > 1:
            raise OptionError("rc finetune: --dump-losses needs a single process, without ranks")
        self._detector = detector
        self._loss_config = loss_config
        self._device = detector.embeddings.device
        self._autocast = autocast(precision, self._device)
        self._dump = dump
        self._dumped: list[DetectorBatch] = []
        detector.clip.network.visual.to(memory_format=torch.channels_last)

    @property
    def module(self) -> torch.nn.Module:
        """See `batch_gradient.Learner.module`."""
        return self._detector

    def outputs(self, micro_batch: DetectorBatch) -> Mapping[str, torch.Tensor]:
        """See `batch_gradient.Learner.outputs`: of the sampled regions.

        Logits (N, K + 1) and, if the detector moves boxes, deltas (N, 4) or (N, 4K).
        """
        features = self._features(micro_batch)
        logits, deltas = self._detector.classify(features), self._detector.regress(features)
        return {"logits": logits} if deltas is None else {"logits": logits, "deltas": deltas}

    def targets(self, micro_batch: DetectorBatch) -> Mapping[str, torch.Tensor]:
        """See `batch_gradient.Learner.targets`: boxes, classes and targets, see `Rois`."""
        if self._dump:
            self._dumped.append(micro_batch)
        return {
            name: torch.cat([getattr(rois, name) for rois in micro_batch.rois]).to(self._device)
            for name in ("boxes", "classes", "targets")
        }

    def losses(
        self, outputs: Mapping[str, torch.Tensor], targets: Mapping[str, torch.Tensor]
    ) -> Mapping[str, torch.Tensor]:
        """See `batch_gradient.Learner.losses`: both terms, and facts of the regions."""
        boxes, classes, logits = targets["boxes"], targets["classes"], outputs["logits"]
        dumped, self._dumped = self._dumped, []
        if not len(boxes):
            return {"regions": torch.tensor(0.0)}
        terms = {
            "classification": classification(
                logits, classes, self._loss_config.background_weight, self._loss_config.focal_gamma
            )
        }
        loss = terms["classification"]
        if "deltas" in outputs:
            weights = self._detector.head.weights
            terms["regression"] = box_regression(
                outputs["deltas"], boxes, targets["targets"], classes, weights
            )
            loss = loss + self._loss_config.box_weight * terms["regression"]
        terms["loss"] = loss
        if self._dump:
            record = _dump_record(dumped, terms, logits.shape[1] - 1)
            with self._dump.open("a", encoding="utf-8") as file:
                file.write(json.dumps(record) + "\n")
        return terms | _statistics(logits.detach(), classes)

    def after_step(self) -> Mapping[str, float]:
        """See `batch_gradient.Learner.after_step`: nothing to do."""
        return {}

    def _features(self, micro_batch: DetectorBatch) -> torch.Tensor:
        """Features (N, D) of the sampled regions, not normalised, from one pass."""
        boxes = [rois.boxes.to(self._device) for rois in micro_batch.rois]
        if not any(len(of_image) for of_image in boxes):
            return self._detector.embeddings.new_zeros(0, self._detector.embeddings.shape[1])
        with self._autocast:
            feature_map = self._detector.clip.trunk(micro_batch.pixels.to(self._device))
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
    micro_batches: Sequence[DetectorBatch], terms: Mapping[str, torch.Tensor], background: int
) -> dict[str, Any]:
    """The losses, and all inputs that an independent computation of them needs."""
    rois = [of_image for micro_batch in micro_batches for of_image in micro_batch.rois]
    views = [view for micro_batch in micro_batches for view in micro_batch.views]
    classes = torch.cat([of_image.classes for of_image in rois])
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
                "boxes": of_image.boxes.tolist(),
                "classes": of_image.classes.tolist(),
                "targets": of_image.targets.tolist(),
            }
            for view, of_image in zip(views, rois, strict=True)
        ],
    }
