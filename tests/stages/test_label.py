from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from safetensors.torch import load_file

from pipeline.store import catalog
from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.errors import ArtifactError, OptionError
from schemas.features import FEATURES
from schemas.mentions import MENTIONS
from schemas.proposals import PROPOSALS
from stages.label import Label
from stages.models.similarity import Similarity
from stages.outcome import Result
from tests.in_memory import InMemory
from tests.pipeline.searching.photographs import photographs

if TYPE_CHECKING:
    from pathlib import Path

DOG, CAT, CAR = [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]
NAMES = ["dog", "cat", "car"]


def features(rows: list[tuple[str, int, list[float]]], dtype: str = "float16") -> pa.Table:
    images, regions, vectors = zip(*rows, strict=True)
    values = {"image_id": images, "region": regions, "feature": np.array(vectors, dtype)}
    return pa.Table.from_batches([FEATURES.batch(values)])


def pool(vectors: Any = (DOG, CAT, CAR), names: list[str] = NAMES, first: int = 0) -> pa.Table:
    rows = {
        "concept_id": range(first, first + len(names)),
        "concept": names,
        "prompts": [1] * len(names),
        "embedding": np.array(vectors, np.float32),
    }
    return pa.Table.from_batches([CONCEPT_EMBEDDINGS.batch(rows)])


def proposals(rows: pa.Table) -> pa.Table:
    """A different box for every region."""
    regions = [row for row in rows.to_pylist() if row["region"] >= 0]
    ranks = np.arange(len(regions), dtype=np.float32)
    columns = {
        "image_id": [row["image_id"] for row in regions],
        "region": [row["region"] for row in regions],
        **{edge: ranks + step for step, edge in enumerate(("x0", "y0", "x1", "y1"))},
        "objectness": ranks / 10,
        "objectness_logit": [None] * len(regions),
    }
    return pa.Table.from_batches([PROPOSALS.batch(columns)])


def mentions(*pairs: tuple[str, str]) -> pa.Table:
    images, concepts = zip(*pairs, strict=True)
    ones, empty = [1] * len(pairs), [None] * len(pairs)
    rows = {"image_id": images, "concept": concepts, "caption": ones, "mentions": ones}
    return pa.Table.from_batches([MENTIONS.batch(rows | {"text": empty, "names": empty})])


def label(
    rows: pa.Table, embeddings: pa.Table | None = None, **options: Any
) -> list[dict[str, Any]]:
    tables = {"features": rows, "embeddings": pool() if embeddings is None else embeddings}
    tables["proposals"] = proposals(rows)
    options = {"temperature": 0.01, **options}
    if "mentioned" in options:
        tables["mentions"] = options.pop("mentioned")
    batches = list(Label(device="cpu", **options).run(InMemory(tables)))
    for batch in batches:
        Label.writes.check(batch)
    return [row for batch in batches for row in batch.to_pylist()]


def test_a_region_gets_the_concept_it_is_most_similar_to() -> None:
    rows = label(features([("a", 0, [3, 4, 0]), ("a", 1, [0, 0, 2])]), temperature=0.1)
    assert [row["concept_id"] for row in rows] == [1, 2]
    assert rows[0]["cosine"] == pytest.approx(0.8)
    weights = np.exp([6.0, 8.0, 0.0])
    assert rows[0]["probability"] == pytest.approx(weights[1] / weights.sum(), rel=1e-5)
    assert rows[0]["margin"] == pytest.approx((weights[1] - weights[0]) / weights.sum(), rel=1e-5)
    assert rows[0]["top_ids"] == [1, 0, 2]
    assert rows[0]["top_probabilities"] == pytest.approx(sorted(weights / weights.sum())[::-1])
    assert rows[0]["residual"] == 0


def test_entropy_is_in_nats_over_all_concepts() -> None:
    (row,) = label(features([("a", 0, [1, 1, 1])]), top_k=1)
    assert row["entropy"] == pytest.approx(math.log(3), rel=1e-5)
    assert row["residual"] == pytest.approx(2 / 3, rel=1e-5)
    assert (row["concept_id"], row["top_ids"], row["margin"]) == (0, [0], 0)


def test_kept_means_strictly_above_the_threshold() -> None:
    rows = features([("a", 0, [1, 1, 0]), ("a", 1, [1, 0, 0])], "float32")
    half = label(rows, min_probability=0.5)
    assert [row["kept"] for row in half] == [False, True]
    assert half[0]["probability"] == 0.5


