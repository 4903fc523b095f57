"""Tokenizers: CLIP's, and those that a text tower brings in files of its own.

open_clip's own classes make the tokens, from local files alone. Code in a tokenizer's files is
never run.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Protocol

import torch
from open_clip.tokenizer import HFTokenizer

from schemas.errors import SourceError
from stages.models.tokenizer_files import DESCRIPTION, TokenizerFiles
from stages.models.tokens import CONTEXT_LENGTH, tokenize

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stages.models.clip_spec import ClipSpec

_SETTINGS: Final = ("clean", "strip_sep_token", "language")  # of open_clip's tokenizer_kwargs
_CODE: Final = "auto_map"  # of a tokenizer's settings: code of its own
_PATHS: Final = ("_file", "_files", "_spm")  # ends of settings that may lead outside the folder
_LEAST: Final = 0.9  # of the tower's vocabulary that its tokenizer has; BERT's for CLIPA has 0.95


class Tokenizer(Protocol):
    """Tokens of texts, as one text tower reads them."""

    def __call__(self, texts: Sequence[str], long: str) -> torch.Tensor:
        """Token ids (T, L) int64 on the CPU; `long` is one of `tokens.LONG`."""
        ...


def has_own_tokenizer(config: Mapping[str, Any]) -> bool:
    """Whether an open_clip configuration asks for another tokenizer than CLIP's."""
    text = config["text_cfg"]
    return bool(text.get("hf_tokenizer_name") or text.get("hf_model_name"))


def make_tokenizer(spec: ClipSpec) -> Tokenizer:
    """The tokenizer of a model.

    Raises:
        SourceError: If it needs files that `spec` does not have, or cannot be made of them.
    """
    text = spec.config["text_cfg"]
    if has_own_tokenizer(spec.config):
        tokenizer = _FromFiles(spec.tokenizer, text)
        _require_vocabulary(tokenizer, spec)
        return tokenizer
    settings = dict(text.get("tokenizer_kwargs") or {})
    _require_known(settings, ("clean",))
    length, clean = int(text.get("context_length", CONTEXT_LENGTH)), settings.get("clean", "lower")
    return lambda texts, long: tokenize(texts, length, long, clean)


def require_transformers(name: str) -> None:
    """Pass if the library for text towers and tokenizers of the Hugging Face hub is installed.

    Raises:
        SourceError: If it is not.
    """
    if importlib.util.find_spec("transformers") is None:
        raise SourceError(
            f"the language encoder of {name} has a tokenizer of its own, for which transformers is "
            f"needed: pip install 'regionclip-toolkit[tokenizers]'"
        )


class _FromFiles:
    """A tokenizer with the files of the Hugging Face hub; texts that are too long keep their end.

    `long` changes nothing: RegionCLIP's way to cut is a property of CLIP's tokenizer.
    """

    def __init__(self, files: TokenizerFiles, text: Mapping[str, Any]) -> None:
        name = str(text.get("hf_tokenizer_name") or text.get("hf_model_name"))
        if not files:
            raise SourceError(f"the tokenizer '{name}' has no files here")
        settings = dict(text.get("tokenizer_kwargs") or {})
        _require_known(settings, _SETTINGS)
        require_transformers(name)
        self._length = int(text.get("context_length", CONTEXT_LENGTH))
        settings |= {"context_length": self._length, "tokenizer_mode": text.get("tokenizer_mode")}
        with TemporaryDirectory() as folder:
            _without_code(files).write(Path(folder))
            self._tokenize = _open(folder, name, settings)
        self._require_special_tokens(name)

    def __call__(self, texts: Sequence[str], long: str) -> torch.Tensor:
        """See `Tokenizer`."""
        if not texts:
            return torch.zeros(0, self._length, dtype=torch.int64)
        ids: torch.Tensor = self._tokenize(list(texts))
        return ids

    def __deepcopy__(self, memo: Any) -> _FromFiles:
        """Itself: it does not change."""
        return self

    @property
    def size(self) -> int:
        """Tokens that it knows."""
        return len(self._tokenize.tokenizer)

    def _require_special_tokens(self, name: str) -> None:
        inner = self._tokenize.tokenizer
        others = {inner.eos_token_id, inner.bos_token_id, inner.pad_token_id, inner.cls_token_id}
        if inner.pad_token_id is None:
            raise SourceError(f"the tokenizer '{name}' has no token to pad with")
        if inner.unk_token_id not in others and inner.unk_token_id in self([""], "keep-end"):
            raise SourceError(
                f"the files of the tokenizer '{name}' lack its special tokens, so that every text "
                f"would hold an unknown one; give all its files, tokenizer.json among them"
            )


def _require_vocabulary(tokenizer: _FromFiles, spec: ClipSpec) -> None:
    text = spec.config["text_cfg"]
    described = spec.tokenizer.settings() if text.get("hf_model_name") else text
    tower = described.get("vocab_size")
    if isinstance(tower, int) and not _LEAST * tower <= tokenizer.size:
        raise SourceError(
            f"the tokenizer ({', '.join(spec.tokenizer.contents)}) has {tokenizer.size:,} tokens, "
            f"and its text tower {tower:,}: it is that of another model; give the right files "
            f"with --tokenizer FOLDER"
        )


def _open(folder: str, name: str, settings: Mapping[str, Any]) -> HFTokenizer:
    try:
        return HFTokenizer(folder, trust_remote_code=False, local_files_only=True, **settings)
    except BaseException as error:  # the library shares no base class with its parts in Rust
        if isinstance(error, (KeyboardInterrupt, SystemExit)):
            raise
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise SourceError(
            f"the files of the tokenizer '{name}' make none: {reason[0][:200]!r}; give the folder "
            f"as it is published, with tokenizer.json, or tokenizer_config.json and a vocabulary"
        ) from error


def _without_code(files: TokenizerFiles) -> TokenizerFiles:
    """The same files without entries that name code or other files."""
    contents = dict(files.contents)
    for name in (DESCRIPTION, "tokenizer_config.json"):
        if name in contents:
            settings = files.settings(name)
            kept = {k: v for k, v in settings.items() if k != _CODE and not k.endswith(_PATHS)}
            contents[name] = json.dumps(kept).encode()
    return TokenizerFiles(contents)


def _require_known(settings: Mapping[str, Any], known: Sequence[str]) -> None:
    if unknown := sorted(set(settings) - set(known)):
        raise SourceError(
            f"the configuration's tokenizer_kwargs have {unknown[0]!r}, which is not supported "
            f"({', '.join(known)} are); take it out if tokens do not depend on it"
        )
