from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest

from pipeline.execution import planning
from pipeline.store import catalog, exact, index
from pipeline.store.disk_full import room_for
from schemas.errors import ArtifactError, SourceError
from schemas.features import FEATURES
from stages.base import Stage, option
from tests.pipeline.helpers import Listener, contents, make, make_all
from tests.pipeline.toys import Featurize, Ingest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from pipeline.store.artifact import Artifact
    from schemas.table import Table
    from stages.base import Part, Reads


def cloud(number: int, rows: int, width: int, seed: int) -> np.ndarray:
    return np.random.default_rng((seed, number)).normal(size=(rows, width)).astype(np.float32)


@dataclass(frozen=True, kw_only=True)
class Cloud(Stage):
    """Vectors in all directions."""

    rows: tuple[int, ...] = option((50, 0, 31), "rows of each part")
    width: int = option(9, "numbers per vector")
    seed: int = option(0, "other vectors")
    precision: str = option("float32", "of the vectors")

    name: ClassVar[str] = "cloud"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {}
    writes: ClassVar[Table] = FEATURES

    def plan(self, parts: Mapping[str, Sequence[int]]) -> Sequence[int]:
        return range(len(self.rows))

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        vectors = cloud(part.number, self.rows[part.number], self.width, self.seed)
        if len(vectors) > 3:
            vectors[1], vectors[2], vectors[3, 0] = 0, np.nan, np.inf
        n = len(vectors)
        if n:
            yield FEATURES.batch(
                {
                    "image_id": [f"{part.number}/{i}" for i in range(n)],
                    "region": list(range(n)),
                    "feature": vectors.astype(self.precision),
                }
            )


def brute_force(artifact: Artifact, queries: np.ndarray) -> list[list[tuple[float, str, int]]]:
    """Cosine, image and region of all rows that have a direction, best first, per query."""
    from tests.pipeline.helpers import rows_of

    rows = rows_of(artifact)
    from schemas.table import as_matrix

    vectors = as_matrix(rows, "feature").astype(np.float64)
    norms = np.linalg.norm(vectors, axis=1)
    good = np.isfinite(norms) & (norms > 0)
    unit = vectors[good] / norms[good, None]
    keys = [(r["image_id"], r["region"]) for r in rows.select(["image_id", "region"]).to_pylist()]
    names = [key for key, fine in zip(keys, good, strict=True) if fine]
    asked = queries / np.linalg.norm(queries, axis=1, keepdims=True)
    return [
        sorted(((float(s), *name) for s, name in zip(unit @ q, names, strict=True)), reverse=True)
        for q in asked
    ]


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float16", "float32"])
@pytest.mark.parametrize("k", [1, 7, 500])
def test_hits_are_those_of_brute_force_over_all_parts(root: Path, k: int, precision: str) -> None:
    artifact = make(Cloud(seed=np.random.SeedSequence().entropy % 1000, precision=precision), root)
    queries = cloud(0, 4, 9, seed=77) * 1000
    expected = brute_force(artifact, queries)
    hits = index.search(artifact, queries, k)
    for number, best in enumerate(expected):
        mine = [row for row in hits.to_pylist() if row["query"] == number]
        assert [row["rank"] for row in mine] == list(range(min(k, 75)))
        np.testing.assert_allclose(
            [row["score"] for row in mine], [score for score, *_ in best[:k]], atol=1e-5
        )
        assert {(row["image_id"], row["region"]) for row in mine} == {
            (name, region) for _, name, region in best[:k]
        }
        assert all(row["image_id"] == f"{row['part']}/{row['row']}" for row in mine)


@pytest.mark.parametrize("k", [1, 7, 500])
def test_exact_search_finds_what_brute_force_finds(root: Path, k: int) -> None:
    artifact = make(Cloud(seed=np.random.SeedSequence().entropy % 1000), root)
    queries = cloud(0, 4, 9, seed=78) * 1000
    best = exact.search(artifact, queries, k)
    for expected, scores, places in zip(
        brute_force(artifact, queries), best.scores, best.places, strict=True
    ):
        np.testing.assert_allclose(scores, [score for score, *_ in expected[:k]], atol=1e-5)
        found = [f"{part}/{row}" for part, row in places.tolist()]
        assert found == [name for _, name, _ in expected[:k]]


def test_exact_search_keeps_to_the_rows_it_may_find(root: Path) -> None:
    artifact = make(Cloud(), root)
    even = lambda part: np.arange(artifact.parts[part].rows) % 2 == 0  # noqa: E731
    best = exact.search(artifact, cloud(0, 2, 9, 5), 500, even)
    full = exact.search(artifact, cloud(0, 2, 9, 5), 500)
    for mine, everything in zip(best.places.tolist(), full.places.tolist(), strict=True):
        assert mine == [place for place in everything if place[1] % 2 == 0]


