"""CLIP: an image tower that can also embed regions, and the language encoder L beside it.

A model artifact is two files: model.json (the `Spec` below) and weights.safetensors, with the
names open_clip gives its tensors. Networks are built by open_clip's own classes from the
configuration in model.json; nothing is fetched when a model is loaded.

Shapes: B images, R_b regions of image b, N regions of a batch, T texts, L tokens, D width.
"""

from __future__ import annotations

import functools
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from open_clip import CLIP, CustomTextCLIP
from open_clip.modified_resnet import ModifiedResNet
from open_clip.timm_model import TimmModel
from open_clip.tokenizer import SimpleTokenizer
from torch import nn

from schemas.errors import SourceError
from stages.models.convnext_regions import ConvNeXtRegions
from stages.models.resnet_regions import ResNetRegions
from stages.models.vit_regions import ViTRegions
from stages.models.weights import load_state, read_state, write_state

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from stages.models.region_tower import RegionTower


@dataclass(frozen=True)
class Spec:
    """What model.json says.

    Attributes:
        architecture: open_clip's name of the model; None if the configuration is one's own.
        config: open_clip's model configuration: embed_dim, vision_cfg, text_cfg, quick_gelu.
        image_size: Native side of an image, pixels.
        mean: Of the pixels in [0, 1], red, green, blue; subtracted first.
        std: Divides after that.
        origin: Where the weights come from, for people.
    """

    architecture: str | None
    config: Mapping[str, Any]
    image_size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    origin: str

    def write(self, path: Path) -> None:
        """Write model.json; equal specs give equal bytes."""
        path.write_text(json.dumps(asdict(self), indent=2, sort_keys=True) + "\n", "utf-8")

    @classmethod
    def read(cls, path: Path) -> Spec:
        """The spec in a model.json.

        Raises:
            SourceError: If the file is missing, no JSON, or lacks a key.
        """
        try:
            content = json.loads(path.read_text("utf-8"))
            return cls(
                **{
                    **{key: content[key] for key in cls.__dataclass_fields__},
                    "mean": tuple(content["mean"]),
                    "std": tuple(content["std"]),
                }
            )
        except OSError as error:
            raise SourceError(f"{path} cannot be read ({error.strerror})") from error
        except (ValueError, KeyError, TypeError) as error:
            raise SourceError(f"{path} is not the description of a CLIP model: {error}") from error


