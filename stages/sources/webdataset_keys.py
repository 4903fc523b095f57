"""Members of a WebDataset tar that belong together, and which captions are of which image.

Members of one key need not be adjacent: keys wait, the one that grew last the longest, until they
weigh more than `WINDOW_BYTES` or one has `MOST_MEMBERS`. In a local tar that is not compressed, a
member weighs about a kilobyte, in others its content too. What comes after its key has left is a
key of its own.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from schemas.quarantine import Reason
from stages.sources.caption_fields import captions_in_json, captions_of
from stages.sources.files import IMAGE_SUFFIXES, largest_image
from stages.sources.record import LeftOut, Problem, Refusal
from stages.sources.size_limits import allowed
from stages.sources.webdataset_names import JSON_SUFFIXES, is_caption, split_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stages.sources.tar_members import TarMember

WINDOW_BYTES: Final = 128 << 20
MOST_MEMBERS: Final = 1000  # of a key; the next ones are a key of their own, as if it had left
_MEMBER_BYTES: Final = 1024
# The label of the image that a caption is about where several images have other labels.
_MAIN_LABELS: Final = frozenset(("", "image", "img", "input", "photo", "rgb", "original"))
_SUFFIX_ORDER: Final = (".jpg", ".png", ".jpeg", ".webp")  # as open_clip prefers them
_NO_IMAGE: Final = (
    "captions of a key without an image in this tar, or whose image is farther away than "
    f"{WINDOW_BYTES >> 20} MB of members; if it has one, sort the tar by name"
)


@dataclass(slots=True)
class KeyMembers:
    """Photographs and captions of one key, in the order of the tar."""

    key: str
    members: dict[str, TarMember] = field(default_factory=dict)
    weight: int = 0


class KeyWindow:
    """Collects members by key; the keys that leave are complete, unless their tar is unsorted."""

    def __init__(self) -> None:
        self._keys: OrderedDict[str, KeyMembers] = OrderedDict()
        self._weight = 0

    def add(self, member: TarMember) -> Iterator[KeyMembers]:
        """Add a member; yields the keys that leave."""
        key = split_name(member.name).key
        known = self._keys[key].members if key in self._keys else {}
        if member.name in known or len(known) >= allowed(MOST_MEMBERS):
            yield self._leave(key)  # the same name again begins another sample of this key
        waiting = self._keys.setdefault(key, KeyMembers(key))
        self._keys.move_to_end(key)
        weight = _MEMBER_BYTES + 4 * len(member.name) + member.held
        waiting.members[member.name] = member
        waiting.weight += weight
        self._weight += weight
        while self._weight > WINDOW_BYTES + (largest_image() if len(self._keys) == 1 else 0):
            yield self._leave(next(iter(self._keys)))

    def drain(self) -> Iterator[KeyMembers]:
        """The keys that are left at the end of the tar."""
        while self._keys:
            yield self._leave(next(iter(self._keys)))

    def _leave(self, key: str) -> KeyMembers:
        waiting = self._keys.pop(key)
        self._weight -= waiting.weight
        return waiting


@dataclass(slots=True)
class KeyImage:
    """An image of a key: its id below its tar, and what the key's captions say of it."""

    id: str
    label: str
    member: TarMember
    captions: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def images_of(key: KeyMembers) -> list[KeyImage]:
    """The images of a key.

    One has the key as its id, even if it has a label; of several with different labels, each has
    key and label. Several of one label have one id, so all but the first are refused: the first is
    that of the suffix which open_clip prefers. Those that cannot be decoded come last.
    """
    names = [name for name in key.members if not is_caption(name)]
    names.sort(key=_preference)
    labels = {split_name(name).label for name in names}
    images = []
    for name in names:
        label = split_name(name).label
        image_id = f"{key.key}.{label}" if label and len(labels) > 1 else key.key
        images.append(KeyImage(image_id, label, key.members[name]))
    return images


def read_captions(
    key: KeyMembers, images: Sequence[KeyImage], tar_name: str
) -> Iterator[Problem | LeftOut]:
    """Give each caption of a key to its image; yields what cannot be given.

    The image of the same label has it; otherwise the only image, or the only one whose label is
    that of a main image. A caption that could be of several is refused.
    """
    names = [name for name in key.members if is_caption(name)]
    has_captions = False
    for name in sorted(names, key=lambda name: split_name(name).suffix in JSON_SUFFIXES):
        record, owners = f"{tar_name}/{name}", owners_of(split_name(name).label, images)
        try:
            captions = _captions_in(key.members[name].load(), split_name(name).suffix)
        except Refusal as refusal:
            yield from _refuse_caption(Problem(record, Reason.BAD_CAPTION, refusal.detail), owners)
            continue
        if not captions:
            yield LeftOut(f"{split_name(name).suffix} member of no caption")
        elif images and not owners:
            yield _ambiguous(record, images)
        for owner in owners:
            owner.captions += captions
        has_captions = has_captions or bool(captions)
    if has_captions and not images:
        yield Problem(f"{tar_name}/{key.key}", Reason.UNKNOWN_IMAGE, _NO_IMAGE)


def owners_of(label: str, images: Sequence[KeyImage]) -> list[KeyImage]:
    """The image that a caption of this label is about, with its duplicates; none if unknown."""
    labels = {image.label for image in images}
    main = labels & _MAIN_LABELS
    if label not in labels and len(labels) > 1 and len(main) == 1:
        labels = main
    return [image for image in images if image.label == label or labels == {image.label}]


def _refuse_caption(problem: Problem, owners: Sequence[KeyImage]) -> Iterator[Problem]:
    """Refuse a caption together with its images; yields it if it has none."""
    if not owners:
        yield problem
    for owner in owners:
        owner.problems.append(problem)


def _ambiguous(record: str, images: Sequence[KeyImage]) -> Problem:
    names = f"{images[0].member.name} and {images[1].member.name}"
    detail = f"the captions of a key with {len(images)} images, such as {names}"
    return Problem(record, Reason.AMBIGUOUS_NAME, detail)


def _preference(name: str) -> tuple[bool, int]:
    suffix = split_name(name).suffix
    order = _SUFFIX_ORDER.index(suffix) if suffix in _SUFFIX_ORDER else len(_SUFFIX_ORDER)
    return suffix not in IMAGE_SUFFIXES, order


def _captions_in(content: bytes, suffix: str) -> list[str]:
    if suffix in JSON_SUFFIXES:
        return captions_in_json(content)
    try:
        return captions_of(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise Refusal(Reason.BAD_CAPTION, f"the caption is not UTF-8: {error.reason}") from error