def test_of_equal_scores_the_earlier_part_and_row_come_first() -> None:
    best = exact.Best(1, 3)
    best.show(np.float32([[0.5, 0.9, 0.5, 0.5, 0.5]]), 0, np.array([2, 4, 5, 7, 9]))
    best.show(np.float32([[0.5, 0.95]]), 1, np.array([0, 1]))
    assert best.places.tolist() == [[[1, 1], [0, 4], [0, 2]]]


def test_a_row_finds_itself_first(root: Path) -> None:
    artifact = make(Cloud(), root)
    (hit,) = index.search(artifact, cloud(2, 31, 9, 0)[[20]], 1).to_pylist()
    assert (hit["image_id"], hit["region"]) == ("2/20", 20)
    assert hit["score"] == pytest.approx(1, abs=1e-6)


def test_rows_and_queries_without_direction_are_in_no_hit(root: Path) -> None:
    artifact = make(Cloud(), root)
    queries = np.concatenate([cloud(0, 1, 9, 1), np.zeros((1, 9)), np.full((1, 9), np.nan)])
    hits = index.search(artifact, queries, 100).to_pylist()
    assert {row["query"] for row in hits} == {0}
    assert len(hits) == 81 - 6
    assert not {row["row"] for row in hits} & {1, 2, 3}


def test_vectors_whose_squares_overflow_are_compared_all_the_same(root: Path) -> None:
    artifact = make(Cloud(), root)
    queries = cloud(0, 2, 9, 5)
    huge = index.search(artifact, queries * np.float32(1e30), 5)
    assert huge.column("row").to_pylist() == index.search(artifact, queries, 5)["row"].to_pylist()


@pytest.mark.slow
def test_the_runner_makes_an_index_per_part_that_is_no_part_of_the_artifact(root: Path) -> None:
    made = make_all(root)
    for table in ("features", "concept_embeddings"):
        artifact = made[table]
        names = sorted(path.name for path in artifact.path.glob("*.faiss"))
        assert names == [index.index_name(number) for number in artifact.numbers]
        assert catalog.verify(artifact) == []
        assert all(".faiss" not in file.name for p in artifact.parts for file in p.files)
    assert not list(made["images"].path.glob("*.faiss"))


def test_deleting_or_damaging_the_index_loses_nothing(root: Path) -> None:
    artifact = make(Cloud(), root)
    queries = cloud(0, 3, 9, 3)
    before = index.search(artifact, queries, 6)
    first, _, last = sorted(artifact.path.glob("*.faiss"))
    first.unlink()
    last.write_bytes(last.read_bytes()[:100])
    assert index.search(artifact, queries, 6).equals(before)
    assert len(list(artifact.path.glob("*.faiss"))) == 3
    last.unlink()
    index.build(artifact)
    assert index.search(artifact, queries, 6).equals(before)


def test_no_flipped_bit_of_an_index_changes_an_answer(root: Path) -> None:
    artifact = make(Cloud(), root)
    queries = cloud(0, 3, 9, 3)
    before = index.search(artifact, queries, 6)
    path = max(artifact.path.glob("*.faiss"))
    content = path.read_bytes()
    for place in range(7, len(content), 61):
        flipped = content[:place] + bytes([content[place] ^ 64]) + content[place + 1 :]
        path.write_bytes(flipped)
        assert index.search(artifact, queries, 6).equals(before)
        assert path.read_bytes() == content  # made again


@pytest.mark.parametrize("other", [Cloud(width=4), Cloud(seed=1)])
def test_the_index_of_another_artifact_is_not_believed(root: Path, other: Cloud) -> None:
    artifact, made = make(Cloud(), root), make(other, root)
    queries = cloud(0, 1, 9, 0)
    before = index.search(artifact, queries, 3)
    shutil.copy(made.path / index.index_name(0), artifact.path / index.index_name(0))
    assert index.search(artifact, queries, 3).equals(before)