class Clip(nn.Module):
    """A CLIP with its two encoders, and the image tower's way to embed regions.

    `network` is open_clip's model: its `state_dict()` has open_clip's names. Features and
    embeddings are never normalised here.
    """

    def __init__(self, spec: Spec) -> None:
        super().__init__()
        self.spec = spec
        self.network: Any = _build(spec.config)  # open_clip's CLIP, which has no types
        self.tower: RegionTower = _tower(self.network)
        self._still: list[nn.Module] = []  # modules that stay in evaluation mode while training

    @property
    def width(self) -> int:
        """Width D of features and embeddings."""
        return int(self.spec.config["embed_dim"])

    @property
    def stride(self) -> int:
        """Pixels of the input per cell of the feature map."""
        return self.tower.stride

    @property
    def logit_scale(self) -> torch.Tensor:
        """Logarithm of the inverse temperature; a parameter, scalar."""
        scale: torch.Tensor = self.network.logit_scale
        return scale

    def encode_images(self, pixels: torch.Tensor) -> torch.Tensor:
        """CLIP's own features (B, D) of normalised images (B, 3, S, S) of the native size."""
        features = self.network.encode_image(pixels)
        plain: torch.Tensor = features[0] if isinstance(features, tuple) else features
        return plain

    def tokenize(self, texts: Sequence[str]) -> torch.Tensor:
        """Token ids (T, L), int64 on the CPU; what is too long is cut, its end token kept."""
        ids: torch.Tensor = _tokenizer(int(self.network.context_length))(list(texts))
        return ids

    def encode_tokens(self, tokens: torch.Tensor) -> torch.Tensor:
        """Embeddings (T, D) of token ids (T, L): the end token, projected."""
        embeddings: torch.Tensor = self.network.encode_text(tokens)
        return embeddings

    def encode_texts(self, texts: Sequence[str]) -> torch.Tensor:
        """Embeddings (T, D) of texts, as one batch."""
        return self.encode_tokens(self.tokenize(texts).to(self.logit_scale.device))

    def trunk(self, pixels: torch.Tensor) -> torch.Tensor:
        """The feature map (B, C, H / stride, W / stride) of images (B, 3, H, W) of any size."""
        return self.tower.trunk(pixels)

    def crop_regions(
        self, feature_map: torch.Tensor, boxes: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        """Cut-outs (N, ...) of B sets of boxes (R_b, 4), pixels of the input of `trunk`."""
        return self.tower.crop(feature_map, boxes)

    def embed_crops(self, crops: torch.Tensor) -> torch.Tensor:
        """Features (N, D) of cut-outs (N, ...), of one image or of many."""
        return self.tower.embed(crops)

    def pool_regions(
        self, feature_map: torch.Tensor, boxes: Sequence[torch.Tensor]
    ) -> torch.Tensor:
        """Features (N, D) of B sets of boxes (R_b, 4), pixels of the input of `trunk`."""
        return self.embed_crops(self.crop_regions(feature_map, boxes))

    def encode_regions(self, pixels: torch.Tensor, boxes: Sequence[torch.Tensor]) -> torch.Tensor:
        """Features (N, D) of B sets of boxes (R_b, 4), pixels of `pixels` (B, 3, H, W)."""
        return self.pool_regions(self.trunk(pixels), boxes)

    def freeze_as_reference(self) -> None:
        """Leave trainable what RegionCLIP trains: the image tower from its second stage on.

        Stem and first stage, every batch norm (statistics and affine), the language encoder and
        the logit scale are constants from here on, also after `train()`.
        """
        self.requires_grad_(False)
        visual = self.network.visual
        visual.requires_grad_(True)
        for early in self.tower.early():
            early.requires_grad_(False)
        norms = [m for m in visual.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        for norm in norms:
            norm.requires_grad_(False)
        others = [m for n, m in self.network.named_children() if n != "visual"]
        self._still = [*norms, *others]
        self.train(self.training)

    def train(self, mode: bool = True) -> Clip:
        """Switch training mode, but for what is frozen."""
        super().train(mode)
        for module in self._still:
            module.eval()
        return self


def load_clip(config: Path, weights: Path, device: str) -> Clip:
    """The CLIP of two files, frozen, once per process; shared, so copy it before training it.

    Files that changed on disk are read again.

    Raises:
        SourceError: If the files are missing, damaged, or do not fit each other.
    """
    return _load_once(config, weights, device, _stamp(config), _stamp(weights))


def read_clip(config: Path, weights: Path, device: str = "cpu") -> Clip:
    """A CLIP of one's own from two files, in evaluation mode, everything trainable.

    Raises:
        SourceError: If the files are missing, damaged, or do not fit each other.
    """
    clip = Clip(Spec.read(config))
    load_state(clip.network, read_state(weights), str(weights))
    return clip.to(device).eval()


def save_clip(clip: Clip, config: Path, weights: Path, dtype: str = "float32") -> None:
    """Write model.json and weights.safetensors; equal models give equal bytes."""
    clip.spec.write(config)
    write_state(clip.network.state_dict(), weights, getattr(torch, dtype))


@functools.lru_cache(maxsize=4)  # a teacher, a student, and one to compare each with
def _load_once(config: Path, weights: Path, device: str, *_: tuple[int, int]) -> Clip:
    return read_clip(config, weights, device).requires_grad_(False)


def _stamp(path: Path) -> tuple[int, int]:
    try:
        found = path.stat()
    except OSError as error:
        raise SourceError(f"{path} is missing: the model cannot be loaded without it") from error
    return found.st_mtime_ns, found.st_size


@functools.cache
def _tokenizer(context_length: int) -> SimpleTokenizer:
    return SimpleTokenizer(context_length=context_length)


def _build(config: Mapping[str, Any]) -> nn.Module:
    options = {key: value for key, value in config.items() if key != "custom_text"}
    text, vision = dict(config.get("text_cfg", {})), dict(config.get("vision_cfg", {}))
    if text.get("hf_model_name") or text.get("hf_tokenizer_name") or "multimodal_cfg" in config:
        raise SourceError(
            "models with a language encoder or tokenizer of their own (Hugging Face, SigLIP, "
            "CoCa) are not supported; use one with CLIP's"
        )
    if vision.get("timm_model_name"):
        vision["timm_model_pretrained"] = False  # never from the network
    options |= {"text_cfg": text, "vision_cfg": vision}
    try:
        built: nn.Module = (CustomTextCLIP if config.get("custom_text") else CLIP)(**options)
    except (TypeError, ValueError, AssertionError, RuntimeError, AttributeError) as error:
        raise SourceError(f"open_clip cannot build this configuration: {error}") from error
    return built


def _tower(network: Any) -> RegionTower:
    visual = network.visual
    if isinstance(visual, ModifiedResNet):
        return ResNetRegions(visual)
    if isinstance(visual, TimmModel):
        return ConvNeXtRegions(visual)
    return ViTRegions(visual)
