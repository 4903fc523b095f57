"""Item 27: a published file in, every tensor used, and the same bits out again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import open_clip
import pytest
import torch
from safetensors.torch import load_file

from schemas.errors import SourceError
from stages.models.clip import save_clip
from stages.models.clip_import import import_clip
from stages.models.weights_export import ModelFiles, write_open_clip
from stages.models.weights_files import CONFIG, SAFE_FILE
from tests.parity import nets, plain

if TYPE_CHECKING:
    from pathlib import Path

LAYERS, SIDE, EMBED = [1, 1, 2, 1], 64, 12


def published(folder: Path) -> dict[str, torch.Tensor]:
    """A file as RegionCLIP's pretrained ones are laid out: bare names, no logit scale."""
    state = nets.thin(folder, SIDE).float().network.state_dict()
    tensors = {}
    for name, value in state.items():
        if name.endswith("num_batches_tracked") or name == "logit_scale":
            continue
        if name.startswith("visual."):
            tensors["backbone." + name.removeprefix("visual.")] = value.clone()
            tensors["teacher_backbone." + name.removeprefix("visual.")] = value.clone() + 0.25
        else:
            tensors["lang_encoder." + name] = value.clone()
    return tensors


def architecture(folder: Path) -> str:
    path = folder / "architecture.json"
    path.write_text(json.dumps(nets.config(SIDE, LAYERS, 4, EMBED)))
    return str(path)


@pytest.mark.slow
def test_item_27_every_key_of_the_student_is_used_and_every_statistic_is_loaded(
    tmp_path: Path,
) -> None:
    raw = published(tmp_path)
    torch.save({"model": raw}, tmp_path / "published.pth")
    clip, _ = import_clip(tmp_path / "published.pth", "student", architecture(tmp_path))
    loaded = clip.network.state_dict()
    for name, value in raw.items():
        if name.startswith("backbone."):
            assert torch.equal(loaded["visual." + name.removeprefix("backbone.")], value)
        elif name.startswith("lang_encoder."):
            assert torch.equal(loaded[name.removeprefix("lang_encoder.")], value)
    for name, value in loaded.items():
        if name.endswith("running_mean"):
            assert value.any()
        elif name.endswith("running_var"):
            assert not torch.equal(value, torch.ones_like(value))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["student", "teacher"])
def test_item_27_an_imported_tower_has_the_features_of_the_plain_network(
    tmp_path: Path, kind: str
) -> None:
    raw = published(tmp_path)
    torch.save(raw, tmp_path / "bare.pth")
    clip, _ = import_clip(tmp_path / "bare.pth", kind, architecture(tmp_path))
    prefix = "teacher_backbone." if kind == "teacher" else "backbone."
    weights = {
        "visual." + n.removeprefix(prefix): v.double()
        for n, v in raw.items()
        if n.startswith(prefix)
    }
    pixels = torch.randn(1, 3, 64, 80, dtype=torch.float64)
    box = torch.tensor([[4.0, 9.0, 70.0, 60.0]])
    with torch.no_grad():
        actual = clip.double().encode_regions(pixels, [box])[0]
    dense = plain.trunk(weights, pixels)[0]
    expected = plain.region_feature(weights, dense, box[0], SIDE // 16, nets.HEADS)
    torch.testing.assert_close(actual, expected)


def test_item_27_a_student_whose_statistics_are_all_initial_is_refused(tmp_path: Path) -> None:
    raw = published(tmp_path)
    for name, value in raw.items():
        if name.endswith(("running_mean", "running_var")):
            value.fill_(float(name.endswith("var")))
    torch.save(raw, tmp_path / "reset.pth")
    with pytest.raises(SourceError, match="initial"):
        import_clip(tmp_path / "reset.pth", "student", architecture(tmp_path))


@pytest.mark.slow
def test_item_27_export_to_open_clip_and_import_is_bit_exact(tmp_path: Path) -> None:
    torch.save(published(tmp_path), tmp_path / "published.pth")
    clip, _ = import_clip(tmp_path / "published.pth", "student", architecture(tmp_path))
    model = ModelFiles(tmp_path / "model.json", tmp_path / "weights.safetensors")
    save_clip(clip, model.config, model.weights)
    folder = tmp_path / "thin-regionclip"
    folder.mkdir()
    write_open_clip(model, folder / SAFE_FILE, folder / CONFIG)
    theirs = open_clip.create_model(f"local-dir:{folder}")
    torch.save(theirs.state_dict(), folder / "theirs.pt")
    again, _ = import_clip(folder / "theirs.pt", "student")
    first = clip.network.state_dict()
    second = again.network.state_dict()
    assert again.spec.config == clip.spec.config
    assert first.keys() == second.keys() == load_file(folder / SAFE_FILE).keys()
    for name, value in first.items():
        assert torch.equal(second[name], value), name
