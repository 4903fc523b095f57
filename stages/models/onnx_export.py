"""Export to ONNX: a network that embeds or detects regions, for programs without torch.

The graph takes one image of any size and any number of boxes. RoIAlign becomes the ONNX operator
of that name, half-pixel centres and adaptive sampling, as here.

Shapes: H, W pixels of the resized image, R regions, D width, K categories.
"""

from __future__ import annotations

import json
import warnings
from typing import TYPE_CHECKING, Any, Final

import torch
from torch import nn

from schemas.errors import OptionError
from stages.models.box_deltas import decode
from stages.models.clip import Clip, read_clip
from stages.models.detector import Detector, read_detector

if TYPE_CHECKING:
    from pathlib import Path

    from stages.models.weights_export import ModelFiles

OPSET: Final = 18  # RoIAlign has half-pixel centres since 16, antialiased resizing came with 18
_MIN_SIDE: Final = 32  # pixels; one cell of the coarsest feature map
_MAX_SIDE: Final = 8192  # pixels
_SAMPLE: Final = (96, 128)  # height and width of the image that the graph is traced with
_SAMPLE_BOXES: Final = ((0.0, 0.0, 128.0, 96.0), (8.0, 4.0, 60.0, 70.0), (30.0, 20.0, 90.0, 50.0))


class RegionEncoder(nn.Module):
    """From pixels and boxes to region features; has only the image tower of the CLIP."""

    def __init__(self, clip: Clip) -> None:
        super().__init__()
        self.visual = clip.network.visual
        self._encode = clip.encode_regions

    def forward(self, pixels: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
        """Features (R, D), not normalised, of normalised pixels (1, 3, H, W) and boxes (R, 4)."""
        return self._encode(pixels, [boxes])


class RegionDetector(nn.Module):
    """From pixels and boxes to probabilities of categories and corrected boxes."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.encoder = RegionEncoder(detector.clip)
        self.layers = detector.layers
        self._classify, self._regress = detector.classify, detector.regress
        self._head = detector.head

    def forward(
        self, pixels: torch.Tensor, boxes: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Probabilities (R, K + 1), background last, and boxes clipped to the image.

        Boxes are (R, 4); (R, K, 4) if regression is specific to the category.
        """
        features = self.encoder(pixels, boxes)
        probabilities = self._classify(features).softmax(dim=1)
        deltas = self._regress(features)
        moved = boxes if deltas is None else decode(boxes, deltas, self._head.weights)
        if self._head.regression == "specific":
            moved = moved.unflatten(1, (-1, 4))  # type: ignore[no-untyped-call]
        x = moved[..., 0::2].clamp(0, pixels.shape[3])
        y = moved[..., 1::2].clamp(0, pixels.shape[2])
        return probabilities, torch.stack([x, y], dim=-1).flatten(-2)


def write_onnx(model: ModelFiles, path: Path) -> tuple[str, ...]:
    """Write the region encoder of a teacher or student, or a whole detector.

    The metadata of the file say how to normalise pixels, and list the categories of a detector.

    Returns:
        Names of the outputs.

    Raises:
        OptionError: If the libraries that write ONNX are not installed.
        SourceError: If the model's files cannot be read.
    """
    onnx = _import_onnx()
    network, outputs, metadata = _network_to_export(model)
    proto = _trace(network.eval().requires_grad_(False), outputs)
    onnx.helper.set_model_props(proto, metadata)
    onnx.checker.check_model(proto)
    onnx.save(proto, path)
    return outputs


def _network_to_export(model: ModelFiles) -> tuple[nn.Module, tuple[str, ...], dict[str, str]]:
    if not model.is_detector:
        clip = read_clip(model.config, model.weights)
        return RegionEncoder(clip), ("features",), _metadata(clip)
    detector = read_detector(model.config, model.weights)
    metadata = _metadata(detector.clip) | {"categories": json.dumps(detector.head.categories)}
    return RegionDetector(detector), ("probabilities", "boxes_out"), metadata


def _metadata(clip: Clip) -> dict[str, str]:
    """How to normalise pixels: RGB in [0, 1], minus mean, divided by std."""
    return {
        "channels": "rgb",
        "scale": "1",
        "mean": json.dumps(clip.spec.mean),
        "std": json.dumps(clip.spec.std),
        "origin": clip.spec.origin,
    }


def _trace(network: nn.Module, outputs: tuple[str, ...]) -> Any:
    """The graph of a network, without torch's notes on source files."""
    side = {"min": _MIN_SIDE, "max": _MAX_SIDE}
    height, width = torch.export.Dim("H", **side), torch.export.Dim("W", **side)
    sample = torch.zeros(1, 3, *_SAMPLE), torch.tensor(_SAMPLE_BOXES)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # torch warns that it writes sampling ratio -1 as 0; both mean adaptive
        program = torch.onnx.export(
            network,
            sample,
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=["pixels", "boxes"],
            output_names=list(outputs),
            dynamic_shapes={
                "pixels": {2: height, 3: width},
                "boxes": {0: torch.export.Dim("R", min=2, max=1 << 20)},
            },
        )
    proto = program.model_proto  # type: ignore[union-attr]
    for node in proto.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    return proto


def _import_onnx() -> Any:
    try:
        import onnx
        import onnxscript  # noqa: F401 - torch needs it to write graphs
    except ImportError as error:
        raise OptionError(
            f"--format onnx needs the package {error.name}; install the extra: "
            "pip install 'regionclip-toolkit[onnx]'"
        ) from None
    return onnx
