"""Quarantine: what a stage refused, where it was, and why."""

from __future__ import annotations

from enum import StrEnum

from schemas.table import Column, Table

QUARANTINE = Table(
    name="quarantine",
    version=1,
    doc="Quarantine: what a stage refused, where it was, and why.",
    key=("record",),
    columns=(
        Column("record", "string", "image_id, or file and member, of what was refused"),
        Column("reason", "string", "one of the reasons below"),
        Column("detail", "string", "one sentence"),
    ),
)


class Reason(StrEnum):
    """Why a record was refused: its code, and `meaning`, what the code says in one phrase."""

    meaning: str

    def __new__(cls, code: str, meaning: str) -> Reason:
        """A member, equal to its code."""
        reason = str.__new__(cls, code)
        reason._value_ = code
        reason.meaning = meaning
        return reason

    UNREADABLE = "unreadable", "the bytes are there, but no image can be decoded from them"
    TRUNCATED = "truncated", "the file ends before the image does"
    TOO_MANY_PIXELS = "too-many-pixels", "the image has more pixels than `--max-pixels`"
    TOO_SMALL = "too-small", "a side of the image is shorter than `--min-side`"
    TOO_LARGE = "too-large", "the file is larger than any image should be"
    TOO_SLOW = "too-slow", "the image is made so that decoding it takes far longer than any should"
    MISSING_IMAGE = "missing-image", "a record names an image that is not there"
    CHANGED = "changed", "the bytes of an image are no longer those that were ingested"
    DUPLICATE_ID = (
        "duplicate-id",
        "another record has the same id; the first is kept, or none if their JSON shares it",
    )
    MISSING_CAPTION = "missing-caption", "an image without a caption, under `--require-captions`"
    UNSAFE_NAME = "unsafe-name", "a name that leads out of its folder, or commands a terminal"
    BAD_CAPTION = "bad-caption", "a caption is not text, or cannot be read; the image stays"
    BAD_ROW = "bad-row", "a row of a table has missing or extra cells, or cannot be read"
    UNKNOWN_IMAGE = (
        "unknown-image",
        "captions or boxes are of an image that the source does not list",
    )
    AMBIGUOUS_NAME = "ambiguous-name", "a name fits several images, so it names none of them"
    SIZE_MISMATCH = "size-mismatch", "boxes were made for an image of another size; the image stays"
    BAD_BOX = "bad-box", "a box has no numbers, or numbers that are not finite; the image stays"
    UNKNOWN_CATEGORY = "unknown-category", "an object of an unlisted category; the image stays"
    EMPTY_BOX = "empty-box", "a box has no width or no height; the image stays"
    OUTSIDE_BOX = "outside-box", "a box lies outside its image; the image stays"
    TRUNCATED_TAR = "truncated-tar", "the archive is damaged; what came before the damage is kept"
    AMBIGUOUS_ID = "ambiguous-id", "the id of boxes or captions fits several images"
    ZERO_FEATURE = "zero-feature", "the feature of a region has length 0, so it points nowhere"
    NAN_FEATURE = "nan-feature", "the feature of a region has values that are not finite"
