"""The vocabulary of an evaluation: the categories to choose from, and the splits of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from schemas.errors import ArtifactError, OptionError, SourceError
from stages.evaluation.coco_names import LISTS, SPLITS
from stages.sources.files import digest_of, file_digest, foreign
from stages.sources.name_checks import names_fault, quoted_names
from stages.sources.names import read_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path


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
            the vocabulary, or names cannot be told apart.
    """
    in_splits = [name for names in splits.values() for name in names]
    names = tuple(categories or dict.fromkeys(in_splits)) or names_of_objects(ground_truth)
    vocabulary = Vocabulary(names, splits)
    if not vocabulary.names:
        raise ArtifactError(
            "no image has an object, so there is nothing to compare with; "
            "ingest images with ground truth"
        )
    if unknown := vocabulary.missing(in_splits):
        quoted = quoted_names(unknown, vocabulary.names)
        raise ArtifactError(f"--splits names {quoted}, which --categories lacks")
    return vocabulary


def names_of_objects(ground_truth: Iterable[str]) -> tuple[str, ...]:
    """The categories of objects as a vocabulary, sorted; perhaps none.

    Raises:
        ArtifactError: If two of them cannot be told apart.
    """
    names = tuple(sorted(set(ground_truth)))
    if fault := names_fault(names, ignore_case=False):
        raise ArtifactError(
            f"the ground truth of the images {fault}; give the categories with --categories, or "
            f"ingest the images again with one spelling"
        )
    return names


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
    if not isinstance(content, list) or not content:
        raise SourceError(f"{path} must hold a JSON list of different names, at least one")
    if fault := names_fault(content):
        raise SourceError(f"{path} {fault}; give every category one name of its own")
    return content


def read_splits(path: Path) -> dict[str, tuple[str, ...]]:
    """Names by split in a JSON file such as {"base": ["cat", ...], "novel": [...]}.

    Built-in splits, such as coco-ovd, need no file.

    Raises:
        SourceError: If the file is anything else, or calls a split "all".
    """
    if built_in := SPLITS.get(str(path)):
        return dict(built_in)
    content = _read_json(path)
    valid = isinstance(content, dict) and all(
        isinstance(names, list) and names for names in content.values()
    )
    if not valid or not content or "all" in content:
        raise SourceError(
            f"{path} must hold a JSON object of lists of names by split, "
            f'such as {{"base": [...], "novel": [...]}}; "all" is always there by itself'
        )
    for split, names in content.items():
        if fault := names_fault(names):
            raise SourceError(f"{path}: split {split!r} {fault}; name every category once")
    together = dict.fromkeys(name for names in content.values() for name in names)
    if fault := names_fault(together):
        raise SourceError(f"{path}, all splits together, {fault}; spell a category in one way")
    return {str(name): tuple(names) for name, names in content.items()}


def list_digest(path: Path) -> str:
    """Hash of a file of names or splits, or of a built-in one, hexadecimal."""
    built_in = LISTS.get(str(path)) or SPLITS.get(str(path))
    return digest_of(json.dumps(built_in)) if built_in else file_digest(str(path))


def _read_json(path: Path) -> Any:
    with foreign(f"{path} as JSON", "give a file that any program can read as JSON"):
        return json.loads(path.read_text("utf-8"))


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
