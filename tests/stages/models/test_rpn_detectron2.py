"""detectron2's proposal networks give the same results here as in a plain copy of its layers."""

from __future__ import annotations

import math
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from schemas.errors import SourceError
from stages.models.preprocess import Size
from stages.models.rpn import Rpn
from stages.models.rpn_detectron2 import read_detectron2_rpn
from stages.models.rpn_import import import_rpn
from stages.models.weights import load_state

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

State = dict[str, torch.Tensor]
BLOCKS = {2: 3, 3: 4, 4: 6, 5: 3}
WIDTHS = {2: 64, 3: 128, 4: 256, 5: 512}
MEAN = torch.tensor([103.530, 116.280, 123.675])


def conv_of(rng: torch.Generator, out: int, inside: int, side: int) -> torch.Tensor:
    spread = math.sqrt(2 / (inside * side * side))
    return torch.randn(out, inside, side, side, generator=rng) * spread


def norm_of(rng: torch.Generator, name: str, width: int) -> State:
    return {
        f"{name}.weight": 0.4 + 0.2 * torch.rand(width, generator=rng),
        f"{name}.bias": 0.1 * torch.randn(width, generator=rng),
        f"{name}.running_mean": 0.1 * torch.randn(width, generator=rng),
        f"{name}.running_var": 0.5 + torch.rand(width, generator=rng),
    }


def checkpoint(  # noqa: C901  # one file, in one function
    *, pyramid: bool, convs: int = 1, last: int = 5, seed: int = 0
) -> State:
    """An R-50 with its proposal head, named as detectron2 names it."""
    rng = torch.Generator().manual_seed(seed)
    body = "backbone.bottom_up." if pyramid else "backbone."
    state = {f"{body}stem.conv1.weight": conv_of(rng, 64, 3, 7)}
    state |= norm_of(rng, f"{body}stem.conv1.norm", 64)
    inside = 64
    for stage in range(2, last + 1):
        width = WIDTHS[stage]
        for block in range(BLOCKS[stage]):
            name = f"{body}res{stage}.{block}"
            if block == 0:
                state[f"{name}.shortcut.weight"] = conv_of(rng, 4 * width, inside, 1)
                state |= norm_of(rng, f"{name}.shortcut.norm", 4 * width)
            for k, (out, into, side) in enumerate(
                [(width, inside, 1), (width, width, 3), (4 * width, width, 1)], start=1
            ):
                state[f"{name}.conv{k}.weight"] = conv_of(rng, out, into, side)
                state |= norm_of(rng, f"{name}.conv{k}.norm", out)
            inside = 4 * width
    channels = inside
    if pyramid:
        channels = 256
        for stage in range(2, 6):
            for kind, into, side in (("lateral", 4 * WIDTHS[stage], 1), ("output", 256, 3)):
                state[f"backbone.fpn_{kind}{stage}.weight"] = conv_of(rng, 256, into, side)
                state[f"backbone.fpn_{kind}{stage}.bias"] = 0.1 * torch.randn(256, generator=rng)
    head, anchors = "proposal_generator.rpn_head", 3 if pyramid else 15
    names = ["conv"] if convs == 1 else [f"conv.conv{k}" for k in range(convs)]
    for name, out, side in [
        *((name, channels, 3) for name in names),
        ("objectness_logits", anchors, 1),
        ("anchor_deltas", 4 * anchors, 1),
    ]:
        state[f"{head}.{name}.weight"] = 0.3 * conv_of(rng, out, channels, side)
        state[f"{head}.{name}.bias"] = 0.1 * torch.randn(out, generator=rng)
    return state


