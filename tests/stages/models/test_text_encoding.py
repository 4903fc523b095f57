"""Captions through L: trimming and caching change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

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


def test_a_language_encoder_of_another_kind_is_not_trimmed(tmp_path: Path) -> None:
    config = tmp_path / "custom.json"
    text = tiny.CONFIG["text_cfg"] | {"no_causal_mask": True}
    config.write_text(tiny.json.dumps(tiny.CONFIG | {"text_cfg": text, "custom_text": True}))
    other = create_clip(str(config), seed=1)
    tokens = other.tokenize(CAPTIONS)
    assert torch.equal(encode_trimmed(other, tokens), other.encode_tokens(tokens))


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
