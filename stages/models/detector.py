"""Detectors: a CLIP, frozen text embeddings that name its regions, a layer that moves its boxes.

A detector artifact is model.json (a `ClipSpec`, and a `HeadSpec` under "detector") and
weights.safetensors: the prefix `clip.` before open_clip's names, `head.` before those of the head.

Shapes: N regions, D feature width, K learned categories, K2 categories to choose from.

Source: RegionCLIP (arXiv:2112.09106), transfer to detection; values as `FastRCNNOutputLayers`
computes them: cosine to each category's text over the temperature, background exactly 0.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from schemas.errors import SourceError
from stages.models.box_deltas import WEIGHTS, decode
from stages.models.clip import Clip, ClipSpec
from stages.models.device import resolve
from stages.models.model_cache import load_once
from stages.models.weights import load_state, read_state, write_state
from stages.sources.name_checks import names_fault

if TYPE_CHECKING:
    from pathlib import Path

REGRESSIONS: Final = ("agnostic", "specific", "none")
BACKGROUNDS: Final = ("zero", "learned")

_CLIP, _HEAD = "clip.", "head."


@dataclass(frozen=True)
class HeadSpec:
    """The description of a detector's head in model.json.

    Attributes:
        categories: K names, in the order of the embeddings.
        regression: "agnostic" moves a box the same way for every category; "specific" has
            deltas for each category; "none" leaves boxes where they are.
        background: "zero" is an embedding of zeros, so a logit of exactly 0; "learned" is trained.
        temperature: Divides cosine similarity.
        weights: Of dx, dy, dw, dh.
    """

    categories: tuple[str, ...]
    regression: str = "agnostic"
    background: str = "zero"
    temperature: float = 0.01
    weights: tuple[float, ...] = WEIGHTS

    @property
    def num_deltas(self) -> int:
        """Numbers that the box layer gives for a region: 4, 4K, or 0."""
        return {"agnostic": 4, "specific": 4 * len(self.categories), "none": 0}[self.regression]

    @classmethod
    def read(cls, path: Path) -> HeadSpec:
        """The head in a model.json.

        Raises:
            SourceError: If the file is missing, is not JSON, or does not describe a detector.
        """
        try:
            content = json.loads(path.read_text("utf-8"))["detector"]
            head = cls(
                categories=tuple(content["categories"]),
                regression=content["regression"],
                background=content["background"],
                temperature=float(content["temperature"]),
                weights=tuple(content["weights"]),
            )
        except OSError as error:
            raise SourceError(f"{path} cannot be read ({error.strerror})") from error
        except (ValueError, KeyError, TypeError) as error:
            raise SourceError(f"{path} is not the description of a detector: {error}") from error
        if fault := names_fault(head.categories, ignore_case=False):
            raise SourceError(f"{path} {fault}; each category needs its own name")
        if head.regression not in REGRESSIONS or head.background not in BACKGROUNDS:
            raise SourceError(f"{path} describes a detector of a kind unknown here")
        return head


class _HeadLayers(nn.Module):
    """The tensors of a head, with their names in a file."""

    def __init__(self, head: HeadSpec, width: int) -> None:
        super().__init__()
        self.embeddings: torch.Tensor
        self.register_buffer("embeddings", torch.zeros(len(head.categories), width))
        zeros = torch.zeros(width)
        if head.background == "zero":
            self.register_buffer("background", zeros)
        else:
            self.background = nn.Parameter(zeros)
        self.bbox_pred = nn.Linear(width, head.num_deltas) if head.num_deltas else None


class Detector(nn.Module):
    """A CLIP, the embeddings of K categories, and a layer that moves boxes.

    Embeddings are zeros unless the constructor gets them or a file fills them. The box layer has
    detectron2's random weights (normal, 0.001; bias 0) from torch's current generator.
    """

    def __init__(self, clip: Clip, head: HeadSpec, embeddings: torch.Tensor | None = None) -> None:
        """Make a head over `clip`, on the same device; embeddings are (K, D), of any length."""
        super().__init__()
        self.clip = clip
        self.head = head
        self.layers = _HeadLayers(head, clip.width)
        if self.layers.bbox_pred is not None:
            nn.init.normal_(self.layers.bbox_pred.weight, std=0.001)
            nn.init.zeros_(self.layers.bbox_pred.bias)
        if head.background == "learned":
            nn.init.normal_(self.layers.background, std=0.01)
        if embeddings is not None:
            if embeddings.shape != self.layers.embeddings.shape:
                expected, actual = tuple(self.layers.embeddings.shape), tuple(embeddings.shape)
                raise SourceError(
                    f"{len(head.categories)} categories in a space {clip.width} wide need "
                    f"embeddings of shape {expected}, got {actual}; embed the names with this model"
                )
            self.layers.embeddings.copy_(embeddings)
        self.layers.to(clip.logit_scale.device)

    @property
    def embeddings(self) -> torch.Tensor:
        """(K, D), of any length; a buffer, never trained."""
        return self.layers.embeddings

    @property
    def background(self) -> torch.Tensor:
        """(D,): zeros, or trained."""
        return self.layers.background

    @property
    def bbox_pred(self) -> nn.Linear | None:
        """The box layer, D to 4 or 4K; None without regression."""
        return self.layers.bbox_pred

    def classify(
        self, features: torch.Tensor, embeddings: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Logits (N, K2 + 1) of features (N, D), background last.

        Args:
            features: Of any length.
            embeddings: (K2, D) of the categories to choose from; None for the learned ones.
        """
        texts = self.embeddings if embeddings is None else embeddings
        rows = torch.cat([texts.to(self.background), self.background[None]]).to(features)
        cosine = F.normalize(features, dim=1) @ F.normalize(rows, dim=1).T  # (N, K2 + 1)
        return cosine / self.head.temperature

    def regress(self, features: torch.Tensor) -> torch.Tensor | None:
        """Deltas (N, 4) or (N, 4K) of features (N, D), not normalised; None without regression."""
        if self.bbox_pred is None:
            return None
        deltas: torch.Tensor = self.bbox_pred(features.to(self.bbox_pred.weight))
        return deltas


