"""The vocabulary of an evaluation: the categories to choose from, and the splits they fall into."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from schemas.errors import ArtifactError, OptionError, SourceError
from stages.evaluation.coco_names import LISTS, SPLITS
from stages.sources.files import digest_of, file_digest
from stages.sources.names import read_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_SHOWN = 5  # names listed in an error before "and N more"


@dataclass(frozen=True)
class Vocabulary:
    """Categories by id, and which of them make up each split.

    Attributes:
        names: K names; the id of a category is its place.
        parts: Names of each split beside "all", such as base and novel.
    """

    names: tuple[str, ...]
    parts: Mapping[str, tuple[str, ...]]

    @cached_property
    def ids(self) -> dict[str, int]:
        """Id of each name."""
        return {name: number for number, name in enumerate(self.names)}

    @cached_property
    def splits(self) -> dict[str, list[int]]:
        """Ids of each split in ascending order; "all" comes first."""
        parts = {name: sorted(self.ids[n] for n in names) for name, names in self.parts.items()}
        return {"all": list(range(len(self.names))), **parts}

    def sha256(self) -> str:
        """Hash of the names in their order, hexadecimal."""
        return hashlib.sha256("\n".join(self.names).encode()).hexdigest()

    def missing(self, categories: Iterable[str]) -> list[str]:
        """Those of `categories` that are not in the vocabulary, sorted."""
        return sorted(set(categories) - self.ids.keys())


def make_vocabulary(
    categories: Sequence[str] | None, splits: Mapping[str, tuple[str, ...]], found: Iterable[str]
) -> Vocabulary:
    """The vocabulary: the categories given, else those of the splits, else those found, sorted.

    Args:
        categories: The user's list, or None.
        splits: Names by split; may be empty.
        found: Categories of the ground truth; only looked at if nothing else was given.

    Raises:
        ArtifactError: If there is nothing to choose from, or a split has names that are not in
            the vocabulary.
    """
    names = tuple(categories or dict.fromkeys(n for part in splits.values() for n in part))
    vocabulary = Vocabulary(names or tuple(sorted(set(found))), splits)
    if not vocabulary.names:
        raise ArtifactError(
            "no image has an object, so there is nothing to compare with; "
            "ingest images with ground truth"
        )
    if strangers := vocabulary.missing(n for part in splits.values() for n in part):
        raise ArtifactError(f"--splits names {shortened(strangers)}, which --categories lacks")
    return vocabulary


def read_categories(path: Path) -> list[str]:
    """The names in a file: one per line, or a JSON list; or those of a list known by name.

    Raises:
        SourceError: If it is none of these.
    """
    if known := LISTS.get(str(path)):
        return list(known)
    if path.suffix.lower() != ".json":
        return read_names(path)
    content = _read_json(path)
    if not _is_names(content):
        raise SourceError(f"{path} must hold a JSON list of different names, at least one")
    return list(content)


def read_splits(path: Path) -> dict[str, tuple[str, ...]]:
    """Names by split in a JSON file such as {"base": ["cat", ...], "novel": [...]}.

    Splits that are known by name need no file.

    Raises:
        SourceError: If the file is anything else, or calls a split "all".
    """
    if known := SPLITS.get(str(path)):
        return dict(known)
    content = _read_json(path)
    good = isinstance(content, dict) and content and all(map(_is_names, content.values()))
    if not good or "all" in content:
        raise SourceError(
            f"{path} must hold a JSON object of lists of names by split, "
            f'such as {{"base": [...], "novel": [...]}}; "all" is always there by itself'
        )
    return {str(name): tuple(names) for name, names in content.items()}


def list_digest(path: Path) -> str:
    """Hash of a file of names or splits, or of one that is known by name, hexadecimal."""
    known = LISTS.get(str(path)) or SPLITS.get(str(path))
    return digest_of(json.dumps(known)) if known else file_digest(str(path))


def shortened(names: Sequence[str]) -> str:
    """Names for a sentence: the first five, and how many more.

    >>> shortened(list("abcdefg"))
    "'a', 'b', 'c', 'd', 'e' and 2 more"
    """
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(f"'{name}'" for name in names[:_SHOWN]) + more


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{path} is no readable JSON: {error}") from error


def _is_names(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(name, str) and name for name in value)
        and len(set(value)) == len(value)
    )


def split_names(path: Path, split: str) -> tuple[str, ...]:
    """The names of one split of a file, or of "all" of them, each once, in the file's order.

    Raises:
        SourceError: If the file holds no splits.
        OptionError: If it has no such split.
    """
    splits = read_splits(path)
    if split == "all":
        return tuple(dict.fromkeys(name for names in splits.values() for name in names))
    if split not in splits:
        raise OptionError(f"{path} has no split '{split}'; choose {', '.join([*splits, 'all'])}")
    return splits[split]
