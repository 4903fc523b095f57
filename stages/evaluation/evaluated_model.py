"""The evaluated model: a teacher or student as it is, or a detector with the CLIP inside it.

Shapes: R boxes of an image, K categories of a detector, D feature width.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from stages.models.box_deltas import decode
from stages.models.clip import load_clip
from stages.models.detector import is_detector, load_detector
from stages.models.similarity import Similarity, chosen_bias

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from stages.models.detector import Detector
    from stages.models.network import Clip
    from stages.models.similarity import Probability


@dataclass(frozen=True)
class EvaluatedModel:
    """A CLIP, and the detector around it if there is one."""

    clip: Clip
    detector: Detector | None = None

    @property
    def categories(self) -> tuple[str, ...]:
        """Categories a detector has learned, in the order of its embeddings; none for a CLIP."""
        return self.detector.head.categories if self.detector else ()

    @property
    def temperature(self) -> float:
        """What it divides cosines by: a detector's own, else what the weights say.

        Raises:
            SourceError: If the weights hold no usable number.
        """
        if self.detector is None:
            return Similarity.of(self.clip).temperature
        return self.detector.head.temperature

    def bias(self, kind: Probability) -> float | None:
        """What is added to logits before a sigmoid; None for a softmax.

        Raises:
            ArtifactError: If a sigmoid is asked for where there is no such number.
        """
        return chosen_bias(
            kind, lambda: None if self.detector else Similarity.of(self.clip).logit_bias
        )

    def warnings(self, temperature: float) -> list[str]:
        """What a reader should know of numbers made at a temperature."""
        if self.detector is None or temperature == self.temperature:
            return []
        return [
            f"the detector was trained at temperature {self.temperature:g}, and judged at "
            f"{temperature:g}"
        ]

    @property
    def background(self) -> NDArray[np.float32] | None:
        """Embedding (D,) of the background, if a detector has learned one."""
        if self.detector is None or self.detector.head.background == "zero":
            return None
        return np.asarray(self.detector.background.detach().float().cpu().numpy())

    @property
    def embeddings(self) -> NDArray[np.float32] | None:
        """Embeddings (K, D) of the categories a detector has learned."""
        if self.detector is None:
            return None
        return np.asarray(self.detector.embeddings.float().cpu().numpy())

    @property
    def regression(self) -> str:
        """How boxes are moved: agnostic, specific (to each category learned), or none."""
        return self.detector.head.regression if self.detector else "none"

    @torch.inference_mode()
    def move_boxes(
        self, features: NDArray[np.float32], boxes: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Boxes as a detector moves them: (R, 4), or (R, K, 4) if regression is specific.

        Args:
            features: (R, D), of any length.
            boxes: (R, 4), in any frame.
        """
        deltas = self.detector.regress(torch.from_numpy(features)) if self.detector else None
        if deltas is None or self.detector is None:
            return boxes
        decoded = decode(torch.from_numpy(boxes), deltas.float().cpu(), self.detector.head.weights)
        moved = np.asarray(decoded.numpy())
        return moved if self.regression == "agnostic" else moved.reshape(len(boxes), -1, 4)


def load_model(config: Path, weights: Path, device: str) -> EvaluatedModel:
    """The teacher, student or detector of two files, frozen, once per process.

    Raises:
        SourceError: If the files are missing, damaged, or do not fit each other.
    """
    if not is_detector(config):
        return EvaluatedModel(load_clip(config, weights, device))
    detector = load_detector(config, weights, device)
    return EvaluatedModel(detector.clip, detector)
