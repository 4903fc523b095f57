from __future__ import annotations

import hashlib
import pickle
import subprocess
import sys
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from schemas.errors import OptionError
from stages.ingest import Ingest
from stages.pixels import load_image
from tests.in_memory import InMemory
from tests.stages.sources.samples import (
    encoded,
    ids,
    ingest,
    reasons,
    run_part,
    saved,
    shared_data,
    write_images,
    write_tar,
)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    write_images(tmp_path / "photos", [f"{n:02d}.jpg" for n in range(7)])
    return tmp_path / "photos"


def stage(*sources: Path, **options: Any) -> Ingest:
    return Ingest(sources=tuple(map(str, sources)), **options)


def test_a_row_names_file_and_content_of_its_image(photos: Path, tmp_path: Path) -> None:
    rows, _ = ingest(tmp_path / "s", photos)
    content = (photos / "00.jpg").read_bytes()
    assert rows[0] == {
        "image_id": "photos/00.jpg",
        "source": "folder",
        "source_id": None,
        "split": None,
        "uri": str(photos / "00.jpg"),
        "member": None,
        "offset": None,
        "num_bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "format": "JPEG",
        "width": 12,
        "height": 8,
        "orientation": 1,
        "captions": [],
        "objects": [],
        "content": None,
    }


def test_packed_and_referenced_images_have_equal_pixels(photos: Path, tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "a.tar", {f"{n}.jpg": encoded(n) for n in range(3)})
    for source in (photos, tar):
        by_reference, _ = ingest(tmp_path / "s", source)
        packed, _ = ingest(tmp_path / "s", source, pack=True)
        for referenced_row, packed_row in zip(by_reference, packed, strict=True):
            assert {**packed_row, "content": None} == referenced_row
            np.testing.assert_array_equal(load_image(packed_row), load_image(referenced_row))


def test_packed_rows_are_sorted_with_their_own_content(tmp_path: Path) -> None:
    names = ["c", "a", "b"]
    tar = write_tar(tmp_path / "x.tar", {f"{n}.jpg": encoded(i) for i, n in enumerate(names)})
    rows, _ = ingest(tmp_path / "s", tar, pack=True)
    assert [(row["image_id"], row["content"]) for row in rows] == [
        ("x/a", encoded(1)),
        ("x/b", encoded(2)),
        ("x/c", encoded(0)),
    ]


def test_width_and_height_are_those_after_orientation(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "p").mkdir()
    (tmp_path / "p/a.jpg").write_bytes(encoded(size=(20, 10), exif=exif))
    rows, _ = ingest(tmp_path / "s", tmp_path / "p")
    assert [rows[0][k] for k in ("width", "height", "orientation")] == [10, 20, 6]
    assert load_image(rows[0]).shape == (20, 10, 3)


@pytest.mark.parametrize(
    ("content", "options", "reason"),
    [
        (b"", {}, "unreadable"),
        (b"GIF89a", {}, "unreadable"),
        (encoded(size=(200, 200))[:2000], {}, "truncated"),
        (encoded(size=(1, 1)), {}, "too-small"),
        (encoded(size=(31, 40)), {"min_side": 32}, "too-small"),
        (encoded(size=(40, 40)), {"max_pixels": 1599}, "too-many-pixels"),
    ],
)
def test_a_bad_image_is_refused_with_its_reason_and_the_rest_kept(
    tmp_path: Path, content: bytes, options: dict[str, int], reason: str
) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p/bad.jpg").write_bytes(content)
    (tmp_path / "p/good.jpg").write_bytes(encoded(size=(32, 32)))
    rows, refused = ingest(tmp_path / "s", tmp_path / "p", **options)
    assert ids(rows) == ["p/good.jpg"]
    assert reasons(refused) == [("p/bad.jpg", reason)]


