"""Captions through L: trimming and caching change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import torch

from stages.models.clip import Clip, create_clip
from stages.models.text_encoding import FrozenTextEncoder, encode_trimmed
from tests.stages.models.texts import encode_texts
from tests.stages.training import tiny

if TYPE_CHECKING:
    from pathlib import Path

CAPTIONS = ["a dog", "two red squares and a green one on a table", "", "a dog"]


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    return tiny.clip(tmp_path)


def test_trimmed_texts_have_the_embeddings_of_padded_texts(clip: Clip) -> None:
    for captions in (CAPTIONS, CAPTIONS[:1], ["word " * 100]):
        tokens = clip.tokenize(captions)
        expected = clip.encode_tokens(tokens)
        assert torch.allclose(encode_trimmed(clip, tokens), expected, atol=1e-5)


VARIANTS: dict[str, dict[str, Any]] = {
    "custom": {},
    "eos": {"pool_type": "eos", "eos_id": 49407},
    "eos-nowhere": {"pool_type": "eos", "eos_id": 5},
    "last": {"pool_type": "last"},
    "first": {"pool_type": "first"},
    "bidirectional": {"no_causal_mask": True},
    "bidirectional-last": {"no_causal_mask": True, "pool_type": "last"},
    "class-token": {"embed_cls": True, "custom_text": True},
    "no-projection": {"proj_type": "none", "width": tiny.WIDTH},
    "projection-with-bias": {"proj_bias": True},
}


@pytest.mark.parametrize("custom_text", [True, False])
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_text_tower_has_its_own_embeddings(
    tmp_path: Path, variant: str, custom_text: bool
) -> None:
    config = tmp_path / "net.json"
    text = {"custom_text": custom_text} | tiny.CONFIG["text_cfg"] | VARIANTS[variant]
    top = {"custom_text": text.pop("custom_text")}  # a class token needs a tower of its own
    config.write_text(tiny.json.dumps(tiny.CONFIG | {"text_cfg": text} | top))
    clip = create_clip(str(config), seed=1)
    for captions in (CAPTIONS, CAPTIONS[:1], CAPTIONS[2:3]):
        tokens = clip.tokenize(captions)
        expected = clip.network.encode_text(tokens)
        torch.testing.assert_close(encode_trimmed(clip, tokens), expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    ["siglip", "clipa", "worldwide", "xlm-roberta", "mt5", "nllb", "coca-roberta"],
)
def test_every_text_tower_with_a_tokenizer_has_its_own_embeddings(
    tmp_path: Path, kind: str
) -> None:
    pytest.importorskip("transformers")
    from tests.stages.models.small_tokenizers import make_text_tower

    clip = make_text_tower(tmp_path, kind)
    for texts in (["a cat", "dogs on the grass", ""], ["the quick brown fox " * 9], [""]):
        tokens = clip.tokenize(texts)
        expected = clip.network.encode_text(tokens, normalize=False)
        torch.testing.assert_close(encode_trimmed(clip, tokens), expected)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["xlm-roberta", "nllb"])
def test_padding_of_a_tower_that_masks_it_is_not_computed(
    tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("transformers")
    from tests.stages.models.small_tokenizers import make_text_tower

    clip = make_text_tower(tmp_path, kind)
    read: list[torch.Tensor] = []
    monkeypatch.setattr(clip, "encode_tokens", lambda tokens: read.append(tokens) or tokens)
    tokens = clip.tokenize(["", "dogs"])
    encode_trimmed(clip, tokens)
    used = (tokens != clip.network.text.config.pad_token_id).sum(dim=1)
    assert torch.equal(read[0], tokens[:, : int(used.max())])
    assert read[0].shape[1] < tokens.shape[1]


def test_gradients_flow_through_trimmed_texts(clip: Clip) -> None:
    encode_trimmed(clip, clip.tokenize(CAPTIONS)).sum().backward()
    assert clip.network.positional_embedding.grad[:4].abs().sum() > 0


def test_frozen_texts_are_unit_embeddings_without_gradient(clip: Clip) -> None:
    embeddings = FrozenTextEncoder(clip, torch.device("cpu")).embed(CAPTIONS)
    expected = torch.nn.functional.normalize(encode_texts(clip, CAPTIONS), dim=1)
    assert torch.allclose(embeddings, expected, atol=1e-5)
    assert not embeddings.requires_grad


def test_a_caption_has_the_same_bits_in_every_batch(clip: Clip) -> None:
    alone = FrozenTextEncoder(clip, torch.device("cpu")).embed(["a dog"])
    texts = FrozenTextEncoder(clip, torch.device("cpu"), cached=1)
    for captions in (CAPTIONS, CAPTIONS[::-1], CAPTIONS):
        together = texts.embed(captions)
        assert torch.equal(together[captions.index("a dog")], alone[0])


def test_a_caption_is_encoded_once(clip: Clip, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = FrozenTextEncoder(clip, torch.device("cpu"))
    texts.embed(CAPTIONS)
    monkeypatch.setattr(clip.network, "transformer", None)
    assert len(texts.embed(CAPTIONS)) == 4
