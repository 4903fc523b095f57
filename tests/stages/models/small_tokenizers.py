"""Tokenizers and text towers of each kind that open_clip's models have, small and made here.

The vocabularies are learned from a few lines; files have the names and settings of published ones.
"""

from __future__ import annotations

import functools
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from stages.models.clip import Clip, create_clip
from tests.stages.models.tiny import VIT

if TYPE_CHECKING:
    from pathlib import Path

sentencepiece = pytest.importorskip("sentencepiece")  # without the extra, its tests are skipped
tokenizers = pytest.importorskip("tokenizers")
transformers = pytest.importorskip("transformers")

LINES = [
    "a photo of a cat",
    "a photo of two dogs on the green grass",
    "red traffic lights at night, in the rain",
    "the quick brown fox jumps over the lazy dog",
    "ein Hund und eine Katze auf der Wiese",
    "un chat noir dans la rue",
]
TEXTS = ["A photo of a Cat!", "dogs", "", "the quick brown fox " * 20]
LENGTH = 12  # tokens that the text towers read

_LAYERS = {"context_length": LENGTH, "width": 32, "heads": 2, "layers": 2}
_SIGLIP = {
    **_LAYERS,
    "hf_tokenizer_name": "timm/siglip",
    "tokenizer_kwargs": {"clean": "canonicalize"},
    "no_causal_mask": True,
    "proj_bias": True,
    "pool_type": "last",
    "norm_kwargs": {"eps": 1e-6},
}
_TANH = {"act_kwargs": {"approximate": "tanh"}}
_HUB = {"context_length": LENGTH, "hf_tokenizer_name": "some/tower", "hf_model_name": "some/tower"}
_ROBERTA = {
    "hidden_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
    "type_vocab_size": 1,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
}
_MT5 = {"d_model": 24, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2, "pad_token_id": 0}
_M2M = {
    "d_model": 24,
    "encoder_layers": 2,
    "decoder_layers": 1,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "max_position_embeddings": 40,
    "pad_token_id": 1,
}
_SIGMOID = {"custom_text": True, "init_logit_bias": -10}


@dataclass(frozen=True)
class Kind:
    """A kind of text tower.

    Attributes:
        tokenizer: Name of a function of this module that writes the tokenizer's files.
        text: open_clip's text_cfg, without the size of the vocabulary.
        model: Further keys of the configuration.
        hub: config.json of a tower of transformers, without the size of the vocabulary.
    """

    tokenizer: str
    text: dict[str, Any]
    model: dict[str, Any]
    hub: dict[str, Any] | None = None


KINDS = {
    "siglip": Kind("sentencepiece_t5", _SIGLIP, _SIGMOID),
    "siglip2": Kind("sentencepiece_gemma", _SIGLIP | _TANH, _SIGMOID),
    "siglip-i18n": Kind(
        "sentencepiece_t5", {**_SIGLIP, "proj_type": "none", "proj_bias": False}, _SIGMOID
    ),
    "clipa": Kind(
        "wordpiece",
        {
            **_LAYERS,
            "hf_tokenizer_name": "bert",
            "tokenizer_kwargs": {"strip_sep_token": True},
            "pool_type": "last",
            "no_causal_mask": True,
        },
        {},
    ),
    "worldwide": Kind(
        "sentencepiece_fairseq",
        {**_LAYERS, "hf_tokenizer_name": "xlm-v", "pool_type": "eos", "eos_id": 2},
        {},
    ),
    "xlm-roberta": Kind(
        "sentencepiece_fairseq", _HUB, {}, {**_ROBERTA, "model_type": "xlm-roberta"}
    ),
    "roberta": Kind("byte_pairs", _HUB, {}, {**_ROBERTA, "model_type": "roberta"}),
    "mt5": Kind("sentencepiece_mt5", _HUB, {}, {**_MT5, "model_type": "mt5"}),
    "nllb": Kind(
        "languages",
        {**_HUB, "hf_pooler_type": "cls_pooler", "hf_proj_type": "linear"},
        _SIGMOID,
        {**_M2M, "model_type": "m2m_100"},
    ),
    "coca-roberta": Kind(
        "byte_pairs",
        {**_HUB, "hf_proj_type": "linear", "output_tokens": True},
        {"custom_text": True, "multimodal_cfg": {**_LAYERS, "width": 24}},
        {**_ROBERTA, "model_type": "roberta"},
    ),
}


def make_text_tower(folder: Path, kind: str, seed: int = 0) -> Clip:
    """A CLIP with random weights and a text tower of a kind; its files lie in `folder`."""
    write_kind(folder, kind)
    return create_clip(str(folder / "net.json"), seed=seed)