def test_a_truncated_image_passes_only_without_verify(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    whole = encoded(size=(100, 100))
    (tmp_path / "p/cut.jpg").write_bytes(whole[: len(whole) * 3 // 4])
    assert reasons(ingest(tmp_path / "s", tmp_path / "p")[1]) == [("p/cut.jpg", "truncated")]
    assert ids(ingest(tmp_path / "s", tmp_path / "p", verify=False)[0]) == ["p/cut.jpg"]


def test_unusual_but_undamaged_images_are_kept(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    rng = np.random.default_rng(0)
    deep = Image.fromarray(rng.integers(0, 1 << 16, (6, 5), dtype=np.uint16))
    ink = Image.fromarray(rng.integers(0, 256, (5, 5, 4), np.uint8), "CMYK")
    (tmp_path / "p/deep.png").write_bytes(saved(deep, "PNG"))
    (tmp_path / "p/ink.jpg").write_bytes(saved(ink, "JPEG"))
    (tmp_path / "p/wrong_suffix.jpg").write_bytes(encoded(kind="PNG"))
    rows, refused = ingest(tmp_path / "s", tmp_path / "p")
    assert [row["format"] for row in rows] == ["PNG", "JPEG", "PNG"]
    assert refused == []


def test_an_image_without_captions_is_kept_unless_they_are_required(tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "a.tar", {"x.jpg": encoded(), "y.jpg": encoded(), "y.txt": b"dog"})
    assert ids(ingest(tmp_path / "s", tar)[0]) == ["a/x", "a/y"]
    rows, refused = ingest(tmp_path / "s", tar, require_captions=True)
    assert ids(rows) == ["a/y"]
    assert reasons(refused) == [("a/x", "missing-caption")]


def test_parts_are_cut_by_count_and_by_bytes(photos: Path) -> None:
    by_count = stage(photos, part_images=3)
    assert list(by_count.plan({})) == [0, 1, 2]
    size = max(path.stat().st_size for path in photos.iterdir())
    assert list(stage(photos, part_bytes=2 * size + 1).plan({})) in ([0, 1, 2, 3], [0, 1, 2])
    assert list(stage(photos, part_bytes=1).plan({})) == list(range(7))


def test_all_parts_together_have_all_rows(photos: Path, tmp_path: Path) -> None:
    whole, _ = ingest(tmp_path / "s", photos)
    assert ingest(tmp_path / "s", photos, part_images=2)[0] == whole


@pytest.mark.parametrize("limit", [1, 3, 4, 7, 100])
def test_a_limit_takes_the_first_images_and_plans_no_more_parts(
    photos: Path, tmp_path: Path, limit: int
) -> None:
    whole, _ = ingest(tmp_path / "s", photos)
    limited = stage(photos, part_images=3, limit=limit)
    assert len(list(limited.plan({}))) == -(-min(limit, 7) // 3)
    assert limited.total() == min(limit, 7)
    assert ingest(tmp_path / "s", photos, part_images=3, limit=limit)[0] == whole[:limit]


def test_progress_counts_every_record_refused_or_not(photos: Path, tmp_path: Path) -> None:
    (photos / "03.jpg").write_bytes(b"")
    part = InMemory({}, tmp_path)
    list(stage(photos).run(part))
    assert (part.advanced, len(part.refused)) == (7, 1)


def test_the_digest_ignores_the_folder_of_the_source_and_notices_changes(
    photos: Path, tmp_path: Path
) -> None:
    before = stage(photos).digests()
    moved = tmp_path / "elsewhere" / "photos"
    moved.parent.mkdir()
    photos.rename(moved)
    assert stage(moved).digests() == before
    (moved / "new.jpg").write_bytes(encoded())
    assert stage(moved).digests() != before
    assert len(ingest(tmp_path / "s", moved)[0]) == 8


def test_paths_are_not_part_of_the_recipe(photos: Path) -> None:
    recipe = stage(photos).recipe()
    assert "sources" not in recipe
    assert {"kind", "pack", "max_pixels", "min_side", "require_captions", "verify"} <= set(recipe)


def test_a_relative_source_is_relative_to_the_current_folder(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos.parent)
    assert Ingest(sources=("photos",)).sources == (str(photos),)


def test_a_pickled_stage_makes_the_same_rows(photos: Path, tmp_path: Path) -> None:
    sent = pickle.loads(pickle.dumps(stage(photos)))
    assert run_part(sent, tmp_path / "s", 0) == run_part(stage(photos), tmp_path / "s", 0)


def test_two_runs_make_the_same_rows(photos: Path, tmp_path: Path) -> None:
    assert ingest(tmp_path / "s", photos, pack=True) == ingest(tmp_path / "s", photos, pack=True)


def test_changed_images_are_new_ones_if_they_are_accepted(photos: Path) -> None:
    before = stage(photos).digests(), stage(photos, accept_changed=True).digests()
    path = photos / "03.jpg"
    content = path.read_bytes()
    path.write_bytes(content[:-20] + bytes(1) + content[-19:])
    assert stage(photos).digests() == before[0]
    assert stage(photos, accept_changed=True).digests() != before[1]
    path.write_bytes(content)
    assert stage(photos, accept_changed=True).digests() == before[1]
    first = stage(photos, accept_changed=True, limit=3).digests()
    path.unlink()
    assert stage(photos, accept_changed=True, limit=3).digests()["images"] == first["images"]


def test_nothing_is_left_in_scratch(photos: Path, tmp_path: Path) -> None:
    ingest(tmp_path / "s", photos, pack=True)
    assert [path for path in (tmp_path / "s").rglob("*") if path.is_file()] == []


@pytest.mark.slow
def test_images_of_a_part_are_not_held_in_memory(tmp_path: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 300, 3), np.uint8))
    content = saved(noise, "PNG")  # 270 kB: noise does not compress
    peaks = []
    for count in (8, 64):
        tar = write_tar(tmp_path / f"{count}.tar", {f"{n}.png": content for n in range(count)})
        tracemalloc.start()
        ingest(tmp_path / "s", tar, verify=False)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 4 * len(content)


@pytest.mark.parametrize(
    "options", [{"max_pixels": 0}, {"min_side": 0}, {"kind": "zip"}, {"part_images": 0}]
)
def test_options_out_of_range_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match="rc ingest: --"):
        Ingest(sources=("x",), **options)


@pytest.mark.slow
def test_importing_the_stage_does_not_import_torch() -> None:
    code = "import sys, stages.ingest; sys.exit('torch' in sys.modules)"
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0


@pytest.mark.slow
def test_every_real_photograph_is_read(tmp_path: Path) -> None:
    rows, refused = ingest(tmp_path / "s", shared_data("coco_subset"), limit=60)
    assert len(rows) + len([r for r in refused if "#" not in r[0]]) == 60
    for row in rows[::10]:
        assert load_image(row).shape == (row["height"], row["width"], 3)


def test_an_empty_source_is_not_this_folder() -> None:
    with pytest.raises(OptionError, match="a source is empty"):
        Ingest(sources=("",))
