"""Queries by text, photograph and region as vectors in the space of the features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.searching import FeatureCorpus, nearest_regions, query_vectors
from pipeline.store import catalog
from schemas.errors import ArtifactError, ArtifactNotFoundError, OptionError, SourceError
from schemas.table import as_matrix
from tests.pipeline.helpers import rows_of
from tests.pipeline.searching.photographs import HEIGHT, WIDTH
from tests.pipeline.searching.planted import keys, plant, stored

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from tests.pipeline.searching.photographs import Photographs

pytestmark = pytest.mark.slow

CLOSE = 1e-5  # of a cosine; features are stored in half precision, measured error 1.2e-7


def cosine(a: NDArray[Any], b: NDArray[Any]) -> float:
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def boxes(corpus: FeatureCorpus) -> dict[tuple[str, int], list[float]]:
    """Box of each region, in pixels of its photograph."""
    with corpus.connect() as connection:
        requested = rows_of(corpus.features).select(["image_id", "region"])
        rows = corpus.regions(connection, requested)
    edges = zip(*(rows[name].to_pylist() for name in ("x0", "y0", "x1", "y1")), strict=True)
    return {key: list(box) for key, box in zip(keys(rows), edges, strict=True)}


def test_a_text_is_embedded_like_a_concept(photo_corpus: FeatureCorpus) -> None:
    concepts = rows_of(catalog.find(photo_corpus.root, "concept_embeddings"))
    vectors = as_matrix(concepts, "embedding")
    assert len(vectors) == 4
    for concept, embedding in zip(concepts["concept"].to_pylist(), vectors, strict=True):
        query = query_vectors.text_query(photo_corpus, concept, templates="plain")
        np.testing.assert_allclose(query.vector, embedding, atol=1e-4)
        assert (query.description, query.exclude) == (concept, None)


def test_the_article_and_the_spaces_of_a_text_do_not_matter(photo_corpus: FeatureCorpus) -> None:
    plain = query_vectors.text_query(photo_corpus, "red umbrella", templates="plain").vector
    for text in ("a red umbrella", " The  red\tumbrella "):
        assert np.array_equal(
            query_vectors.text_query(photo_corpus, text, templates="plain").vector, plain
        )


def test_templates_and_averaging_change_the_vector(
    photo_corpus: FeatureCorpus, tmp_path: Path
) -> None:
    (tmp_path / "two.txt").write_text("a photo of a {}.\na drawing of the {} at night.\n")
    two = str(tmp_path / "two.txt")
    plain = query_vectors.text_query(photo_corpus, "cup", "plain").vector
    reference, openai = (
        query_vectors.text_query(photo_corpus, "cup", two, way).vector for way in WAYS
    )
    assert cosine(plain, reference) < 1 - CLOSE
    assert not np.allclose(reference, openai, atol=1e-4)


WAYS = ("reference", "openai")


@pytest.mark.parametrize("text", ["", " \t\n"])
def test_an_empty_text_is_refused(photo_corpus: FeatureCorpus, text: str) -> None:
    with pytest.raises(OptionError, match="the text is empty; write what to look for"):
        query_vectors.text_query(photo_corpus, text)


def test_missing_templates_are_reported(photo_corpus: FeatureCorpus) -> None:
    with pytest.raises(SourceError, match="no prompt templates in nosuch"):
        query_vectors.text_query(photo_corpus, "cup", templates="nosuch")


def test_without_the_model_only_a_region_can_be_a_query(root: Path, photos: Photographs) -> None:
    corpus = plant(root, np.eye(3))
    gone = "is not in the store, so no query can be embedded with it; search with --region"
    with pytest.raises(ArtifactError, match=gone):
        query_vectors.text_query(corpus, "cup")
    with pytest.raises(ArtifactError, match=gone):
        query_vectors.image_query(corpus, photos.folder / "plain.png")
    assert query_vectors.region_query(corpus, "0/2:0").vector.tolist() == [0, 0, 1]


def test_a_model_without_its_files_cannot_embed_a_query(
    photo_corpus: FeatureCorpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(photo_corpus.features), "attachments", lambda *_: [])
    address = photo_corpus.model().address
    with pytest.raises(ArtifactError, match=f"{address} has no model.json and weights.safetensors"):
        query_vectors.text_query(photo_corpus, "cup")


@pytest.mark.parametrize("name", ["odd:name.png", "plain.png", "turned.jpg"])
def test_the_nearest_image_of_a_photograph_is_itself(
    photo_corpus: FeatureCorpus, photos: Photographs, name: str
) -> None:
    query = query_vectors.image_query(photo_corpus, photos.folder / name)
    hits = nearest_regions(photo_corpus, query.vector, 2)  # plain.png equals twin.png
    scores = dict(zip(keys(hits), hits["score"].to_pylist(), strict=True))
    assert scores[f"photos/{name}", -1] == pytest.approx(1, abs=CLOSE)
    assert (query.description, query.exclude) == (name, None)


@pytest.mark.parametrize("name", ["odd:name.png", "turned.jpg"])
def test_the_nearest_region_of_a_box_is_its_region(
    photo_corpus: FeatureCorpus, photos: Photographs, name: str
) -> None:
    box = boxes(photo_corpus)[f"photos/{name}", 3]
    query = query_vectors.image_query(photo_corpus, photos.folder / name, box)
    (hit,) = nearest_regions(photo_corpus, query.vector, 1).to_pylist()
    assert (hit["image_id"], hit["region"]) == (f"photos/{name}", 3)
    assert hit["score"] == pytest.approx(1, abs=CLOSE)
    assert query.description == f"{name} at {','.join(f'{edge:g}' for edge in box)}"


@pytest.mark.parametrize("size", ["features", "small"])
def test_a_query_by_image_uses_the_image_size_of_the_features(
    photos: Photographs, size: str
) -> None:
    corpus = FeatureCorpus.find(photos.root, getattr(photos, size).address)
    vectors, region_boxes = stored(corpus), boxes(corpus)
    assert len(region_boxes) == 35
    for (image, region), box in region_boxes.items():
        query = query_vectors.image_query(corpus, photos.folder.parent / image, box)
        assert cosine(query.vector, vectors[image, region]) == pytest.approx(1, abs=CLOSE)


def test_another_image_size_gives_other_features(photos: Photographs) -> None:
    features, small = (
        stored(FeatureCorpus.find(photos.root, f.address)) for f in (photos.features, photos.small)
    )
    assert all(cosine(features[key], small[key]) < 1 - 100 * CLOSE for key in features)


OUTSIDE = {
    "right of it": (0, 0, WIDTH + 0.5, HEIGHT),
    "below it": (0, 0, WIDTH, HEIGHT + 1),
    "left of it": (-1, 0, 9, 9),
    "above it": (0, -0.25, 9, 9),
    "no width": (5, 5, 5, 9),
    "no height": (5, 9, 8, 9),
    "corners swapped": (9, 5, 2, 9),
    "all zeros": (0, 0, 0, 0),
    "not a number": (float("nan"), 0, 1, 1),
    "infinite": (0, 0, float("inf"), 3),
    "empty once rounded": (1, 1, 1 + 1e-9, 2),
}


@pytest.mark.parametrize("case", OUTSIDE)
def test_a_box_outside_the_photograph_is_refused(
    photo_corpus: FeatureCorpus, photos: Photographs, case: str
) -> None:
    with pytest.raises(
        OptionError, match=r"is not a box inside .*plain.png, which is 320 x 256: write x0"
    ):
        query_vectors.image_query(photo_corpus, photos.folder / "plain.png", OUTSIDE[case])


def test_a_box_is_in_pixels_of_the_upright_photograph(
    photo_corpus: FeatureCorpus, photos: Photographs
) -> None:
    turned = photos.folder / "turned.jpg"
    upright = query_vectors.image_query(photo_corpus, turned, (0, 0, WIDTH, HEIGHT)).vector
    assert np.array_equal(upright, query_vectors.image_query(photo_corpus, turned).vector)
    with pytest.raises(OptionError, match=r"which is 320 x 256"):
        query_vectors.image_query(photo_corpus, turned, (0, 0, HEIGHT, WIDTH))


def test_a_file_that_is_no_photograph_is_reported(
    photo_corpus: FeatureCorpus, photos: Photographs
) -> None:
    with pytest.raises(SourceError, match=r"gone.jpg cannot be read \(No such file or directory\)"):
        query_vectors.image_query(photo_corpus, photos.folder / "gone.jpg")
    with pytest.raises(SourceError, match="cannot be read"):
        query_vectors.image_query(photo_corpus, photos.folder)
    with pytest.raises(
        SourceError, match=r"pool.txt is not a photograph to search with: unreadable"
    ):
        query_vectors.image_query(photo_corpus, photos.folder.parent / "pool.txt")


def test_a_truncated_photograph_is_reported(
    photo_corpus: FeatureCorpus, photos: Photographs, tmp_path: Path
) -> None:
    whole = (photos.folder / "plain.png").read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match=r"half.png is not a photograph to search with"):
        query_vectors.image_query(photo_corpus, tmp_path / "half.png")


@pytest.mark.parametrize("key", [("photos/plain.png", 0), ("photos/odd:name.png", -1)])
def test_a_query_by_region_is_its_stored_feature(
    photo_corpus: FeatureCorpus, key: tuple[str, int]
) -> None:
    rows = rows_of(photo_corpus.features)
    feature = as_matrix(rows, "feature")[keys(rows).index(key)]
    query = query_vectors.region_query(photo_corpus, f"{key[0]}:{key[1]}")
    assert np.array_equal(query.vector, feature.astype(np.float32))
    assert (query.description, query.exclude) == (f"{key[0]}:{key[1]}", key)


def test_a_query_by_region_uses_the_features_of_the_corpus(
    photos: Photographs,
) -> None:
    corpus = FeatureCorpus.find(photos.root, photos.small.address)
    assert corpus.labels is not None
    assert corpus.labels.manifest.inputs["features"] == photos.features.address
    rows = rows_of(photos.small)
    query = query_vectors.region_query(corpus, "photos/plain.png:2").vector
    feature = as_matrix(rows, "feature")[keys(rows).index(("photos/plain.png", 2))]
    assert np.array_equal(query, feature.astype(np.float32))


def test_an_unknown_region_is_reported_with_the_last_one(photo_corpus: FeatureCorpus) -> None:
    for number in (6, -2, 10**12):
        message = f"photos/plain.png has no region {number}; its last is 5"
        with pytest.raises(ArtifactNotFoundError, match=message):
            query_vectors.region_query(photo_corpus, f"photos/plain.png:{number}")


@pytest.mark.parametrize("name", ["nobody:0", "photos/odd:0", "photos/plain.png:0:0", " :0"])
def test_an_unknown_image_is_not_among_the_features(photo_corpus: FeatureCorpus, name: str) -> None:
    image = name.rpartition(":")[0]
    with pytest.raises(
        ArtifactNotFoundError, match=f"{photo_corpus.features.address}: {image} is not amo"
    ):
        query_vectors.region_query(photo_corpus, name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a",
        "a:",
        ":3",
        "a:x",
        "a:--1",
        "a:-",
        "a:1.5",
        "a:²",
        "a:" + "9" * 40,
        "a:-" + "9" * 5000,
    ],
)
def test_a_name_that_is_not_image_and_region_is_refused(
    photo_corpus: FeatureCorpus, name: str
) -> None:
    with pytest.raises(OptionError, match="--region takes IMAGE:REGION, such as"):
        query_vectors.region_query(photo_corpus, name)
