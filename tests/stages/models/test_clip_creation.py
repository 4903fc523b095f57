from __future__ import annotations

import json
from typing import TYPE_CHECKING

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from schemas.errors import SourceError
from stages.models import download as download_module
from stages.models.clip_creation import create_clip, import_tag
from tests.stages.models.texts import encode_texts
from tests.stages.models.tiny import config, described, tiny_clip

if TYPE_CHECKING:
    from stages.models.network import Clip


@pytest.mark.slow
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


@pytest.mark.slow
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
    assert loaded.spec.origin == f"open_clip {path.name} (visual)"


@pytest.mark.slow
def test_a_language_encoder_in_its_own_module_takes_weights_of_the_old_layout(tmp_path) -> None:
    clip = tiny_clip(tmp_path)
    torch.save(clip.network.state_dict(), tmp_path / "old.pt")
    (tmp_path / "custom.json").write_text(json.dumps(described(custom_text=True)))
    custom = create_clip(str(tmp_path / "custom.json"), str(tmp_path / "old.pt"))
    texts = ["a dog", "a cat"]
    torch.testing.assert_close(encode_texts(custom, texts), encode_texts(clip, texts))


def test_an_unknown_tag_names_the_known_ones() -> None:
    with pytest.raises(SourceError, match=r"no weights 'nope' are published for 'RN50' .*openai"):
        create_clip("RN50", "nope")


def test_weights_that_were_never_trained_are_refused(tmp_path) -> None:
    path = tmp_path / "own.json"
    path.write_text(json.dumps(described()))
    torch.save(create_clip(str(path)).network.state_dict(), tmp_path / "random.pt")
    with pytest.raises(SourceError, match=r"all 19 batch norms of .*random.pt have their initial"):
        create_clip(str(path), str(tmp_path / "random.pt"))


def test_a_file_without_a_known_suffix_is_a_file_if_it_exists(tmp_path) -> None:
    clip = tiny_clip(tmp_path)
    torch.save(clip.network.state_dict(), tmp_path / "weights")
    loaded = create_clip(str(tmp_path / "resnet.json"), str(tmp_path / "weights"))
    assert loaded.spec.origin == "open_clip weights (visual)"
    assert torch.equal(loaded.network.visual.conv1.weight, clip.network.visual.conv1.weight)


@pytest.fixture
def tag(tmp_path, monkeypatch) -> Clip:
    """The model that a pretended open_clip downloads as 'tiny' with the tag 'made-up'."""
    clip = tiny_clip(tmp_path)
    known = {"mean": [0.1, 0.2, 0.3], "std": None, "quick_gelu": True}

    def download(name: str, *, pretrained: str, force_quick_gelu: bool) -> torch.nn.Module:
        assert (name, pretrained, force_quick_gelu) == ("tiny", "made-up", True)
        return clip.network

    monkeypatch.setattr(open_clip, "get_model_config", lambda _: config())
    monkeypatch.setattr(open_clip, "get_pretrained_cfg", lambda _name, _tag: known)
    monkeypatch.setattr(open_clip, "create_model", download)
    monkeypatch.setattr(download_module, "reachable", lambda _: True)
    return clip


def test_weights_of_a_tag_come_with_their_preprocessing_and_quick_gelu(tag) -> None:
    loaded = create_clip("tiny", "made-up")
    assert loaded.spec.origin == "open_clip tiny made-up"
    assert loaded.spec.mean == (0.1, 0.2, 0.3)
    assert loaded.spec.std == open_clip.OPENAI_DATASET_STD
    assert loaded.spec.config["quick_gelu"] is True
    for name, value in tag.network.state_dict().items():
        assert torch.equal(loaded.network.state_dict()[name], value), name


def test_a_source_that_is_not_a_file_is_a_tag_and_needs_an_architecture() -> None:
    with pytest.raises(SourceError, match="give its --architecture too"):
        import_tag("openai", None)
    with pytest.raises(SourceError, match="no weights 'nonsense' are published for 'RN50'"):
        import_tag("nonsense", "RN50")


def test_a_failed_download_is_refused_with_its_reason(tag, monkeypatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr(open_clip, "create_model", fail)
    with pytest.raises(SourceError) as caught:
        create_clip("tiny", "made-up")
    assert str(caught.value) == (
        "weights 'made-up' of 'tiny' could not be fetched (no route); check the network, or "
        "download the file elsewhere and give its path"
    )


def test_without_a_network_the_architecture_for_the_file_has_its_activation(monkeypatch) -> None:
    monkeypatch.setattr(download_module, "_source", lambda _: ("https://nowhere.test/a", False))
    monkeypatch.setattr(download_module, "reachable", lambda _: False)
    with pytest.raises(SourceError, match=r"\(--model RN50:openai --pretrained FILE\)$"):
        create_clip("RN50", "openai")


@pytest.mark.network
def test_a_published_model_is_downloaded_and_embeds_texts() -> None:
    clip = create_clip("RN50", "openai")
    assert clip.spec.config["quick_gelu"] is True
    texts = torch.nn.functional.normalize(encode_texts(clip, ["a dog", "a dog.", "a tax form"]))
    assert texts[0] @ texts[1] > texts[0] @ texts[2]