def write_kind(folder: Path, kind: str) -> None:
    """Write net.json and the files of the tokenizer."""
    made = KINDS[kind]
    folder.mkdir(parents=True, exist_ok=True)
    size = globals()[made.tokenizer](folder)
    text = dict(made.text)
    if made.hub is None:
        text["vocab_size"] = size
    else:
        (folder / "config.json").write_text(json.dumps({**made.hub, "vocab_size": size}))
    vision = {**VIT, "output_tokens": True} if "multimodal_cfg" in made.model else VIT
    content = {"embed_dim": 32, "vision_cfg": vision, "text_cfg": text, **made.model}
    (folder / "net.json").write_text(json.dumps(content))


@functools.cache
def _pieces(kind: str, **settings: Any) -> bytes:
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(LINES * 10),
        model_writer=model,
        model_type=kind,
        vocab_size=90,
        hard_vocab_limit=False,
        minloglevel=2,
        **settings,
    )
    return model.getvalue()


def pieces_of(content: bytes) -> Any:
    """The sentencepiece model, as its own library reads it."""
    return sentencepiece.SentencePieceProcessor(model_proto=content)


def sentencepiece_t5(folder: Path) -> int:
    """As of SigLIP: T5's, padded with the end."""
    content = _pieces("unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    (folder / "spiece.model").write_bytes(content)
    special = {"pad_token": "</s>", "eos_token": "</s>", "unk_token": "<unk>"}
    _write_settings(folder, {"tokenizer_class": "T5Tokenizer", "extra_ids": 0, **special})
    return pieces_of(content).get_piece_size()


def sentencepiece_gemma(folder: Path) -> int:
    """As of SigLIP 2: Gemma's, with an end and without a start."""
    content = _pieces(
        "bpe",
        pad_id=0,
        eos_id=1,
        bos_id=2,
        unk_id=3,
        pad_piece="<pad>",
        eos_piece="<eos>",
        bos_piece="<bos>",
        add_dummy_prefix=False,
    )
    (folder / "tokenizer.model").write_bytes(content)
    settings = {"add_bos_token": False, "add_eos_token": True, "padding_side": "right"}
    _write_settings(folder, {"tokenizer_class": "GemmaTokenizer", **settings})
    return pieces_of(content).get_piece_size() + 2  # Gemma's mask is not a piece of ours


def sentencepiece_fairseq(folder: Path) -> int:
    """As of XLM-R: ids are one higher than those of the pieces, with other special tokens."""
    content = _pieces("unigram", unk_id=0, bos_id=1, eos_id=2)
    (folder / "sentencepiece.bpe.model").write_bytes(content)
    _write_settings(folder, {"tokenizer_class": "XLMRobertaTokenizer"})
    return pieces_of(content).get_piece_size() + 2


def sentencepiece_mt5(folder: Path) -> int:
    """As of mT5."""
    content = _pieces("unigram", pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    (folder / "spiece.model").write_bytes(content)
    _write_settings(folder, {"tokenizer_class": "T5Tokenizer", "extra_ids": 0})
    return pieces_of(content).get_piece_size()


def wordpiece(folder: Path) -> int:
    """As of BERT."""
    tokenizer = tokenizers.BertWordPieceTokenizer(lowercase=True)
    tokenizer.train_from_iterator(LINES, vocab_size=120, min_frequency=1, show_progress=False)
    tokenizer.save_model(str(folder))
    _write_settings(folder, {"tokenizer_class": "BertTokenizer", "do_lower_case": True})
    return int(tokenizer.get_vocab_size())


def byte_pairs(folder: Path) -> int:
    """As of RoBERTa."""
    tokenizer = tokenizers.ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer.train_from_iterator(
        LINES, vocab_size=300, min_frequency=1, show_progress=False, special_tokens=special
    )
    tokenizer.save_model(str(folder))
    _write_settings(folder, {"tokenizer_class": "RobertaTokenizer"})
    return int(tokenizer.get_vocab_size())


def languages(folder: Path) -> int:
    """As of NLLB: a text begins with the code of its language."""
    letters = sorted({letter for line in LINES for letter in line.replace(" ", "▁")})
    tokens = ["<s>", "<pad>", "</s>", "<unk>", "▁", *letters]
    vocabulary = {token: index for index, token in enumerate(dict.fromkeys(tokens))}
    tokenizer = transformers.NllbTokenizer(vocab=vocabulary, merges=[])
    tokenizer.save_pretrained(folder)
    return len(tokenizer)


def _write_settings(folder: Path, settings: dict[str, Any]) -> None:
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
