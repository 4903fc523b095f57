"""Growth: what was computed before is linked; the bytes are those of computing all of it anew."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.execution import planning
from pipeline.store import catalog, parts
from schemas.errors import StageError
from stages.duplicates import Duplicates
from stages.extract_concepts import ExtractConcepts
from stages.ingest import Ingest
from stages.propose import Propose
from stages.select import Select
from tests.pipeline import toys
from tests.pipeline.helpers import (
    Listener,
    contents,
    make,
    records_in,
    rewrite_list,
    rewrite_manifest,
    rows_of,
)
from tests.stages.sources.samples import encoded, write_images, write_json, write_tar

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.store.artifact import Artifact


def write_shards(folder: Path, *numbers: int) -> None:
    """Tars of two images with captions each; the second member of number 1 is no image."""
    folder.mkdir(exist_ok=True)
    for n in numbers:
        members = {f"{n}{k}.jpg": encoded(10 * n + k, (40, 30)) for k in range(2)}
        members |= {f"{n}{k}.txt": f"a dog and a cat on a {'bus' * n}".encode() for k in range(2)}
        if n == 1:
            members["11.jpg"] = b"no image"
        write_tar(folder / f"{n:05d}.tar", members)


def ingested(folder: Path, root: Path, **options: Any) -> Artifact:
    return make(Ingest(sources=(str(folder),), **options), root)


def computed(artifact: Artifact) -> int:
    """How many of its parts were computed, not linked."""
    records = artifact.drafts or artifact.parts
    return len(records) - artifact.manifest.run["reused_parts"]


def make_stages(images: Artifact, root: Path, tables: dict[str, Artifact]) -> dict[str, Artifact]:
    """Every part-wise stage that needs no network, then those that a toy stands in for."""
    pins = {"images": images.address}
    made = {"images": images}
    made["proposals"] = make(Propose(grid=True, regions=5), root, pins)
    made["concepts"] = make(ExtractConcepts(parser="ngram:1", min_frequency=1), root, pins)
    pins["proposals"] = made["proposals"].address
    pins["teacher"] = tables["teachers"].address
    made["features"] = make(toys.Featurize(), root, pins)
    pins = {name: made[name].address for name in ("features", "proposals")}
    pins["embeddings"] = tables["concept_embeddings"].address
    made["pseudo_labels"] = make(toys.Label(), root, pins)
    return made


@pytest.fixture
def models(root: Path) -> dict[str, Artifact]:
    """A teacher and embeddings, which do not grow."""
    make(toys.Ingest(), root)
    teacher = make(toys.Pretrain(), root)
    make(toys.ExtractConcepts(), root)
    return {"teachers": teacher, "concept_embeddings": make(toys.EmbedConcepts(), root)}


def test_another_shard_costs_one_part_of_every_stage(
    tmp_path: Path, root: Path, models: dict[str, Artifact]
) -> None:
    write_shards(tmp_path / "shards", 0, 1, 2)
    make_stages(ingested(tmp_path / "shards", root), root, models)
    write_shards(tmp_path / "shards", 3)
    grown = make_stages(ingested(tmp_path / "shards", root), root, models)
    assert {name: computed(artifact) for name, artifact in grown.items()} == dict.fromkeys(grown, 1)
    images = grown["images"].manifest
    assert (images.rows, images.dropped) == (7, {"unreadable": 1})
    for artifact in grown.values():
        linked = contents(artifact.path)
        anew = make_again(artifact, root)
        assert anew.manifest.run["reused_parts"] == 0
        assert contents(anew.path) == linked


def make_again(artifact: Artifact, root: Path) -> Artifact:
    """The same artifact with `--force`, from the same inputs."""
    stages = {
        "ingest": Ingest(sources=(str(root.parent / "shards"),)),
        "propose": Propose(grid=True, regions=5),
        "extract-concepts": ExtractConcepts(parser="ngram:1", min_frequency=1),
        "featurize": toys.Featurize(),
        "label": toys.Label(),
    }
    stage = stages[artifact.manifest.stage.name]
    return make(stage, root, dict(artifact.manifest.inputs), force=True)


def test_it_is_said_whose_parts_they_are(tmp_path: Path, root: Path) -> None:
    write_shards(tmp_path / "shards", 0, 1)
    before = ingested(tmp_path / "shards", root)
    write_shards(tmp_path / "shards", 2)
    reporter = Listener()
    make(Ingest(sources=(str(tmp_path / "shards"),)), root, reporter=reporter)
    assert f"2 of 3 parts are those of {before.address}" in reporter.sentences
    write_shards(tmp_path / "shards", 3)
    stage = Ingest(sources=(str(tmp_path / "shards"),))
    plan = planning.plan(stage, {}, root)
    assert plan.reusable() == 3


def test_links_are_files_of_their_own_to_gc_and_deletion(tmp_path: Path, root: Path) -> None:
    write_shards(tmp_path / "shards", 0, 1)
    before = ingested(tmp_path / "shards", root)
    write_shards(tmp_path / "shards", 2)
    after = ingested(tmp_path / "shards", root)
    shared = after.path / parts.part_name(0)
    assert shared.samefile(before.path / parts.part_name(0))
    linked = sum(p.stat().st_size for p in before.path.glob("part-*"))
    own = sum(p.stat().st_size for p in before.path.rglob("*") if p.is_file()) - linked
    assert catalog.sweep(root, [before.path]) == own  # links to what stays free nothing
    assert rows_of(after).num_rows == 5
    assert parts.damaged(after.path, after.parts[0]) == []


def test_a_damaged_part_is_not_passed_on(tmp_path: Path, root: Path) -> None:
    write_shards(tmp_path / "shards", 0, 1)
    before = ingested(tmp_path / "shards", root)
    part = before.path / parts.part_name(0)
    content = bytearray(part.read_bytes())
    content[50] ^= 1
    part.write_bytes(content)
    write_shards(tmp_path / "shards", 2)
    after = ingested(tmp_path / "shards", root)
    assert computed(after) == 2
    assert parts.damaged(after.path, after.parts[0]) == []


def test_a_part_whose_facts_are_in_no_manifest_is_computed(tmp_path: Path, root: Path) -> None:
    write_shards(tmp_path / "shards", 0)
    before = ingested(tmp_path / "shards", root)
    summary = rewrite_list(before.path, [{**records_in(before.path)[0], "facts": ["mood"]}])
    manifest = json.loads((before.path / "manifest.json").read_text())
    rewrite_manifest(before.path, {**manifest, "parts": summary})
    write_shards(tmp_path / "shards", 2)
    assert computed(ingested(tmp_path / "shards", root)) == 2


def test_other_options_reuse_nothing(tmp_path: Path, root: Path) -> None:
    write_shards(tmp_path / "shards", 0, 1)
    images = ingested(tmp_path / "shards", root)
    assert computed(ingested(tmp_path / "shards", root, max_pixels=10_000)) == 2
    pins = {"images": images.address}
    make(Propose(grid=True, regions=5), root, pins)
    assert computed(make(Propose(grid=True, regions=3), root, pins)) == 2


def test_a_shard_that_changed_is_read_again(tmp_path: Path, root: Path) -> None:
    write_shards(tmp_path / "shards", 0, 1, 2)
    ingested(tmp_path / "shards", root)
    write_tar(tmp_path / "shards" / "00001.tar", {"x.jpg": encoded(7)})
    after = ingested(tmp_path / "shards", root)
    assert computed(after) == 1
    assert rows_of(after).column("image_id").to_pylist()[2] == "00001/x"


def test_shards_that_were_moved_are_read_where_they_are(tmp_path: Path, root: Path) -> None:
    write_shards(tmp_path / "shards", 0, 1)
    ingested(tmp_path / "shards", root)
    (tmp_path / "shards").rename(tmp_path / "moved")
    write_shards(tmp_path / "moved", 2)
    after = ingested(tmp_path / "moved", root)
    assert computed(after) == 3
    assert {row["uri"].split("/")[-2] for row in rows_of(after).to_pylist()} == {"moved"}


def test_of_replaced_images_the_part_is_ingested_again(tmp_path: Path, root: Path) -> None:
    photos = tmp_path / "photos"
    write_images(photos, [f"{n}.jpg" for n in range(6)])
    ingested(photos, root, part_images=2)
    old, other = (photos / "3.jpg").read_bytes(), encoded(99)
    longest = max(len(old), len(other))
    (photos / "3.jpg").write_bytes(old.ljust(longest, b"\0"))  # after its end JPEG ignores bytes
    first = ingested(photos, root, part_images=2, accept_changed=True)
    (photos / "3.jpg").write_bytes(other.ljust(longest, b"\0"))
    assert computed(ingested(photos, root, part_images=2)) == 0  # of the same size: not seen
    after = ingested(photos, root, part_images=2, accept_changed=True)
    assert computed(after) == 1
    changed = [
        a["image_id"]
        for a, b in zip(rows_of(first).to_pylist(), rows_of(after).to_pylist(), strict=True)
        if a != b
    ]
    assert changed == ["photos/3.jpg"]


def test_captions_that_changed_change_their_part_alone(tmp_path: Path, root: Path) -> None:
    photos = tmp_path / "photos"
    write_images(photos, [f"{n}.jpg" for n in range(6)])
    for n in range(6):
        (photos / f"{n}.txt").write_text("a dog")
    ingested(photos, root, part_images=2)
    (photos / "4.txt").write_text("a cat")
    after = ingested(photos, root, part_images=2)
    assert computed(after) == 1
    assert rows_of(after).column("captions").to_pylist()[4] == ["a cat"]


def test_boxes_of_coco_that_changed_change_their_part_alone(tmp_path: Path, root: Path) -> None:
    write_images(tmp_path / "coco" / "val", [f"{n}.jpg" for n in range(4)])
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 12, "height": 8} for n in range(4)]
    boxes = [
        {"id": n, "image_id": n, "category_id": 1, "bbox": [1, 1, 5, 5], "area": 25, "iscrowd": 0}
        for n in range(4)
    ]
    content = {
        "images": images,
        "annotations": boxes,
        "categories": [{"id": 1, "name": "dog"}],
    }
    json = tmp_path / "coco" / "annotations" / "instances_val.json"
    write_json(json, content)
    ingested(tmp_path / "coco", root, part_images=2)
    boxes[3]["bbox"] = [2, 2, 5, 5]
    write_json(json, content)
    after = ingested(tmp_path / "coco", root, part_images=2)
    assert computed(after) == 1
    assert rows_of(after).to_pylist()[3]["objects"][0]["x0"] == 2


def test_a_condition_sees_more_than_its_part_so_all_of_it_decides(
    root: Path, models: dict[str, Artifact], tmp_path: Path
) -> None:
    write_shards(tmp_path / "shards", 0, 1)
    labels = make_stages(ingested(tmp_path / "shards", root), root, models)["pseudo_labels"]
    stage = Select(called="some_of_them", where="region < 3")
    make(stage, root, {"pseudo_labels": labels.address})
    write_shards(tmp_path / "shards", 2)
    labels = make_stages(ingested(tmp_path / "shards", root), root, models)["pseudo_labels"]
    assert computed(make(stage, root, {"pseudo_labels": labels.address})) == 3


class Curious(toys.Featurize):
    """Looks at all of an input although it says that it reads part by part."""

    def run(self, part):  # type: ignore[no-untyped-def]
        part.fingerprint("images")
        yield from super().run(part)


def test_a_stage_that_reads_more_than_it_says_is_refused(root: Path) -> None:
    make(toys.Ingest(), root)
    make(toys.Propose(), root)
    make(toys.Pretrain(), root)
    with pytest.raises(StageError, match="rc featurize reads images part by part"):
        make(Curious(), root)


def test_parts_of_a_killed_run_and_of_others_are_both_used(tmp_path: Path, root: Path) -> None:
    write_shards(tmp_path / "shards", 0, 1)
    images = ingested(tmp_path / "shards", root)
    make(toys.Propose(), root, {"images": images.address})
    write_shards(tmp_path / "shards", 2, 3)
    grown = ingested(tmp_path / "shards", root)
    pins = {"images": grown.address}
    with pytest.raises(StageError, match="part 3"):
        make(toys.Propose(break_part=3), root, pins)
    made = make(toys.Propose(), root, pins)
    assert made.manifest.run["resumed_parts"] == 3  # two of them linked by the run that failed
    before = contents(made.path)
    assert contents(make(toys.Propose(), root, pins, force=True).path) == before


def test_progress_counts_what_is_left_to_do(tmp_path: Path, root: Path) -> None:
    write_shards(tmp_path / "shards", 0, 1)
    pins = {"images": ingested(tmp_path / "shards", root).address}
    make(Propose(grid=True, regions=5), root, pins)
    write_shards(tmp_path / "shards", 2)
    pins = {"images": ingested(tmp_path / "shards", root).address}
    reporter = Listener()
    make(Propose(grid=True, regions=5), root, pins, reporter=reporter)
    assert (reporter.started[0], reporter.count) == (("propose", 2, "images"), 2)


def test_duplicates_of_a_grown_set_are_computed_for_its_new_part_alone(
    tmp_path: Path, root: Path
) -> None:
    write_shards(tmp_path / "shards", 0, 2)
    pins = {"against": ingested(tmp_path / "shards", root).address}
    make(Duplicates(), root, {**pins, "images": pins["against"]})
    make(Duplicates(), root, {**pins, "images": ingested(tmp_path / "shards", root).address})
    write_shards(tmp_path / "shards", 3, 4)
    images = ingested(tmp_path / "shards", root)
    first = make(Duplicates(), root, {**pins, "images": images.address})
    write_shards(tmp_path / "shards", 5)
    grown = ingested(tmp_path / "shards", root)
    second = make(Duplicates(), root, {**pins, "images": grown.address})
    assert (computed(first), computed(second)) == (4, 1)
    assert rows_of(second).equals(rows_of(first))
    assert rows_of(first)["kind"].to_pylist() == ["same-bytes"] * 4


def test_whether_two_inputs_are_one_belongs_to_the_recipe_of_a_part(
    tmp_path: Path, root: Path
) -> None:
    write_shards(tmp_path / "shards", 0, 2)
    some = ingested(tmp_path / "shards", root).address
    write_shards(tmp_path / "shards", 3)
    everything = ingested(tmp_path / "shards", root).address
    among = make(Duplicates(), root, {"images": some, "against": everything})
    within = make(Duplicates(), root, {"images": everything, "against": everything})
    assert (among.manifest.rows, within.manifest.rows) == (4, 0)
    assert computed(within) == 3
    assert within.manifest.notes["compared_with"]["themselves"]
    assert not within.is_empty