@torch.no_grad()
def predict(
    detector: Detector,
    features: torch.Tensor,
    boxes: torch.Tensor,
    size: tuple[int, int],
    embeddings: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities of each region of one image, and its corrected box.

    Args:
        detector: In evaluation mode.
        features: (R, D) of the boxes, as `detector.clip` gives them, not normalised.
        boxes: (R, 4), pixels of the original image (or of any other frame).
        size: (height, width) of that frame; results are clipped to it.
        embeddings: (K2, D) of the categories to choose from; None for the learned ones.

    Returns:
        Probabilities (R, K2 + 1) float64, background last, rows sum to 1. Boxes (R, 4) float32;
        (R, K, 4) from specific regression, a box for each category.

    Raises:
        SourceError: If boxes are specific to the learned categories, and `embeddings` has others.
    """
    probabilities = detector.classify(features.double(), embeddings).softmax(dim=1)
    deltas = detector.regress(features)
    moved = boxes.to(features.device, torch.float32)
    if deltas is not None:
        moved = decode(moved, deltas.float(), detector.head.weights)
    if detector.head.regression == "specific":
        moved = moved.view(len(boxes), moved.shape[1] // 4, 4)
        if probabilities.shape[1] != moved.shape[1] + 1:
            raise SourceError(
                f"this detector moves boxes for each of its {moved.shape[1]} categories, so it "
                f"cannot detect {probabilities.shape[1] - 1} others; finetune one with "
                f"--regression agnostic"
            )
    height, width = size
    limits = moved.new_tensor([width, height, width, height])
    return probabilities, moved.clamp(min=0).minimum(limits)


def save_detector(detector: Detector, config: Path, weights: Path, dtype: str = "float32") -> None:
    """Write model.json and weights.safetensors; equal detectors give equal bytes."""
    detector.clip.spec.write(config)
    content: dict[str, Any] = json.loads(config.read_text("utf-8"))
    content["detector"] = asdict(detector.head)
    config.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", "utf-8")
    write_state(_state(detector), weights, getattr(torch, dtype))


def read_detector(config: Path, weights: Path, device: str = "cpu") -> Detector:
    """A new detector from two files, in evaluation mode, with all parameters trainable; not shared.

    Raises:
        SourceError: If the files are missing, damaged, or do not fit each other.
    """
    detector = Detector(Clip(ClipSpec.read(config)), HeadSpec.read(config))
    state = read_state(weights)
    unexpected = sorted(name for name in state if not name.startswith((_CLIP, _HEAD)))
    if unexpected:
        raise SourceError(f"{weights} holds '{unexpected[0]}', which no detector has")
    for prefix, module in ((_CLIP, detector.clip.network), (_HEAD, detector.layers)):
        own = {n.removeprefix(prefix): v for n, v in state.items() if n.startswith(prefix)}
        load_state(module, own, str(weights))
    return detector.to(resolve(device)).eval()


def load_detector(config: Path, weights: Path, device: str) -> Detector:
    """The frozen detector of two files, read once per process; shared, so do not train it.

    Files that changed on disk are read again.

    Raises:
        SourceError: If the files are missing, damaged, or do not fit each other.
    """
    return load_once(_read_frozen, config, weights, device)


def is_detector(config: Path) -> bool:
    """Whether a model.json describes a detector, not a teacher or student.

    Raises:
        SourceError: If the file cannot be read.
    """
    try:
        return "detector" in json.loads(config.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SourceError(f"{config} is not a readable description of a model: {error}") from error


def _state(detector: Detector) -> dict[str, torch.Tensor]:
    clip = {_CLIP + name: v for name, v in detector.clip.network.state_dict().items()}
    return clip | {_HEAD + name: v for name, v in detector.layers.state_dict().items()}


def _read_frozen(config: Path, weights: Path, device: str) -> Detector:
    return read_detector(config, weights, device).requires_grad_(False)
