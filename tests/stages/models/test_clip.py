from __future__ import annotations

import copy
import json
import os

import open_clip
import pytest
import torch
from safetensors.torch import load_file

from schemas.errors import SourceError
from stages.models.clip import load_clip, read_clip, save_clip
from tests.stages.models.tiny import TOWERS, tiny_clip, tiny_files


@pytest.fixture
def files(tmp_path):
    return tuple(tiny_files(tmp_path).values())


@pytest.mark.slow
@pytest.mark.parametrize("tower", TOWERS)
def test_what_is_saved_is_read_back_to_the_bit(tmp_path, tower) -> None:
    clip = tiny_clip(tmp_path, tower)
    save_clip(clip, tmp_path / "m.json", tmp_path / "m.safetensors")
    again = read_clip(tmp_path / "m.json", tmp_path / "m.safetensors")
    assert again.spec == clip.spec
    assert not again.training
    for name, value in clip.network.state_dict().items():
        assert torch.equal(again.network.state_dict()[name], value), name


def test_equal_models_are_saved_as_equal_bytes(tmp_path) -> None:
    for name in ("a", "b"):
        save_clip(tiny_clip(tmp_path), tmp_path / f"{name}.json", tmp_path / f"{name}.safetensors")
    for suffix in ("json", "safetensors"):
        assert (tmp_path / f"a.{suffix}").read_bytes() == (tmp_path / f"b.{suffix}").read_bytes()


@pytest.mark.slow
def test_half_precision_on_disk_is_single_in_memory(tmp_path) -> None:
    clip = tiny_clip(tmp_path)
    save_clip(clip, tmp_path / "m.json", tmp_path / "m.safetensors", dtype="float16")
    assert load_file(tmp_path / "m.safetensors")["visual.conv1.weight"].dtype == torch.float16
    again = read_clip(tmp_path / "m.json", tmp_path / "m.safetensors")
    assert {p.dtype for p in again.parameters()} == {torch.float32}
    torch.testing.assert_close(again.state_dict(), clip.state_dict(), rtol=1e-3, atol=1e-3)


@pytest.mark.slow
def test_open_clip_itself_loads_the_weights(tmp_path, files) -> None:
    folder = tmp_path / "for_open_clip"
    folder.mkdir()
    spec = json.loads(files[0].read_text())
    content = {"model_cfg": spec["config"], "preprocess_cfg": {"mean": spec["mean"]}}
    (folder / "open_clip_config.json").write_text(json.dumps(content))
    os.link(files[1], folder / "open_clip_model.safetensors")
    theirs = open_clip.create_model(f"local-dir:{folder}").eval()
    ours = read_clip(*files)
    pixels = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(theirs.encode_image(pixels), ours.encode_images(pixels))
    tokens = ours.tokenize(["a photo of a dog.", "cat"])
    torch.testing.assert_close(theirs.encode_text(tokens), ours.encode_tokens(tokens))


@pytest.mark.slow
def test_a_model_is_loaded_once_and_again_after_its_file_changed(tmp_path, files) -> None:
    first = load_clip(*files, "cpu")
    assert load_clip(*files, "cpu") is first
    assert not any(p.requires_grad for p in first.parameters())
    save_clip(tiny_clip(tmp_path, seed=5), *files)
    os.utime(files[1], ns=(1, 1))
    second = load_clip(*files, "cpu")
    assert second is not first
    assert not torch.equal(second.network.visual.conv1.weight, first.network.visual.conv1.weight)


def test_a_copy_has_its_own_tower(files) -> None:
    shared = load_clip(*files, "cpu")
    own = copy.deepcopy(shared)
    assert own.tower.visual is own.network.visual
    assert own.tower.visual is not shared.tower.visual


def test_a_missing_model_file_is_named(tmp_path, files) -> None:
    with pytest.raises(SourceError, match=r"gone.safetensors is missing"):
        load_clip(files[0], tmp_path / "gone.safetensors", "cpu")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(SourceError, match=r"broken.json is not the description of a CLIP model"):
        load_clip(tmp_path / "broken.json", files[1], "cpu")