def test_a_store_one_may_only_read_is_searched_all_the_same(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    artifact = make(Cloud(), root)
    for path in artifact.path.glob("*.faiss"):
        path.unlink()

    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr(index, "_write", refuse)
    assert index.search(artifact, cloud(0, 1, 9, 0), 3).num_rows == 3
    assert not list(artifact.path.glob("*.faiss"))


def test_an_index_that_cannot_be_made_costs_no_artifact(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(artifact: Artifact, *_: object) -> None:
        with room_for(artifact.path):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(index, "_write", full)
    listener = Listener()
    images = {"images": make(Ingest(), root)}
    assert images["images"].manifest.rows == 20
    artifact = make(Cloud(), root, reporter=listener)
    assert artifact.manifest.rows == 81
    assert listener.sentences[0].startswith(f"{artifact.address} has no search index yet: the disk")


def test_artifacts_are_the_same_with_and_without_an_index(root: Path, tmp_path: Path) -> None:
    first = make(Cloud(), root)
    for path in first.path.glob("*.faiss"):
        path.unlink()
    assert contents(first.path) == contents(make(Cloud(), tmp_path / "other").path)


@pytest.mark.slow
def test_a_big_part_gets_an_inverted_file_that_finds_nearly_all(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "_EXACT_ROWS", 500)
    monkeypatch.setattr(index, "_SMALL_PART", 300)
    artifact = make(Cloud(rows=(4000, 100)), root)
    import faiss

    saved = [faiss.read_index(str(path)) for path in sorted(artifact.path.glob("*.faiss"))]
    kinds = [type(faiss.downcast_index(i)).__name__ for i in saved]
    assert kinds == ["IndexIVFScalarQuantizer", "IndexIDMap"]
    assert index.kind(artifact).startswith("inverted files in 1 of 2 parts")
    queries = cloud(0, 20, 9, 8)
    expected = brute_force(artifact, queries)
    hits = index.search(artifact, queries, 10).to_pylist()
    found = {(row["query"], row["image_id"]) for row in hits}
    wanted = {(i, name) for i, best in enumerate(expected) for _, name, _ in best[:10]}
    assert len(found & wanted) > 0.8 * len(wanted)
    itself = index.search(artifact, cloud(0, 4000, 9, 0)[4:20], 1).to_pylist()
    assert [row["row"] for row in itself] == list(range(4, 20))
    np.testing.assert_allclose([row["score"] for row in itself], 1, atol=1e-3)  # half precision
    path = min(artifact.path.glob("*.faiss"))
    path.write_bytes(path.read_bytes()[:-20_000])  # lists are read late, so this must show early
    assert index.search(artifact, queries, 10).to_pylist() == hits


@pytest.mark.slow
def test_what_has_no_vectors_or_other_ones_is_a_sentence(root: Path) -> None:
    made = make_all(root)
    with pytest.raises(ArtifactError, match=r"images/v2-.* has no vectors to search"):
        index.search(made["images"], np.ones((1, 6)), 1)
    with pytest.raises(ArtifactError, match=r"holds vectors of 6 numbers, the query has 5"):
        index.search(made["features"], np.ones((1, 5)), 1)


@pytest.mark.parametrize("rows", [(), (0,), (0, 0)])
def test_nothing_is_found_where_nothing_is(root: Path, rows: tuple[int, ...]) -> None:
    hits = index.search(make(Cloud(rows=rows), root, allow_empty=True), np.ones((2, 9)), 3)
    assert hits.num_rows == 0
    assert hits.column_names[:5] == ["query", "rank", "score", "part", "row"]


def test_no_queries_find_nothing(root: Path) -> None:
    assert index.search(make(Cloud(), root), np.ones((0, 9)), 3).num_rows == 0


@pytest.mark.slow
def test_the_same_regions_are_near_after_another_precision(root: Path) -> None:
    make_all(root)
    half, full = (make(Featurize(precision=p), root) for p in ("float16", "float32"))
    query = np.eye(6)[[2]]
    assert index.search(half, query, 4)["image_id"].equals(index.search(full, query, 4)["image_id"])


def test_searching_on_a_gpu_needs_a_faiss_made_for_it(root: Path) -> None:
    import faiss

    if hasattr(faiss, "StandardGpuResources"):
        pytest.skip("this faiss is made for it")
    with pytest.raises(SourceError, match="this faiss was made without CUDA"):
        index.search(make(Cloud(), root), np.ones((1, 9)), 1, device="cuda")


@pytest.mark.gpu
def test_a_gpu_finds_what_the_cpu_finds(root: Path) -> None:
    import faiss

    if not hasattr(faiss, "StandardGpuResources") or not faiss.get_num_gpus():
        pytest.skip("needs faiss-gpu and a CUDA device")
    artifact = make(Cloud(rows=(5000, 3000), width=64), root)
    queries = cloud(0, 50, 64, 4)
    cpu, gpu = (index.search(artifact, queries, 10, device) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(cpu["score"], gpu["score"], atol=1e-5)
    same = np.array(cpu["row"].to_pylist()) == np.array(gpu["row"].to_pylist())
    assert same.mean() > 0.99  # rounding may swap neighbours


def test_a_part_without_its_index_is_planned_as_finished(root: Path) -> None:
    artifact = make(Cloud(), root)
    for path in artifact.path.glob("*.faiss"):
        path.unlink()
    assert planning.plan(Cloud(), {}, root).finished
