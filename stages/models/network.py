"""The CLIP network: an image tower that can also embed regions, and the language encoder L.

open_clip's own classes build networks from a configuration; nothing is downloaded.

Shapes: B images, R_b regions of image b, N regions of a batch, T texts, L tokens, D width.
"""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import torch
from open_clip import CLIP, CustomTextCLIP
from open_clip.modified_resnet import ModifiedResNet
from open_clip.timm_model import TimmModel
from open_clip.transformer import VisionTransformer
from timm.models.fastvit import FastVit
from torch import nn

from schemas.errors import SourceError
from stages.models.attention_pooled_regions import AttentionPooledRegions
from stages.models.convnext_regions import ConvNeXtRegions
from stages.models.dense_option import DENSE
from stages.models.fastvit_regions import FastViTRegions
from stages.models.resnet_regions import ResNetRegions
from stages.models.timm_vit_regions import TimmViTRegions
from stages.models.tokens import tokenize
from stages.models.vit_regions import ViTRegions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stages.models.clip_spec import ClipSpec
    from stages.models.region_tower import RegionTower


# open_clip's names of the parts of a language encoder: in CLIP, then in CustomTextCLIP
_LANGUAGE = (
    *("token_embedding", "positional_embedding", "transformer", "ln_final", "text_projection"),
    *("attn_mask", "text"),
)


class Clip(nn.Module):
    """A CLIP with its two encoders, whose image tower can also embed regions.

    `network` is open_clip's model, so `network.state_dict()` has open_clip's names; it has no
    language encoder if `spec.language` is False. Features and embeddings are not normalised here.
    """

    def __init__(self, spec: ClipSpec) -> None:
        super().__init__()
        self.spec = spec
        self.network: Any = _build_network(spec)  # open_clip's CLIP, which has no types
        self.tower: RegionTower = _region_tower(self.network, spec.dense)
        self._frozen: list[nn.Module] = []  # modules that stay in evaluation mode while training

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

    @property
    def logit_bias(self) -> torch.Tensor | None:
        """Added to logits in networks trained by the sigmoid loss, such as SigLIP; else None."""
        bias: torch.Tensor | None = getattr(self.network, "logit_bias", None)
        return bias

    @torch.no_grad()
    def set_temperature(self, temperature: float) -> None:
        """Change the temperature; where it is trained, it is trained from there on."""
        self.logit_scale.fill_(-math.log(temperature))

    def encode_images(self, pixels: torch.Tensor) -> torch.Tensor:
        """CLIP's own features (B, D) of normalised images (B, 3, S, S) of the native size."""
        features = self.network.visual(pixels)  # CoCa's encode_image would normalise them
        pooled: torch.Tensor = features[0] if isinstance(features, tuple) else features
        return pooled

    def tokenize(self, texts: Sequence[str], long: str = "keep-end") -> torch.Tensor:
        """Token ids (T, L), int64 on the CPU; long texts are cut as `tokens.LONG` says.

        Raises:
            SourceError: If the weights have no language encoder.
        """
        self._require_language()
        return tokenize(texts, int(self.network.context_length), long)

    def encode_tokens(self, tokens: torch.Tensor) -> torch.Tensor:
        """Embeddings (T, D) of token ids (T, L): the end token, projected.

        Raises:
            SourceError: If this model has no language encoder.
        """
        self._require_language()
        embeddings: torch.Tensor = self.network.encode_text(tokens)
        return embeddings

    def with_dense(self, dense: str) -> Clip:
        """This model with its regions read in another way; it shares all tensors.

        Args:
            dense: One of `dense_option.DENSE`; auto leaves the model as it is.

        Raises:
            SourceError: If the image tower has no such features.
        """
        if dense in ("auto", self.spec.dense):
            return self
        changed = copy.copy(self)
        changed.spec = replace(self.spec, dense=dense)
        changed.tower = _region_tower(self.network, dense)
        return changed

    def _require_language(self) -> None:
        if not self.spec.language:
            raise SourceError(
                f"this model ({self.spec.origin}) has no language encoder, so it cannot embed "
                f"texts; give it concept embeddings, made with the teacher it came from or "
                f"imported with 'rc import-weights FILE --as embeddings --names NAMES'"
            )

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
        """Freeze all but what RegionCLIP trains: the image tower from its second stage on.

        Stem and first stage, every batch norm (statistics and affine), the language encoder and
        the logit scale stay constant, also after `train()`.
        """
        self.requires_grad_(False)
        visual = self.network.visual
        visual.requires_grad_(True)
        for layer in self.tower.early_layers():
            layer.requires_grad_(False)
        norms = [m for m in visual.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
        for norm in norms:
            norm.requires_grad_(False)
        not_visual = [m for n, m in self.network.named_children() if n != "visual"]
        self._frozen = [*norms, *not_visual]
        self.train(self.training)

    def train(self, mode: bool = True) -> Clip:
        """Switch training mode, except for frozen modules."""
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self


def _build_network(spec: ClipSpec) -> nn.Module:
    if spec.language:
        return _build_open_clip(spec.config)
    stub = {"context_length": 1, "vocab_size": 1, "width": 1, "heads": 1, "layers": 1}
    image_side = {key: value for key, value in spec.config.items() if key != "multimodal_cfg"}
    network = _build_open_clip({**image_side, "text_cfg": stub})
    for part in _LANGUAGE:
        if hasattr(network, part):
            delattr(network, part)
    return network


def _build_open_clip(config: Mapping[str, Any]) -> nn.Module:
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


def _region_tower(network: Any, dense: str) -> RegionTower:
    """How regions are read from the image tower of a network.

    Raises:
        SourceError: If they cannot be, or the tower has no dense features of this kind.
    """
    visual = network.visual
    if dense not in DENSE:
        raise SourceError(f"regions read as {dense!r} are unknown; known are {', '.join(DENSE)}")
    if isinstance(visual, VisionTransformer):
        pooled = visual.attn_pool is not None
        return (AttentionPooledRegions if pooled else ViTRegions)(visual, dense)
    if isinstance(visual, TimmModel) and hasattr(visual.trunk, "blocks"):
        return TimmViTRegions(visual, dense)
    if dense != "auto":
        raise SourceError(
            f"this model has a convolutional image tower, whose regions are read in one way; "
            f"{dense} is for vision transformers, so leave --dense out"
        )
    if isinstance(visual, ModifiedResNet):
        return ResNetRegions(visual)
    fast = isinstance(visual.trunk, FastVit)
    return FastViTRegions(visual) if fast else ConvNeXtRegions(visual)
