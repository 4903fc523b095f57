from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

from schemas.errors import SourceError
from stages.sources.record import Inventory, LeftOut, SourceOptions
from stages.sources.source_kind import open_source
from tests.stages.sources.samples import (
    encoded,
    ids,
    ingest,
    reasons,
    shared_data,
    write_images,
    write_json,
)

if TYPE_CHECKING:
    from pathlib import Path

CATEGORIES = [{"id": 7, "name": "dog"}, {"id": 9, "name": "traffic light"}]


def images(*names: str) -> list[dict[str, Any]]:
    return [{"id": number, "file_name": name} for number, name in enumerate(names)]


def box(image_id: int, *bbox: float, **more: Any) -> dict[str, Any]:
    return {"image_id": image_id, "category_id": 7, "bbox": list(bbox), **more}


def write_coco(
    root: Path,
    split: str = "val",
    captions: list[Any] | None = None,
    instances: list[Any] | None = None,
    folder: str = "images/val",
) -> Path:
    """A COCO folder of a.jpg (12 x 8) and b.jpg with these annotations."""
    write_images(root / folder, ["a.jpg", "b.jpg"])
    entries = images("a.jpg", "b.jpg")
    if captions is not None:
        write_json(
            root / f"annotations/captions_{split}.json",
            {"images": entries, "annotations": captions},
        )
    if instances is not None:
        content = {"images": entries, "annotations": instances, "categories": CATEGORIES}
        write_json(root / f"annotations/instances_{split}.json", content)
    return root


@pytest.mark.parametrize("folder", ["images/val", "val"])
def test_captions_and_boxes_of_one_file_are_one_image(tmp_path: Path, folder: str) -> None:
    captions = [{"image_id": 0, "caption": " one "}, {"image_id": 0, "caption": "two"}]
    boxes = [box(0, 2, 1, 4, 5, area=11.5, iscrowd=1)]
    root = write_coco(tmp_path / "c", "val", captions, boxes, folder)
    rows, refused = ingest(tmp_path / "s", root)
    assert ids(rows) == ["val/a", "val/b"]
    assert rows[0]["captions"] == ["one", "two"]
    assert rows[0]["objects"] == [
        {"category": "dog", "x0": 2, "y0": 1, "x1": 6, "y1": 6, "area": 11.5, "is_crowd": True}
    ]
    assert (rows[1]["captions"], rows[1]["objects"], refused) == ([], [], [])
    assert {row["split"] for row in rows} == {"val"}


@pytest.mark.parametrize("which", ["captions", "instances"])
def test_either_file_alone_is_enough(tmp_path: Path, which: str) -> None:
    rows, _ = ingest(tmp_path / "s", write_coco(tmp_path / "c", **{which: []}))  # type: ignore[arg-type]
    assert ids(rows) == ["val/a", "val/b"]


def test_files_named_one_by_one_give_the_same_rows(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "c", captions=[{"image_id": 1, "caption": "x"}], instances=[])
    notes = root / "annotations"
    by_name = (notes / "captions_val.json", notes / "instances_val.json", root / "images/val")
    assert ingest(tmp_path / "s", *by_name) == ingest(tmp_path / "s", root)


def test_only_the_images_the_json_lists_are_taken(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "c", captions=[])
    write_images(root / "images/val", ["unlisted.jpg"])
    rows, _ = ingest(tmp_path / "s", root)
    assert ids(rows) == ["val/a", "val/b"]


def test_only_the_named_splits_are_taken(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "c", "val", captions=[])
    write_coco(root, "train", captions=[], folder="images/train")
    assert ids(ingest(tmp_path / "s", root)[0]) == ["train/a", "train/b", "val/a", "val/b"]
    assert ids(ingest(tmp_path / "s", root, split=("val",))[0]) == ["val/a", "val/b"]
    with pytest.raises(SourceError, match=r"no split 'test'.*\['train', 'val'\]"):
        ingest(tmp_path / "s", root, split=("test",))


def test_a_split_without_images_is_left_out_unless_the_user_names_it(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "c", "val", captions=[])
    write_json(root / "annotations/captions_train.json", {"images": [], "annotations": []})
    assert ids(ingest(tmp_path / "s", root)[0]) == ["val/a", "val/b"]
    with pytest.raises(SourceError, match="no split 'train'"):
        ingest(tmp_path / "s", root, split=("train",))


def test_a_listed_image_that_is_not_there_is_reported(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "c", captions=[])
    (root / "images/val/a.jpg").unlink()
    rows, refused = ingest(tmp_path / "s", root)
    assert ids(rows) == ["val/b"]
    assert reasons(refused) == [("val/a", "missing-image")]


