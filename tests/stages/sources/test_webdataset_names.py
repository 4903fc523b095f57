from __future__ import annotations

import pytest

from stages.sources.webdataset_names import is_mask, is_wanted, kind_left_out, split_name


@pytest.mark.parametrize(
    ("name", "pieces"),
    [
        ("000.jpg", ("000", "", ".jpg")),
        ("a/b/000.JPG", ("a/b/000", "", ".jpg")),
        ("train.v1/22.05.jpg", ("train.v1/22", "05", ".jpg")),
        ("x.y.z.webp", ("x", "y.z", ".webp")),
        ("s.outputs.txt", ("s", "outputs", ".txt")),
        ("README", ("README", "", "")),
        ("x.", ("x", "", "")),
    ],
)
def test_the_key_ends_at_the_first_dot_and_the_suffix_begins_at_the_last(
    name: str, pieces: tuple[str, str, str]
) -> None:
    assert tuple(split_name(name)) == pieces


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("x.jpg", None),
        ("x.input.png", None),
        ("x.heic", None),
        ("x.txt", None),
        ("x.caption", None),
        ("x.json", None),
        ("x.seg.png", ".seg.png member"),
        ("x.depth_map.png", ".depth.png member"),
        ("x.mask.01.png", ".mask.png member"),
        ("x.cls", ".cls member"),
        ("x.npy", ".npy member"),
        ("LICENSE", "member of no suffix"),
        ("x.\x1b[31m", "member of odd suffix"),
        ("x." + "y" * 99, "member of odd suffix"),
        ("d/._x.jpg", "._ member of macOS"),
        ("__MACOSX/x.jpg", "._ member of macOS"),
        (".DS_Store", "hidden member"),
        ("d/Thumbs.db", "hidden member"),
        (".ipynb_checkpoints/x.jpg", "hidden member"),
    ],
)
def test_a_member_is_a_photograph_or_a_caption_or_is_counted_by_kind(
    name: str, kind: str | None
) -> None:
    assert kind_left_out(name) == kind
    assert is_wanted(name) == (kind is None)


def test_a_label_with_a_word_of_masks_in_it_is_that_of_a_mask() -> None:
    assert all(map(is_mask, ["seg", "MASK", "instance_ids.instance", "depth-16", "gt"]))
    assert not any(map(is_mask, ["", "0", "input", "segway", "unmasked", "left"]))
