"""WebDataset tars, as img2dataset writes them: KEY.jpg beside KEY.txt and KEY.json.

Each tar is a part. Members are read one by one, in order, never extracted; nothing is unpickled.
The key is the member's name without its last suffix, so `x.1.jpg` and `x.2.jpg` stay apart.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

from schemas.quarantine import Reason
from stages.sources.caption_fields import captions_in_json, captions_of, distinct
from stages.sources.files import (
    LARGEST,
    digest_of,
    file_digest,
    is_image,
    labels,
    open_file,
    safe_name,
    size_of,
    stamp,
)
from stages.sources.record import Problem, Record, Refusal, Slice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

TAR_SUFFIXES: Final = (".tar", ".tar.gz", ".tgz")
_BLOCK: Final = 512
_DAMAGE: Final = (tarfile.TarError, OSError, EOFError, zlib.error, ValueError, OverflowError)


@dataclass(frozen=True)
class WebDatasetSource:
    """Tars in the order given; local or remote, gzipped ones included."""

    tars: tuple[str, ...]
    kind: str = "webdataset"

    def digest(self) -> str:
        """Hash of the name and content of each tar."""
        return digest_of(
            *(f"{n} {file_digest(t)}" for n, t in zip(self._names, self.tars, strict=True))
        )

    def slices(self) -> Sequence[Slice]:
        """One per tar; its images are not counted yet, so `last` is -1."""
        return [Slice(number, 0, -1) for number in range(len(self.tars))]

    def count(self, piece: Slice) -> int:
        """Images of a tar, from its headers."""
        return _count(self.tars[piece.file], stamp(self.tars[piece.file]))

    def total(self) -> int | None:
        """Estimated from the first tar and the sizes of all."""
        sizes = [size_of(tar) for tar in self.tars]
        return round(_count(self.tars[0], stamp(self.tars[0])) * sum(sizes) / max(sizes[0], 1))

    def records(self, piece: Slice) -> Iterator[Record | Problem]:
        """One record per image, with the captions found beside it; then what is wrong."""
        uri, name = self.tars[piece.file], self._names[piece.file]
        with _opened(uri) as walk:
            for key, members in groupby(walk, key=lambda member: member.key):
                yield from _group(name, uri, key, members)
            for refused in walk.problems:
                record = f"{name}/{refused.record}".rstrip("/")
                yield Problem(record, refused.reason, refused.detail)

    @property
    def _names(self) -> list[str]:
        return labels(list(self.tars))


@dataclass(frozen=True, slots=True)
class _Member:
    """A regular file of a tar: its name, where it begins, its bytes or why there are none."""

    name: str
    offset: int | None
    content: bytes | Refusal

    @property
    def key(self) -> str:
        """Name without its last suffix."""
        folder, _, file = self.name.rpartition("/")
        stem = file.rpartition(".")[0] or file
        return f"{folder}/{stem}" if folder else stem

    @property
    def suffix(self) -> str:
        """What follows the last dot, lower case."""
        return self.name.rpartition(".")[2].lower()

    def read(self) -> bytes:
        """The bytes.

        Raises:
            Refusal: If they are damaged or too many.
        """
        if isinstance(self.content, Refusal):
            raise self.content
        return self.content


class _Bounded:
    """A file that remembers the last block read, and refuses to read absurdly much at once."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.tell, self.last = file, file.tell, b""

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= LARGEST:
            raise tarfile.ReadError(f"a header claims {size} bytes")
        self.last = self.file.read(size)
        return self.last

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.file.seek(offset, whence)