def test_two_files_of_one_stem_are_a_duplicate_even_across_parts(tmp_path: Path) -> None:
    root = tmp_path / "c"
    write_images(root / "val", ["a.jpg", "a.png"])
    listed = {"images": images("a.jpg", "a.png"), "annotations": []}
    write_json(root / "annotations/captions_val.json", listed)
    for part_images in (10, 1):
        rows, refused = ingest(tmp_path / "s", root, part_images=part_images)
        assert [row["format"] for row in rows] == ["JPEG"]
        assert reasons(refused) == [("val/a", "duplicate-id")]


@pytest.mark.parametrize("name", ["../secret.jpg", "/etc/secret.jpg", "x/../../secret.jpg"])
def test_a_file_name_that_leaves_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    root = write_coco(tmp_path / "c", captions=[])
    write_images(root / "images", ["secret.jpg"])
    listed = {"images": images(name, "a.jpg"), "annotations": []}
    write_json(root / "annotations/captions_val.json", listed)
    rows, refused = ingest(tmp_path / "s", root)
    assert ids(rows) == ["val/a"]
    assert [reason for _, reason in reasons(refused)] == ["unsafe-name"]


@pytest.mark.parametrize(
    ("bbox", "reason"),
    [
        ([3, 3, 0, 4], "empty-box"),
        ([3, 3, 4, -2], "empty-box"),
        ([20, 3, 4, 4], "outside-box"),
        ([-9, -9, 4, 4], "outside-box"),
        ([1, 2, 3], "bad-box"),
        ([1, 2, 3, None], "bad-box"),
        ([1, 2, 3, float("nan")], "bad-box"),
        ([1e300, 2, 1e300, 2], "bad-box"),
        ([10**400, 1, 2, 2], "bad-box"),
        ("1,2,3,4", "bad-box"),
    ],
)
def test_an_impossible_box_is_dropped_and_the_image_stays(
    tmp_path: Path, bbox: Any, reason: str
) -> None:
    boxes = [box(0, 1, 1, 2, 2), {**box(0), "bbox": bbox}]
    rows, refused = ingest(tmp_path / "s", write_coco(tmp_path / "c", instances=boxes))
    assert ids(rows) == ["val/a", "val/b"]
    assert len(rows[0]["objects"]) == 1
    assert [refused_for for _, refused_for in reasons(refused)] == [reason]


def test_a_box_partly_outside_is_clipped(tmp_path: Path) -> None:
    boxes = [box(0, -2, 5, 100, 100)]
    rows, refused = ingest(tmp_path / "s", write_coco(tmp_path / "c", instances=boxes))
    (clipped,) = rows[0]["objects"]
    assert [clipped[k] for k in ("x0", "y0", "x1", "y1", "area")] == [0, 5, 12, 8, 36]
    assert refused == []


def test_a_box_of_an_unlisted_category_is_dropped(tmp_path: Path) -> None:
    boxes = [{**box(0, 1, 1, 2, 2), "category_id": 8}]
    rows, refused = ingest(tmp_path / "s", write_coco(tmp_path / "c", instances=boxes))
    assert rows[0]["objects"] == []
    assert reasons(refused) == [("val/a", "unknown-category")]


def test_a_caption_that_is_not_text_is_dropped(tmp_path: Path) -> None:
    captions = [{"image_id": 0, "caption": 5}, {"image_id": 0, "caption": "good"}]
    rows, refused = ingest(tmp_path / "s", write_coco(tmp_path / "c", captions=captions))
    assert rows[0]["captions"] == ["good"]
    assert reasons(refused) == [("val/a", "bad-caption")]


def test_lvis_names_its_files_by_url(tmp_path: Path) -> None:
    write_images(tmp_path / "val2017", ["7.jpg"])
    entry = {"id": 7, "coco_url": "http://images.cocodataset.org/val2017/7.jpg"}
    content = {"images": [entry], "annotations": [box(7, 1, 1, 2, 2)], "categories": CATEGORIES}
    json_path = write_json(tmp_path / "lvis_v1_val.json", content)
    rows, _ = ingest(tmp_path / "s", json_path, tmp_path / "val2017")
    assert ids(rows) == ["val2017/7"]
    assert rows[0]["objects"][0]["is_crowd"] is False


def test_json_without_a_folder_says_what_is_missing(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "c", captions=[])
    with pytest.raises(SourceError, match="needs its folder of images"):
        ingest(tmp_path / "s", root / "annotations/captions_val.json")