def test_keep_all_if_none_keeps_every_region_of_an_image_without_kept_ones() -> None:
    rows = features([("a", 0, [1, 1, 0]), ("a", 1, [1, 0, 0]), ("b", 0, [1, 1, 1])])
    kept = [row["kept"] for row in label(rows, min_probability=0.9, keep_all_if_none=True)]
    assert kept == [False, True, True]


def test_a_whole_image_gets_no_pseudo_label() -> None:
    rows = label(features([("a", -1, DOG), ("a", 0, CAT)]))
    assert [row["region"] for row in rows] == [0]


def test_ids_are_those_of_the_pool_in_any_order() -> None:
    shuffled = pool(first=40).take([2, 0, 1])
    rows = label(features([("a", 0, CAT)]), shuffled)
    assert rows[0]["concept_id"] == 41
    assert rows[0]["top_ids"][0] == 41


def test_embeddings_of_any_length_are_normalised() -> None:
    long = pool(vectors=[DOG, [0, 100, 0], [0, 0, 0.01]])
    assert [r["concept_id"] for r in label(features([("a", 0, [2, 1, 0])]), long)] == [0]


def test_with_one_concept_the_probability_is_one() -> None:
    (row,) = label(features([("a", 0, [1, 2, 3])]), pool([DOG], ["dog"]))
    assert (row["probability"], row["margin"], row["residual"]) == (1, 1, 0)
    assert row["top_ids"] == [0]


def test_in_caption_is_whether_captions_of_the_image_mention_the_concept() -> None:
    rows = features([("a", 0, DOG), ("a", 1, CAT), ("b", 0, DOG), ("c", 0, DOG)])
    mentioned = mentions(("", "dog"), ("a", "dog"), ("b", "cat"), ("b", "car"))
    assert [r["in_caption"] for r in label(rows, mentioned=mentioned)] == [
        True,
        False,
        False,
        False,
    ]
    assert [r["in_caption"] for r in label(rows)] == [None] * 4


def test_among_captions_a_region_gets_the_best_concept_they_mention() -> None:
    rows = features([("a", 0, DOG), ("a", 1, [1, 3, 2]), ("b", 0, DOG), ("c", 0, DOG)])
    mentioned = mentions(("a", "cat"), ("a", "car"), ("b", "dog"), ("c", "zebra"))
    labels = label(rows, mentioned=mentioned, among="captions", temperature=1.0, top_k=2)
    assert [(r["image_id"], r["concept_id"]) for r in labels] == [("a", 1), ("a", 1), ("b", 0)]
    odds = math.exp((3 - 2) / math.sqrt(14))
    assert labels[1]["probability"] == pytest.approx(odds / (1 + odds), abs=1e-4)
    assert labels[2]["probability"] == 1.0
    assert [len(r["top_ids"]) for r in labels] == [2, 2, 2]
    assert all(r["in_caption"] for r in labels)


def test_regions_of_images_whose_captions_mention_nothing_count_as_unmentioned() -> None:
    rows = features([("a", -1, DOG), ("a", 0, [0, 0, 0]), ("a", 1, DOG), ("b", 0, DOG)])
    tables = {
        "features": rows,
        "embeddings": pool(),
        "mentions": mentions(("a", "dog")),
        "proposals": proposals(rows),
    }
    part = InMemory(tables)
    (batch,) = Label(device="cpu", among="captions", temperature=0.01).run(part)
    assert batch.num_rows == 1
    assert part.notes["regions"] == {"regions": 1, "kept": 1, "unmentioned": 1}


def test_among_captions_needs_mentions() -> None:
    with pytest.raises(ArtifactError, match="needs the mentions of these images"):
        label(features([("a", 0, DOG)]), among="captions")


@pytest.mark.parametrize(
    ("vector", "reason"),
    [
        ([math.nan, 0, 0], "nan-feature"),
        ([math.inf, 0, 0], "nan-feature"),
        ([0, 0, 0], "zero-feature"),
    ],
)
def test_an_invalid_feature_goes_to_quarantine_and_the_run_continues(
    vector: list[float], reason: str
) -> None:
    rows = features([("a", 0, DOG), ("a", 1, vector)])
    part = InMemory({"features": rows, "embeddings": pool(), "proposals": proposals(rows)})
    (batch,) = Label(device="cpu", temperature=0.01).run(part)
    assert batch.column("region").to_pylist() == [0]
    ((record, code, detail),) = part.refused
    assert (record, code) == ("a#1", reason)
    assert "region 1" in detail
    assert part.advanced == 2
    assert part.notes["regions"] == {"regions": 1, "kept": 1, "unmentioned": 0}


