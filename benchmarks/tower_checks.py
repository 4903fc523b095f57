"""One image tower of open_clip at random weights, and what the toolkit can do with it.

A column of the table that `benchmarks.towers` makes is a function here: it takes a `Case`, and
returns what the cell says.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import timm
import torch
from open_clip.model import _build_vision_tower
from timm.models import register_model

from stages.models.clip import Clip, save_clip
from stages.models.clip_spec import ClipSpec, square_side
from stages.models.onnx_export import write_onnx
from stages.models.weights import load_state
from stages.models.weights_export import ModelFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST: Final = 45_000_000  # parameters of a tower that is built as it is
LARGEST: Final = 384  # pixels, native side of a tower that is built as it is
TOLERANCE: Final = 1e-5  # of the largest number in a feature


@dataclass(frozen=True)
class Case:
    """One architecture at random weights.

    Attributes:
        clip: As the toolkit builds it, without a language encoder.
        reference: open_clip's own image tower, with the same weights.
        side: Native side, pixels.
    """

    clip: Clip
    reference: Any
    side: int

    def pixels(self, height: float, width: float) -> torch.Tensor:
        """An image of random numbers, given in native sides."""
        size = [max(8, int(self.side * share)) for share in (height, width)]
        return torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(0))


def load(case: Case) -> str:
    """Whether open_clip's tensors are the toolkit's, name by name; building came before."""
    names = {f"visual.{name}": value for name, value in case.reference.state_dict().items()}
    kept = {n: v for n, v in case.clip.network.state_dict().items() if not n.startswith("visual.")}
    load_state(case.clip.network, {**names, **kept}, "open_clip's tower")
    return "yes"


def whole_image(case: Case) -> str:
    """Whether the region that is a whole native image has the feature of the image."""
    pixels = case.pixels(1, 1)
    with torch.inference_mode():
        features = case.reference(pixels)
        expected = features[0] if isinstance(features, tuple) else features
        torch.testing.assert_close(case.clip.encode_images(pixels), expected)
        whole = [torch.tensor([[0.0, 0, case.side, case.side]])]
        actual = case.clip.encode_regions(pixels, whole)
    difference = (actual - expected).abs().max() / expected.abs().max()
    return "yes" if difference <= TOLERANCE else "no"


def regions(case: Case) -> str:
    """Whether boxes of an image of another shape have features of their own."""
    pixels = case.pixels(0.8, 1.3)
    height, width = pixels.shape[2:]
    boxes = torch.tensor([[0, 0, 0.5, 1], [0.3, 0.2, 0.9, 0.8], [0.5, 0, 1, 1]])
    with torch.inference_mode():
        found = case.clip.encode_regions(
            pixels, [boxes * torch.tensor([width, height, width, height])]
        )
    spread = (found - found.mean(dim=0)).abs().max() / found.abs().max()
    return "yes" if bool(torch.isfinite(found).all()) and spread > TOLERANCE else "no"


def train(case: Case) -> str:
    """Whether a step frozen as the reference reaches the end of the tower, not its stem."""
    clip = case.clip
    clip.freeze_as_reference()
    clip.train()
    pixels = case.pixels(0.5, 0.6)
    box = [torch.tensor([[0.0, 0, 0.4 * case.side, 0.4 * case.side]])]
    loss = clip.encode_regions(pixels, box).square().mean()
    loss.backward()  # type: ignore[no-untyped-call]
    gradients = [p.grad for p in clip.parameters() if p.grad is not None]
    flows = any(bool(g.abs().sum() > 0) for g in gradients)
    finite = all(bool(torch.isfinite(g).all()) for g in gradients)
    early = [
        parameter
        for layer in clip.tower.early_layers()
        for parameter in ([layer] if isinstance(layer, torch.Tensor) else layer.parameters())
    ]
    clip.eval().zero_grad(set_to_none=True)
    return "yes" if flows and finite and not any(p.requires_grad for p in early) else "no"


def export(case: Case) -> str:
    """Whether open_clip's own tower takes the toolkit's tensors."""
    case.reference.load_state_dict(case.clip.network.visual.state_dict(), strict=True)
    return "open_clip"


COLUMNS: Final[Mapping[str, Callable[[Case], str]]] = {
    "load": load,
    "whole image is `encode_image`": whole_image,
    "regions": regions,
    "train": train,
    "export": export,
}


def build(config: Mapping[str, Any]) -> Case:
    """A case with random weights, large enough that no part of the tower is negligible.

    Raises:
        SourceError: If the toolkit refuses the architecture.
    """
    side = square_side(config["vision_cfg"].get("image_size", 224))
    half = (0.5, 0.5, 0.5)
    torch.manual_seed(0)
    clip = Clip(ClipSpec(None, config, side, half, half, "random", language=False)).eval()
    with torch.no_grad():
        for weight in clip.network.visual.parameters():
            spread = 0.1 if weight.dim() < 2 else 0.5 * weight[0].numel() ** -0.5
            weight.add_(torch.randn_like(weight), alpha=spread)
    reference = vision_tower(config).eval()
    reference.load_state_dict(clip.network.visual.state_dict(), strict=True)
    return Case(clip, reference, side)


def is_affordable(config: Mapping[str, Any]) -> bool:
    """Whether a tower is small enough to be built as it is."""
    small = square_side(config["vision_cfg"].get("image_size", 224)) <= LARGEST
    return small and parameters_of(config) <= MOST


def sibling_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration of a small tower of the same kind."""
    vision = dict(config["vision_cfg"])
    if vision.get("timm_model_name"):
        vision["timm_model_name"] = register_shallow(vision["timm_model_name"])
    else:
        several = isinstance(vision["layers"], list)
        vision["layers"] = [1] * len(vision["layers"]) if several else 2
        vision["width"] = 64 if several else 2 * vision.get("head_width", 64)
    return {**config, "vision_cfg": vision}


