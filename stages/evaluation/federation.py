"""Federation: what LVIS knows of each image beside its objects, and how common a category is."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from schemas.errors import ArtifactError, SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

_CURE: Final = "give --annotations the LVIS JSON of these images"


@dataclass(frozen=True)
class Federation:
    """What an LVIS JSON says of images and categories, by the file name without its ending.

    Attributes:
        frequency: r, c or f of each category, in order of ids: rare, common, frequent.
        negative: Categories known to be absent from an image.
        not_exhaustive: Categories of which not every instance in an image was drawn.
    """

    frequency: Mapping[str, str]
    negative: Mapping[str, Sequence[str]]
    not_exhaustive: Mapping[str, Sequence[str]]

    def of_frequency(self, letter: str, names: Sequence[str]) -> list[int]:
        """Ids of the categories that are so common."""
        return [k for k, name in enumerate(names) if self.frequency.get(name) == letter]

    def keys(
        self,
        lists: Mapping[str, Sequence[str]],
        images: Sequence[str],
        ids: Mapping[str, int],
    ) -> NDArray[np.int64]:
        """One of the lists as numbers: image times K plus category.

        Raises:
            ArtifactError: If an image is not in the lists.
        """
        found = []
        for number, image in enumerate(images):
            stem = image.rpartition("/")[2]
            if stem not in lists:
                raise ArtifactError(f"the annotations say nothing of image {image}; {_CURE}")
            found += [number * len(ids) + ids[name] for name in lists[stem] if name in ids]
        return np.array(found, dtype=np.int64)

    def write(self, path: Path) -> None:
        """Keep it as JSON."""
        path.write_text(json.dumps(asdict(self), sort_keys=True, ensure_ascii=False), "utf-8")

    @classmethod
    def load(cls, path: Path) -> Federation:
        """What `write` kept."""
        return cls(**json.loads(path.read_text("utf-8")))


def read_federation(path: Path) -> Federation:
    """The lists of an LVIS JSON.

    Raises:
        SourceError: If the file is anything else, or two of its images have one name.
    """
    content = _content(path)
    try:
        names = {c["id"]: str(c["name"]) for c in content["categories"]}
        by_id = sorted(content["categories"], key=lambda c: int(c["id"]))
        frequency = {str(c["name"]): str(c["frequency"]) for c in by_id}
        images = {_stem(image): image for image in content["images"]}
        negative, partly = (
            {stem: [names[k] for k in image[key]] for stem, image in images.items()}
            for key in ("neg_category_ids", "not_exhaustive_category_ids")
        )
    except (KeyError, TypeError, ValueError) as error:
        raise SourceError(
            f"{path} is not LVIS's JSON, it lacks {error}: images need neg_category_ids and "
            f"not_exhaustive_category_ids, categories a frequency; {_CURE}"
        ) from None
    if len(images) < len(content["images"]):
        raise SourceError(f"{path} has images of the same file name, which cannot be told apart")
    return Federation(frequency, negative, partly)


def _content(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise SourceError(f"{path} is no readable JSON: {error}") from error


def _stem(image: Mapping[str, Any]) -> str:
    file = str(image.get("file_name") or image["coco_url"]).rpartition("/")[2]
    return file.rpartition(".")[0] or file