def plain(  # noqa: C901, PLR0915  # one network, in one function
    state: State, pixels: torch.Tensor, *, pyramid: bool, convs: int
) -> list[Any]:
    """Logits and boxes of each map, written out from detectron2's definition."""
    body = "backbone.bottom_up." if pyramid else "backbone."

    def normed(name: str, x: torch.Tensor) -> torch.Tensor:
        scale = state[f"{name}.weight"] * (state[f"{name}.running_var"] + 1e-5).rsqrt()
        shift = state[f"{name}.bias"] - state[f"{name}.running_mean"] * scale
        return x * scale[:, None, None] + shift[:, None, None]

    def layer(name: str, x: torch.Tensor, stride: int = 1, padding: int = 0) -> torch.Tensor:
        return normed(f"{name}.norm", F.conv2d(x, state[f"{name}.weight"], None, stride, padding))

    x = F.max_pool2d(F.relu(layer(f"{body}stem.conv1", pixels, 2, 3)), 3, 2, 1)
    maps = {}
    for stage in range(2, 6 if pyramid else 5):
        for block in range(BLOCKS[stage]):
            name, stride = f"{body}res{stage}.{block}", 2 if block == 0 and stage > 2 else 1
            out = F.relu(layer(f"{name}.conv1", x, stride))  # the stride is in the 1 x 1
            out = F.relu(layer(f"{name}.conv2", out, 1, 1))
            out = layer(f"{name}.conv3", out)
            x = F.relu(out + (layer(f"{name}.shortcut", x, stride) if block == 0 else x))
        maps[stage] = x
    if not pyramid:
        maps_, strides, sizes = [maps[4]], [16], [(32, 64, 128, 256, 512)]
    else:

        def fused(kind: str, stage: int, x: torch.Tensor) -> torch.Tensor:
            name = f"backbone.fpn_{kind}{stage}"
            padding = 1 if kind == "output" else 0
            return F.conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], 1, padding)

        inner = fused("lateral", 5, maps[5])
        maps_ = [fused("output", 5, inner)]
        for stage in (4, 3, 2):
            up = F.interpolate(inner, scale_factor=2.0, mode="nearest")
            inner = fused("lateral", stage, maps[stage]) + up
            maps_.insert(0, fused("output", stage, inner))
        maps_.append(F.max_pool2d(maps_[-1], 1, 2))
        strides, sizes = [4, 8, 16, 32, 64], [(s,) for s in (32, 64, 128, 256, 512)]
    head = "proposal_generator.rpn_head"
    names = ["conv"] if convs == 1 else [f"conv.conv{k}" for k in range(convs)]
    answers = []
    for x, stride, own in zip(maps_, strides, sizes, strict=True):
        for name in names:
            x = F.relu(
                F.conv2d(x, state[f"{head}.{name}.weight"], state[f"{head}.{name}.bias"], 1, 1)
            )
        logits, deltas = (
            F.conv2d(x, state[f"{head}.{n}.weight"], state[f"{head}.{n}.bias"])
            for n in ("objectness_logits", "anchor_deltas")
        )
        scores, boxes = [], []
        for i in range(x.shape[2]):
            for j in range(x.shape[3]):
                for a, (size, ratio) in enumerate((s, r) for s in own for r in (0.5, 1.0, 2.0)):
                    wide = math.sqrt(size * size / ratio)
                    high = wide * ratio
                    dx, dy, dw, dh = deltas[0, 4 * a : 4 * a + 4, i, j].tolist()
                    at_x, at_y = j * stride + dx * wide, i * stride + dy * high
                    most = math.log(1000 / 16)
                    half = math.exp(min(dw, most)) * wide / 2, math.exp(min(dh, most)) * high / 2
                    boxes.append([at_x - half[0], at_y - half[1], at_x + half[0], at_y + half[1]])
                    scores.append(float(logits[0, a, i, j]))
        answers.append((np.array(scores), np.array(boxes)))
    return answers


