"""Files of a tokenizer: found by name, hashed, copied, and refused where they are others."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from schemas.errors import SourceError
from stages.models import tokenizer_files
from stages.models.tokenizer_files import (
    NAMES,
    TokenizerFiles,
    read_listed,
    read_tokenizer_folder,
    tokenizer_digest,
)

if TYPE_CHECKING:
    from pathlib import Path

CONTENTS = {"spiece.model": b"pieces", "tokenizer_config.json": b"{}"}


def test_only_files_of_a_tokenizer_are_taken_from_a_folder(tmp_path: Path) -> None:
    for name in ("spiece.model", "tokenizer_config.json", "model.py", "vocab.pkl", "README.md"):
        (tmp_path / name).write_bytes(CONTENTS.get(name, b"?"))
    files = read_tokenizer_folder(tmp_path)
    assert files.contents == CONTENTS
    assert files.digests() == {n: hashlib.sha256(c).hexdigest() for n, c in CONTENTS.items()}


def test_a_folder_without_vocabulary_has_no_tokenizer(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    assert not read_tokenizer_folder(tmp_path)
    assert not read_tokenizer_folder(tmp_path / "gone")
    assert tokenizer_digest(tmp_path, []) == {}


def test_files_survive_a_folder_and_its_list(tmp_path: Path) -> None:
    TokenizerFiles(CONTENTS).write(tmp_path)
    assert read_listed(tmp_path, TokenizerFiles(CONTENTS).digests()) == TokenizerFiles(CONTENTS)
    assert not read_listed(tmp_path, {})


def test_a_file_that_changed_is_refused(tmp_path: Path) -> None:
    digests = TokenizerFiles(CONTENTS).digests()
    TokenizerFiles({**CONTENTS, "spiece.model": b"others"}).write(tmp_path)
    with pytest.raises(SourceError, match=r"spiece\.model is not the file .* SHA-256 differs"):
        read_listed(tmp_path, digests)
    (tmp_path / "spiece.model").unlink()
    with pytest.raises(SourceError, match=r"spiece\.model, a file of the tokenizer, cannot be"):
        read_listed(tmp_path, digests)


@pytest.mark.parametrize("listed", [{"../secret": "0"}, {"a\x1b[2J": ""}, ["tokenizer.json"], 3])
def test_a_list_of_other_files_is_refused(tmp_path: Path, listed: object) -> None:
    with pytest.raises(SourceError, match="which is no file of a tokenizer") as refused:
        read_listed(tmp_path, listed)
    assert str(refused.value).isprintable()


def test_a_file_that_is_too_large_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenizer_files, "_LARGEST", 5)
    TokenizerFiles(CONTENTS).write(tmp_path)
    with pytest.raises(SourceError, match="no tokenizer is so large"):
        read_tokenizer_folder(tmp_path)


@pytest.mark.parametrize("content", [b"{", b"[]", b"[" * 100_000, b"\xff"])
def test_settings_are_a_json_object(content: bytes) -> None:
    with pytest.raises(SourceError, match=r"config\.json of the tokenizer is not"):
        TokenizerFiles({"config.json": content}).settings()
    assert TokenizerFiles({"config.json": json.dumps({"a": 1}).encode()}).settings() == {"a": 1}


def test_the_digest_is_that_of_the_folder_given_or_of_those_beside(tmp_path: Path) -> None:
    TokenizerFiles(CONTENTS).write(tmp_path)
    given = tokenizer_digest(tmp_path, [])
    assert given.keys() == {"tokenizer"}
    assert tokenizer_digest(None, [str(tmp_path / "a.pt"), str(tmp_path / "b.json")]) == given
    (tmp_path / "spiece.model").write_bytes(b"others")
    assert tokenizer_digest(tmp_path, []) != given


def test_the_digest_tells_names_apart(tmp_path: Path) -> None:
    digests = []
    for name in ("spiece.model", "tokenizer.model"):
        (tmp_path / name).mkdir()
        TokenizerFiles({name: b"pieces"}).write(tmp_path / name)
        digests.append(tokenizer_digest(tmp_path / name, []))
    assert digests[0] != digests[1]


def test_names_end_in_nothing_that_a_model_is_found_by() -> None:
    assert not [name for name in NAMES if name.endswith(("model.json", ".safetensors", ".parquet"))]
