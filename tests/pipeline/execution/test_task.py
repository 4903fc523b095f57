"""What a running stage sees of the store."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa
import pytest

from pipeline.execution.planning import plan
from pipeline.execution.task import FollowingPart, StorePart
from schemas.concepts import CONCEPTS
from schemas.errors import ArtifactError, QueryError
from schemas.images import IMAGES
from schemas.mentions import MENTIONS
from schemas.metrics import METRICS
from stages.base import Stage, each, whole
from tests.pipeline.helpers import make, make_all
from tests.pipeline.toys import Featurize, Ingest, Label, Pretrain, Propose, Train

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from schemas.table import Table
    from stages.base import Reads

pytestmark = pytest.mark.slow

INPUTS = {
    "images": "images",
    "proposals": "proposals",
    "teacher": "teachers",
    "features": "features",
    "embeddings": "concept_embeddings",
    "mentions": "concepts",
    "concepts": "concepts",
    "drafts": "concepts",
    "pseudo_labels": "pseudo_labels",
}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return make_all(tmp_path_factory.mktemp("store") / "store")


def part_of(stage: Stage, store: dict[str, Any], folder: Path, number: int = 0) -> StorePart:
    inputs = {role: store[INPUTS[role]] for role in stage.reads}
    task = next(
        t for t in plan(stage, inputs, folder, allow_empty=True).tasks if t.number == number
    )
    return StorePart(task, folder, lambda count: None)


@dataclass(frozen=True, kw_only=True)
class Reader(Stage):
    """Reads concepts in every way there is."""

    name: ClassVar[str] = "reader"
    version: ClassVar[int] = 1
    reads: ClassVar[Mapping[str, Reads]] = {
        "images": each(IMAGES),
        "concepts": whole(CONCEPTS),
        "mentions": each(CONCEPTS, drafts=MENTIONS),
        "drafts": whole(CONCEPTS, drafts=MENTIONS),
    }
    writes: ClassVar[Table] = METRICS

    def run(self, part: Any) -> Iterator[pa.RecordBatch]:
        yield from ()


def test_each_gives_the_rows_of_this_part_and_whole_all(store, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    part = part_of(Featurize(), store, tmp_path, 2)
    assert part.table("images").column("image_id")[0].as_py() == "toy/000010"
    assert part.table("teacher").num_rows == store["teachers"].manifest.rows
    assert sum(batch.num_rows for batch in part.batches("proposals")) == 12


class Curious(Featurize):
    """Reads more of the images than its own part, and says so."""

    reads: ClassVar[Mapping[str, Reads]] = {
        **Featurize.reads,
        "images": each(IMAGES, everywhere=True),
    }


def test_everywhere_gives_columns_of_all_parts_to_each_whatever_the_limit(
    store,  # type: ignore[no-untyped-def]
    tmp_path: Path,
) -> None:
    parts = [
        part_of(Curious(), store, tmp_path, 2),
        part_of(Curious(limit=3), store, tmp_path, 0),
    ]
    for part in parts:
        rows = pa.Table.from_batches(part.everywhere("images", ["image_id", "width"]))
        assert rows.column_names == ["image_id", "width"]
        assert rows.num_rows == store["images"].manifest.rows
        assert part.fingerprint("images") == store["images"].manifest.fingerprint


def test_drafts_are_read_instead_of_rows_where_the_stage_says_so(store, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    part = part_of(Reader(), store, tmp_path, 3)
    assert part.table("concepts").num_rows == store["concepts"].manifest.rows
    ids = set(part.table("images").column("image_id").to_pylist())
    assert set(part.table("mentions").column("image_id").to_pylist()) == ids
    all_drafts = sum(record.rows for record in store["concepts"].drafts)
    assert part.table("drafts").num_rows == all_drafts


def test_an_input_without_rows_is_an_empty_table_with_its_columns(tmp_path: Path) -> None:
    root = tmp_path / "store"
    images = make(Ingest(count=1, refuse_every=1), root, allow_empty=True)
    pins = {"images": images.address}
    boxes = make(Propose(), root, pins, allow_empty=True)
    store = make_all(root) | {"images": images, "proposals": boxes}
    part = part_of(Featurize(), store, tmp_path / "other")
    assert part.table("images").num_rows == 0
    assert part.table("images").schema.names == [column.name for column in IMAGES.columns]
    assert list(part.batches("proposals")) == []


def test_an_attachment_of_a_part_bears_its_number_and_of_a_whole_artifact_none(
    store,  # type: ignore[no-untyped-def]
    tmp_path: Path,
) -> None:
    part = part_of(Featurize(), store, tmp_path, 1)
    assert part.attachment("proposals", "dump.txt").name == "part-00001.dump.txt"
    assert part.attachment("teacher", "weights.json").name == "weights.json"
    with pytest.raises(ArtifactError, match=r"part-00001.x is not in its manifest.*rc propose --f"):
        part.attachment("proposals", "x")


def test_what_is_attached_gets_the_same_names(store, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert part_of(Propose(), store, tmp_path, 3).attach("d.h5").name == "part-00003.d.h5"
    assert part_of(Pretrain(), store, tmp_path).attach("weights.json").name == "weights.json"


def test_an_optional_input_is_there_only_if_given(store, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    assert part_of(Label(), store, tmp_path).has("mentions")
    inputs = {role: store[INPUTS[role]] for role in ("features", "embeddings")}
    task = plan(Label(), inputs, tmp_path).tasks[0]
    assert not StorePart(task, tmp_path, lambda count: None).has("mentions")


def test_the_slices_of_a_single_task_are_the_parts_of_its_first_input(
    store, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    part = part_of(Train(), store, tmp_path)
    slices = part.slices()
    assert [one.number for one in slices] == [0, 1, 2, 3]
    assert part.table("images").num_rows == sum(one.table("images").num_rows for one in slices)
    rows = slices[1].table("images").column("image_id").to_pylist()
    assert rows == ["toy/000005", "toy/000006", "toy/000008", "toy/000009"]
    slices[2].refuse("a", "why", "Because.")
    assert part.dropped == Counter({"why": 1})


def test_a_limited_single_task_has_only_the_slices_within_its_limit(store, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    part = part_of(Pretrain(limit=6), store, tmp_path)
    assert [one.number for one in part.slices()] == [0, 1]
    assert [one.table("images").num_rows for one in part.slices()] == [4, 2]
    assert part.table("images").num_rows == 6


def test_scratch_is_the_same_folder_for_every_attempt(store, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    first, second = (part_of(Pretrain(), store, tmp_path).scratch for _ in range(2))
    (first / "checkpoint").write_text("step 3")
    assert (second / "checkpoint").read_text() == "step 3"


def test_a_predicate_chooses_rows_and_keeps_their_order(store, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    everything = part_of(Train(), store, tmp_path).table("pseudo_labels").to_pylist()
    where = "region >= 1 AND concept <> 'nothing' AND x1 > x0"
    chosen = part_of(Train(where=where), store, tmp_path).table("pseudo_labels").to_pylist()
    assert chosen == [row for row in everything if row["region"] >= 1]
    assert 0 < len(chosen) < len(everything)


def test_a_predicate_that_nothing_of_a_part_meets_gives_no_rows(store, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    part = part_of(Train(where="image_id = 'toy/000017'"), store, tmp_path).slices()[0]
    rows = part.table("pseudo_labels")
    assert rows.num_rows == 0
    Train.reads["pseudo_labels"].table.check(rows)


def test_a_predicate_over_a_column_that_is_not_there_is_a_sentence(store, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(QueryError, match="there is no column confidence"):
        part_of(Train(where="confidence > 1"), store, tmp_path).table("pseudo_labels")


def test_who_follows_reads_the_scratch_of_who_writes_and_makes_no_file(
    store: dict[str, Any], tmp_path: Path
) -> None:
    task = part_of(Pretrain(), store, tmp_path)._task
    leader, follower = StorePart(task, tmp_path, lambda count: None), FollowingPart(task)
    scratch = follower.scratch
    assert not scratch.exists()
    assert leader.scratch == scratch
    assert scratch.is_dir()


def test_who_follows_ends_where_files_are_written(store: dict[str, Any], tmp_path: Path) -> None:
    task = replace(part_of(Train(), store, tmp_path / "root")._task, folder=tmp_path / "absent")
    task.follow()  # of a toy that attaches weights
    assert not (tmp_path / "absent").exists()
