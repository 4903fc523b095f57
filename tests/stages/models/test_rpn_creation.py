from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from schemas.errors import SourceError, StageError
from stages.models.rpn_creation import create_rpn, current_name, fill_rpn, freeze_norms, save_rpn
from stages.models.rpn_spec import RpnSpec, read_spec
from stages.models.weights import read_state
from tests.stages.models.tiny_rpn import SMALL, tiny_rpn
from tests.stages.models.torchvision_rpn import RESNET18, torchvision_detector

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow


def test_random_weights_follow_from_the_seed_alone() -> None:
    state = torch.random.get_rng_state()
    first, second, other = (create_rpn(RpnSpec(**SMALL), seed).state_dict() for seed in (3, 3, 4))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    head = "rpn.head.cls_logits.weight"
    assert not torch.equal(first[head], other[head])


def test_our_own_weights_fill_the_whole_network(tmp_path: Path) -> None:
    rpn, fresh = tiny_rpn(), create_rpn(RpnSpec(**SMALL), seed=9)
    save_rpn(rpn, tmp_path / "model.json", tmp_path / "w.safetensors")
    assert fill_rpn(fresh, tmp_path / "w.safetensors") == (0, True)
    for name, value in rpn.state_dict().items():
        assert torch.equal(fresh.state_dict()[name], value), name


def test_weights_with_initial_statistics_fill_no_network(tmp_path: Path) -> None:
    torch.save(create_rpn(RpnSpec(**SMALL)).state_dict(), tmp_path / "random.pth")
    with pytest.raises(SourceError, match="have their initial statistics"):
        fill_rpn(tiny_rpn(), tmp_path / "random.pth")


def test_frozen_norms_are_constant_until_the_next_call_of_train() -> None:
    rpn = tiny_rpn().train()
    freeze_norms(rpn)
    norms = [m for m in rpn.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    before = [norm.running_mean.clone() for norm in norms]
    rpn(torch.randn(2, 3, 64, 64))
    assert all(torch.equal(n.running_mean, b) for n, b in zip(norms, before, strict=True))
    frozen = {id(parameter) for norm in norms for parameter in norm.parameters()}
    assert frozen == {id(p) for p in rpn.parameters() if not p.requires_grad}
    rpn.train()
    assert all(norm.training for norm in norms)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("rpn.head.conv.weight", "rpn.head.conv.0.0.weight"),
        ("backbone.fpn.inner_blocks.3.bias", "backbone.fpn.inner_blocks.3.0.bias"),
        ("backbone.fpn.layer_blocks.0.weight", "backbone.fpn.layer_blocks.0.0.weight"),
        ("rpn.head.conv.0.0.weight", "rpn.head.conv.0.0.weight"),
        ("backbone.body.conv1.weight", "backbone.body.conv1.weight"),
    ],
)
def test_old_names_of_torchvision_become_the_current_ones(old: str, new: str) -> None:
    assert current_name(old) == new


def test_equal_networks_are_saved_as_equal_bytes_in_the_chosen_format(tmp_path: Path) -> None:
    contents = []
    for name in ("a", "b"):
        files = tmp_path / f"{name}.json", tmp_path / f"{name}.safetensors"
        save_rpn(tiny_rpn(), *files, "float16")
        contents.append([path.read_bytes() for path in files])
    assert contents[0] == contents[1]
    assert read_spec(files[0]) == tiny_rpn().spec
    weight = tiny_rpn().rpn["head"].bbox_pred.weight
    assert torch.equal(read_state(files[1])["rpn.head.bbox_pred.weight"], weight.half().float())


def test_files_of_old_torchvision_versions_are_read(tmp_path: Path) -> None:
    state = torchvision_detector(64, 64).state_dict()
    old = {n.replace("rpn.head.conv.0.0.", "rpn.head.conv."): v for n, v in state.items()}
    old = {
        n.replace(f"blocks.{k}.0.", f"blocks.{k}."): v
        for n, v in old.items()
        for k in [n.split("blocks.")[1][0] if "blocks." in n else "-"]
        if "num_batches_tracked" not in n
    }
    assert old.keys() != state.keys()
    torch.save({"model": old}, tmp_path / "old.pth")
    rpn = create_rpn(RESNET18)
    fill_rpn(rpn, tmp_path / "old.pth")
    for name, value in rpn.state_dict().items():
        if "num_batches_tracked" not in name:
            assert torch.equal(value, state[name]), name


@pytest.mark.parametrize("prefix", ["", "features."])
def test_a_classifier_fills_only_the_backbone(tmp_path: Path, prefix: str) -> None:
    name = "mobilenet_v3_small" if prefix else "resnet18"
    rpn = tiny_rpn(backbone=name, neck="c4")
    body = {f"{prefix}{n}": v for n, v in rpn.backbone.body.state_dict().items()}
    extra = {"fc.weight": torch.zeros(2, 2), "layer4.0.conv1.weight": torch.zeros(1)}
    torch.save(body | extra, tmp_path / "classifier.pth")
    fresh = tiny_rpn(seed=1, backbone=name, neck="c4")
    head = fresh.rpn["head"].cls_logits.weight.clone()
    assert fill_rpn(fresh, tmp_path / "classifier.pth") == (2, False)
    assert torch.equal(fresh.rpn["head"].cls_logits.weight, head)
    for key, value in fresh.backbone.body.state_dict().items():
        assert torch.equal(value, rpn.backbone.body.state_dict()[key])


def test_a_file_of_another_network_is_refused(tmp_path: Path) -> None:
    torch.save({"visual.proj": torch.zeros(1)}, tmp_path / "clip.pth")
    with pytest.raises(SourceError, match="neither a proposal network"):
        fill_rpn(tiny_rpn(), tmp_path / "clip.pth")


def test_a_value_too_large_for_float16_is_not_saved(tmp_path: Path) -> None:
    rpn = tiny_rpn()
    with torch.no_grad():
        rpn.rpn["head"].cls_logits.bias[0] = 1e5
    save_rpn(rpn, tmp_path / "model.json", tmp_path / "weights.safetensors")
    with pytest.raises(StageError, match=r"cls_logits\.bias is not finite in float16"):
        save_rpn(rpn, tmp_path / "model.json", tmp_path / "half.safetensors", "float16")
    assert not (tmp_path / "half.safetensors").exists()
