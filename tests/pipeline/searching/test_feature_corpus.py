"""The corpus of a search, and what the store knows about its regions."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from pipeline.searching import FeatureCorpus
from schemas.errors import ArtifactError, ArtifactNotFoundError, OptionError, QueryError
from stages.select import Select
from tests.pipeline.helpers import make, make_all, rows_of
from tests.pipeline.searching.planted import keys, plant
from tests.pipeline.toys import Featurize, Label, LabelFromImages, Propose

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact

pytestmark = pytest.mark.slow

KEYS = ["image_id", "region"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    """A store made by the toy stages; tests must not add to it."""
    return make_all(tmp_path_factory.mktemp("ground") / "store", count=9)


@pytest.fixture(scope="module")
def corpus(made: dict[str, Artifact]) -> FeatureCorpus:
    return FeatureCorpus.find(made["features"].root)


def key_table(*rows: tuple[str, int]) -> pa.Table:
    columns = zip(*rows, strict=True)
    return pa.table(dict(zip(KEYS, map(list, columns), strict=True)))


def test_a_store_without_features_is_reported(root: Path) -> None:
    with pytest.raises(ArtifactNotFoundError, match="no artifact matches 'features'"):
        FeatureCorpus.find(root)


def test_the_newest_features_are_the_default(root: Path) -> None:
    first = make_all(root, count=4)["features"]
    newest = make(Featurize(precision="float32"), root)
    assert FeatureCorpus.find(root).features == newest
    assert FeatureCorpus.find(root, first.address).features == first
    for name in (f"features@{first.manifest.fingerprint[:9]}", first.manifest.fingerprint[:9]):
        assert FeatureCorpus.find(root, name).features == first


def test_labels_of_these_features_are_preferred_to_newer_ones(root: Path) -> None:
    first = make_all(root, count=4)["features"]
    own = make(Label(temperature=0.5), root, {"features": first.address})
    others = make(Label(), root, {"features": make(Featurize(precision="float32"), root).address})
    assert FeatureCorpus.find(root, first.address).labels == own
    assert FeatureCorpus.find(root).labels == others


def test_labels_of_other_features_of_the_same_proposals_are_the_fallback(root: Path) -> None:
    labels = make_all(root, count=4)["pseudo_labels"]
    make(Featurize(precision="float32"), root)
    assert FeatureCorpus.find(root).labels == labels


def test_labels_of_other_proposals_are_not_used(root: Path) -> None:
    make_all(root, count=4)
    proposals = make(Propose(regions=2), root)
    make(Featurize(), root, {"proposals": proposals.address})
    assert FeatureCorpus.find(root).labels is None


def test_a_selection_is_used_only_if_it_is_named(root: Path) -> None:
    labels = make_all(root, count=4)["pseudo_labels"]
    selection = make(Select(called="sure", where="region = 0"), root)
    assert FeatureCorpus.find(root).labels == labels
    selected = FeatureCorpus.find(root, labels="sure")
    assert selected == FeatureCorpus.find(root, labels="pseudo_labels@sure")
    assert selected.labels == selection
    with selected.connect() as connection:
        rows = selected.regions(connection, key_table(("toy/000001", 0), ("toy/000001", 1)))
    assert [name is None for name in rows["concept"].to_pylist()] == [False, True]


def test_labels_without_stored_features_are_those_of_their_proposals(root: Path) -> None:
    made = make_all(root, count=4)
    labels = make(LabelFromImages(from_images=True), root)
    assert "features" not in labels.manifest.inputs
    newest = make(Featurize(precision="float32"), root)
    found = FeatureCorpus.find(root, labels=labels.address)
    assert (found.features, found.labels) == (newest, labels)
    assert FeatureCorpus.find(root).labels == labels
    assert FeatureCorpus.find(root, made["features"].address).labels == made["pseudo_labels"]


def test_where_labels_have_no_features_the_sentence_says_why_and_what_to_do(root: Path) -> None:
    make_all(root, count=4)
    labels = make(LabelFromImages(from_images=True), root)
    sure = make(Select(called="sure", where="kept"), root, {"pseudo_labels": labels.address})
    why = (
        f"; {labels.address} was made by 'rc label --from-images', which stores none: run "
        f"'rc featurize' with its options, which 'rc lineage {labels.address}' shows"
    )
    others = make(Propose(regions=2), root)
    make(Featurize(), root, {"proposals": others.address})
    for name in (labels.address, sure.address, "sure"):
        with pytest.raises(ArtifactError, match=f"do not belong to the same .* that do{why}$"):
            FeatureCorpus.find(root, labels=name)
    shutil.rmtree(root / "features")
    for name in (None, labels.address, "sure"):
        with pytest.raises(ArtifactNotFoundError, match=f"'rc featurize' makes them{why}$"):
            FeatureCorpus.find(root, labels=name)


def test_labels_of_other_proposals_are_refused(root: Path) -> None:
    first = make_all(root, count=4)
    proposals = make(Propose(regions=2), root)
    features = make(Featurize(), root, {"proposals": proposals.address})
    old = first["pseudo_labels"].address
    message = (
        f"{old} and {features.address} do not belong to the same proposals; name --features and"
    )
    with pytest.raises(ArtifactError, match=message):
        FeatureCorpus.find(root, labels=old)
    assert FeatureCorpus.find(root, first["features"].address, old).labels == first["pseudo_labels"]


@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        ("images@00", None, "'images@00' is no features: write features@ and the beginning"),
        ("pseudo_labels/v2-00", None, "'pseudo_labels/v2-00' is no features"),
        (None, "features@00", "'features@00' is no pseudo_labels: write pseudo_labels@ and the"),
    ],
)
def test_a_name_of_another_table_is_refused(
    corpus: FeatureCorpus, features: str | None, labels: str | None, message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        FeatureCorpus.find(corpus.root, features, labels)


@pytest.mark.parametrize("names", [("features@beef", None), (None, "nobody")])
def test_a_name_without_an_artifact_is_reported(
    corpus: FeatureCorpus, names: tuple[str | None, str | None]
) -> None:
    with pytest.raises(ArtifactNotFoundError, match="no artifact matches"):
        FeatureCorpus.find(corpus.root, *names)


def test_regions_come_in_the_order_of_the_keys(
    corpus: FeatureCorpus, made: dict[str, Artifact]
) -> None:
    rows = rows_of(made["features"]).select(KEYS)
    order = np.random.default_rng(0).permutation(rows.num_rows)
    with corpus.connect() as connection:
        regions = corpus.regions(connection, rows.take(pa.array(order)))
    assert keys(regions) == [keys(rows)[position] for position in order]
    assert regions["position"].to_pylist() == list(range(rows.num_rows))


def test_a_region_has_columns_of_its_proposal_its_label_and_its_image(
    corpus: FeatureCorpus, made: dict[str, Artifact]
) -> None:
    columns = ["x0", "y1", "objectness", "concept_id", "margin", "kept", "split", "width"]
    columns += ["captions"]
    tables = {name: rows_of(made[name]).to_pylist() for name in ("proposals", "pseudo_labels")}
    image = rows_of(made["images"]).to_pylist()[2]
    key = (image["image_id"], 1)
    expected = dict(image)
    for table in tables.values():
        expected |= next(row for row in table if (row["image_id"], row["region"]) == key)
    with corpus.connect() as connection:
        (region,) = corpus.regions(connection, key_table(key), None, columns).to_pylist()
    assert region == {"position": 0, **{name: expected[name] for name in columns}}


def test_the_box_of_a_whole_image_is_the_image(corpus: FeatureCorpus) -> None:
    with corpus.connect() as connection:
        (region,) = corpus.regions(connection, key_table(("toy/000001", -1))).to_pylist()
    assert [region[name] for name in ("x0", "y0", "x1", "y1")] == [0, 0, 64, 48]
    assert region["concept"] is None


def test_unknown_columns_are_null(root: Path) -> None:
    corpus, columns = plant(root, np.eye(3)), ["concept", "x0", "captions"]
    with corpus.connect() as connection:
        (region,) = corpus.regions(connection, key_table(("0/1", 0)), None, columns).to_pylist()
    assert region == {"position": 0, "concept": None, "x0": None, "captions": None}


@pytest.mark.parametrize(
    "where",
    [
        "concept = 'cat' AND probability > 0.4",
        "x0 >= 3 AND objectness < 1",
        "split = 'val' AND list_contains(captions, captions[1])",
        "image_id IN (SELECT image_id FROM images WHERE split IS NULL)",
        "concept_id IN (SELECT concept_id FROM pseudo_labels WHERE region = 0)",
        "false",
    ],
)
def test_the_mask_of_a_predicate_equals_its_filter_over_all_regions(
    corpus: FeatureCorpus, made: dict[str, Artifact], where: str
) -> None:
    with corpus.connect() as connection:
        rows = rows_of(made["features"]).select(KEYS)
        selected = set(keys(corpus.regions(connection, rows, where)))
        for number in made["features"].numbers:
            part_keys = keys(corpus.keys(number))
            allowed = corpus.allowed(connection, number, where)
            assert allowed.tolist() == [key in selected for key in part_keys]
    assert bool(selected) == (where != "false")


def test_a_predicate_selects_the_same_regions_as_a_loop(
    corpus: FeatureCorpus, made: dict[str, Artifact]
) -> None:
    labels = rows_of(made["pseudo_labels"]).to_pylist()
    expected = {
        (r["image_id"], r["region"]) for r in labels if r["probability"] > 0.4 and r["x0"] > 2
    }
    with corpus.connect() as connection:
        rows = rows_of(made["features"]).select(KEYS)
        selected = corpus.regions(connection, rows, "probability > 0.4 AND x0 > 2")
    assert set(keys(selected)) == expected
    assert 0 < len(expected) < len(labels)


def test_a_predicate_that_changes_data_is_refused(corpus: FeatureCorpus) -> None:
    with corpus.connect() as connection, pytest.raises(QueryError, match="one SQL predicate"):
        corpus.allowed(connection, 0, "true; DELETE FROM features")
