"""Query vectors: a text, a photograph or a region as a vector in the space of the features.

Shapes: D width.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from schemas.errors import ArtifactError, ArtifactNotFoundError, OptionError, SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.searching.feature_corpus import FeatureCorpus
    from stages.text.prompt_options import Averaging


@dataclass(frozen=True)
class QueryVector:
    """A query.

    Attributes:
        vector: (D,), of any length.
        description: The query in words, for the heading of a result.
        exclude: Image and region of the query itself, which cannot be a hit.
    """

    vector: NDArray[Any]
    description: str
    exclude: tuple[str, int] | None = None


def text_query(
    corpus: FeatureCorpus,
    text: str,
    templates: str = "paper",
    averaging: Averaging = "reference",
    device: str = "auto",
) -> QueryVector:
    """A query by words, put into prompt templates and embedded as concepts are.

    Raises:
        OptionError: If the text is empty.
        SourceError: If the model has no language encoder, or there are no such templates.
        ArtifactError: If the model is no longer in the store.
    """
    from stages.evaluation.query_encoding import encode_text

    if not text.strip():
        raise OptionError("rc search: the text is empty; write what to look for")
    vector = encode_text(_model_files(corpus), text, templates, averaging, device)
    return QueryVector(vector, text)


def image_query(
    corpus: FeatureCorpus, path: Path, box: Sequence[float] | None = None, device: str = "auto"
) -> QueryVector:
    """A query by a photograph, or a part of it, resized as the images of the features were.

    Args:
        corpus: The features to search.
        path: JPEG, PNG or WEBP.
        box: x0, y0, x1, y1 in pixels of the upright photograph; default: all of it.
        device: Where the model runs.

    Raises:
        SourceError: If the file is not an image that can be read.
        OptionError: If the box is empty or not inside the photograph.
        ArtifactError: If the model is no longer in the store.
    """
    from stages.evaluation.query_encoding import encode_boxes
    from stages.evaluation.region_features import PoolingConfig

    pixels = _load_pixels(path)
    height, width = pixels.shape[:2]
    corners = np.array([box or (0, 0, width, height)], np.float32)
    (x0, y0, x1, y1) = corners[0].tolist()
    if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
        raise OptionError(
            f"--box {x0:g},{y0:g},{x1:g},{y1:g} is not a box inside {path}, "
            f"which is {width} x {height}: write x0,y0,x1,y1 in pixels, with x0 < x1 and y0 < y1"
        )
    pooling = PoolingConfig.of(corpus.features.manifest.stage.options)
    description = path.name if box is None else f"{path.name} at {x0:g},{y0:g},{x1:g},{y1:g}"
    vectors = encode_boxes(_model_files(corpus), pixels, corners, pooling, device)
    return QueryVector(vectors[0], description)


def region_query(corpus: FeatureCorpus, name: str) -> QueryVector:
    """A query by a region of the store, IMAGE:REGION; needs no model.

    Raises:
        OptionError: If the name is not IMAGE:REGION.
        ArtifactNotFoundError: If the features have no such region.
    """
    image, colon, number = name.rpartition(":")
    if not (colon and image and re.fullmatch(r"-?[0-9]{1,18}", number)):
        raise OptionError(
            f"--region takes IMAGE:REGION, such as scenes/000250:3, got {name!r}; "
            "see them with rc sql 'SELECT image_id, region FROM features LIMIT 5'"
        )
    with corpus.connect() as connection:
        row = connection.execute(
            "SELECT feature FROM features WHERE image_id = ? AND region = ?", [image, int(number)]
        ).fetchone()
        if row is not None:
            return QueryVector(np.asarray(row[0], np.float32), name, (image, int(number)))
        (count, last) = connection.execute(
            "SELECT count(*), max(region) FROM features WHERE image_id = ?", [image]
        ).fetchone()
    problem = f"has no region {number}; its last is {last}" if count else "is not among them"
    raise ArtifactNotFoundError(f"{corpus.features.address}: {image} {problem}")


def _model_files(corpus: FeatureCorpus) -> tuple[Path, Path]:
    """Description and weights of the model that made the features."""
    model = corpus.model()
    files = [model.attachments(name) for name in ("model.json", "weights.safetensors")]
    if not all(files):
        raise ArtifactError(f"{model.address} has no model.json and weights.safetensors to load")
    return files[0][0], files[1][0]


def _load_pixels(path: Path) -> NDArray[np.uint8]:
    from stages.pixels import Limits, Refusal, decode, probe

    try:
        content = path.read_bytes()
        header = probe(content, Limits())
        return decode(content, header.orientation)
    except OSError as error:
        raise SourceError(f"{path} cannot be read ({error.strerror}); name a photograph") from error
    except Refusal as refusal:
        raise SourceError(f"{path} is not a photograph to search with: {refusal}") from refusal
