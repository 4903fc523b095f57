"""Networks from configurations, with each kind of text tower; nothing is fetched or run."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING

import pytest
import torch
from open_clip import CLIP, CoCa, CustomTextCLIP

from schemas.errors import SourceError
from stages.models.clip import ClipSpec
from stages.models.network_building import build_network, has_custom_text, require_size
from stages.models.tokenizer_files import TokenizerFiles
from tests.stages.models.offline import block_network
from tests.stages.models.tiny import VIT, config

if TYPE_CHECKING:
    from typing import Any

THIRDS = (0.5, 0.5, 0.5)
HUB = {"hf_model_name": "some/tower", "hf_tokenizer_name": "some/tower"}
ROBERTA = {
    "model_type": "xlm-roberta",
    "vocab_size": 60,
    "hidden_size": 24,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
}
COCA = {
    "embed_dim": 32,
    "vision_cfg": {**VIT, "output_tokens": True},
    "text_cfg": {
        "context_length": 15,
        "width": 32,
        "heads": 2,
        "layers": 1,
        "vocab_size": 100,
        "embed_cls": True,
        "output_tokens": True,
    },
    "multimodal_cfg": {"context_length": 15, "width": 32, "heads": 2, "layers": 1},
    "custom_text": True,
}


def spec(content: dict[str, Any], hub: object = None, language: bool = True) -> ClipSpec:
    files = {"config.json": json.dumps(hub).encode()} if hub is not None else {}
    made = ClipSpec(None, content, 64, THIRDS, THIRDS, "a test", language=language)
    return dataclasses.replace(made, tokenizer=TokenizerFiles(files))


def hub_tower(**changes: object) -> dict[str, Any]:
    return {**config("vit"), "text_cfg": {**HUB, **changes}}


def test_the_configuration_decides_the_class() -> None:
    assert type(build_network(spec(config()))) is CLIP
    assert type(build_network(spec(config() | {"custom_text": True}))) is CustomTextCLIP
    assert type(build_network(spec(COCA))) is CoCa
    assert has_custom_text(hub_tower())
    assert not has_custom_text(config())


@pytest.mark.parametrize("content", [config(), config() | {"custom_text": True}, COCA, hub_tower()])
def test_without_language_only_the_image_tower_and_scales_are_left(content) -> None:
    network = build_network(spec(content, language=False))
    assert {name.split(".")[0] for name in network.state_dict()} == {"visual", "logit_scale"}


def test_a_configuration_with_an_unknown_key_is_refused() -> None:
    with pytest.raises(SourceError, match=r"open_clip cannot build this configuration: .*surprise"):
        build_network(spec(config() | {"surprise": 1}))


def test_a_text_tower_of_transformers_needs_its_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.models.tokenizer.importlib.util.find_spec", lambda _: None)
    with pytest.raises(SourceError, match=r"pip install 'regionclip-toolkit\[tokenizers\]'"):
        build_network(spec(hub_tower(), ROBERTA))


@pytest.mark.parametrize("hub", [None, {}, {"model_type": "gpt-evil", "auto_map": {}}])
def test_a_text_tower_without_description_is_refused(hub) -> None:
    pytest.importorskip("transformers")
    with pytest.raises(SourceError, match=r"needs its config\.json .* a model_type of roberta"):
        build_network(spec(hub_tower(), hub))


@pytest.mark.slow
def test_only_what_describes_the_network_is_taken_from_its_description() -> None:
    pytest.importorskip("transformers")
    hostile = {
        "auto_map": {"AutoModel": "evil--code.Model"},
        "_attn_implementation": "evil/kernel",
        "attn_implementation": "evil/kernel",
        "dtype": "float16",
        "torch_dtype": "float16",
    }
    plain, other = (build_network(spec(hub_tower(), hub)) for hub in (ROBERTA, ROBERTA | hostile))
    sizes = {name: (value.shape, value.dtype) for name, value in plain.state_dict().items()}
    assert sizes == {n: (value.shape, value.dtype) for n, value in other.state_dict().items()}
    assert sizes["text.transformer.embeddings.word_embeddings.weight"] == ((60, 24), torch.float32)


@pytest.mark.slow
def test_a_description_that_describes_nothing_is_refused() -> None:
    pytest.importorskip("transformers")
    for wrong in ({"hidden_size": -1}, {"hidden_act": "evil"}, {"num_attention_heads": "many"}):
        with pytest.raises(SourceError, match="open_clip cannot build this configuration"):
            build_network(spec(hub_tower(), ROBERTA | wrong))


def test_every_random_weight_follows_from_the_seed() -> None:
    states = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        states.append(build_network(spec(COCA)).state_dict())
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    projection = "text_decoder.text_projection"
    assert not torch.equal(states[0][projection], states[2][projection])


@pytest.mark.parametrize("name", ["hf-hub:some/tower", "local-dir:/etc", "no_such_tower", 7])
def test_a_tower_is_looked_up_neither_on_the_network_nor_in_a_folder(monkeypatch, name) -> None:
    block_network(monkeypatch)
    content = config("siglip")
    content["vision_cfg"]["timm_model_name"] = name
    with pytest.raises(SourceError, match=f"timm has no image tower {name}"):
        build_network(spec(content))


@pytest.mark.parametrize("part", ["vision_cfg", "text_cfg"])
@pytest.mark.parametrize("layers", [10**9, 1e300, [1, 10**9, 1, 1]])
def test_a_tower_of_endless_layers_is_refused(part, layers) -> None:
    content = config("vit")
    content[part]["layers"] = layers
    with pytest.raises(SourceError, match=f"layers of {part} must be at most 1000"):
        build_network(spec(content))


@pytest.mark.slow
@pytest.mark.parametrize("tower", ["vit", "resnet", "siglip", "pe", "eva02", "fastvit", "convnext"])
def test_a_network_much_larger_than_its_file_is_refused_before_it_takes_memory(tower) -> None:
    small = spec(config(tower))
    values = sum(value.numel() for value in build_network(small).state_dict().values())
    require_size(small, values, "f")
    with pytest.raises(SourceError, match=f"f does not fit .* describes {values:,}; give"):
        require_size(small, values // 2 - 1, "f")
    content = config(tower)
    content["text_cfg"]["mlp_ratio"] = 1e9  # about a terabyte
    with pytest.raises(SourceError, match="f does not fit the architecture: it has"):
        require_size(spec(content), values, "f")