def register_shallow(name: str) -> str:
    """Make a small sibling of a timm network known to timm, under another name."""
    entry, shallow = timm.models.model_entrypoint(name), f"shallow_{name}"
    if timm.models.is_model(shallow):
        return shallow
    fewer: dict[str, Any] = {"depth": 2}
    if name.startswith(("convnext", "fastvit", "swin")):
        stages = 5 if name in ("fastvit_mci3", "fastvit_mci4") else 4
        fewer = {"layers" if name.startswith("fastvit") else "depths": (1,) * stages}
    elif name.startswith("vitamin"):  # its stem fixes the width
        entry = timm.models.model_entrypoint("vitamin_small_224")
        fewer["img_size"] = int(name.rsplit("_", 1)[1])
        fewer |= {"pos_embed": "none"} if "xlarge" in name else {}
    elif name != "vit_base_mci_224":  # likewise, and there is no smaller one
        fewer |= {"embed_dim": 128, "num_heads": 2}

    def build_shallow(pretrained: bool = False, **options: Any) -> torch.nn.Module:
        tower: torch.nn.Module = entry(pretrained=pretrained, **(fewer | options))
        return tower

    build_shallow.__name__ = shallow
    register_model(build_shallow)
    return shallow


def vision_tower(config: Mapping[str, Any]) -> Any:
    """open_clip's own image tower of a configuration."""
    vision = dict(config["vision_cfg"])
    if vision.get("timm_model_name"):
        vision["timm_model_pretrained"] = False
    return _build_vision_tower(config["embed_dim"], vision, bool(config.get("quick_gelu")))


def parameters_of(config: Mapping[str, Any]) -> int:
    """Number of parameters of the image tower; nothing is allocated."""
    with torch.device("meta"):
        return sum(p.numel() for p in vision_tower(config).parameters())


def onnx_agrees(config: Mapping[str, Any]) -> bool:
    """Whether onnxruntime gives the features of torch, for images of two sizes."""
    import onnxruntime

    case = build(config)
    with tempfile.TemporaryDirectory(prefix="rc-towers-") as folder:
        files = ModelFiles(Path(folder) / "model.json", Path(folder) / "weights.safetensors")
        save_clip(case.clip, files.config, files.weights)
        write_onnx(files, Path(folder) / "out.onnx")
        session = onnxruntime.InferenceSession(Path(folder) / "out.onnx")
    for height, width in ((1, 1), (0.7, 1.1)):
        pixels = case.pixels(height, width)
        boxes = torch.tensor([[0.0, 0, *pixels.shape[:1:-1]], [9, 5, 60, 80]])
        inputs = {"pixels": pixels.numpy(), "boxes": boxes.numpy()}
        (actual,) = session.run(None, inputs)
        with torch.inference_mode():
            expected = case.clip.encode_regions(pixels, [boxes]).numpy()
        if np.abs(actual - expected).max() > 1e-4 * np.abs(expected).max():
            return False
    return True
