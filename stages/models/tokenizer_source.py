"""Where the files of a tokenizer come from: a folder, beside the weights, or the network."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import huggingface_hub
from huggingface_hub import constants

from schemas.errors import SourceError
from stages.models.download import quiet, reachable
from stages.models.tokenizer import has_own_tokenizer, make_tokenizer, require_transformers
from stages.models.tokenizer_files import (
    DESCRIPTION,
    NAMES,
    NO_FILES,
    TokenizerFiles,
    read_tokenizer_folder,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stages.models.clip_spec import ClipSpec


@dataclass(frozen=True)
class TokenizerPlaces:
    """Folders in which to look for the files of a tokenizer.

    Attributes:
        given: What the user says; then it is looked for nowhere else.
        beside: Those of the weights and of the configuration.
    """

    given: Path | None = None
    beside: tuple[Path, ...] = ()

    @classmethod
    def of(
        cls, given: Path | None, weights: str | Path | None, architecture: str | None
    ) -> TokenizerPlaces:
        """The places for weights and a configuration, where these are files."""
        files = [Path(file) for file in (weights, architecture) if file and Path(file).is_file()]
        return cls(given, tuple(dict.fromkeys(file.parent for file in files)))


NO_PLACES: Final = TokenizerPlaces()


def with_tokenizer(spec: ClipSpec, places: TokenizerPlaces) -> ClipSpec:
    """The spec, with the files of its tokenizer if it has one of its own.

    Raises:
        SourceError: If the files are nowhere, or cannot be those of this model; if a folder is
            given and not needed.
    """
    if not spec.language or not has_own_tokenizer(spec.config):
        if places.given is not None:
            has = "CLIP's own tokenizer" if spec.language else "no language encoder"
            raise SourceError(f"--tokenizer {places.given} is not needed: this model has {has}")
        return spec
    text = spec.config["text_cfg"]
    require_transformers(_repository(text))
    found = dataclasses.replace(spec, tokenizer=_files(text, places))
    make_tokenizer(found)  # says what is wrong now rather than at the first text
    return found


def _files(text: Mapping[str, Any], places: TokenizerPlaces) -> TokenizerFiles:
    if places.given is not None:
        files = read_tokenizer_folder(places.given)
        if not _complete(files, text):
            raise SourceError(
                f"--tokenizer {places.given} is no folder with {_wanted(text)}, as "
                f"https://huggingface.co/{_repository(text)} holds them"
            )
        return files
    folders = (read_tokenizer_folder(folder) for folder in places.beside)
    return next((files for files in folders if _complete(files, text)), None) or _fetched(text)


def _fetched(text: Mapping[str, Any]) -> TokenizerFiles:
    """The files that are published, from the cache of earlier downloads or from the network."""
    files = _snapshot(text, local=True)
    if _complete(files, text):
        return files
    address = f"{constants.ENDPOINT}/{_repository(text)}"
    if constants.HF_HUB_OFFLINE:
        why = "HF_HUB_OFFLINE is set"
    elif not reachable(address):
        why = f"{constants.ENDPOINT} cannot be reached"
    else:
        files = _snapshot(text, local=False)
        why = "it does not hold them, or does not let you have them"
    if _complete(files, text):
        return files
    raise SourceError(
        f"the language encoder has a tokenizer of its own, '{_repository(text)}', whose files are "
        f"neither beside the weights nor on this machine, and {why}. Fetch {_wanted(text)} from "
        f"{address} elsewhere, and give their folder with --tokenizer FOLDER"
    )


def _snapshot(text: Mapping[str, Any], *, local: bool) -> TokenizerFiles:
    repositories = [text.get("hf_tokenizer_name"), text.get("hf_model_name")]
    contents: dict[str, bytes] = {}
    for repository in dict.fromkeys(str(name) for name in repositories if name):
        try:
            with quiet():
                folder = huggingface_hub.snapshot_download(
                    repository, allow_patterns=list(NAMES), local_files_only=local
                )
        except Exception:  # it shares no base class with its network libraries
            continue
        found = read_tokenizer_folder(Path(folder)).contents
        contents |= found if repository == repositories[0] else {}
        if DESCRIPTION in found and repository == text.get("hf_model_name"):
            contents[DESCRIPTION] = found[DESCRIPTION]
    return TokenizerFiles(contents) if contents else NO_FILES


def _complete(files: TokenizerFiles, text: Mapping[str, Any]) -> bool:
    return bool(files) and (DESCRIPTION in files.contents or not text.get("hf_model_name"))


def _wanted(text: Mapping[str, Any]) -> str:
    beside = ", tokenizer_config.json and config.json" if text.get("hf_model_name") else ""
    return f"tokenizer.json (or its sentencepiece model){beside or ' and tokenizer_config.json'}"


def _repository(text: Mapping[str, Any]) -> str:
    return str(text.get("hf_tokenizer_name") or text.get("hf_model_name"))
