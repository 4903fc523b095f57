"""Tokenizers with files of their own: the tokens that their own libraries make, and no others."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING

import pytest
import torch

from schemas.errors import SourceError
from stages.models.clip import create_clip, read_clip, save_clip
from stages.models.tokenizer import has_own_tokenizer, make_tokenizer, require_transformers
from tests.stages.models.offline import block_network
from tests.stages.models.tiny import config, tiny_clip

pytest.importorskip("transformers")
from open_clip.tokenizer import canonicalize_text
from transformers import AutoTokenizer

from tests.stages.models.small_tokenizers import (
    KINDS,
    LENGTH,
    TEXTS,
    make_text_tower,
    pieces_of,
    write_kind,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

pytestmark = pytest.mark.slow
EACH_KIND = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    block_network(monkeypatch)


def padded(ids: Sequence[int], end: int, pad: int) -> list[int]:
    """Ids of a text, cut or padded to the tower's length, with an end token."""
    kept = [*ids[: LENGTH - 1], end]
    return [*kept, *[pad] * (LENGTH - len(kept))]


@pytest.mark.parametrize(
    ("kind", "file", "end", "pad"),
    [("siglip", "spiece.model", 1, 1), ("siglip2", "tokenizer.model", 1, 0)],
)
def test_texts_of_siglip_have_the_pieces_of_their_sentencepiece_model(
    tmp_path: Path, kind: str, file: str, end: int, pad: int
) -> None:
    tokens = make_text_tower(tmp_path, kind).tokenize(TEXTS)
    encode: Callable[[str], list[int]] = pieces_of((tmp_path / file).read_bytes()).encode
    assert tokens.tolist() == [padded(encode(canonicalize_text(t)), end, pad) for t in TEXTS]
    assert tokens.dtype == torch.int64


def test_ids_of_xlm_r_are_one_higher_than_those_of_its_pieces(tmp_path: Path) -> None:
    tokens = make_text_tower(tmp_path, "xlm-roberta").tokenize(TEXTS)
    pieces = pieces_of((tmp_path / "sentencepiece.bpe.model").read_bytes())
    shifted = ([0, *[i + 1 if i else 3 for i in pieces.encode(text)]] for text in TEXTS)
    assert tokens.tolist() == [padded(ids, 2, 1) for ids in shifted]


def test_texts_of_nllb_begin_with_the_code_of_their_language(tmp_path: Path) -> None:
    clip = make_text_tower(tmp_path, "nllb")
    codes = json.loads((tmp_path / "tokenizer.json").read_text())["added_tokens"]
    (english,) = (token["id"] for token in codes if token["content"] == "eng_Latn")
    assert clip.tokenize(TEXTS)[:, 0].tolist() == [english] * len(TEXTS)


def test_clipa_has_padding_where_bert_has_a_separator(tmp_path: Path) -> None:
    tokens = make_text_tower(tmp_path, "clipa").tokenize(TEXTS)
    plain = AutoTokenizer.from_pretrained(tmp_path)
    rows = plain(TEXTS, max_length=LENGTH, padding="max_length", truncation=True)["input_ids"]
    assert tokens.tolist() == [[0 if i == plain.sep_token_id else i for i in ids] for ids in rows]


@EACH_KIND
def test_tokens_survive_the_artifact(tmp_path: Path, kind: str) -> None:
    clip = make_text_tower(tmp_path / "given", kind)
    tokens = clip.tokenize(TEXTS)
    assert tokens.shape == (len(TEXTS), LENGTH)
    (tmp_path / "saved").mkdir()
    files = tmp_path / "saved" / "model.json", tmp_path / "saved" / "weights.safetensors"
    save_clip(clip, *files)
    for path in (tmp_path / "given").iterdir():
        path.unlink()
    again = read_clip(*files)
    assert torch.equal(again.tokenize(TEXTS, "cut"), tokens)  # it cuts these as it was trained
    with torch.no_grad():
        assert torch.equal(again.encode_tokens(tokens), clip.encode_tokens(tokens))
    assert torch.equal(copy.deepcopy(again).tokenize(TEXTS), tokens)
    assert again.tokenize([]).shape == (0, LENGTH)


def test_cleaning_of_clips_own_tokenizer_is_as_the_configuration_says(tmp_path: Path) -> None:
    content = config()
    assert not has_own_tokenizer(content)
    for clean, same in (("lower", True), ("whitespace", False)):
        content["text_cfg"] |= {"tokenizer_kwargs": {"clean": clean}}
        (tmp_path / "net.json").write_text(json.dumps(content))
        ids = create_clip(str(tmp_path / "net.json")).tokenize(["DOG", "dog"])
        assert torch.equal(ids[0], ids[1]) is same


