from __future__ import annotations

import io
import json
from typing import Any

import pytest

from stages.sources.json_tables import BadRow, SourceRow, document_rows, image_rows, json_rows


def rows_of(document: Any) -> list[Any]:
    content = document if isinstance(document, bytes) else json.dumps(document).encode()
    rows = image_rows(io.BytesIO(content), "a.json")
    return [row.values if isinstance(row, SourceRow) else row.detail for row in rows]


@pytest.mark.parametrize(
    "document",
    [
        [{"image": "a.jpg", "caption": "a dog"}],
        {"images": [{"image": "a.jpg", "caption": "a dog"}], "dataset": "flickr8k"},
        {"data": [{"image": "a.jpg", "caption": "a dog"}]},
    ],
)
def test_a_list_of_objects_about_images_is_a_table(document: Any) -> None:
    assert rows_of(document) == [{"image": "a.jpg", "caption": "a dog"}]


def test_captions_by_name_of_the_image_are_a_table() -> None:
    assert rows_of({"a.jpg": ["a dog", "a puppy"]}) == [
        {"key": "a.jpg", "caption": ["a dog", "a puppy"]}
    ]


@pytest.mark.parametrize(
    "document", [{"count": 3}, {"_data_files": ["a.arrow"]}, [], [1, "a dog"], b"{broken", b""]
)
def test_a_document_that_names_no_image_has_no_rows(document: Any) -> None:
    assert rows_of(document) == []


def test_an_entry_that_is_no_object_is_a_bad_row() -> None:
    rows = rows_of([{"image": "a.jpg"}, 7])
    assert rows == [{"image": "a.jpg"}, "entry 2 is not a JSON object"]


def test_a_document_of_captions_alone_has_rows_for_a_corpus() -> None:
    rows = list(document_rows(io.BytesIO(b'["a dog", "a cat"]'), "a.json"))
    assert [row.values for row in rows if isinstance(row, SourceRow)] == [
        {"caption": "a dog"},
        {"caption": "a cat"},
    ]


def test_a_broken_line_is_one_bad_row() -> None:
    rows = list(json_rows(io.BytesIO(b'{"a": 1}\n{"a":\n\n[2]\n'), "a.jsonl"))
    assert [isinstance(row, BadRow) for row in rows] == [False, True, True]
    assert [row.number for row in rows] == [1, 2, 4]


@pytest.mark.parametrize("number", [7, 0])
def test_images_may_be_named_by_numbers_in_a_column_of_their_names(number: int) -> None:
    rows = [{"image": number, "caption": "a dog"}]
    assert rows_of(rows) == rows
    assert rows_of([{"image": True, "caption": "a dog"}, {"id": 7, "caption": "a cat"}]) == []
