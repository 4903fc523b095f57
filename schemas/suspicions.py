"""Suspicions: how likely each pseudo-label is at fault, next to the others, and why."""

from __future__ import annotations

from typing import Final

from schemas.table import Column, Table

SWAPPED: Final = "swapped"
MISPLACED: Final = "misplaced"
OVERLOOKED: Final = "overlooked"


def _share(name: str, doc: str) -> Column:
    return Column(name, "float32", doc, nullable=True)


SUSPICIONS = Table(
    name="suspicions",
    version=1,
    doc="Suspicions: how likely each pseudo-label is at fault, next to the others, and why.",
    key=("image_id", "region"),
    columns=(
        Column("image_id", "string", "as in images"),
        Column("region", "int32", "as in proposals"),
        Column("concept_id", "int32", "as in pseudo_labels"),
        Column(
            "suspicion",
            "float32",
            "in [0, 1], higher is more suspicious; it sorts labels, and is no probability: 0.6 x "
            "swapped + 0.4 x misplaced of a label that is kept, else overlooked",
        ),
        Column(
            "fault",
            "string",
            "what it may be: swapped, another concept; misplaced, a box that holds no single "
            "thing; overlooked, a region that is not kept and should be",
        ),
        _share("swapped", "weighted mean of the signals of the name, in [0, 1]; null if not kept"),
        _share("misplaced", "the same of the signals of the box; null if not kept"),
        _share(
            "overlooked",
            "1 - what its suspicion would be if it were kept, halfway to 1 if it is unmet, in "
            "[0, 1]; null if kept",
        ),
        Column(
            "reasons",
            "list<string>",
            "names of the signals above 0.5, those of the fault first, and of these those that add "
            "most; if not kept, opposites of the signals below 0.5",
        ),
        Column(
            "instead_id",
            "int32",
            "concept that it may be instead: the most probable other one that a caption mentions, "
            "else the runner-up; null in a pool of one",
            nullable=True,
        ),
        _share("low_probability", "share of the kept labels that are more probable, in [0, 1]"),
        _share("low_margin", "share of the kept labels whose margin is larger, in [0, 1]"),
        _share("high_entropy", "share of the kept labels whose entropy is lower, in [0, 1]"),
        _share(
            "not_mentioned",
            "probability that it is wrong by whether a caption mentions the concept or a "
            "near-synonym, were half of all wrong: near 1 if none does though captions mostly "
            "mention it where it is; null if mentions are unknown",
        ),
        _share(
            "neighbours_differ",
            "share of the most similar regions of other images that are called otherwise; null "
            "without features",
        ),
        _share(
            "neighbours_unmentioned",
            "1 if captions of the most similar regions mention the concept no more than others, 0 "
            "if as often as where it is; null without features or mentions",
        ),
        _share(
            "others_disagree",
            "1 - probability of the concept in the labels of --against; null without them",
        ),
        _share(
            "overlaps_differ",
            "share of the kept regions that overlap it by an IoU of 0.3 or more and are called "
            "otherwise, by IoU and probability; null if none does",
        ),
        _share(
            "attracts",
            "how much less often captions mention the concept where it is given than where it is "
            "surest, in [0, 1]: high if it attracts everything; null if mentions are unknown",
        ),
        _share("low_objectness", "share of the kept labels with a higher objectness, in [0, 1]"),
        _share(
            "odd_box",
            "how unlike the boxes of the concept in size, aspect and height in the image, in "
            "[0, 1]; null if these are fewer than 10",
        ),
        _share(
            "nested",
            "share of the smaller box in common with a more probable one of the same concept, "
            "times 1 - IoU, in [0, 1]",
        ),
        _share(
            "unmet",
            "1 if it is not kept, and the best candidate for a concept that a caption mentions and "
            "no kept region has; else 0; null if mentions are unknown",
        ),
    ),
)