@pytest.mark.parametrize("setting", ["trust_remote_code", "cache_dir", "reduction_mask"])
@pytest.mark.parametrize("kind", ["siglip", None])
def test_settings_that_are_not_about_tokens_are_refused(
    tmp_path: Path, setting: str, kind: str | None
) -> None:
    content = config()
    if kind:
        write_kind(tmp_path, kind)
        content = json.loads((tmp_path / "net.json").read_text())
    content["text_cfg"] |= {"tokenizer_kwargs": {setting: True}}
    (tmp_path / "net.json").write_text(json.dumps(content))
    with pytest.raises(SourceError, match=f"tokenizer_kwargs have '{setting}', which is not sup"):
        create_clip(str(tmp_path / "net.json")).tokenize(["a"])


def test_code_that_comes_with_a_tokenizer_is_not_run(tmp_path: Path) -> None:
    write_kind(tmp_path, "siglip")
    settings = {"tokenizer_class": "EvilTokenizer", "auto_map": {"AutoTokenizer": ["evil.E", None]}}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    (tmp_path / "evil.py").write_text("raise SystemExit('it ran')")
    with pytest.raises(SourceError, match="the files of the tokenizer 'timm/siglip' make none"):
        create_clip(str(tmp_path / "net.json"))


def test_settings_that_lead_out_of_the_folder_are_not_followed(tmp_path: Path) -> None:
    write_kind(tmp_path, "siglip")
    plain = create_clip(str(tmp_path / "net.json")).tokenize(["a cat"])
    path = tmp_path / "tokenizer_config.json"
    outside = dict.fromkeys(("vocab_file", "merges_file", "source_spm"), str(tmp_path / "gone"))
    path.write_text(json.dumps(json.loads(path.read_text()) | outside))
    assert torch.equal(create_clip(str(tmp_path / "net.json")).tokenize(["a cat"]), plain)


@pytest.mark.parametrize("content", [b"", b"no pieces \x1b[2J", b"\x0a\xff\xff\xff\xff"])
def test_a_damaged_vocabulary_is_refused(tmp_path: Path, content: bytes) -> None:
    write_kind(tmp_path, "siglip")
    (tmp_path / "spiece.model").write_bytes(content)
    with pytest.raises(SourceError, match="the files of the tokenizer 'timm/siglip'") as refused:
        create_clip(str(tmp_path / "net.json"))
    assert str(refused.value).isprintable()


def test_a_damaged_tokenizer_is_refused(tmp_path: Path) -> None:
    write_kind(tmp_path, "nllb")
    whole = json.loads((tmp_path / "tokenizer.json").read_text())
    for damaged in ("{}", "[" * 10_000, json.dumps({**whole, "model": {"type": "Evil"}})):
        (tmp_path / "tokenizer.json").write_text(damaged)
        with pytest.raises(SourceError, match="the files of the tokenizer 'some/tower' make none"):
            create_clip(str(tmp_path / "net.json"))


def test_a_tokenizer_without_its_special_tokens_is_refused(tmp_path: Path) -> None:
    write_kind(tmp_path, "nllb")
    whole = json.loads((tmp_path / "tokenizer.json").read_text())
    whole["added_tokens"] = [token for token in whole["added_tokens"] if token["id"] < 4]
    (tmp_path / "tokenizer.json").write_text(json.dumps(whole))
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "NllbTokenizer", "extra_special_tokens": []})
    )
    with pytest.raises(SourceError, match="lack its special tokens, so that every text"):
        create_clip(str(tmp_path / "net.json"))


def test_the_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    write_kind(tmp_path, "siglip")
    content = json.loads((tmp_path / "net.json").read_text())
    content["text_cfg"]["vocab_size"] = 32_000
    (tmp_path / "net.json").write_text(json.dumps(content))
    with pytest.raises(
        SourceError, match=r"\(spiece.model, .* has 54 tokens, and its text tower 32,000"
    ):
        create_clip(str(tmp_path / "net.json"))


def test_without_the_library_there_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stages.models.tokenizer.importlib.util.find_spec", lambda _: None)
    with pytest.raises(SourceError, match=r"pip install 'regionclip-toolkit\[tokenizers\]'"):
        require_transformers("siglip")


def test_a_model_whose_files_are_gone_says_so(tmp_path: Path) -> None:
    spec = make_text_tower(tmp_path, "siglip").spec
    bare = type(spec)(**{**vars(spec), "tokenizer": tiny_clip(tmp_path).spec.tokenizer})
    with pytest.raises(SourceError, match="the tokenizer 'timm/siglip' has no files here"):
        make_tokenizer(bare)
