"""From what a person searches for to a vector in the space of the features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from pipeline.searching import FeatureCorpus, nearest, query_vectors
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

CLOSE = 1e-5  # of a cosine; features are kept in half precision, which was seen to cost 1.2e-7


def cosine(a: NDArray[Any], b: NDArray[Any]) -> float:
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def boxes(corpus: FeatureCorpus) -> dict[tuple[str, int], list[float]]:
    """Box of each region, in pixels of its photograph."""
    with corpus.connect() as connection:
        asked = rows_of(corpus.features).select(["image_id", "region"])
        known = corpus.regions(connection, asked)
    edges = zip(*(known[name].to_pylist() for name in ("x0", "y0", "x1", "y1")), strict=True)
    return {key: list(box) for key, box in zip(keys(known), edges, strict=True)}


def test_a_text_is_embedded_as_a_concept_is(seen: FeatureCorpus) -> None:
    known = rows_of(catalog.find(seen.root, "concept_embeddings"))
    vectors = as_matrix(known, "embedding")
    assert len(vectors) == 4
    for concept, embedding in zip(known["concept"].to_pylist(), vectors, strict=True):
        found = query_vectors.by_text(seen, concept, templates="plain")
        np.testing.assert_allclose(found.vector, embedding, atol=1e-4)
        assert (found.words, found.itself) == (concept, None)


def test_the_article_and_the_spaces_of_a_text_do_not_matter(seen: FeatureCorpus) -> None:
    plain = query_vectors.by_text(seen, "red umbrella", templates="plain").vector
    for text in ("a red umbrella", " The  red\tumbrella "):
        assert np.array_equal(query_vectors.by_text(seen, text, templates="plain").vector, plain)


def test_templates_and_their_averaging_make_a_difference(
    seen: FeatureCorpus, tmp_path: Path
) -> None:
    (tmp_path / "two.txt").write_text("a photo of a {}.\na drawing of the {} at night.\n")
    two = str(tmp_path / "two.txt")
    plain = query_vectors.by_text(seen, "cup", "plain").vector
    reference, openai = (query_vectors.by_text(seen, "cup", two, way).vector for way in WAYS)
    assert cosine(plain, reference) < 1 - CLOSE
    assert not np.allclose(reference, openai, atol=1e-4)


WAYS = ("reference", "openai")


@pytest.mark.parametrize("text", ["", " \t\n"])
def test_an_empty_text_is_no_question(seen: FeatureCorpus, text: str) -> None:
    with pytest.raises(OptionError, match="the text is empty; write what to look for"):
        query_vectors.by_text(seen, text)


def test_unknown_averaging_is_refused(seen: FeatureCorpus) -> None:
    with pytest.raises(OptionError, match="--averaging must be one of reference, openai, got 'me"):
        query_vectors.by_text(seen, "cup", averaging="mean")


def test_templates_that_are_not_there_are_a_sentence(seen: FeatureCorpus) -> None:
    with pytest.raises(SourceError, match="no prompt templates in nosuch"):
        query_vectors.by_text(seen, "cup", templates="nosuch")


def test_without_its_model_only_a_region_can_ask(root: Path, photos: Photographs) -> None:
    corpus = plant(root, np.eye(3))
    gone = "is not in the store, so no question can be embedded as they were; search with --region"
    with pytest.raises(ArtifactError, match=gone):
        query_vectors.by_text(corpus, "cup")
    with pytest.raises(ArtifactError, match=gone):
        query_vectors.by_image(corpus, photos.folder / "plain.png")
    assert query_vectors.by_region(corpus, "0/2:0").vector.tolist() == [0, 0, 1]


@pytest.mark.parametrize("name", ["odd:name.png", "plain.png", "turned.jpg"])
def test_a_photograph_finds_itself(seen: FeatureCorpus, photos: Photographs, name: str) -> None:
    asked = query_vectors.by_image(seen, photos.folder / name)
    found = nearest(seen, asked.vector, 2)  # plain.png and twin.png are equally near
    scores = dict(zip(keys(found), found["score"].to_pylist(), strict=True))
    assert scores[f"photos/{name}", -1] == pytest.approx(1, abs=CLOSE)
    assert (asked.words, asked.itself) == (name, None)


@pytest.mark.parametrize("name", ["odd:name.png", "turned.jpg"])
def test_the_box_of_a_region_finds_that_region(
    seen: FeatureCorpus, photos: Photographs, name: str
) -> None:
    box = boxes(seen)[f"photos/{name}", 3]
    asked = query_vectors.by_image(seen, photos.folder / name, box)
    (hit,) = nearest(seen, asked.vector, 1).to_pylist()
    assert (hit["image_id"], hit["region"]) == (f"photos/{name}", 3)
    assert hit["score"] == pytest.approx(1, abs=CLOSE)
    assert asked.words == f"{name} at {','.join(f'{edge:g}' for edge in box)}"


@pytest.mark.parametrize("size", ["features", "small"])
def test_every_region_is_asked_for_at_the_size_its_features_were_made(
    photos: Photographs, size: str
) -> None:
    corpus = FeatureCorpus.find(photos.root, getattr(photos, size).address)
    kept, found = stored(corpus), boxes(corpus)
    assert len(found) == 35
    for (image, region), box in found.items():
        asked = query_vectors.by_image(corpus, photos.folder.parent / image, box)
        assert cosine(asked.vector, kept[image, region]) == pytest.approx(1, abs=CLOSE)


def test_features_of_another_size_are_others(photos: Photographs) -> None:
    both = [
        stored(FeatureCorpus.find(photos.root, f.address)) for f in (photos.features, photos.small)
    ]
    assert all(cosine(both[0][key], both[1][key]) < 1 - 100 * CLOSE for key in both[0])


OUTSIDE = {
    "right of it": (0, 0, WIDTH + 0.5, HEIGHT),
    "below it": (0, 0, WIDTH, HEIGHT + 1),
    "left of it": (-1, 0, 9, 9),
    "above it": (0, -0.25, 9, 9),
    "no width": (5, 5, 5, 9),
    "no height": (5, 9, 8, 9),
    "turned round": (9, 5, 2, 9),
    "all zeros": (0, 0, 0, 0),
    "not a number": (float("nan"), 0, 1, 1),
    "infinite": (0, 0, float("inf"), 3),
    "empty once rounded": (1, 1, 1 + 1e-9, 2),
}


@pytest.mark.parametrize("how", OUTSIDE)
def test_a_box_that_is_none_in_the_photograph_is_refused(
    seen: FeatureCorpus, photos: Photographs, how: str
) -> None:
    with pytest.raises(
        OptionError, match=r"is no box in .*plain.png, which is 320 x 256: write x0"
    ):
        query_vectors.by_image(seen, photos.folder / "plain.png", OUTSIDE[how])


def test_a_box_counts_pixels_of_a_turned_photograph_the_right_way_up(
    seen: FeatureCorpus, photos: Photographs
) -> None:
    turned = photos.folder / "turned.jpg"
    upright = query_vectors.by_image(seen, turned, (0, 0, WIDTH, HEIGHT)).vector
    assert np.array_equal(upright, query_vectors.by_image(seen, turned).vector)
    with pytest.raises(OptionError, match=r"which is 320 x 256"):
        query_vectors.by_image(seen, turned, (0, 0, HEIGHT, WIDTH))


def test_what_is_no_photograph_is_a_sentence(seen: FeatureCorpus, photos: Photographs) -> None:
    with pytest.raises(SourceError, match=r"gone.jpg cannot be read \(No such file or directory\)"):
        query_vectors.by_image(seen, photos.folder / "gone.jpg")
    with pytest.raises(SourceError, match="cannot be read"):
        query_vectors.by_image(seen, photos.folder)
    with pytest.raises(SourceError, match=r"pool.txt is no photograph to search with: unreadable"):
        query_vectors.by_image(seen, photos.folder.parent / "pool.txt")


def test_half_a_photograph_is_a_sentence(
    seen: FeatureCorpus, photos: Photographs, tmp_path: Path
) -> None:
    whole = (photos.folder / "plain.png").read_bytes()
    (tmp_path / "half.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match=r"half.png is no photograph to search with"):
        query_vectors.by_image(seen, tmp_path / "half.png")


@pytest.mark.parametrize("key", [("photos/plain.png", 0), ("photos/odd:name.png", -1)])
def test_a_region_asks_with_its_own_feature(seen: FeatureCorpus, key: tuple[str, int]) -> None:
    rows = rows_of(seen.features)
    feature = as_matrix(rows, "feature")[keys(rows).index(key)]
    asked = query_vectors.by_region(seen, f"{key[0]}:{key[1]}")
    assert np.array_equal(asked.vector, feature.astype(np.float32))
    assert (asked.words, asked.itself) == (f"{key[0]}:{key[1]}", key)


def test_a_region_asks_with_these_features_though_others_were_labelled(
    photos: Photographs,
) -> None:
    corpus = FeatureCorpus.find(photos.root, photos.small.address)
    assert corpus.labels is not None
    assert corpus.labels.manifest.inputs["features"] == photos.features.address
    rows = rows_of(photos.small)
    asked = query_vectors.by_region(corpus, "photos/plain.png:2").vector
    feature = as_matrix(rows, "feature")[keys(rows).index(("photos/plain.png", 2))]
    assert np.array_equal(asked, feature.astype(np.float32))


def test_an_unknown_region_is_told_the_last(seen: FeatureCorpus) -> None:
    for number in (6, -2, 10**12):
        told = f"photos/plain.png has no region {number}; its last is 5"
        with pytest.raises(ArtifactNotFoundError, match=told):
            query_vectors.by_region(seen, f"photos/plain.png:{number}")


@pytest.mark.parametrize("name", ["nobody:0", "photos/odd:0", "photos/plain.png:0:0", " :0"])
def test_an_unknown_image_is_not_among_the_features(seen: FeatureCorpus, name: str) -> None:
    image = name.rpartition(":")[0]
    with pytest.raises(ArtifactNotFoundError, match=f"{seen.features.address}: {image} is not amo"):
        query_vectors.by_region(seen, name)


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
def test_what_names_no_region_is_refused(seen: FeatureCorpus, name: str) -> None:
    with pytest.raises(OptionError, match="--region takes IMAGE:REGION, such as"):
        query_vectors.by_region(seen, name)