def test_a_corrupt_photograph_does_not_stop_the_others(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "c", captions=[])
    (root / "images/val/a.jpg").write_bytes(encoded(size=(90, 90))[:400])
    rows, refused = ingest(tmp_path / "s", root)
    assert ids(rows) == ["val/b"]
    assert [reason for _, reason in reasons(refused)] in (["truncated"], ["unreadable"])


@pytest.mark.slow
def test_the_real_subset_is_read_completely(tmp_path: Path) -> None:
    root = shared_data("coco_subset")
    rows, refused = ingest(tmp_path / "s", root, split=("val2017",), verify=False)
    notes = {
        name: json.loads((root / f"annotations/{name}_val2017.json").read_text())
        for name in ("captions", "instances")
    }
    files = {entry["file_name"] for note in notes.values() for entry in note["images"]}
    assert len(rows) == len(files)
    sizes = {f"val2017/{e['file_name'][:-4]}": e for e in notes["instances"]["images"]}
    for row in rows:
        if row["image_id"] in sizes:
            entry = sizes[row["image_id"]]
            assert (row["width"], row["height"]) == (entry["width"], entry["height"])
    assert sum(len(row["captions"]) for row in rows) == len(notes["captions"]["annotations"])
    num_objects = sum(len(row["objects"]) for row in rows)
    assert num_objects + len(refused) == len(notes["instances"]["annotations"])
    for row in rows:
        for item in row["objects"]:
            assert 0 <= item["x0"] < item["x1"] <= row["width"]
            assert 0 <= item["y0"] < item["y1"] <= row["height"]


@pytest.mark.parametrize("area", [None, "large", float("nan"), 10**400])
def test_an_unusable_area_is_replaced_by_that_of_the_box(tmp_path: Path, area: Any) -> None:
    root = write_coco(tmp_path / "c", instances=[box(0, 1, 1, 2, 3, area=area)])
    rows, refused = ingest(tmp_path / "s", root)
    assert (rows[0]["objects"][0]["area"], refused) == (6, [])


def test_a_json_is_paired_with_the_folder_that_its_name_ends_with(tmp_path: Path) -> None:
    for folder in ("train", "val"):
        write_images(tmp_path / folder, [f"{folder}.jpg"])
        listed = {"images": images(f"{folder}.jpg")}
        write_json(tmp_path / f"notes_{folder}.json", listed)
    paths = [tmp_path / name for name in ("val", "train", "notes_train.json", "notes_val.json")]
    assert ids(ingest(tmp_path / "s", *paths)[0]) == ["train/train", "val/val"]
    assert ids(ingest(tmp_path / "s", *paths, split=("val",))[0]) == ["val/val"]
    (tmp_path / "notes_val.json").rename(tmp_path / "notes.json")
    with pytest.raises(SourceError, match=r"notes\.json could belong to several folders"):
        ingest(tmp_path / "s", *paths[:3], tmp_path / "notes.json")


def test_files_in_a_folder_that_is_paired_with_a_json_are_named_if_not_read(
    tmp_path: Path,
) -> None:
    write_images(tmp_path / "photos", ["a.jpg"])
    (tmp_path / "photos/captions.csv").write_text("file_name,caption\na.jpg,a dog\n")
    write_json(tmp_path / "photos/boxes.json", {"images": images("a.jpg")})
    paths = [str(tmp_path / name) for name in ("photos/boxes.json", "photos")]
    left_out = open_source(paths, SourceOptions()).inventory().left_out
    assert left_out == (LeftOut(".csv file", 1),)


def test_the_digest_changes_with_annotations_and_image_sizes(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "c", captions=[])
    digests = [open_source([str(root)], SourceOptions()).digest()]
    write_coco(root, captions=[{"image_id": 0, "caption": "a dog"}])
    digests.append(open_source([str(root)], SourceOptions()).digest())
    (root / "images/val/a.jpg").write_bytes(b"")
    digests.append(open_source([str(root)], SourceOptions()).digest())
    assert len(set(digests)) == 3
    (root / "images/val/unlisted.jpg").write_bytes(b"")
    assert open_source([str(root)], SourceOptions()).digest() == digests[-1]


def read(root: Path, **options: Any) -> list[tuple[str, list[list[float]]]]:
    """Id and corners of the boxes of each image."""
    rows, _ = ingest(root.parent / "scratch", root, **options)
    sides = ("x0", "y0", "x1", "y1")
    return [(r["image_id"], [[thing[s] for s in sides] for thing in r["objects"]]) for r in rows]


