"""Backbones and necks of proposal networks: from pixels to feature maps, fine to coarse.

Parameters have the names of torchvision's detection models (`body.*`, `fpn.*`), so that their
published weights can be loaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from open_clip.modified_resnet import ModifiedResNet
from torch import nn
from torchvision.models import get_model
from torchvision.models.resnet import Bottleneck
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from stages.models.rpn_spec import STRIDES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stages.models.rpn_spec import RpnSpec

_PROBE = 128  # pixels; every stride divides it


class MultiScaleTrunk(nn.ModuleDict):
    """Layers that run one after another and return the last map of each of some strides.

    Args:
        layers: A module with named children, in order; those after the last map are left out.
        strides: Strides of the maps to return, pixels, fine to coarse.

    Attributes:
        widths: Channels of the maps.
    """

    def __init__(self, layers: nn.Module, strides: Sequence[int]) -> None:
        children = dict(layers.named_children())
        last_layers, channels = _last_layers(children)
        names = list(children)
        last = names.index(last_layers[strides[-1]])
        super().__init__({name: children[name] for name in names[: last + 1]})
        self._last_layers = {last_layers[stride] for stride in strides}
        self.widths = [channels[stride] for stride in strides]

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        """Maps of images (B, 3, H, W), fine to coarse."""
        maps = []
        for name, layer in self.items():
            pixels = layer(pixels)
            if name in self._last_layers:
                maps.append(pixels)
        return maps


class RpnBackbone(nn.Module):
    """A trunk, with a feature pyramid if the neck is "fpn".

    Attributes:
        width: Channels of every map.
    """

    def __init__(self, spec: RpnSpec) -> None:
        super().__init__()
        strides = [s for s in STRIDES if s in spec.strides]
        self.body = MultiScaleTrunk(_layers(spec), strides)
        self.fpn: FeaturePyramidNetwork | None = None
        self.width = self.body.widths[-1]
        if spec.neck == "fpn":
            self.width = spec.width
            kind = nn.BatchNorm2d if spec.fpn_norm else None
            self.fpn = FeaturePyramidNetwork(self.body.widths, spec.width, LastLevelMaxPool(), kind)
        if spec.norm_eps is not None:
            for norm in batch_norms(self):
                norm.eps = spec.norm_eps

    def forward(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        """Maps (B, width, h, w) of images (B, 3, H, W), one for each of the spec's strides."""
        maps = self.body(pixels)
        if self.fpn is None:
            return list(maps)
        return list(self.fpn({str(k): feature_map for k, feature_map in enumerate(maps)}).values())


def batch_norms(module: nn.Module) -> list[nn.BatchNorm2d]:
    """All batch norms of a module."""
    return [m for m in module.modules() if isinstance(m, nn.BatchNorm2d)]


class ResidualBlock(nn.Module):
    """Two 3 x 3 convolutions with a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = _conv(width, width, 1)
        self.second = _conv(width, width, 1)[:2]

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """(B, width, h, w) to the same shape."""
        return torch.relu(maps + self.second(self.first(maps)))


def _small_backbone() -> nn.Module:
    """Strides 2 to 32; few channels on the large maps, which take most of the time on a CPU."""
    return nn.Sequential(
        _conv(3, 24, 2),
        _conv(24, 32, 2),
        nn.Sequential(_conv(32, 64, 2), ResidualBlock(64)),
        nn.Sequential(_conv(64, 128, 2), ResidualBlock(128)),
        nn.Sequential(_conv(128, 128, 2), ResidualBlock(128)),
    )


def _conv(in_width: int, out_width: int, stride: int) -> nn.Sequential:
    conv = nn.Conv2d(in_width, out_width, 3, stride, padding=1, bias=False)
    nn.init.kaiming_normal_(conv.weight, mode="fan_out", nonlinearity="relu")
    return nn.Sequential(conv, nn.BatchNorm2d(out_width), nn.ReLU())


def _layers(spec: RpnSpec) -> nn.Module:
    if spec.backbone == "small":
        return _small_backbone()
    if spec.backbone == "clip_resnet50":
        clip: nn.Module = ModifiedResNet(layers=[3, 4, 6, 3], output_dim=1024, heads=32)
        del clip.attnpool
        return clip
    network: nn.Module = get_model(spec.backbone, weights=None)
    if spec.backbone.startswith("mobilenet"):
        return network.get_submodule("features")
    del network.avgpool, network.fc
    if spec.strided == "1x1":
        _move_strides(network)
    return network


def _move_strides(network: nn.Module) -> None:
    """Give the stride of every bottleneck to its first convolution instead of its second."""
    for block in network.modules():
        if isinstance(block, Bottleneck):
            first, second = block.conv1, block.conv2
            first.stride, second.stride = second.stride, first.stride


@torch.no_grad()
def _last_layers(layers: dict[str, nn.Module]) -> tuple[dict[int, str], dict[int, int]]:
    """The name of the last layer of each stride, and its channels; found with a blank image."""
    last_layers, channels = {}, {}
    pixels = torch.zeros(1, 3, _PROBE, _PROBE)
    for name, layer in layers.items():
        training = layer.training
        pixels = layer.eval()(pixels)
        layer.train(training)
        stride = _PROBE // pixels.shape[2]
        last_layers[stride], channels[stride] = name, pixels.shape[1]
    return last_layers, channels
