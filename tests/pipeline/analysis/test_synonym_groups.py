"""Groups of names of one thing, proposed from embeddings and captions."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest

from pipeline import sql
from pipeline.analysis.groups_file import groups_text
from pipeline.analysis.synonym_groups import complete_groups, propose_groups
from schemas.concept_embeddings import CONCEPT_EMBEDDINGS
from schemas.concepts import CONCEPTS
from schemas.errors import ArtifactError, ArtifactNotFoundError
from stages.base import Part, Reads, Stage, option, whole
from stages.extract_concepts import ExtractConcepts
from tests.pipeline.analysis.test_caption_pairs import pool_of
from tests.pipeline.helpers import make, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import pyarrow as pa

    from pipeline.store.artifact import Artifact
    from schemas.table import Table

CAPTIONS = {
    **{f"a{n}": [{"cat", "dog"}, {"kitten", "dog"}, {"cat", "tree"}] for n in range(4)},
    **{f"b{n}": [{"tree"}, {"house"}, {"tree", "house"}] for n in range(9)},
}
DIRECTIONS = {"cat": 0, "kitten": 5, "dog": 10, "tree": 90, "house": 92}  # degrees


@dataclass(frozen=True, kw_only=True)
class Directions(Stage):
    """Embed each concept in a plane."""

    missing: str = option("", "concept without an embedding")
    renamed: bool = option(False, "whether all have other names")

    name: ClassVar[str] = "embed-concepts"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {"concepts": whole(CONCEPTS)}
    writes: ClassVar[Table] = CONCEPT_EMBEDDINGS

    def run(self, part: Part) -> Iterator[pa.RecordBatch]:
        rows = [r for r in part.table("concepts").to_pylist() if r["concept"] != self.missing]
        angles = np.radians([DIRECTIONS[row["concept"]] for row in rows])
        columns: dict[str, Any] = {
            "concept_id": [row["concept_id"] for row in rows],
            "concept": [row["concept"] + "!" * self.renamed for row in rows],
            "prompts": [1] * len(rows),
            "embedding": np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32),
        }
        yield CONCEPT_EMBEDDINGS.batch(columns)


@pytest.fixture
def pool(root: Path, tmp_path: Path) -> Artifact:
    return pool_of(CAPTIONS, root, tmp_path)


@pytest.mark.slow
def test_names_are_proposed_that_look_alike_and_that_captions_use_for_one_thing(
    pool: Artifact, root: Path
) -> None:
    make(Directions(), root)
    proposed = propose_groups(root, 0.95)
    assert proposed.groups == [["cat", "kitten"]]
    assert proposed.similar == 4  # cat, kitten, dog; tree, house
    pair = proposed.pair("kitten", "cat")
    assert pair.cosine == pytest.approx(np.cos(np.radians(5)))
    assert (pair.images, pair.together) == (4, 0)
    assert (proposed.mentions["cat"], proposed.comparable) == (8, True)
    assert (proposed.without_embedding, proposed.ungrouped()) == (0, [])
    none = propose_groups(root, 1.0)
    assert (none.groups, none.similar) == ([], 0)
    assert none.nearest is not None
    assert set(none.nearest[:2]) == {"tree", "house"}


@pytest.mark.slow
def test_embeddings_belong_to_the_concepts_and_what_they_lack_is_counted(
    pool: Artifact, root: Path, tmp_path: Path
) -> None:
    with pytest.raises(ArtifactNotFoundError, match="no embeddings of concepts/"):
        propose_groups(root, 0.9, concepts=pool.address)
    make(Directions(), root)
    other = pool_of({"z": [{"cat"}, {"dog"}]}, root, tmp_path / "other")
    make(Directions(), root, {"concepts": other.address})
    assert propose_groups(root, 0.95).groups == []
    assert propose_groups(root, 0.95, concepts=pool.address).groups == [["cat", "kitten"]]
    lacking = make(Directions(missing="kitten"), root, {"concepts": pool.address})
    given = propose_groups(root, 0.95, pool.address, lacking.address)
    assert (given.groups, given.without_embedding) == ([], 1)
    renamed = make(Directions(renamed=True), root, {"concepts": pool.address})
    with pytest.raises(ArtifactError, match=r"no concept of concepts/.* has an embedding in"):
        propose_groups(root, 0.95, pool.address, renamed.address)
    shutil.rmtree(pool.path)
    with pytest.raises(ArtifactNotFoundError, match=r"are not in .*, or it was imported and has"):
        propose_groups(root, 0.95, embeddings=renamed.address)


@pytest.mark.slow
def test_what_is_proposed_is_merged_and_only_what_the_file_says_decides_the_artifact(
    pool: Artifact, root: Path, tmp_path: Path
) -> None:
    make(Directions(), root)
    text = groups_text(propose_groups(root, 0.95))

    def merged(name: str, content: str) -> Artifact:
        file = tmp_path / name
        file.write_text(content)
        options = {"captions": tmp_path / "c.tsv", "parser": "ngram:1", "min_frequency": 1}
        return make(ExtractConcepts(**options, merge_file=file), root)  # type: ignore[arg-type]

    first = merged("groups.toml", text)
    rows = {row["concept"]: row for row in rows_of(first).to_pylist()}
    assert (rows["cat"]["names"], rows["cat"]["mentions"]) == (["cat", "kitten"], 12)
    assert "kitten" not in rows
    assert merged("other.toml", f"# edited\n{text}").path == first.path
    assert merged("groups.toml", text.replace('["kitten"]', '["house"]')).path != first.path
    assert pool.path != first.path
    with sql.connect(root, [first.address]) as connection:
        said = "SELECT names, count(*) FROM mentions WHERE concept = 'cat' GROUP BY ALL ORDER BY 1"
        assert sql.query(connection, said).fetchall() == [(["cat"], 8), (["kitten"], 4)]


MENTIONS = dict(zip("abcdef", (5, 9, 9, 1, 0, 2), strict=True))


def test_a_chain_of_pairs_is_no_group() -> None:
    assert complete_groups([("a", "b"), ("b", "c")], MENTIONS) == [["b", "a"]]
    assert complete_groups([("b", "c"), ("a", "b"), ("a", "c")], MENTIONS) == [["b", "c", "a"]]
    assert complete_groups([], MENTIONS) == []


@pytest.mark.parametrize("seed", range(20))
def test_groups_are_complete_and_none_could_be_joined(seed: int) -> None:
    rng = np.random.default_rng(seed)
    pairs = [pair for pair in combinations("abcdef", 2) if rng.random() < 0.6]
    rng.shuffle(pairs)
    pairs = [tuple(pair) for pair in pairs]
    groups = complete_groups(pairs, MENTIONS)
    assert all(pair in pairs for group in groups for pair in combinations(sorted(group), 2))
    names = [name for group in groups for name in group]
    assert len(set(names)) == len(names)
    every = groups + [[name] for name in "abcdef" if name not in names]
    for one, other in combinations(every, 2):
        assert not all(tuple(sorted((x, y))) in pairs for x in one for y in other)
    assert [g[0] for g in groups] == [min(g, key=lambda n: (-MENTIONS[n], n)) for g in groups]
    if pairs:  # the best pair is always kept together
        assert any(set(pairs[0]) <= set(group) for group in groups)
