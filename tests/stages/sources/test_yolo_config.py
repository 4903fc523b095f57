from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from schemas.errors import SourceError
from stages.sources.yolo_config import find_config, is_config_name, read_config

if TYPE_CHECKING:
    from pathlib import Path


def write(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def test_names_are_a_list_or_a_mapping_and_always_text(tmp_path: Path) -> None:
    path = write(tmp_path / "data.yaml", "train: images/train\nnames: [yes, no, 3, traffic light]")
    assert read_config(str(path)).names == {0: "yes", 1: "no", 2: "3", 3: "traffic light"}
    write(path, "train: images\nnames:\n  0: cat\n  2: ' dog '\n  x: bird\n  3: [a]\n  4: ''\n")
    assert read_config(str(path)).names == {0: "cat", 2: "dog"}


def test_splits_are_folders_or_lists_of_folders(tmp_path: Path) -> None:
    text = "path: ../coco\ntrain: [a, b]\nval: c\ntest:\nnc: 1\nnames: [x]\ndownload: http://x\n"
    config = read_config(str(write(tmp_path / "coco.yaml", text)))
    assert (config.base, config.splits) == ("../coco", {"train": ("a", "b"), "val": ("c",)})
    assert not config.has_keypoints
    write(tmp_path / "coco.yaml", text + "kpt_shape: [17, 3]\n")
    assert read_config(str(tmp_path / "coco.yaml")).has_keypoints


def test_a_yaml_is_never_executed(tmp_path: Path) -> None:
    text = "train: x\nnames: [a]\nevil: !!python/object/apply:os.system ['touch evil']\n"
    config = find_config(str(write(tmp_path / "data.yaml", text).parent))
    assert config is not None
    assert list(tmp_path.iterdir()) == [tmp_path / "data.yaml"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("data.yaml", "{broken"),
        ("data.yaml", "- a\n- b\n"),
        ("data.yaml", "train: images\n"),
        ("data.yaml", "names: []\ntrain: images\n"),
        ("other.yaml", "names: [a]\n"),
        ("classes.txt", "cat\ndog\n"),
        (".hidden/data.yaml", "names: [a]\ntrain: x\n"),
        ("data.yaml", "\x00\x01"),
    ],
)
def test_what_describes_no_data_set_is_passed_over(tmp_path: Path, name: str, content: str) -> None:
    path = write(tmp_path / name, content)
    assert find_config(str(tmp_path)) is None
    if not name.startswith("."):
        with pytest.raises(SourceError, match="does not describe a YOLO data set: it needs names"):
            read_config(str(path))


def test_a_list_of_classes_describes_labels_near_it(tmp_path: Path) -> None:
    write(tmp_path / "labels/train/a.txt", "1 .5 .5 .2 .2")
    write(tmp_path / "classes.txt", "\ufeffcat\ntraffic light\n\n")
    config = find_config(str(tmp_path))
    assert config is not None
    assert (config.names, config.splits) == ({0: "cat", 1: "traffic light"}, {})


def test_the_usual_name_comes_first_and_the_folder_before_its_subfolders(tmp_path: Path) -> None:
    for name in ("sub/data.yaml", "coco.yaml", "data.yaml"):
        write(tmp_path / name, "names: [a]\ntrain: images\n")
    for name in ("data.yaml", "coco.yaml", "sub/data.yaml"):
        config = find_config(str(tmp_path))
        assert config is not None
        assert config.path == str(tmp_path / name)
        assert config.folder == (tmp_path / name).parent
        (tmp_path / name).unlink()


def test_of_several_descriptions_the_user_must_name_one(tmp_path: Path) -> None:
    for name in ("coco.yaml", "lvis.yaml"):
        write(tmp_path / name, "names: [a]\ntrain: images\n")
    with pytest.raises(SourceError, match=r"several .*\(coco.yaml, lvis.yaml\): name one"):
        find_config(str(tmp_path))


def test_descriptions_are_known_by_their_names() -> None:
    known = ("data.yaml", "x.YML", "obj.names", "a/classes.txt")
    assert [is_config_name(name) for name in (*known, "a.txt", "a.json")] == [True] * 4 + [
        False
    ] * 2


def test_a_list_of_classes_is_found_beside_a_folder_of_labels_of_any_name(tmp_path: Path) -> None:
    (tmp_path / "obj_train_data").mkdir()
    (tmp_path / "obj_train_data/a.txt").write_text("0 .5 .5 .2 .2\n")
    (tmp_path / "obj.names").write_text("cat\ndog\n")
    config = find_config(str(tmp_path))
    assert config is not None
    assert config.names == {0: "cat", 1: "dog"}
