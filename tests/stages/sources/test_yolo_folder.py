from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from schemas.errors import SourceError
from stages.sources.record import LeftOut, SourceOptions
from stages.sources.source_kind import open_source
from tests.stages.sources.samples import encoded, ids, ingest, reasons, write_images

if TYPE_CHECKING:
    from pathlib import Path

    from stages.sources.record import Inventory

YAML = "train: images/train\nval: images/val\nnames: [cat, dog]\n"


def write(root: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def inventory(*paths: Path) -> Inventory:
    return open_source([str(path) for path in paths], SourceOptions()).inventory()


def found(rows: list[dict[str, Any]]) -> dict[str, list[tuple[str, list[float]]]]:
    return {
        row["image_id"]: [
            (thing["category"], [round(thing[s], 3) for s in ("x0", "y0", "x1", "y1")])
            for thing in row["objects"]
        ]
        for row in rows
    }


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    root = tmp_path / "pets"
    write_images(root / "images", ["train/a.jpg", "train/b.jpg", "val/c.jpg"])  # 12 x 8
    write(
        root,
        {
            "data.yaml": YAML,
            "labels/train/a.txt": "0 0.5 0.5 0.5 0.5\n1 .25 .5 .5 1\n",
            "labels/val/c.txt": "1 .5 .5 1 1\n",
        },
    )
    return root


def test_labels_become_objects_with_the_names_of_the_data_set(pets: Path, tmp_path: Path) -> None:
    rows, refused = ingest(tmp_path / "s", pets)
    assert found(rows) == {
        "train/a.jpg": [("cat", [3, 2, 9, 6]), ("dog", [0, 0, 6, 8])],
        "train/b.jpg": [],
        "val/c.jpg": [("dog", [0, 0, 12, 8])],
    }
    assert [row["split"] for row in rows] == ["train", "train", "val"]
    assert {row["source"] for row in rows} == {"yolo"}
    assert refused == []
    said = inventory(pets)
    assert said.remarks == ("labels of 2 of 3 images; 2 classes named by data.yaml",)
    (pets / "data.yaml").write_text(YAML.replace("dog", "cat"))
    assert inventory(pets).remarks[1:] == ("data.yaml has 'cat' more than once (names 1 and 2)",)
    assert said.left_out == ()


def test_the_description_alone_or_the_folder_above_will_do(pets: Path, tmp_path: Path) -> None:
    for source in (pets / "data.yaml", pets.parent / "pets"):
        assert len(found(ingest(tmp_path / "s", source)[0])["train/a.jpg"]) == 2
    rows, _ = ingest(tmp_path / "s", pets / "data.yaml", pets)
    assert ids(rows) == ["train/a.jpg", "train/b.jpg", "val/c.jpg"]
    with pytest.raises(SourceError, match="put it beside the images"):
        ingest(tmp_path / "s", pets / "data.yaml", pets / "images")


def test_splits_can_be_selected(pets: Path, tmp_path: Path) -> None:
    assert ids(ingest(tmp_path / "s", pets, split=("val",))[0]) == ["val/c.jpg"]
    with pytest.raises(SourceError, match=r"no split 'test' in .*; there are \['train', 'val'\]"):
        ingest(tmp_path / "s", pets, split=("test",))


def test_boxes_are_of_the_upright_image(pets: Path, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    (pets / "images/val/c.jpg").write_bytes(encoded(exif=exif))  # 8 x 12 when upright
    write(pets, {"labels/val/c.txt": "0 .5 .25 1 .5"})
    rows, _ = ingest(tmp_path / "s", pets)
    assert found(rows)["val/c.jpg"] == [("cat", [0, 0, 8, 6])]


def test_an_outline_keeps_its_area_in_pixels(pets: Path, tmp_path: Path) -> None:
    write(pets, {"labels/val/c.txt": "0 0 0 1 0 0 1"})
    rows, _ = ingest(tmp_path / "s", pets)
    (thing,) = rows[2]["objects"]
    np.testing.assert_allclose(thing["area"], 48)


def test_lines_that_are_no_objects_go_to_quarantine(pets: Path, tmp_path: Path) -> None:
    write(pets, {"labels/val/c.txt": "9 .5 .5 1 1\n0 50 50 10 10\n0 .5 .5 1 1\n"})
    rows, refused = ingest(tmp_path / "s", pets)
    assert found(rows)["val/c.jpg"] == [("cat", [0, 0, 12, 8])]
    assert reasons(refused) == [("val/c.jpg", "unknown-category"), ("val/c.jpg", "bad-box")]
    assert refused[0][2].startswith("labels/val/c.txt, line 1: class 9 has no name")


def test_labels_of_no_image_are_told(pets: Path, tmp_path: Path) -> None:
    write(pets, {"labels/train/gone.txt": "0 .5 .5 1 1", "README.txt": "by me", "labels.cache": ""})
    _, refused = ingest(tmp_path / "s", pets)
    assert reasons(refused) == [("labels/train/gone.txt", "unknown-image")]
    assert inventory(pets).left_out == (LeftOut(".cache file"), LeftOut(".txt file"))


def test_labels_that_fit_no_image_at_all_are_an_error_of_the_run(tmp_path: Path) -> None:
    write_images(tmp_path / "images", ["1.jpg"])
    write(tmp_path, {"data.yaml": YAML, "labels/x.txt": "0 .5 .5 1 1"})
    assert inventory(tmp_path).unmatched == (
        f"no labels of {tmp_path} belong to an image: labels are at 'labels/x.txt', "
        "images at 'images/1.jpg'"
    )


@pytest.mark.parametrize(
    ("image", "labels", "yaml", "image_id"),
    [
        ("train/images/a.jpg", "train/labels/a.txt", "train: ../train/images\n", "train/a.jpg"),
        ("valid/images/a.jpg", "valid/labels/a.txt", "val: ../valid/images\n", "val/a.jpg"),
        ("images/a.jpg", "images/a.txt", "train: ./images\n", "train/a.jpg"),
        ("a.jpg", "a.txt", "train: .\n", "train/a.jpg"),
        ("train/a.jpg", "labels/train/a.txt", "path: /somewhere\ntrain: train\n", "train/a.jpg"),
        ("images/a.jpg", "labels/a.txt", "train: /data1/me/set/images\n", "train/a.jpg"),
        ("images/val2017/a.jpg", "labels/val2017/a.txt", "val: gone\n", "val2017/a.jpg"),
        ("images/a.jpg", "labels/a.txt", "val: gone\n", "set/a.jpg"),
    ],
)
def test_other_layouts_are_understood(
    tmp_path: Path, image: str, labels: str, yaml: str, image_id: str
) -> None:
    root = tmp_path / "set"
    write_images(root, [image])
    write(root, {labels: "0 .5 .5 1 1", "data.yaml": f"{yaml}names: {{0: cat}}\n"})
    rows, refused = ingest(tmp_path / "s", root)
    assert (found(rows), refused) == ({image_id: [("cat", [0, 0, 12, 8])]}, [])
    gone = [remark for remark in inventory(root).remarks if "is not there" in remark]
    assert gone == (["no val images: 'gone' is not there"] if "gone" in yaml else [])


def test_a_split_may_be_a_list_of_images(pets: Path, tmp_path: Path) -> None:
    write(
        pets,
        {
            "data.yaml": "train: train.txt\nval: val.txt\nnames: [cat, dog]\n",
            "train.txt": "./images/train/a.jpg\n./images/val/c.jpg\n",
            "val.txt": "C:\\set\\images\\train\\b.jpg\nimages/gone.jpg\n",
        },
    )
    rows, refused = ingest(tmp_path / "s", pets)
    assert {row["image_id"]: row["split"] for row in rows} == {
        "train/a.jpg": "train",
        "train/val/c.jpg": "train",
        "val/train/b.jpg": "val",
    }
    assert reasons(refused) == [("val/gone.jpg", "missing-image")]
    assert inventory(pets).left_out == ()


def test_a_list_of_classes_will_do_without_a_yaml(pets: Path, tmp_path: Path) -> None:
    (pets / "data.yaml").unlink()
    write(pets, {"classes.txt": "cat\ndog\n"})
    rows, _ = ingest(tmp_path / "s", pets)
    assert len(found(rows)["train/a.jpg"]) == 2
    assert inventory(pets).left_out == ()


def test_ids_that_would_repeat_are_whole_paths(tmp_path: Path) -> None:
    root = tmp_path / "set"
    write_images(root, ["images/train/a.jpg", "train/images/a.jpg"])
    write(root, {"data.yaml": "names: [a]\n"})
    rows, _ = ingest(tmp_path / "s", root)
    assert ids(rows) == ["set/images/train/a.jpg", "set/train/images/a.jpg"]


def test_the_digest_follows_labels_and_names(pets: Path) -> None:
    def digest() -> str:
        return open_source([str(pets)], SourceOptions()).digest()

    digests = [digest()]
    for name, text in {"labels/val/c.txt": "0 .5 .5 1 1\n", "data.yaml": YAML + "# x"}.items():
        write(pets, {name: text})
        digests.append(digest())
    assert len(set(digests)) == 3


def test_without_names_labels_are_told_and_not_read(pets: Path, tmp_path: Path) -> None:
    (pets / "data.yaml").unlink()
    rows, _ = ingest(tmp_path / "s", pets)
    assert {row["source"] for row in rows} == {"folder"}
    assert [row["objects"] for row in rows] == [[], [], []]
    said = inventory(pets)
    assert said.left_out == (LeftOut("YOLO label .txt file", 2),)
    assert said.remarks[0].startswith("labels of YOLO were not read, since nothing names their")


def test_folders_of_images_and_labels_are_found_in_any_case(tmp_path: Path) -> None:
    write_images(tmp_path, ["Images/a.JPG"])
    (tmp_path / "Labels").mkdir()
    (tmp_path / "Labels/a.TXT").write_text("0 .5 .5 .5 .5\n")
    (tmp_path / "data.yaml").write_text("train: Images\nnames: [cat]\n")
    rows, refused = ingest(tmp_path / "s", tmp_path)
    assert [(row["image_id"], len(row["objects"])) for row in rows] == [("train/a.JPG", 1)]
    assert refused == []


def test_a_description_without_any_labels_makes_no_yolo_data_set(tmp_path: Path) -> None:
    write_images(tmp_path, ["images/a.jpg"])
    (tmp_path / "config.yaml").write_text("train: images\nnames: [cat]\n")
    (tmp_path / "captions.csv").write_text("image,caption\na.jpg,a dog\n")
    source = open_source([str(tmp_path)], SourceOptions())
    assert source.kind == "folder"
    forced = open_source([str(tmp_path)], SourceOptions("yolo"))
    assert forced.inventory().unmatched == (
        f"no image of {tmp_path} has labels: those of 'images/a.jpg' would be in 'labels/a.txt'; "
        "--kind folder reads the images alone"
    )
