"""What every file of boxes offers, whatever its format, and what the user may say of it.

Corners are always x0, y0, x1, y1; `layout` says in which order the file had the numbers, so that
all of them together can be judged before they are believed (`schemas.box_forms`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, Protocol

from stages.sources.record import Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from schemas.box_forms import BoxForm, BoxLayout
    from schemas.quarantine import Reason
    from stages.proposals.region_dump import ScoreKind

    ScoredBoxes = tuple[NDArray[np.float32], NDArray[np.float32]]  # (R, 4) boxes, (R,) scores
    OwnedBoxes = tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float32]]

_LISTED: Final = 1000  # bad records that are described; a file of nothing else could have millions


ScoreForm = Literal["auto", "score", "logit", "percent"]
IdRule = Literal["auto", "json", "name"]


@dataclass(frozen=True, slots=True)
class LocalizerOptions:
    """What the user says of a file of boxes.

    Attributes:
        path: Of the file or folder.
        boxes: What the numbers of a box mean.
        scores: What scores mean.
        ids: What the file calls images by.
        size_limits: Times the usual limits of what the file may hold and unpack to.
    """

    path: Path
    boxes: BoxForm = "auto"
    scores: ScoreForm = "auto"
    ids: IdRule = "auto"
    size_limits: int = 1


class ImageKey(NamedTuple):
    """What a file calls an image; at least one of the two is there.

    Attributes:
        id: As text, so that 139, 139.0 and "139" are one image.
        name: Of the image's file.
    """

    id: str | None
    name: str | None = None

    def __str__(self) -> str:
        return self.name or self.id or "?"


@dataclass(slots=True)
class BadRecords:
    """Records of a file that hold no box, or one of an unnamed image.

    Attributes:
        count: How many.
        listed: The first of them, for the quarantine.
    """

    count: int = 0
    listed: list[Problem] = field(default_factory=list)

    def add(self, record: str, reason: Reason, detail: str) -> None:
        """Count a record; `record` says where it is."""
        self.count += 1
        if len(self.listed) < _LISTED:
            self.listed.append(Problem(record, reason, detail))

    def rows(self) -> Iterator[tuple[str, Reason, str]]:
        """Record, reason and detail of those that are listed; half of a character is escaped."""
        for problem in self.listed:
            record, detail = (
                text.encode(errors="backslashreplace").decode()
                for text in (problem.record, problem.detail)
            )
            yield record, problem.reason, detail


class BoxFile(Protocol):
    """Boxes grouped by image."""

    @property
    def keys(self) -> Sequence[ImageKey]:
        """What the file calls its images, each once; an image may have no boxes."""
        ...

    @property
    def layout(self) -> BoxLayout:
        """The order in which the file had the numbers of a box."""
        ...

    @property
    def in_fractions(self) -> bool:
        """Whether the format has fractions of the sides by definition, not pixels."""
        ...

    @property
    def kind(self) -> ScoreKind:
        """Whether scores are raw logits, or scores of any other kind."""
        ...

    @property
    def has_scores(self) -> bool:
        """Whether the file has scores; without, every score is 1."""
        ...

    @property
    def bad(self) -> BadRecords:
        """What could not be read."""
        ...

    def boxes(self, index: int) -> ScoredBoxes:
        """Corners (R, 4) and scores (R,) of keys[index], in the order of the file."""
        ...

    def blocks(self) -> Iterator[OwnedBoxes]:
        """All boxes once, many at a time: indices of their images (R,), corners (R, 4), scores."""
        ...
