"""WebDataset tars, as img2dataset writes them: KEY.jpg beside KEY.txt and KEY.json.

Each tar is a part. Members are read one by one, in order, and never extracted or unpickled.
The key is the member's name without its last suffix, so `x.1.jpg` and `x.2.jpg` are two keys.
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
    MAX_BYTES,
    digest_of,
    file_digest,
    is_image,
    is_safe_name,
    open_file,
    size_and_mtime,
    size_of,
    unique_names,
)
from stages.sources.record import Inventory, Problem, Record, Refusal, Slice

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
            *(
                f"{name} {file_digest(tar)}"
                for name, tar in zip(self._names, self.tars, strict=True)
            )
        )

    def slices(self) -> Sequence[Slice]:
        """One slice per tar; its images are not counted, so `last` is -1."""
        return [Slice(number, 0, -1) for number in range(len(self.tars))]

    def count(self, part_slice: Slice) -> int:
        """Images of a tar, from its headers."""
        return _count_images(self.tars[part_slice.file], size_and_mtime(self.tars[part_slice.file]))

    def total(self) -> int | None:
        """Estimated from the number of images of the first tar and the sizes of all tars."""
        sizes = [size_of(tar) for tar in self.tars]
        return round(
            _count_images(self.tars[0], size_and_mtime(self.tars[0]))
            * sum(sizes)
            / max(sizes[0], 1)
        )

    def inventory(self) -> Inventory:
        """Nothing is left out."""
        return Inventory()

    def records(self, part_slice: Slice) -> Iterator[Record | Problem]:
        """One record per image, with the captions of its key; then the problems of the tar."""
        uri, name = self.tars[part_slice.file], self._names[part_slice.file]
        with _open_tar(uri) as tar:
            for key, members in groupby(tar, key=lambda member: member.key):
                yield from _records_of_key(name, uri, key, members)
            for problem in tar.problems:
                record = f"{name}/{problem.record}".rstrip("/")
                yield Problem(record, problem.reason, problem.detail)

    @property
    def _names(self) -> list[str]:
        return unique_names(list(self.tars))


@dataclass(frozen=True, slots=True)
class _Member:
    """A regular file of a tar: its name, its offset, and its bytes or why they cannot be used."""

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
            Refusal: If the bytes are damaged or too many.
        """
        if isinstance(self.content, Refusal):
            raise self.content
        return self.content


class _LimitedReader:
    """A file that keeps the last block read, and reads at most `MAX_BYTES` at once."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.tell, self.last_block = file, file.tell, b""

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= MAX_BYTES:
            raise tarfile.ReadError(f"a header claims {size} bytes")
        self.last_block = self.file.read(size)
        return self.last_block

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.file.seek(offset, whence)


class _TarMembers:
    """Iterates over the image and caption members of one tar; collects problems."""

    def __init__(self, file: BinaryIO, *, can_be_reread: bool) -> None:
        self.file = _LimitedReader(file)
        self.can_be_reread = can_be_reread
        self.problems: list[Problem] = []

    def __iter__(self) -> Iterator[_Member]:
        for info in self.headers():
            yield _Member(_without_dot_slash(info.name), self._offset(info), self._content(info))

    def headers(self) -> Iterator[tarfile.TarInfo]:
        """Headers of the members that can be used, up to the end or the first damage."""
        try:
            with tarfile.open(fileobj=cast("Any", self.file), mode="r:") as tar:
                for info in _headers(tar):
                    if not info.isdir() and self._is_accepted(info):
                        yield info
        except _DAMAGE as error:
            self._add_damage(str(error))
            return
        if self.file.last_block != bytes(_BLOCK):
            self._add_damage("no end mark")

    def _add_damage(self, why: str) -> None:
        detail = f"the tar breaks off or is damaged ({why}); what came before is kept"
        self.problems.append(Problem("", Reason.TRUNCATED_TAR, detail))

    def _is_accepted(self, info: tarfile.TarInfo) -> bool:
        if not is_safe_name(info.name):
            why = "a member's name is absolute, holds '..', or is not UTF-8"
        elif not info.isreg() or info.issparse():
            why = "a member is a link, a device or a sparse file"
        else:
            return is_image(info.name) or info.name.lower().endswith((".txt", ".json"))
        printable = info.name.encode(errors="backslashreplace").decode()
        self.problems.append(Problem(printable, Reason.UNSAFE_NAME, f"{why}; it was not read"))
        return False

    def _offset(self, info: tarfile.TarInfo) -> int | None:
        return info.offset_data if self.can_be_reread else None

    def _content(self, info: tarfile.TarInfo) -> bytes | Refusal:
        if info.size > MAX_BYTES:
            return Refusal(Reason.TOO_LARGE, f"{info.size} bytes; at most {MAX_BYTES} are read")
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


def _headers(tar: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    while (info := tar.next()) is not None:
        tar.members = []  # type: ignore[attr-defined] # otherwise tarfile keeps all headers
        yield info


@contextmanager
def _open_tar(uri: str) -> Iterator[_TarMembers]:
    is_gzip = not uri.lower().endswith(".tar")
    with open_file(uri) as file:
        stream = cast("BinaryIO", gzip.GzipFile(fileobj=file)) if is_gzip else file
        yield _TarMembers(stream, can_be_reread=not is_gzip)


@lru_cache(maxsize=4096)
def _count_images(uri: str, _version: tuple[int, int]) -> int:
    with _open_tar(uri) as tar:
        return sum(is_image(info.name) for info in tar.headers())


def _records_of_key(
    name: str, uri: str, key: str, members: Iterable[_Member]
) -> Iterator[Record | Problem]:
    """The images of one key, each with all captions of the key."""
    all_members = list(members)
    record = f"{name}/{key}"
    captions, problems = _captions_of_key(record, all_members)
    images = [member for member in all_members if is_image(member.name)]
    for image in images:
        yield Record(
            image_id=record,
            uri=uri,
            load=image.read,
            member=image.name,
            offset=image.offset,
            captions=captions,
            problems=problems,
            can_be_reread=image.offset is not None,
        )
    if not images:
        yield Problem(
            record, Reason.MISSING_IMAGE, "captions without an image directly beside them"
        )


def _captions_of_key(
    record: str, members: list[_Member]
) -> tuple[tuple[str, ...], tuple[Problem, ...]]:
    captions: list[str] = []
    problems: list[Problem] = []
    readers: dict[str, Callable[[bytes], list[str]]] = {
        "txt": _text_captions,
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


def _text_captions(payload: bytes) -> list[str]:
    try:
        return captions_of(payload.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Refusal(Reason.BAD_CAPTION, f"the caption is not UTF-8: {error.reason}") from error


def _without_dot_slash(name: str) -> str:
    return name.removeprefix("./")
