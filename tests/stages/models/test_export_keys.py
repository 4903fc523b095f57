from __future__ import annotations

import pytest
import torch

from stages.models.export_keys import (
    detectron2_rpn,
    regionclip_clip,
    regionclip_head,
    regionclip_rpn,
)
from stages.models.import_keys import map_clip
from tests.stages.models.tiny import tiny_clip

PYRAMID = "rpn.head.conv.0.0.weight", "backbone.fpn.inner_blocks.0.0.weight"


def renamed(*names: str) -> dict[str, str]:
    """detectron2's name of each of `names`, which stand in one network."""
    state = {name: torch.tensor(float(k)) for k, name in enumerate(names)}
    new_names = {value.item(): new for new, value in detectron2_rpn(state).items()}
    return {name: new_names[value.item()] for name, value in state.items()}


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("backbone.body.conv1.weight", "backbone.bottom_up.stem.conv1.weight"),
        ("backbone.body.bn1.running_var", "backbone.bottom_up.stem.conv1.norm.running_var"),
        ("backbone.body.layer1.2.conv3.weight", "backbone.bottom_up.res2.2.conv3.weight"),
        ("backbone.body.layer4.0.bn2.bias", "backbone.bottom_up.res5.0.conv2.norm.bias"),
        ("backbone.body.layer2.0.downsample.0.weight", "backbone.bottom_up.res3.0.shortcut.weight"),
        (
            "backbone.body.layer2.0.downsample.1.weight",
            "backbone.bottom_up.res3.0.shortcut.norm.weight",
        ),
        ("backbone.fpn.inner_blocks.3.0.bias", "backbone.fpn_lateral5.bias"),
        ("backbone.fpn.inner_blocks.1.1.weight", "backbone.fpn_lateral3.norm.weight"),
        ("backbone.fpn.layer_blocks.0.0.weight", "backbone.fpn_output2.weight"),
        ("backbone.fpn.layer_blocks.2.1.bias", "backbone.fpn_output4.norm.bias"),
        ("rpn.head.cls_logits.weight", "proposal_generator.rpn_head.objectness_logits.weight"),
        ("rpn.head.bbox_pred.bias", "proposal_generator.rpn_head.anchor_deltas.bias"),
    ],
)
def test_every_part_of_a_pyramid_network_has_detectron2s_name(ours: str, theirs: str) -> None:
    assert renamed(*PYRAMID, ours)[ours] == theirs


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ("backbone.body.conv1.weight", "backbone.stem.conv1.weight"),
        ("backbone.body.layer3.5.bn1.weight", "backbone.res4.5.conv1.norm.weight"),
    ],
)
def test_a_network_without_a_pyramid_has_no_bottom_up_part(ours: str, theirs: str) -> None:
    assert renamed("rpn.head.conv.0.0.weight", ours)[ours] == theirs


def test_convolutions_of_the_head_are_numbered_only_if_there_are_several() -> None:
    head = "proposal_generator.rpn_head.conv."
    one = "rpn.head.conv.0.0.weight", "rpn.head.conv.0.0.bias"
    assert list(renamed(*one).values()) == [head + "weight", head + "bias"]
    two = *one, "rpn.head.conv.1.0.weight", "rpn.head.conv.1.0.bias"
    expected = [head + f"conv{k}.{kind}" for k in (0, 1) for kind in ("weight", "bias")]
    assert list(renamed(*two).values()) == expected


def test_counters_of_batches_are_not_exported() -> None:
    state = {name: torch.ones(1) for name in (*PYRAMID, "backbone.body.bn1.num_batches_tracked")}
    assert len(detectron2_rpn(state)) == 2


def test_only_the_parts_of_a_proposal_network_become_offline_ones() -> None:
    state = {
        "backbone.res2.0.conv1.weight": torch.zeros(1),
        "proposal_generator.rpn_head.conv.weight": torch.ones(1),
        "roi_heads.res5.0.conv1.weight": torch.ones(1),
    }
    assert regionclip_rpn(state) == {
        "offline_backbone.res2.0.conv1.weight": torch.zeros(1),
        "offline_proposal_generator.rpn_head.conv.weight": torch.ones(1),
    }


@pytest.mark.parametrize("prefix", ["backbone.", "teacher_backbone."])
def test_keys_of_a_clip_come_back_by_import(tmp_path, prefix) -> None:
    ours = tiny_clip(tmp_path).network.state_dict()
    theirs = regionclip_clip(ours, prefix)
    assert {name.split(".")[0] + "." for name in theirs} == {prefix, "lang_encoder."}
    back = map_clip(theirs, "teacher", "a file").state
    without_counters = {name for name in ours if not name.endswith("num_batches_tracked")}
    assert back.keys() == without_counters
    for name in without_counters - {"logit_scale"}:
        assert torch.equal(back[name], ours[name]), name


def test_a_text_tower_of_its_own_is_exported_under_the_same_names(tmp_path) -> None:
    ours = tiny_clip(tmp_path).network.state_dict()
    separate = {n if n.startswith("visual.") else f"text.{n}": v for n, v in ours.items()}
    del separate["text.logit_scale"]
    assert regionclip_clip(separate, "b.").keys() == regionclip_clip(ours, "b.").keys()


@pytest.mark.parametrize("boxes", [True, False])
def test_a_head_has_embeddings_background_and_its_box_layer_if_any(boxes) -> None:
    state = {"head.embeddings": torch.randn(3, 4), "head.background": torch.randn(4)}
    layer = {"weight": torch.randn(4, 4), "bias": torch.randn(4)}
    if boxes:
        state |= {f"head.bbox_pred.{kind}": value for kind, value in layer.items()}
    head = regionclip_head(state | {"clip.visual.proj": torch.zeros(1)})
    box = "roi_heads.box_predictor."
    assert head[box + "cls_score.weight"] is state["head.embeddings"]
    assert torch.equal(head[box + "cls_bg_score.weight"], state["head.background"][None])
    assert len(head) == (4 if boxes else 2)
    if boxes:
        assert head[box + "bbox_pred.weight"] is layer["weight"]