def test_a_part_without_usable_features_yields_no_rows() -> None:
    assert label(features([("a", -1, DOG), ("b", 0, [0, 0, 0])])) == []
    rows = pa.Table.from_batches([FEATURES.empty()])
    part = InMemory({"features": rows, "embeddings": pool(), "proposals": proposals(rows)})
    assert list(Label(device="cpu", temperature=0.01).run(part)) == []


def test_rows_do_not_depend_on_block_sizes() -> None:
    rng = np.random.default_rng(3)
    rows = [(f"i{n // 7}", n % 7, list(rng.normal(size=16))) for n in range(100)]
    embeddings = pool(rng.normal(size=(50, 16)), [f"c{n}" for n in range(50)])
    table = features(rows, "float32")
    whole = label(table, embeddings, temperature=0.1)
    small_batches = pa.Table.from_batches(table.to_batches(max_chunksize=9))
    in_blocks = label(
        small_batches, embeddings, temperature=0.1, block_regions=10, block_concepts=7
    )
    assert [r["top_ids"] for r in in_blocks] == [r["top_ids"] for r in whole]
    for name in ("cosine", "probability", "margin", "entropy", "residual"):
        np.testing.assert_allclose(
            [r[name] for r in in_blocks], [r[name] for r in whole], rtol=1e-4, atol=1e-6
        )


@pytest.mark.parametrize(
    ("embeddings", "message"),
    [
        (pool(np.zeros((0, 3)), []), "there are no concept embeddings"),
        (pool([DOG, [0, 0, 0], CAR]), "the embedding of 'cat' is zero or not finite"),
        (pool([DOG, CAT, [0, math.nan, 1]]), "the embedding of 'car' is zero or not finite"),
        (pool(np.eye(5)[:3]), "features have width 3, concept embeddings 5"),
    ],
)
def test_invalid_embeddings_are_refused(embeddings: pa.Table, message: str) -> None:
    with pytest.raises(ArtifactError, match=message):
        label(features([("a", 0, DOG)]), embeddings)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"temperature": 0}, "--temperature must be above 0, got 0"),
        ({"top_k": 0}, "--top-k must be at least 1"),
        ({"min_probability": 1.1}, "--min-probability must be at most 1"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=f"rc label: {message}"):
        Label(**options)


def test_what_is_compared_together_is_part_of_the_recipe_and_speed_is_not() -> None:
    assert set(Label().recipe()) == {
        *("limit", "temperature", "probability", "top_k", "min_probability", "keep_all_if_none"),
        *("among", "block_regions", "block_concepts"),
    }


def labelled_with(similarity: Similarity | None, folder: Path, **options: Any) -> InMemory:
    """A part labelled with embeddings that carry a similarity, or none; its rows are `labels`."""
    rows = features([("a", 0, [3, 4, 0]), ("a", 1, [0, 0, -1])], "float32")
    tables = {"features": rows, "embeddings": pool(), "proposals": proposals(rows)}
    part = InMemory(tables)
    if similarity:
        similarity.write(folder / "similarity.json")
        part.files["embeddings", "similarity.json"] = folder / "similarity.json"
    part.tables["labels"] = pa.Table.from_batches(Label(device="cpu", **options).run(part))
    return part


def test_by_default_the_temperature_is_that_of_the_teachers_weights(tmp_path: Path) -> None:
    part = labelled_with(Similarity(math.log(20)), tmp_path)
    weights = np.exp(np.array([0.6, 0.8, 0.0]) / 0.05)
    row = part.tables["labels"].to_pylist()[0]
    expected = sorted(weights / weights.sum(), reverse=True)
    assert row["top_probabilities"] == pytest.approx(expected, rel=1e-4)
    assert part.notes["similarity"] == {
        "probability": "softmax",
        "temperature": 0.05,
        "given": False,
    }
    given = labelled_with(Similarity(math.log(20)), tmp_path, temperature=0.05)
    assert given.tables["labels"] == part.tables["labels"]
    outcome = Label().outcome(Result(2, {}, part.notes))
    assert outcome.summary[0].endswith("temperature 0.05, the teacher's")


