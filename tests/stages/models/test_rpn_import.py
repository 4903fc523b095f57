from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import torch

from schemas.errors import SourceError
from stages.models.rpn_creation import create_rpn, save_rpn
from stages.models.rpn_import import import_rpn
from stages.models.rpn_spec import RpnSpec
from tests.stages.models.tiny_rpn import randomise, tiny_rpn
from tests.stages.models.torchvision_rpn import RESNET18, torchvision_detector

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

State = dict[str, torch.Tensor]


def file_of(state: State, folder: Path) -> Path:
    torch.save(state, folder / "f.pth")
    return folder / "f.pth"


@pytest.fixture(scope="module")
def detector() -> State:
    """A detector without its box head, most of whose megabytes would be of no use here."""
    state = torchvision_detector(64, 64).state_dict()
    return {n: v for n, v in state.items() if not n.startswith("roi_heads.box_head.")}


def test_a_torchvision_detector_has_the_spec_of_its_shapes_and_its_own_tensors(
    tmp_path: Path, detector: State
) -> None:
    bare = {n: v for n, v in detector.items() if not n.endswith("num_batches_tracked")}
    rpn, report = import_rpn(file_of(bare, tmp_path), norm_eps=0.0)
    assert rpn.spec == replace(RESNET18, norm_eps=0.0)
    assert {m.eps for m in rpn.modules() if isinstance(m, torch.nn.BatchNorm2d)} == {0.0}
    assert not rpn.training
    for name in rpn.state_dict().keys() & bare.keys():
        assert torch.equal(rpn.state_dict()[name], detector[name]), name
    assert report.layout == "torchvision"
    assert sorted([*report.used, *report.unused]) == sorted(bare)
    assert all(name.startswith("roi_heads.") for name in report.unused)
    assert {*report.missing} == detector.keys() - bare.keys()


@pytest.mark.parametrize(
    ("changes", "convs"),
    [
        ({"stride": 8, "anchor_sizes": (32, 64, 128, 256), "fpn_norm": True}, 2),
        ({"neck": "c4", "stride": 4, "anchor_sizes": (32, 64, 128, 256, 512)}, 1),
    ],
)
def test_the_spec_follows_from_shapes(tmp_path: Path, changes: dict[str, Any], convs: int) -> None:
    spec = {"backbone": "resnet18", "neck": "fpn", "width": 16, "shortest": 800, "longest": 1333}
    if changes.get("neck") == "c4":
        spec["width"] = 256  # channels of the map of stride 16
    rpn = create_rpn(RpnSpec(**{**spec, **changes, "head_convs": convs})).eval()
    randomise(rpn)
    # a C4 network has no layer4, so its backbone must be named
    named = "resnet18" if rpn.spec.neck == "c4" else None
    imported, _ = import_rpn(file_of(rpn.state_dict(), tmp_path), named)
    assert imported.spec == rpn.spec


def test_our_own_network_needs_its_description(tmp_path: Path) -> None:
    rpn = tiny_rpn()
    save_rpn(rpn, tmp_path / "model.json", tmp_path / "w.safetensors")
    imported, report = import_rpn(tmp_path / "w.safetensors", str(tmp_path / "model.json"))
    assert imported.spec == rpn.spec
    assert report.unused == []
    for name, value in imported.state_dict().items():
        assert torch.equal(value, rpn.state_dict()[name]), name
    message = (
        r"the backbone of w.safetensors cannot be identified .*\(small, resnet18, .*model.json"
    )
    with pytest.raises(SourceError, match=message):
        import_rpn(tmp_path / "w.safetensors")


def test_a_backbone_of_unknown_name_is_refused(tmp_path: Path, detector: State) -> None:
    with pytest.raises(SourceError, match="give its name"):
        import_rpn(file_of(detector, tmp_path), "vgg16")


def test_a_file_without_a_proposal_network_is_refused(tmp_path: Path, detector: State) -> None:
    others = {n: v for n, v in detector.items() if not n.startswith("rpn.")}
    with pytest.raises(SourceError, match=r"f\.pth holds no proposal network: no name begins with"):
        import_rpn(file_of(others, tmp_path))


def test_initial_statistics_are_refused_unless_allowed(tmp_path: Path, detector: State) -> None:
    reset = {
        name: torch.full_like(value, float(name.endswith("var")))
        if name.endswith(("running_mean", "running_var"))
        else value
        for name, value in detector.items()
    }
    path = file_of(reset, tmp_path)
    with pytest.raises(SourceError, match="have their initial statistics"):
        import_rpn(path)
    rpn, _ = import_rpn(path, untrained=True)
    assert not rpn.backbone.body.bn1.running_mean.any()


@pytest.mark.parametrize(
    "weight", [torch.tensor(1.0), torch.zeros(3), torch.zeros(1, 9000, 1, 1), None]
)
def test_shapes_of_no_network_are_refused_before_one_is_built(
    tmp_path: Path, detector: State, weight: torch.Tensor | None
) -> None:
    name = "rpn.head.cls_logits.weight"
    changed = {n: v for n, v in detector.items() if n != name}
    changed |= {} if weight is None else {name: weight}
    with pytest.raises(
        SourceError, match=r"the shapes of tensors in f\.pth fit no network: .*width"
    ):
        import_rpn(file_of(changed, tmp_path))
