from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch

from schemas.errors import SourceError, StageError
from stages.models.rpn_creation import create_rpn, fill_rpn, save_rpn
from tests.stages.models.tiny_rpn import tiny_rpn
from tests.stages.models.torchvision_rpn import RESNET18, torchvision_detector

if TYPE_CHECKING:
    from pathlib import Path


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
