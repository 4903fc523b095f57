"""WebDataset tars, as img2dataset writes them: KEY.jpg beside KEY.txt and KEY.json.

Each tar is a part. What is an image, a caption or something else is in `webdataset_names`; what
belongs together in `webdataset_keys`. Every member is in a record, a problem, or a count.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final

from schemas.quarantine import Reason
from stages.sources.caption_fields import distinct
from stages.sources.files import (
    digest_of,
    file_digest,
    is_remote,
    size_and_mtime,
    size_of,
    unique_names,
)
from stages.sources.other_files import unread_below
from stages.sources.record import Inventory, LeftOut, Problem, Record, Slice
from stages.sources.tar_members import tar_members
from stages.sources.tar_numbers import missing_tars
from stages.sources.tar_streams import TAR_SUFFIXES
from stages.sources.webdataset_keys import KeyMembers, KeyWindow, images_of, read_captions
from stages.sources.webdataset_names import is_wanted, kind_left_out

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from stages.sources.tar_members import TarMember

__all__ = ["TAR_SUFFIXES", "WebDatasetSource"]

_MOST_KINDS: Final = 100  # that are told apart in one tar


@dataclass(frozen=True)
class WebDatasetSource:
    """Tars in the order given; local or remote, compressed ones included.

    Attributes:
        tars: Paths.
        folders: That the user named, and in which the tars were found.
    """

    tars: tuple[str, ...]
    folders: tuple[str, ...] = ()
    kind: str = "webdataset"

    def digest(self) -> str:
        """Hash of the name and content of each tar."""
        return digest_of(
            *(
                f"{name} {file_digest(tar)}"
                for name, tar in zip(self._names, self.tars, strict=True)
            )
        )

    def slice_digest(self, part_slice: Slice) -> str:
        """Hash of the name and content of the tar."""
        return digest_of(self._names[part_slice.file], file_digest(self.tars[part_slice.file]))

    def slices(self) -> Sequence[Slice]:
        """One slice per tar; its images are not counted, so `last` is -1."""
        return [Slice(number, 0, -1) for number in range(len(self.tars))]

    def count(self, part_slice: Slice) -> int:
        """Images of a tar, from its headers."""
        return _count_images(self.tars[part_slice.file], size_and_mtime(self.tars[part_slice.file]))

    def total(self) -> int | None:
        """Estimated from the number of images of the first tar and the sizes of all tars.

        Of remote tars it is not known: counting would read the first one twice.
        """
        if any(map(is_remote, self.tars)):
            return None
        sizes = [size_of(tar) for tar in self.tars]
        images = _count_images(self.tars[0], size_and_mtime(self.tars[0]))
        return round(images * sum(sizes) / max(sizes[0], 1))

    def inventory(self) -> Inventory:
        """Files beside the tars, and which numbers are missing among them."""
        left_out = unread_below(self.folders, self.tars)
        return Inventory(tuple(left_out), tuple(missing_tars(self._names)))

    def records(self, part_slice: Slice) -> Iterator[Record | Problem | LeftOut]:
        """One record per image, with the captions of its key; at the end, if the tar is damaged."""
        uri, name = self.tars[part_slice.file], self._names[part_slice.file]
        has_images = is_damaged = False
        for item in _keys(tar_members(uri, is_wanted)):
            if isinstance(item, Problem):
                is_damaged = is_damaged or not item.record
                yield Problem(f"{name}/{item.record}".rstrip("/"), item.reason, item.detail)
            elif isinstance(item, LeftOut):
                yield item
            else:
                for thing in _things_of_key(name, uri, item):
                    has_images = has_images or isinstance(thing, Record)
                    yield thing
        if not has_images and not is_damaged:
            yield Problem(name, Reason.MISSING_IMAGE, "the tar holds no image")

    @cached_property
    def _names(self) -> list[str]:
        return unique_names(list(self.tars))


@lru_cache(maxsize=4096)
def _count_images(uri: str, _version: tuple[int, int]) -> int:
    members = tar_members(uri, is_wanted, with_content=False)
    return sum(len(images_of(key)) for key in _keys(members) if isinstance(key, KeyMembers))


def _keys(members: Iterable[TarMember | Problem]) -> Iterator[KeyMembers | Problem | LeftOut]:
    """The keys of a tar as they are complete, and the members that belong to none."""
    window = KeyWindow()
    kinds: set[str] = set()
    for member in members:
        if isinstance(member, Problem):
            yield member
            continue
        kind = kind_left_out(member.name)
        if kind is None:
            yield from window.add(member)
        elif kind in kinds or len(kinds) < _MOST_KINDS:
            kinds.add(kind)
            yield LeftOut(kind)
        else:
            yield LeftOut("member of another kind")
    yield from window.drain()


def _things_of_key(name: str, uri: str, key: KeyMembers) -> Iterator[Record | Problem | LeftOut]:
    """The images of one key; before them, what of the key belongs to none of them."""
    images = images_of(key)
    yield from read_captions(key, images, name)
    for image in images:
        yield Record(
            image_id=f"{name}/{image.id}",
            uri=uri,
            load=image.member.load,
            member=image.member.name,
            offset=image.member.offset,
            captions=distinct(image.captions),
            problems=tuple(image.problems),
            can_be_reread=image.member.offset is not None,
        )
