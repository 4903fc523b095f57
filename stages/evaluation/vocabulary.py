"""The vocabulary of an evaluation: the categories to choose from, and the splits of them."""

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

_MAX_QUOTED = 5  # names listed in an error before "and N more"


@dataclass(frozen=True)
class Vocabulary:
    """Categories by id, and which of them make up each split.

    Attributes:
        names: K names; the id of a category is its index.
        names_by_split: Names of each split beside "all", such as base and novel.
    """

    names: tuple[str, ...]
    names_by_split: Mapping[str, tuple[str, ...]]

    @cached_property
    def ids(self) -> dict[str, int]:
        """Id of each name."""
        return {name: number for number, name in enumerate(self.names)}

    @cached_property
    def splits(self) -> dict[str, list[int]]:
        """Ids of each split in ascending order; "all" comes first."""
        ids_by_split = {
            split: sorted(self.ids[name] for name in names)
            for split, names in self.names_by_split.items()
        }
        return {"all": list(range(len(self.names))), **ids_by_split}

    def sha256(self) -> str:
        """Hash of the names in their order, hexadecimal."""
        return hashlib.sha256("\n".join(self.names).encode()).hexdigest()

    def missing(self, categories: Iterable[str]) -> list[str]:
        """Those of `categories` that are not in the vocabulary, sorted."""
        return sorted(set(categories) - self.ids.keys())


def make_vocabulary(
    categories: Sequence[str] | None,
    splits: Mapping[str, tuple[str, ...]],
    ground_truth: Iterable[str],
) -> Vocabulary:
    """The vocabulary: the categories given, else those of the splits, else of the ground truth.

    Args:
        categories: The user's list, or None.
        splits: Names by split; may be empty.
        ground_truth: Categories of the images, used if nothing else is given; sorted.

    Raises:
        ArtifactError: If there is nothing to choose from, or a split has names that are not in
            the vocabulary.
    """
    in_splits = [name for names in splits.values() for name in names]
    names = tuple(categories or dict.fromkeys(in_splits))
    vocabulary = Vocabulary(names or tuple(sorted(set(ground_truth))), splits)
    if not vocabulary.names:
        raise ArtifactError(
            "no image has an object, so there is nothing to compare with; "
            "ingest images with ground truth"
        )
    if unknown := vocabulary.missing(in_splits):
        raise ArtifactError(f"--splits names {quoted_names(unknown)}, which --categories lacks")
    return vocabulary


def read_categories(path: Path) -> list[str]:
    """The names in a file, one per line or a JSON list; or a built-in list, such as coco-80.

    Raises:
        SourceError: If it is none of these.
    """
    if built_in := LISTS.get(str(path)):
        return list(built_in)
    if path.suffix.lower() != ".json":
        return read_names(path)
    content = _read_json(path)
    if not _is_names(content):
        raise SourceError(f"{path} must hold a JSON list of different names, at least one")
    return list(content)


def read_splits(path: Path) -> dict[str, tuple[str, ...]]:
    """Names by split in a JSON file such as {"base": ["cat", ...], "novel": [...]}.

    Built-in splits, such as coco-ovd, need no file.

    Raises:
        SourceError: If the file is anything else, or calls a split "all".
    """
    if built_in := SPLITS.get(str(path)):
        return dict(built_in)
    content = _read_json(path)
    valid = isinstance(content, dict) and content and all(map(_is_names, content.values()))
    if not valid or "all" in content:
        raise SourceError(
            f"{path} must hold a JSON object of lists of names by split, "
            f'such as {{"base": [...], "novel": [...]}}; "all" is always there by itself'
        )
    return {str(name): tuple(names) for name, names in content.items()}


def list_digest(path: Path) -> str:
    """Hash of a file of names or splits, or of a built-in one, hexadecimal."""
    built_in = LISTS.get(str(path)) or SPLITS.get(str(path))
    return digest_of(json.dumps(built_in)) if built_in else file_digest(str(path))


def quoted_names(names: Sequence[str]) -> str:
    """Names for a sentence: the first five, and how many more.

    >>> quoted_names(list("abcdefg"))
    "'a', 'b', 'c', 'd', 'e' and 2 more"
    """
    more = f" and {len(names) - _MAX_QUOTED} more" if len(names) > _MAX_QUOTED else ""
    return ", ".join(f"'{name}'" for name in names[:_MAX_QUOTED]) + more


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


def read_split(path: Path, split: str) -> tuple[str, ...]:
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