def inventory(root: Path) -> Inventory:
    return open_source([str(root)], SourceOptions()).inventory()


def test_the_id_of_the_json_is_kept(tmp_path: Path) -> None:
    root = tmp_path / "c"
    write_images(root / "val", ["1.jpg", "2.jpg", "3.jpg"])
    listed = {"images": images("1.jpg", "2.jpg", "3.jpg"), "annotations": []}
    write_json(root / "annotations/captions_val.json", listed)
    rows, _ = ingest(tmp_path / "s", root)
    named = {row["image_id"]: row["source_id"] for row in rows}
    assert named == {"val/1": "0", "val/2": "1", "val/3": "2"}


def test_annotations_of_unlisted_images_are_refused_once_however_parts_are_cut(
    tmp_path: Path,
) -> None:
    boxes = [box(0, 1, 1, 2, 2), box(77, 1, 1, 2, 2), box(78, 1, 1, 2, 2)]
    root = write_coco(tmp_path / "c", instances=boxes)
    for part_images in (10, 1):
        _, refused = ingest(tmp_path / "s", root, part_images=part_images)
        assert reasons(refused) == [
            ("val/instances_val.json#annotation1", "unknown-image"),
            ("val/instances_val.json#annotation2", "unknown-image"),
        ]


def test_boxes_fit_images_that_were_turned_or_resized_since(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "c/val").mkdir(parents=True)
    (tmp_path / "c/val/turned.jpg").write_bytes(encoded(size=(100, 60), exif=exif))
    (tmp_path / "c/val/small.jpg").write_bytes(encoded(size=(100, 60)))
    (tmp_path / "c/val/cut.jpg").write_bytes(encoded(size=(100, 60)))
    sizes = [("turned.jpg", 100, 60), ("small.jpg", 200, 120), ("cut.jpg", 120, 60)]
    listed = [
        {"id": n, "file_name": name, "width": width, "height": height}
        for n, (name, width, height) in enumerate(sizes)
    ]
    boxes = [box(n, 70, 10, 20, 10) for n in range(3)]
    content = {"images": listed, "annotations": boxes, "categories": CATEGORIES}
    write_json(tmp_path / "c/annotations/instances_val.json", content)
    assert read(tmp_path / "c") == [
        ("val/cut", []),
        ("val/small", [[35, 5, 45, 10]]),
        ("val/turned", [[40, 70, 50, 90]]),
    ]
    _, refused = ingest(tmp_path / "s", tmp_path / "c")
    assert reasons(refused) == [("val/cut#0", "size-mismatch")]
    assert "120 x 60; it has 100 x 60 pixels" in refused[0][2]


def test_the_form_of_boxes_is_judged_over_all_images_or_told(tmp_path: Path) -> None:
    boxes = [box(0, 7, 2, 11, 7), box(1, 8, 4, 12, 8), box(1, 1, 1, 3, 3)]
    root = write_coco(tmp_path / "c", instances=boxes)
    for part_images in (10, 1):
        with pytest.raises(SourceError, match=r"val/instances_val\.json.*--boxes xyxy"):
            ingest(tmp_path / "s", root, part_images=part_images)
    assert read(root, boxes="xyxy") == [
        ("val/a", [[7, 2, 11, 7]]),
        ("val/b", [[8, 4, 12, 8], [1, 1, 3, 3]]),
    ]
    write_coco(root, instances=[box(0, 0.25, 0.5, 0.5, 0.25)])
    with pytest.raises(SourceError, match=r"within \[0, 1\], so they look normalised"):
        ingest(tmp_path / "s", root)
    assert read(root, boxes="normalised") == [("val/a", [[3, 4, 9, 6]]), ("val/b", [])]


def test_the_form_of_boxes_is_an_option_of_coco_alone(tmp_path: Path) -> None:
    write_images(tmp_path / "p", ["a.jpg"])
    with pytest.raises(SourceError, match="--boxes is for COCO's JSON; this is a folder source"):
        ingest(tmp_path / "s", tmp_path / "p", boxes="xyxy")


def test_lvis_lists_images_of_two_folders(tmp_path: Path) -> None:
    write_images(tmp_path / "c/images", ["train2017/1.jpg", "val2017/2.jpg"])
    url = "http://images.cocodataset.org"
    entries = [{"id": 1, "coco_url": f"{url}/train2017/1.jpg"}]
    entries.append({"id": 2, "coco_url": f"{url}/val2017/2.jpg"})
    boxes = [box(1, 1, 1, 2, 2), box(2, 2, 2, 2, 2)]
    content = {"images": entries, "annotations": boxes, "categories": CATEGORIES}
    write_json(tmp_path / "c/annotations/lvis_v1_val.json", content)
    assert read(tmp_path / "c") == [
        ("val/train2017/1", [[1, 1, 3, 3]]),
        ("val/val2017/2", [[2, 2, 4, 4]]),
    ]


