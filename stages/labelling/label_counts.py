"""What `rc label` says at its end: labelled, kept, and how many a caption agrees with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from stages.featurizing.image_counts import described_images, lost_images
from stages.labelling.label_similarity import described_similarity
from stages.models.network_stage import described_precision
from stages.outcome import Outcome, Result, counted, is_most

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from stages.base import Part

# counts of images where none were read: the features were there
STORED_FEATURES: Final = {"seen": 0, "unreadable": 0, "without_regions": 0}


def in_caption(
    images: list[str],
    names: list[str],
    indices: NDArray[np.int64],
    mentioned: Mapping[str, set[str]] | None,
) -> list[bool | None]:
    """Whether a caption of each image mentions the concept; None if no captions are known.

    Args:
        images: (R,) image ids.
        names: (C,) of the concepts.
        indices: (R,) positions in `names`.
        mentioned: Names that the captions of an image mention, by image.
    """
    if mentioned is None:
        return [None] * len(images)
    return [
        names[index] in mentioned.get(image, ())
        for image, index in zip(images, indices, strict=True)
    ]


def count_agreement(part: Part, labels: pa.RecordBatch) -> None:
    """Count the kept labels of images with captions, and those that a caption mentions."""
    in_caption = labels.filter(labels.column("kept")).column("in_caption").drop_null()
    if len(in_caption):
        part.count("captioned", {"kept": len(in_caption), "agree": in_caption.true_count})


def label_outcome(result: Result) -> Outcome:
    """The outcome, from the counts `regions` and `captioned`, and the note `similarity`.

    If features were made on the way, also from the count `images`.
    """
    counts, captioned = result.notes["regions"], result.notes.get("captioned")
    images = result.notes.get("images", STORED_FEATURES)
    source = f" of {counted(images['seen'], 'image')}" if images["seen"] else ""
    line = f"{counted(result.rows, 'region')}{source} labelled"
    line += f", {_share(counts['kept'], result.rows)} kept"
    if captioned:
        agree = _share(captioned["agree"], captioned["kept"])
        line += f"; of these {agree} have a concept that a caption of their image mentions"
    refused = sum(result.dropped.values()) - images["unreadable"]  # regions
    if refused:
        line += f"; {refused:,} refused"
    if counts["unmentioned"]:
        line += f"; {counted(counts['unmentioned'], 'region')} without a mentioned concept"
    line += f"{described_images(images)}; {described_similarity(result.notes['similarity'])}"
    line += described_precision(result.notes)
    if result.rows == 0:
        return Outcome([line], f"no region got a label: {line}")
    seen = result.rows + refused
    losses = lost_images(images)
    if is_most(refused, seen):
        losses.append(f"{refused:,} of {counted(seen, 'region')} were refused")
    if not counts["kept"]:
        losses.append(
            "no region is kept: none is as probable as --min-probability asks; lower it "
            "('rc what-if' shows what each threshold would keep)"
        )
    return Outcome([line], None, losses)


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({part / whole:.1%})" if whole else f"{part:,}"
