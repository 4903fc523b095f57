"""What LVIS's JSON says beside the objects: categories known to be absent, and their frequency."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from schemas.errors import ArtifactError, SourceError
from stages.sources.files import foreign
from stages.sources.name_checks import names_fault

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_CURE: Final = "give --annotations the LVIS JSON of these images"


@dataclass(frozen=True)
class LvisMetadata:
    """Lists of an LVIS JSON; those of images by file name without its ending.

    Attributes:
        frequency: r, c or f of each category, in order of ids: rare, common, frequent.
        negative: Categories known to be absent from an image.
        not_exhaustive: Categories of which an image may have objects without a box.
    """

    frequency: Mapping[str, str]
    negative: Mapping[str, Sequence[str]]
    not_exhaustive: Mapping[str, Sequence[str]]

    def ids_of_frequency(self, letter: str, names: Sequence[str]) -> list[int]:
        """Ids of the categories of this frequency among `names`."""
        return [k for k, name in enumerate(names) if self.frequency.get(name) == letter]


def image_category_keys(
    lists: Mapping[str, Sequence[str]], images: Sequence[str], ids: Mapping[str, int]
) -> NDArray[np.int64]:
    """Pairs of image and listed category as numbers: image times K plus category.

    Args:
        lists: Category names by image, such as `LvisMetadata.negative`.
        images: Ids of the images; their number in this list counts.
        ids: Id of each of the K categories; names that are not in it are left out.

    Raises:
        ArtifactError: If an image is not in the lists.
    """
    keys = []
    for number, image in enumerate(images):
        stem = image.rpartition("/")[2]
        if stem not in lists:
            raise ArtifactError(f"the annotations say nothing of image {image}; {_CURE}")
        keys += [number * len(ids) + ids[name] for name in lists[stem] if name in ids]
    return np.array(keys, dtype=np.int64)


def read_lvis_metadata(path: Path) -> LvisMetadata:
    """Read the lists of an LVIS JSON.

    Raises:
        SourceError: If the file is anything else, two of its images have one name, or categories
            cannot be told apart.
    """
    content = _read_json(path)
    try:
        names = {c["id"]: str(c["name"]) for c in content["categories"]}
        by_id = sorted(content["categories"], key=lambda c: int(c["id"]))
        frequency = {str(c["name"]): str(c["frequency"]) for c in by_id}
        images = {_stem(image): image for image in content["images"]}
        negative, not_exhaustive = (
            {stem: [names[k] for k in image[key]] for stem, image in images.items()}
            for key in ("neg_category_ids", "not_exhaustive_category_ids")
        )
        fault = names_fault([c["name"] for c in by_id])
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise SourceError(
            f"{path} is not LVIS's JSON, it lacks {error}: images need neg_category_ids and "
            f"not_exhaustive_category_ids, categories a frequency; {_CURE}"
        ) from None
    if fault:
        raise SourceError(f"{path} {fault}, in the order of the categories' ids; {_CURE}")
    if len(images) < len(content["images"]):
        raise SourceError(f"{path} has images of the same file name; file names must be unique")
    return LvisMetadata(frequency, negative, not_exhaustive)


def _read_json(path: Path) -> Any:
    with foreign(f"{path} as JSON", _CURE):
        return json.loads(path.read_bytes())


def _stem(image: Mapping[str, Any]) -> str:
    file = str(image.get("file_name") or image["coco_url"]).rpartition("/")[2]
    return file.rpartition(".")[0] or file