def test_roboflow_has_its_json_beside_the_images(tmp_path: Path) -> None:
    for number, split in enumerate(("train", "valid")):
        write_images(tmp_path / "c" / split, ["a.jpg"])
        boxes = [box(0, 1 + number, 1, 2, 2)]
        content = {"images": images("a.jpg"), "annotations": boxes, "categories": CATEGORIES}
        write_json(tmp_path / "c" / split / "_annotations.coco.json", content)
    assert read(tmp_path / "c") == [("train/a", [[1, 1, 3, 3]]), ("valid/a", [[2, 1, 4, 3]])]


def test_splits_that_share_a_folder_have_their_own_images_alone(tmp_path: Path) -> None:
    write_images(tmp_path / "c/images", ["a.jpg", "b.jpg", "c.jpg"])
    for split, name in (("train", "a.jpg"), ("val", "b.jpg")):
        listed = {"images": images(name), "annotations": []}
        write_json(tmp_path / f"c/annotations/instances_{split}.json", listed)
    assert ids(ingest(tmp_path / "s", tmp_path / "c")[0]) == ["train/a", "val/b"]
    assert inventory(tmp_path / "c").left_out == (LeftOut("image that no JSON lists"),)


def test_a_split_none_of_whose_images_is_there_is_left_out_and_named(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "c", captions=[])
    write_images(root / "images", ["logo.png"])
    listed = {"images": images("x.jpg"), "annotations": []}
    write_json(root / "annotations/captions_train.json", listed)
    assert ids(ingest(tmp_path / "s", root)[0]) == ["val/a", "val/b"]
    assert "split train is left out: none of its images is there" in inventory(root).remarks
    with pytest.raises(SourceError, match=r"no image of split 'train' is in .*images"):
        ingest(tmp_path / "s", root, split=("train",))


def test_how_names_were_matched_and_what_no_json_lists_is_said(tmp_path: Path) -> None:
    root = tmp_path / "c"
    write_images(root / "val", ["a.jpg", "sub/b.jpg", "extra.jpg", "more.jpg"])
    listed = {"images": images("./a.jpg", "b.jpg", "gone.jpg"), "annotations": []}
    write_json(root / "annotations/captions_val.json", listed)
    rows, refused = ingest(tmp_path / "s", root)
    assert ids(rows) == ["val/a", "val/sub/b"]
    assert reasons(refused) == [("val/gone", "missing-image")]
    seen = inventory(root)
    assert seen.left_out == (LeftOut("image that no JSON lists", 2),)
    assert seen.remarks == (
        "split val: file names were matched with files by: 1 spelling, 1 base name",
    )


def test_a_missing_image_does_not_take_the_id_of_one_that_is_there(tmp_path: Path) -> None:
    root = write_coco(tmp_path / "c", captions=[])
    listed = {"images": images("b.bmp", "b.jpg"), "annotations": []}
    write_json(root / "annotations/captions_val.json", listed)
    rows, refused = ingest(tmp_path / "s", root)
    assert (ids(rows), reasons(refused)) == (["val/b"], [("val/b", "missing-image")])


def test_annotations_none_of_which_is_of_a_listed_image_are_an_error(tmp_path: Path) -> None:
    write_images(tmp_path / "val", ["a.jpg"])
    split = {"images": [{"id": 1, "file_name": "a.jpg"}], "categories": []}
    path = tmp_path / "annotations/instances_val.json"
    write_json(path, {**split, "annotations": [{"image_id": 42, "bbox": [1, 1, 2, 2]}]})
    assert inventory(tmp_path).unmatched == (
        "none of the annotations is of an image that is listed: annotation 0 of "
        "instances_val.json: image 42 is not listed; a.jpg has the id 1"
    )
    write_json(path, {**split, "annotations": []})
    assert inventory(tmp_path).unmatched is None


def test_images_none_of_which_is_there_are_an_error_with_both_names(tmp_path: Path) -> None:
    write_images(tmp_path / "val", ["q.jpg"])
    listed = {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [], "categories": []}
    write_json(tmp_path / "annotations/instances_val.json", listed)
    assert inventory(tmp_path).unmatched == (
        f"no image that the JSON lists is in {tmp_path / 'val'}: the JSON says 'a.jpg', "
        "the folder has 'q.jpg'"
    )
