from __future__ import annotations

import pytest

from schemas.errors import SourceError
from stages.sources.table_columns import (
    caption_columns,
    caption_remarks,
    find_column,
    image_name_column,
    listed,
    named_column,
    no_captions,
    unread_objects,
)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["url", "Text", "CAPTION"], "CAPTION"),
        ([" caption "], " caption "),
        (["caption", "Caption"], "caption"),
        (["captioned"], None),
        ([], None),
    ],
)
def test_a_column_is_found_by_the_order_of_candidates_ignoring_case(
    names: list[str], expected: str | None
) -> None:
    assert find_column(names, ("caption", "text")) == expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("image", "caption"), ("caption",)),
        (("URL", "TEXT"), ("TEXT",)),
        (("filepath", "title"), ("title",)),
        (("image", "alt_text"), ("alt_text",)),
        (("image", "Prompt"), ("Prompt",)),
        (("image", "description"), ("description",)),
        (("image", "raw_caption"), ("raw_caption",)),
        (("filename", "sentences"), ("sentences",)),
        (("title", "caption"), ("caption",)),
        (("caption_10", "caption_2", "caption_0"), ("caption_0", "caption_2", "caption_10")),
        (("caption0", "caption1"), ("caption0", "caption1")),
        (("caption", "caption.1", "caption.2"), ("caption", "caption.1", "caption.2")),
        (("image", "blip_caption", "caption_url"), ("blip_caption",)),
        (("short_caption", "long_caption"), ()),
        (("caption_id", "num_captions"), ()),
        (("image", "conversations"), ()),
    ],
)
def test_columns_of_captions_have_usual_names(
    names: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    assert caption_columns(names) == expected


def test_the_user_names_a_column_or_a_series_of_them() -> None:
    names = ("caption", "Satz", "alt_1", "alt_2")
    assert caption_columns(names, "satz") == ("Satz",)
    assert caption_columns(names, "alt") == ("alt_1", "alt_2")
    assert caption_columns(names, "gone") == ()


def test_what_was_chosen_is_said_only_where_there_was_a_choice() -> None:
    assert caption_remarks("t.csv", ("image", "caption")) == []
    assert caption_remarks("t.csv", ("image", "text", "caption")) == [
        "captions of t.csv are read from 'caption', not from 'text'; --caption-column decides"
    ]
    assert caption_remarks("t.csv", ("image", "text", "caption"), "text") == []
    assert caption_remarks("t.csv", ("image", "blip_caption")) == [
        "captions of t.csv are read from 'blip_caption'"
    ]
    assert caption_remarks("t.csv", ("caption", "conversations")) == [
        "captions of t.csv are read from 'caption', not from 'conversations'; "
        "--caption-column decides"
    ]


def test_a_table_without_captions_lists_its_columns() -> None:
    (remark,) = caption_remarks("t.csv", ("image", "wert"))
    assert remark == no_captions("t.csv", ("image", "wert"))
    assert "its columns are 'image', 'wert'; name one with --caption-column" in remark
    assert "of which 'conversations' is not read" in no_captions("t", ("id", "conversations"))


def test_a_column_that_is_not_there_is_refused_with_the_columns_that_are() -> None:
    with pytest.raises(SourceError, match=r"t\.csv has no column 'x'; its columns are 'a', 'b'"):
        named_column("t.csv", ("a", "b"), "x")
    with pytest.raises(SourceError, match=r"t\.csv has no column 'x'"):
        caption_remarks("t.csv", ("a", "caption"), "x")
    assert named_column("t.csv", ("A", "b"), "a") == "A"


@pytest.mark.parametrize(
    ("names", "wanted", "expected"),
    [
        (("caption", "image", "url"), None, "image"),
        (("Image_Name", "comment"), None, "Image_Name"),
        (("key", "caption"), None, "key"),
        (("url", "caption"), None, "url"),
        (("bild", "caption"), None, None),
        (("bild", "image"), "Bild", "bild"),
        (("image",), "bild", None),
    ],
)
def test_the_column_of_image_names_is_found_likewise(
    names: tuple[str, ...], wanted: str | None, expected: str | None
) -> None:
    assert image_name_column(names, wanted) == expected


def test_names_in_a_message_hold_no_control_characters() -> None:
    assert listed(["a\x1b[2J"]) == r"'a\x1b[2J'"
    assert listed([str(n) for n in range(30)]).endswith("'19' and 10 more")


def test_columns_of_boxes_are_told() -> None:
    assert unread_objects("t.csv", ("image", "Objects", "bbox")) == [
        "boxes in 'Objects', 'bbox' of t.csv are not read"
    ]
    assert unread_objects("t.csv", ("image", "caption")) == []
