"""What a file is by its first bytes: for refusing it with the true reason, and for counting it."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from stages.sources.record import LeftOut

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_HEAD_BYTES: Final = 1 << 16
_COMPRESSED: Final = (".gz", ".bz2", ".xz", ".zst")
_MOST_LOOKED: Final = 20
_SIGNATURES: Final = (
    (b"\xff\xd8", "JPEG"),
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "a zip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a rar archive"),
    (b"\x1f\x9d", "a file of compress (.Z)"),
    (b"%PDF", "PDF"),
    (b"8BPS", "a Photoshop file"),
    (b"\x00\x05\x16\x07", "an attribute file of macOS (AppleDouble)"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
)
_ROOTS: Final = {"html": "HTML", "svg": "SVG"}
_HEIC: Final = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_MARKUP: Final = re.compile(
    rb"\s*(?:<\?xml[^>]*>)?\s*(?:<!--.*?-->)?\s*<(?:!doctype\s+)?(\w+)", re.DOTALL | re.IGNORECASE
)
_NUMBER: Final = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_LABEL_LINE: Final = re.compile(rf"\d+(?:\.0*)?(?:\s+{_NUMBER}){{4,}}")


def described(head: bytes) -> str:
    r"""What the first bytes of a file that is no image say it is; "it" is the subject.

    >>> described(b"\0\0\0\x18ftypheic"), described(b"<html><body>")
    ('it is HEIC', 'it is HTML')
    >>> described(b""), described(b"\x00\x01")
    ('it is empty', 'it begins with 0001')
    """
    if not head:
        return "it is empty"
    kind = known_kind(head)
    if kind is None and head[4:8] == b"ftyp":
        kind = "HEIC" if head[8:12] in _HEIC else "a video, or another file of the MP4 family"
    return f"it is {kind}" if kind else f"it begins with {head[:8].hex()}"


def known_kind(head: bytes) -> str | None:
    """The kind of file that begins so, if its very first bytes tell.

    >>> known_kind(b"Rar!"), known_kind(b"<Error>"), known_kind(b"0001.jpg")
    ('a rar archive', 'a web page or XML', None)
    """
    kind = next((kind for magic, kind in _SIGNATURES if head.startswith(magic)), None)
    root = "" if kind else _root_element(head)
    return kind or _ROOTS.get(root) or ("a web page or XML" if head.startswith(b"<") else None)


def left_out_files(root: str, names: Iterable[str]) -> list[LeftOut]:
    """Files counted by suffix, and by what they hold if that is a known format of annotations.

    Args:
        root: The folder.
        names: Of files below it that were not read. Of many with one suffix in one folder, the
            first are looked into, and the others are taken for what the last of those is.
    """
    counts: Counter[str] = Counter()
    groups: dict[tuple[str, str], tuple[int, str]] = {}
    for name in sorted(names):
        path = PurePosixPath(name)
        group = str(path.parent), _suffix_of(path)
        looked, kind = groups.get(group, (0, ""))
        if looked < _MOST_LOOKED:
            kind = _kind_of(Path(root, name), group[1])
            groups[group] = looked + 1, kind
        counts[kind] += 1
    return [LeftOut(kind, count) for kind, count in sorted(counts.items())]


def is_label_text(text: str) -> bool:
    """Whether each line is a class number and at least four numbers: labels of YOLO.

    >>> is_label_text("0 .5 .5 .2 .2"), is_label_text("3 dogs"), is_label_text("")
    (True, False, False)
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return bool(lines) and all(_LABEL_LINE.fullmatch(line) for line in lines)


def read_head(path: Path) -> bytes:
    """The first bytes of a file; none if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES)
    except OSError:
        return b""


def _suffix_of(path: PurePosixPath) -> str:
    """The suffix in lower case, with the one before it if the file is compressed."""
    number = 2 if path.suffix.lower() in _COMPRESSED else 1
    return "".join(path.suffixes[-number:]).lower()


def _kind_of(path: Path, suffix: str) -> str:
    if not suffix:
        return "file of no suffix"
    suffix = suffix if suffix.isprintable() and len(suffix) <= 20 else ".?"
    format_name = _TESTS[suffix](read_head(path)) if suffix in _TESTS else None
    return f"{format_name} file" if format_name else f"{suffix} file"


def _xml_format(head: bytes) -> str | None:
    return {"annotation": "Pascal VOC .xml", "annotations": "CVAT .xml"}.get(_root_element(head))


def json_format(head: bytes) -> str | None:
    """Which program wrote a JSON file of annotations; None if it is none of those known."""
    if b'"shapes"' in head and (b'"imagePath"' in head or b'"imageData"' in head):
        return "LabelMe .json"
    if b'"categories"' in head and (b'"images"' in head or b'"annotations"' in head):
        return "COCO .json"
    if b'"_via_' in head or b'"shape_attributes"' in head:
        return "VIA .json"
    return None


def _text_format(head: bytes) -> str | None:
    complete = head.decode(errors="replace")
    if len(head) == _HEAD_BYTES:
        complete = complete.rpartition("\n")[0]
    return "YOLO label .txt" if is_label_text(complete) else None


_TESTS: Final[dict[str, Callable[[bytes], str | None]]] = {
    ".xml": _xml_format,
    ".json": json_format,
    ".txt": _text_format,
}


def _root_element(head: bytes) -> str:
    """Name of the first element of a page or XML, in lower case; empty if it is neither."""
    markup = _MARKUP.match(head[:4096].removeprefix(b"\xef\xbb\xbf"))
    return markup[1].decode(errors="replace").lower() if markup else ""
