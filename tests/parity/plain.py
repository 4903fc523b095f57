"""The published network in plain float64 code, which shares nothing with the project.

A CLIP ResNet with frozen batch norms; RoIAlign as loops over bins and samples; attention pooling
with all tokens as queries. Weights come as a dictionary of float64 tensors with open_clip's names.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Weights = Mapping[str, torch.Tensor]


def weights_of(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Every tensor of a network, float64."""
    return {k: v.double() for k, v in network.state_dict().items()}


def frozen_norm(w: Weights, name: str, x: torch.Tensor) -> torch.Tensor:
    """Batch norm as a constant scale and shift, eps 1e-5."""
    gain = w[f"{name}.weight"] / (w[f"{name}.running_var"] + 1e-5).sqrt()
    shift = w[f"{name}.bias"] - w[f"{name}.running_mean"] * gain
    return x * gain[:, None, None] + shift[:, None, None]


def conv_norm(w: Weights, conv: str, norm: str, x: torch.Tensor, **how: int) -> torch.Tensor:
    return frozen_norm(w, norm, F.conv2d(x, w[f"{conv}.weight"], **how))


def mean_of_two_by_two(x: torch.Tensor) -> torch.Tensor:
    return (x[..., ::2, ::2] + x[..., 1::2, ::2] + x[..., ::2, 1::2] + x[..., 1::2, 1::2]) / 4


def bottleneck(w: Weights, name: str, x: torch.Tensor, *, halve: bool) -> torch.Tensor:
    """Every convolution of stride 1; the map is halved by averaging, also in the shortcut."""
    out = conv_norm(w, f"{name}.conv1", f"{name}.bn1", x).relu()
    out = conv_norm(w, f"{name}.conv2", f"{name}.bn2", out, padding=1).relu()
    out = mean_of_two_by_two(out) if halve else out
    out = conv_norm(w, f"{name}.conv3", f"{name}.bn3", out)
    if f"{name}.downsample.0.weight" in w:
        x = mean_of_two_by_two(x) if halve else x
        x = conv_norm(w, f"{name}.downsample.0", f"{name}.downsample.1", x)
    return (out + x).relu()


def layer(w: Weights, number: int, x: torch.Tensor) -> torch.Tensor:
    blocks = sorted({int(k.split(".")[2]) for k in w if k.startswith(f"visual.layer{number}.")})
    for block in blocks:
        x = bottleneck(w, f"visual.layer{number}.{block}", x, halve=number > 1 and block == 0)
    return x


def trunk(w: Weights, pixels: torch.Tensor) -> torch.Tensor:
    """Stem, layer1, layer2, layer3 of images (B, 3, H, W), H and W multiples of 16."""
    out = conv_norm(w, "visual.conv1", "visual.bn1", pixels, stride=2, padding=1).relu()
    out = conv_norm(w, "visual.conv2", "visual.bn2", out, padding=1).relu()
    out = conv_norm(w, "visual.conv3", "visual.bn3", out, padding=1).relu()
    return layer(w, 3, layer(w, 2, layer(w, 1, mean_of_two_by_two(out))))


def roi_align(
    feature_map: NDArray[np.float64], box: NDArray[np.float64], cells: int, scale: float
) -> NDArray[np.float64]:
    """One region of a map (C, H, W): (C, cells, cells).

    Half-pixel centres; each bin is the mean of ceil(its height) x ceil(its width) samples.
    """
    left, top, right, bottom = box * scale - 0.5
    tall, wide = (bottom - top) / cells, (right - left) / cells
    down, across = max(0, math.ceil(tall)), max(0, math.ceil(wide))
    out = np.zeros((feature_map.shape[0], cells, cells))
    for row in range(cells):
        for column in range(cells):
            for i in range(down):
                for j in range(across):
                    y = top + tall * (row + (i + 0.5) / down)
                    x = left + wide * (column + (j + 0.5) / across)
                    out[:, row, column] += bilinear(feature_map, y, x)
    return out / max(1, down * across)


def bilinear(feature_map: NDArray[np.float64], y: float, x: float) -> NDArray[np.float64]:
    """Value between four cells; 0 beyond one cell outside, the border's value up to there."""
    height, width = feature_map.shape[1:]
    if not (-1 <= y <= height and -1 <= x <= width):
        return np.zeros(feature_map.shape[0])
    y, x = min(max(y, 0.0), height - 1.0), min(max(x, 0.0), width - 1.0)
    y0, x0 = int(y), int(x)
    y1, x1 = min(y0 + 1, height - 1), min(x0 + 1, width - 1)
    up, along = y - y0, x - x0
    first = feature_map[:, y0, x0] * (1 - along) + feature_map[:, y0, x1] * along
    second = feature_map[:, y1, x0] * (1 - along) + feature_map[:, y1, x1] * along
    return first * (1 - up) + second * up


def attention_pool(w: Weights, grid: torch.Tensor, heads: int) -> torch.Tensor:
    """All tokens are queries, the mean token's output is kept: (E, s, s) to (D,)."""
    tokens = grid.flatten(1).T
    tokens = torch.cat([tokens.mean(dim=0, keepdim=True), tokens])
    tokens = tokens + w["visual.attnpool.positional_embedding"]
    q, k, v = (
        tokens @ w[f"visual.attnpool.{p}_proj.weight"].T + w[f"visual.attnpool.{p}_proj.bias"]
        for p in "qkv"
    )
    depth = tokens.shape[1] // heads
    outputs = []
    for head in range(heads):
        own = slice(head * depth, (head + 1) * depth)
        weights = (q[:, own] @ k[:, own].T / math.sqrt(depth)).softmax(dim=1)
        outputs.append(weights @ v[:, own])
    joined = torch.cat(outputs, dim=1)
    out = joined @ w["visual.attnpool.c_proj.weight"].T + w["visual.attnpool.c_proj.bias"]
    return out[0]


def region_feature(
    w: Weights, feature_map: torch.Tensor, box: torch.Tensor, cells: int, heads: int
) -> torch.Tensor:
    """The feature (D,) of a box (4,) in pixels of the input, not normalised."""
    crop = roi_align(feature_map.numpy(), box.double().numpy(), cells, 1 / 16)
    return attention_pool(w, layer(w, 4, torch.from_numpy(crop)[None])[0], heads)
