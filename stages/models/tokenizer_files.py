"""The files of a tokenizer, which travel beside the weights of a text tower.

They are the files that repositories on the Hugging Face hub hold for it, under the same names, so
that a folder with them is also what other programs take. Their hashes are in model.json.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from schemas.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DESCRIPTION: Final = "config.json"  # kind of tokenizer; and a text tower of transformers
_VOCABULARIES: Final = (
    *("tokenizer.json", "tokenizer.model", "spiece.model", "sentencepiece.model"),
    *("sentencepiece.bpe.model", "vocab.json", "vocab.txt"),
)
NAMES: Final = (
    *_VOCABULARIES,
    *("merges.txt", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"),
    DESCRIPTION,
)
_LARGEST: Final = 1 << 28  # bytes; Gemma's tokenizer.json, the largest in use, has 34 MB


@dataclass(frozen=True, repr=False)
class TokenizerFiles:
    """Content by name, of `NAMES` those that there are; empty for CLIP's tokenizer."""

    contents: Mapping[str, bytes]

    def __bool__(self) -> bool:
        return bool(self.contents)

    def digests(self) -> dict[str, str]:
        """The SHA-256 of each file by its name."""
        return {
            name: hashlib.sha256(content).hexdigest()
            for name, content in sorted(self.contents.items())
        }

    def write(self, folder: Path) -> None:
        """Write all of them into a folder, under their names."""
        for name, content in self.contents.items():
            (folder / name).write_bytes(content)

    def settings(self, name: str = DESCRIPTION) -> dict[str, Any]:
        """The content of one of the JSON files; empty if there is none.

        Raises:
            SourceError: If it is not a JSON object.
        """
        try:
            content = json.loads(self.contents.get(name, b"{}"))
        except (ValueError, RecursionError) as error:
            raise SourceError(f"{name} of the tokenizer is not JSON: {error}") from error
        if not isinstance(content, dict):
            raise SourceError(f"{name} of the tokenizer is not a JSON object")
        return content


NO_FILES: Final = TokenizerFiles({})


def read_tokenizer_folder(folder: Path) -> TokenizerFiles:
    """The tokenizer's files among those of a folder; none if there is no vocabulary.

    Raises:
        SourceError: If one cannot be read, or is too large to belong to a tokenizer.
    """
    if not any((folder / name).is_file() for name in _VOCABULARIES):
        return NO_FILES
    present = [name for name in NAMES if (folder / name).is_file()]
    return TokenizerFiles({name: _content(folder / name) for name in present})


def tokenizer_digest(given: Path | None, files: Iterable[str]) -> dict[str, str]:
    """A hash of the tokenizer that a folder holds or, without one, that lies beside `files`.

    Returns:
        It under "tokenizer"; nothing if there is none.
    """
    folders = [given] if given else list(dict.fromkeys(Path(file).parent for file in files))
    found = [read_tokenizer_folder(folder).digests() for folder in folders]
    if not any(found):
        return {}
    # with their names: the same content under another name is another tokenizer
    digest = hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()
    return {"tokenizer": digest}


def read_listed(folder: Path, digests: Any) -> TokenizerFiles:
    """The tokenizer's files that a model.json in the same folder lists with their hashes.

    Raises:
        SourceError: If one is missing or another than it was, or the list names other files.
    """
    listed = digests if isinstance(digests, dict) else {"": digests}
    if strange := sorted(set(listed) - set(NAMES)):
        raise SourceError(f"model.json lists {strange[0]!r}, which is no file of a tokenizer")
    files = TokenizerFiles({name: _content(folder / name) for name in listed})
    for name, digest in files.digests().items():
        if digest != listed[name]:
            raise SourceError(
                f"{folder / name} is not the file this model was saved with (its SHA-256 differs "
                f"from that in model.json), so texts would get other tokens; restore it"
            )
    return files


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > _LARGEST:
            raise SourceError(f"{path} has over {_LARGEST >> 20} MB; no tokenizer is so large")
        return path.read_bytes()
    except OSError as error:
        raise SourceError(
            f"{path}, a file of the tokenizer, cannot be read ({error.strerror})"
        ) from error