@pytest.mark.parametrize(("pyramid", "convs"), [(True, 1), (True, 2), (False, 1)])
@torch.inference_mode()
def test_item_05_a_detectron2_network_gives_the_same_logits_and_boxes(
    pyramid: bool, convs: int
) -> None:
    state = checkpoint(pyramid=pyramid, convs=convs, last=5 if pyramid else 4)
    spec, ours, used = read_detectron2_rpn(state)
    assert used == set(state)
    rpn = Rpn(spec).eval()
    load_state(rpn, ours, "a checkpoint")
    image = np.random.default_rng(3).integers(0, 256, (70, 90, 3), dtype=np.uint8)
    prepared = rpn.prepare(image, Size(None))
    blue_first = torch.from_numpy(image[:, :, ::-1].copy()).permute(2, 0, 1).float()
    assert torch.allclose(prepared.pixels, blue_first - MEAN[:, None, None], atol=1e-4)
    pixels = F.pad(prepared.pixels, (0, -90 % 32, 0, -70 % 32)) if pyramid else prepared.pixels
    assert torch.equal(rpn.pad(prepared.pixels), pixels)
    expected = plain(state, pixels[None], pyramid=pyramid, convs=convs)
    levels = rpn(pixels[None])
    assert len(levels) == len(expected)
    for (logits, deltas, anchors), (scores, boxes) in zip(levels, expected, strict=True):
        from stages.models.anchor_deltas import decode

        size = max(1.0, float(np.abs(boxes).max()))
        assert logits[0].numpy() == pytest.approx(scores, abs=1e-3)
        assert decode(deltas[0], anchors).numpy() / size == pytest.approx(boxes / size, abs=1e-4)


def test_the_offline_network_beside_a_student_is_read() -> None:
    state = checkpoint(pyramid=True)
    mixed = {f"offline_{name}": value for name, value in state.items()}
    mixed |= {"backbone.conv1.weight": torch.zeros(1), "backbone.layer1.0.bn1.running_mean": MEAN}
    spec, ours, used = read_detectron2_rpn(mixed)
    alone = read_detectron2_rpn(state)
    assert spec == alone[0]
    assert used == {f"offline_{name}" for name in state}
    assert ours.keys() == alone[1].keys()
    assert all(torch.equal(ours[name], alone[1][name]) for name in ours)


def test_the_last_stage_of_a_c4_detector_belongs_to_its_head() -> None:
    state = checkpoint(pyramid=False, last=4)
    more = {**state, "roi_heads.res5.0.conv1.weight": torch.zeros(1)}
    _, ours, used = read_detectron2_rpn(more)
    assert used == set(state)
    load_state(Rpn(read_detectron2_rpn(more)[0]), ours, "a checkpoint")


def test_every_key_of_an_imported_file_is_reported(tmp_path: Path) -> None:
    state = checkpoint(pyramid=True)
    more = {**state, "roi_heads.box_head.fc1.weight": torch.ones(2)}
    torch.save({"model": more}, tmp_path / "rpn.pth")
    rpn, report = import_rpn(tmp_path / "rpn.pth")
    assert report.unused == ["roi_heads.box_head.fc1.weight"]
    assert not report.missing or all("num_batches" in name for name in report.missing)
    assert rpn.spec.anchors == "detectron2"


@pytest.mark.slow
def test_the_model_zoos_pickle_of_arrays_is_read_like_its_tensors(tmp_path: Path) -> None:
    state = checkpoint(pyramid=True)
    arrays = {name: value.numpy() for name, value in state.items()}
    content = {"model": arrays, "__author__": "Detectron2 Model Zoo"}
    (tmp_path / "model_final.pkl").write_bytes(pickle.dumps(content))
    torch.save({"model": state}, tmp_path / "rpn.pth")
    (rpn, report), (other, _) = (
        import_rpn(tmp_path / name) for name in ("model_final.pkl", "rpn.pth")
    )
    assert (report.layout, rpn.spec) == ("detectron2", other.spec)
    for name, value in other.state_dict().items():
        assert torch.equal(rpn.state_dict()[name], value), name


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        ({"proposal_generator.rpn_head.objectness_logits.weight": (5, 256, 1, 1)}, "5 anchors"),
        ({"backbone.bottom_up.res4.6.conv1.weight": (1,)}, "7 blocks in res4"),
    ],
)
def test_an_unknown_kind_of_network_is_refused(broken: dict[str, Any], message: str) -> None:
    state = checkpoint(pyramid=True)
    state |= {name: torch.zeros(shape) for name, shape in broken.items()}
    with pytest.raises(SourceError, match=message):
        read_detectron2_rpn(state)


def test_a_checkpoint_without_a_head_is_refused() -> None:
    state = {n: v for n, v in checkpoint(pyramid=True).items() if "rpn_head" not in n}
    with pytest.raises(SourceError, match="not the rpn_head"):
        read_detectron2_rpn({**state, "proposal_generator.other": torch.zeros(1)})