class _Walk:
    """Iterates over the image and caption members of one tar; collects what is refused."""

    def __init__(self, file: BinaryIO, *, referable: bool) -> None:
        self.file = _Bounded(file)
        self.referable = referable
        self.problems: list[Problem] = []

    def __iter__(self) -> Iterator[_Member]:
        for info in self.headers():
            yield _Member(_plain(info.name), self._offset(info), self._content(info))

    def headers(self) -> Iterator[tarfile.TarInfo]:
        """Headers of the members that may be used, up to the end or the first damage."""
        try:
            with tarfile.open(fileobj=cast("Any", self.file), mode="r:") as tar:
                for info in _each(tar):
                    if not info.isdir() and self._welcome(info):
                        yield info
        except _DAMAGE as error:
            self._damaged(str(error))
            return
        if self.file.last != bytes(_BLOCK):
            self._damaged("no end mark")

    def _damaged(self, why: str) -> None:
        detail = f"the tar breaks off or is damaged ({why}); what came before is kept"
        self.problems.append(Problem("", Reason.TRUNCATED_TAR, detail))

    def _welcome(self, info: tarfile.TarInfo) -> bool:
        if not safe_name(info.name):
            why = "a member's name is absolute, holds '..', or is not UTF-8"
        elif not info.isreg() or info.issparse():
            why = "a member is a link, a device or a sparse file"
        else:
            return is_image(info.name) or info.name.lower().endswith((".txt", ".json"))
        shown = info.name.encode(errors="backslashreplace").decode()
        self.problems.append(Problem(shown, Reason.UNSAFE_NAME, f"{why}; it was not read"))
        return False

    def _offset(self, info: tarfile.TarInfo) -> int | None:
        return info.offset_data if self.referable else None

    def _content(self, info: tarfile.TarInfo) -> bytes | Refusal:
        if info.size > LARGEST:
            return Refusal(Reason.TOO_LARGE, f"{info.size} bytes; at most {LARGEST} are read")
        try:
            self.file.seek(info.offset_data)
            content = self.file.read(info.size)
        except _DAMAGE as error:
            return Refusal(Reason.TRUNCATED, f"the tar is damaged here: {error}")
        if len(content) < info.size:
            return Refusal(
                Reason.TRUNCATED, f"the tar ends after {len(content)} of {info.size} bytes"
            )
        return content


def _each(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while (info := tar.next()) is not None:
        tar.members = []  # type: ignore[attr-defined] # tarfile keeps every header otherwise
        yield info


@contextmanager
def _opened(uri: str) -> Iterator[_Walk]:
    zipped = not uri.lower().endswith(".tar")
    with open_file(uri) as file:
        plain = cast("BinaryIO", gzip.GzipFile(fileobj=file)) if zipped else file
        yield _Walk(plain, referable=not zipped)


@lru_cache(maxsize=4096)
def _count(uri: str, _stamp: tuple[int, int]) -> int:
    with _opened(uri) as walk:
        return sum(is_image(info.name) for info in walk.headers())


def _group(name: str, uri: str, key: str, members: Iterable[_Member]) -> Iterator[Record | Problem]:
    """The images of one key, each with the captions beside it."""
    found = list(members)
    record = f"{name}/{key}"
    captions, problems = _captions(record, found)
    images = [member for member in found if is_image(member.name)]
    for image in images:
        yield Record(
            image_id=record,
            uri=uri,
            load=image.read,
            member=image.name,
            offset=image.offset,
            captions=captions,
            problems=problems,
            referable=image.offset is not None,
        )
    if not images:
        yield Problem(
            record, Reason.MISSING_IMAGE, "captions without an image directly beside them"
        )


def _captions(record: str, members: list[_Member]) -> tuple[tuple[str, ...], tuple[Problem, ...]]:
    captions: list[str] = []
    problems: list[Problem] = []
    readers: dict[str, Callable[[bytes], list[str]]] = {
        "txt": _plain_text,
        "json": captions_in_json,
    }
    for suffix, reader in readers.items():
        for member in members:
            if member.suffix != suffix:
                continue
            try:
                captions += reader(member.read())
            except Refusal as refusal:
                problems.append(Problem(f"{record}.{suffix}", Reason.BAD_CAPTION, refusal.detail))
    return distinct(captions), tuple(problems)


def _plain_text(payload: bytes) -> list[str]:
    try:
        return captions_of(payload.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Refusal(Reason.BAD_CAPTION, f"the caption is not UTF-8: {error.reason}") from error


def _plain(name: str) -> str:
    return name.removeprefix("./")
