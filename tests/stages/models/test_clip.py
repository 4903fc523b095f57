from __future__ import annotations

import copy
import dataclasses
import json
import os

import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file

from schemas.errors import SourceError
from stages.models.clip import Clip, create_clip, load_clip, read_clip, save_clip
from tests.stages.models.texts import encode_texts
from tests.stages.models.tiny import TOWERS, config, tiny_clip, tiny_files


@pytest.fixture
def files(tmp_path):
    return tuple(tiny_files(tmp_path).values())


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


def test_half_precision_on_disk_is_single_in_memory(tmp_path) -> None:
    clip = tiny_clip(tmp_path)
    save_clip(clip, tmp_path / "m.json", tmp_path / "m.safetensors", dtype="float16")
    assert load_file(tmp_path / "m.safetensors")["visual.conv1.weight"].dtype == torch.float16
    again = read_clip(tmp_path / "m.json", tmp_path / "m.safetensors")
    assert {p.dtype for p in again.parameters()} == {torch.float32}
    torch.testing.assert_close(again.state_dict(), clip.state_dict(), rtol=1e-3, atol=1e-3)


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


def test_texts_too_long_keep_their_end_token(files) -> None:
    clip = read_clip(*files)
    tokens = clip.tokenize(["dog " * 500, "dog"])
    assert tokens.shape == (2, 16)
    assert tokens[:, 0].tolist() == [49406, 49406]
    assert tokens[0, -1] == 49407
    assert tokens[1].tolist() == [49406, 1929, 49407] + [0] * 13
    assert torch.isfinite(encode_texts(clip, ["dog " * 500])).all()


def test_a_text_does_not_depend_on_its_batch(files) -> None:
    clip = read_clip(*files)
    together = encode_texts(clip, ["a dog", "two red cats on a mat"])
    assert together.shape == (2, clip.width)
    torch.testing.assert_close(together[1:], encode_texts(clip, ["two red cats on a mat"]))


