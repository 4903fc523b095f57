"""Which columns of a table hold captions, images and splits; found by name, ignoring case."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from schemas.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# In the order in which they are preferred; what is chosen where there are several is said.
CAPTION_COLUMNS: Final = (
    *("caption", "captions", "text", "texts", "sentence", "sentences", "raw_caption", "raw"),
    *("caption_text", "alt_text", "alt", "title", "description", "prompt", "comment"),
)
FILE_COLUMNS: Final = (  # of names of image files and of nothing else
    *("image", "file_name", "filename", "file", "path", "filepath", "file_path", "image_path"),
    *("image_file", "image_name", "image_filename", "img", "img_path", "img_name"),
)
IMAGE_COLUMNS: Final = (*FILE_COLUMNS, "key", "image_id", "id", "url", "image_url")
KEY_COLUMNS: Final = ("image_id", "key", *(name for name in IMAGE_COLUMNS if name != "key"))
OBJECT_COLUMNS: Final = frozenset(("objects", "bbox", "bboxes", "boxes", "annotations"))
UNREAD_COLUMNS: Final = ("conversations",)
_LISTED: Final = 20  # columns in a message
_SPACE: Final = re.compile(r"[ -]+")
_NUMBER: Final = re.compile(r"[ _.-]?(\d+)")
_NOT_CAPTIONS: Final = frozenset(
    (
        *("count", "embedding", "id", "ids", "lang", "language", "len", "length", "model", "num"),
        *("number", "score", "similarity", "source", "tokens", "url"),
    )
)


def find_column(names: Iterable[str], candidates: Iterable[str]) -> str | None:
    """The first of `candidates` that is among `names`, as written there; or None if none is.

    Case is ignored, and a space or a hyphen is as good as an underscore.

    >>> find_column(("File Name", "Caption"), ("image", "file_name"))
    'File Name'
    """
    last_first = list(names)[::-1]
    by_name = {_plain(name): name for name in last_first}
    by_name |= {name.strip().lower(): name for name in last_first}
    return next((by_name[name] for name in candidates if name in by_name), None)


def named_column(table: str, names: Sequence[str], wanted: str) -> str:
    """The column that the user named: as it is written, otherwise ignoring case.

    Raises:
        SourceError: If there is none; lists the columns.
    """
    column = wanted if wanted in names else find_column(names, (wanted.strip().lower(),))
    if column is None:
        raise SourceError(f"{table} has no column {wanted!r}; its columns are {listed(names)}")
    return column


@lru_cache(maxsize=256)
def caption_columns(names: tuple[str, ...], wanted: str | None = None) -> tuple[str, ...]:
    """Columns that hold captions: one, or a numbered series of one name; empty if there are none.

    Args:
        names: Of all columns.
        wanted: Name of the column, or of the series, that the user gave.

    >>> caption_columns(("image", "caption_0", "caption_1", "title"))
    ('caption_0', 'caption_1')
    >>> caption_columns(("key", "URL", "TEXT")), caption_columns(("url", "blip_caption"))
    (('TEXT',), ('blip_caption',))
    """
    if wanted is not None:
        return (wanted,) if wanted in names else column_series(names, wanted.strip().lower())
    for base in CAPTION_COLUMNS:
        if series := column_series(names, base):
            return series
    likely = [name for name in names if _is_likely(name)]
    return (likely[0],) if len(likely) == 1 else ()


def caption_remarks(table: str, names: tuple[str, ...], wanted: str | None = None) -> list[str]:
    """What is to be said of the choice of caption columns: none found, or others left.

    Raises:
        SourceError: If the user named a column that is not there.
    """
    chosen = caption_columns(names, wanted)
    if not chosen:
        if wanted is not None:
            named_column(table, names, wanted)
        return [no_captions(table, names)]
    usual = {name for base in CAPTION_COLUMNS for name in column_series(names, base)}
    unread = {name for name in names if name.strip().lower() in UNREAD_COLUMNS}
    others = [name for name in names if name in usual | unread and name not in chosen]
    if others and wanted is None:
        return [
            f"captions of {table} are read from {listed(chosen)}, not from {listed(others)}; "
            "--caption-column decides"
        ]
    return [f"captions of {table} are read from {listed(chosen)}"] if not usual else []


def no_captions(table: str, names: Sequence[str]) -> str:
    """The sentence about a table in which no column has a usual name for captions."""
    if not names:
        return f"{table} has no row that can be read"
    said = f"{table} has no column with a usual name for captions; its columns are {listed(names)}"
    if unread := find_column(names, UNREAD_COLUMNS):
        said += f", of which {unread!r} is not read"
    return f"{said}; name one with --caption-column"


def unread_objects(table: str, names: Sequence[str]) -> list[str]:
    """The sentence about columns of boxes, which no table's rows are read for; none if none is."""
    objects = [name for name in names if name.strip().lower() in OBJECT_COLUMNS]
    return [f"boxes in {listed(objects)} of {table} are not read"] if objects else []


def image_name_column(names: tuple[str, ...], wanted: str | None = None) -> str | None:
    """The column that names the image of a row; None if there is none.

    >>> image_name_column(("caption", "FilePath")), image_name_column(("caption", "url"))
    ('FilePath', 'url')
    """
    candidates = IMAGE_COLUMNS if wanted is None else (wanted.strip().lower(),)
    return wanted if wanted in names else find_column(names, candidates)


def listed(names: Sequence[str]) -> str:
    """Names for a message, control characters escaped; at most 20.

    >>> listed(["a", "b"])
    "'a', 'b'"
    """
    more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
    return (
        ", ".join(ascii(n[:60]) if not n.isprintable() else repr(n[:60]) for n in names[:_LISTED])
        + more
    )


def column_series(names: Sequence[str], base: str) -> tuple[str, ...]:
    """Columns called `base`, or `base` and a number, in the order of the numbers.

    >>> column_series(("Alt Text 2", "url", "alt-text 1"), "alt_text")
    ('alt-text 1', 'Alt Text 2')
    """
    numbered: list[tuple[int, str]] = []
    base = _plain(base)
    for name in names:
        lower = _plain(name)
        number = _NUMBER.fullmatch(lower.removeprefix(base)) if lower.startswith(base) else None
        if lower == base or number:
            numbered.append((int(number[1]) if number else -1, name))
    return tuple(name for _, name in sorted(numbered, key=lambda pair: pair[0]))


def _plain(name: str) -> str:
    """A name in lower case, with underscores for spaces and hyphens."""
    return _SPACE.sub("_", name.strip().lower())


def _is_likely(name: str) -> bool:
    words = set(re.split(r"[^a-z]+", name.strip().lower()))
    return bool(words & {"caption", "captions"}) and not words & _NOT_CAPTIONS