@pytest.mark.slow
def test_in_a_store_the_temperature_travels_beside_the_embeddings(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = photographs(tmp_path_factory.getbasetemp()).root
    labels, teacher = (catalog.find(root, table) for table in ("pseudo_labels", "teachers"))
    (weights,) = teacher.attachments("weights.safetensors")
    note = labels.manifest.notes["similarity"]
    expected = math.exp(-float(load_file(weights)["logit_scale"]))
    assert (note["temperature"], note["given"]) == (pytest.approx(expected, rel=1e-5), False)
    assert labels.manifest.notes["summary"][0].endswith(", the teacher's")


def test_under_sigmoids_a_region_may_be_none_of_the_concepts(tmp_path: Path) -> None:
    part = labelled_with(Similarity(math.log(10), -5.0), tmp_path, probability="sigmoid", top_k=1)
    rows = part.tables["labels"].to_pylist()
    cosines = np.array([[0.6, 0.8, 0.0], [0.0, 0.0, -1.0]])
    p = 1 / (1 + np.exp(5 - 10 * cosines))
    assert [row["concept_id"] for row in rows] == [1, 0]
    assert [row["probability"] for row in rows] == pytest.approx([p[0, 1], p[1, 0]], rel=1e-5)
    assert [row["kept"] for row in rows] == [True, False]
    assert [row["margin"] for row in rows] == pytest.approx([p[0, 1] - p[0, 0], 0], rel=1e-5)
    others = [1 - (1 - p[0, 0]) * (1 - p[0, 2]), 1 - (1 - p[1, 1]) * (1 - p[1, 2])]
    assert [row["residual"] for row in rows] == pytest.approx(others, rel=1e-5)
    entropy = -(p * np.log(p) + (1 - p) * np.log(1 - p)).sum(axis=1)
    assert [row["entropy"] for row in rows] == pytest.approx(entropy.tolist(), rel=1e-5)
    assert part.notes["similarity"]["logit_bias"] == -5
    given = labelled_with(
        Similarity(0.0, -5.0), tmp_path, probability="sigmoid", top_k=1, temperature=0.1
    )
    assert given.tables["labels"] == part.tables["labels"]


def test_what_the_embeddings_do_not_carry_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"imported ones cannot\): give --temperature as a num"):
        labelled_with(None, tmp_path)
    with pytest.raises(ArtifactError, match="and leave --probability at softmax"):
        labelled_with(None, tmp_path, temperature=0.1, probability="sigmoid")
    with pytest.raises(ArtifactError, match="these have no logit bias, so leave it at softmax"):
        labelled_with(Similarity(1.0), tmp_path, temperature=0.1, probability="sigmoid")


@pytest.mark.parametrize("value", [math.nan, math.inf, 0])
def test_under_sigmoids_an_invalid_feature_is_refused_too(tmp_path: Path, value: float) -> None:
    rows = features([("a", 0, DOG), ("a", 1, [value] * 3)])
    part = InMemory({"features": rows, "embeddings": pool(), "proposals": proposals(rows)})
    Similarity(1.0, -1.0).write(tmp_path / "similarity.json")
    part.files["embeddings", "similarity.json"] = tmp_path / "similarity.json"
    (batch,) = Label(device="cpu", probability="sigmoid").run(part)
    assert (batch.num_rows, len(part.refused)) == (1, 1)


@pytest.mark.gpu
def test_cuda_gives_the_same_labels_as_the_cpu() -> None:
    rng = np.random.default_rng(0)
    table = features([(f"i{n // 9}", n % 9, list(rng.normal(size=64))) for n in range(900)])
    tables = {
        "features": table,
        "embeddings": pool(rng.normal(size=(400, 64)), [f"c{n}" for n in range(400)]),
    }
    on_cpu, on_cuda = (
        pa.Table.from_batches(
            Label(device=device, temperature=0.01).run(InMemory(dict(tables)))
        ).to_pydict()
        for device in ("cpu", "cuda")
    )
    assert on_cuda["concept_id"] == on_cpu["concept_id"]
    for name in ("cosine", "probability", "margin", "entropy", "residual"):
        np.testing.assert_allclose(on_cuda[name], on_cpu[name], rtol=2e-3, atol=1e-5)


def test_a_label_carries_the_box_of_its_region() -> None:
    rows = features([("a", -1, DOG), ("a", 0, DOG), ("a", 3, CAT), ("b", 0, CAR)])
    labels = label(rows)
    assert [(r["x0"], r["y0"], r["x1"], r["y1"]) for r in labels] == [
        (n, n + 1, n + 2, n + 3) for n in range(3)
    ]
    assert [r["objectness"] for r in labels] == pytest.approx([0, 0.1, 0.2])


def test_a_feature_without_proposal_is_refused() -> None:
    rows = features([("a", 0, DOG), ("a", 1, CAT)])
    tables = {"features": rows, "embeddings": pool(), "proposals": proposals(rows.slice(0, 1))}
    with pytest.raises(ArtifactError, match="region 1 of image a was not proposed"):
        list(Label(device="cpu", temperature=0.01).run(InMemory(tables)))