def test_random_weights_follow_from_the_seed_alone(tmp_path) -> None:
    path = tmp_path / "own.json"
    path.write_text(json.dumps({"model_cfg": config(), "preprocess_cfg": {"mean": [0, 0, 0]}}))
    state = torch.random.get_rng_state()
    first = create_clip(str(path), seed=3)
    assert torch.equal(torch.random.get_rng_state(), state)
    second, other = create_clip(str(path), seed=3), create_clip(str(path), seed=4)
    weights = [c.network.visual.conv1.weight for c in (first, second, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert first.spec.mean == (0, 0, 0)
    assert first.spec.origin == "random, seed 3"


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth", ".bin"])
def test_published_weights_load_from_any_kind_of_file(tmp_path, suffix) -> None:
    clip = tiny_clip(tmp_path)
    state = {n: v for n, v in clip.network.state_dict().items() if "num_batches" not in n}
    path = tmp_path / f"weights{suffix}"
    if suffix == ".safetensors":
        save_file({n: v.half() for n, v in state.items()}, path)
    else:
        wrapped = {f"module.{n}": v.half() for n, v in state.items()}
        torch.save({"state_dict": wrapped, "epoch": 3}, path)
    loaded = create_clip(str(tmp_path / "resnet.json"), str(path))
    torch.testing.assert_close(loaded.state_dict(), clip.state_dict(), rtol=1e-3, atol=1e-3)
    assert loaded.spec.origin == path.name


def test_a_language_encoder_in_its_own_module_takes_weights_of_the_old_layout(tmp_path) -> None:
    clip = tiny_clip(tmp_path)
    torch.save(clip.network.state_dict(), tmp_path / "old.pt")
    (tmp_path / "custom.json").write_text(json.dumps(config() | {"custom_text": True}))
    custom = create_clip(str(tmp_path / "custom.json"), str(tmp_path / "old.pt"))
    texts = ["a dog", "a cat"]
    torch.testing.assert_close(encode_texts(custom, texts), encode_texts(clip, texts))


def test_an_unknown_tag_names_the_known_ones() -> None:
    with pytest.raises(SourceError, match=r"no weights 'nope' are published for 'RN50' .*openai"):
        create_clip("RN50", "nope")


@pytest.mark.parametrize(
    ("architecture", "message"),
    [("RN51", "open_clip knows no architecture 'RN51'"), ("gone.json", "no readable JSON")],
)
def test_an_unknown_architecture_is_refused(architecture, message) -> None:
    with pytest.raises(SourceError, match=message):
        create_clip(architecture)


def test_a_wrong_configuration_is_refused(tmp_path) -> None:
    (tmp_path / "a.json").write_text('{"layers": 3}')
    with pytest.raises(SourceError, match="lacks embed_dim, vision_cfg or text_cfg"):
        create_clip(str(tmp_path / "a.json"))
    (tmp_path / "b.json").write_text(json.dumps(config() | {"surprise": 1}))
    with pytest.raises(SourceError, match="open_clip cannot build this configuration"):
        create_clip(str(tmp_path / "b.json"))


def test_a_foreign_language_encoder_is_refused(tmp_path) -> None:
    spec = tiny_clip(tmp_path).spec
    foreign = config()
    foreign["text_cfg"] = {"hf_model_name": "roberta-base"}
    with pytest.raises(SourceError, match="are not supported; use one with CLIP's"):
        Clip(dataclasses.replace(spec, config=foreign))


def test_a_missing_model_file_is_named(tmp_path, files) -> None:
    with pytest.raises(SourceError, match=r"gone.safetensors is missing"):
        load_clip(files[0], tmp_path / "gone.safetensors", "cpu")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(SourceError, match=r"broken.json is not the description of a CLIP model"):
        load_clip(tmp_path / "broken.json", files[1], "cpu")


def test_freezing_leaves_trainable_what_the_reference_trains(tmp_path) -> None:
    clip = tiny_clip(tmp_path)
    clip.freeze_as_reference()
    trainable = {n.removeprefix("network.") for n, p in clip.named_parameters() if p.requires_grad}
    groups = {".".join(n.split(".")[:2]) for n in trainable}
    assert groups == {"visual.layer2", "visual.layer3", "visual.layer4", "visual.attnpool"}
    assert not any(".bn" in n or "downsample.1" in n for n in trainable)


def test_frozen_statistics_stay_while_training(tmp_path) -> None:
    clip = tiny_clip(tmp_path)
    clip.freeze_as_reference()
    before = copy.deepcopy(dict(clip.network.named_buffers()))
    pixels = torch.randn(1, 3, 64, 64)
    whole = [torch.tensor([[0.0, 0, 64, 64]])]
    quiet = clip.eval().encode_regions(pixels, whole)
    training = clip.train().encode_regions(pixels, whole)
    assert clip.training
    torch.testing.assert_close(training, quiet)
    training.sum().backward()
    assert clip.network.visual.layer3[0].conv1.weight.grad is not None
    assert clip.network.visual.layer1[0].conv1.weight.grad is None
    for name, value in clip.network.named_buffers():
        assert torch.equal(value, before[name]), name


def test_a_frozen_norm_is_the_formula_of_constants(tmp_path) -> None:
    norm = tiny_clip(tmp_path).double().network.visual.bn1.eval()
    x = torch.randn(2, 4, 3, 3, dtype=torch.float64)
    slope = norm.weight / (norm.running_var + 1e-5).sqrt()
    expected = x * slope[:, None, None] + (norm.bias - norm.running_mean * slope)[:, None, None]
    torch.testing.assert_close(norm(x), expected)


@pytest.mark.parametrize("tower", ["vit", "convnext"])
def test_freezing_any_tower_leaves_later_stages_and_no_language(tmp_path, tower) -> None:
    clip = tiny_clip(tmp_path, tower)
    clip.freeze_as_reference()
    trainable = [n for n, p in clip.named_parameters() if p.requires_grad]
    assert trainable
    assert all(n.startswith("network.visual.") for n in trainable)
    stem = {"vit": "visual.conv1.weight", "convnext": "visual.trunk.stem.0.weight"}[tower]
    assert not clip.network.get_parameter(stem).requires_grad


@pytest.mark.network
def test_a_published_model_is_downloaded_and_embeds_texts() -> None:
    clip = create_clip("RN50", "openai")
    assert clip.spec.config["quick_gelu"] is True
    texts = torch.nn.functional.normalize(encode_texts(clip, ["a dog", "a dog.", "a tax form"]))
    assert texts[0] @ texts[1] > texts[0] @ texts[2]
