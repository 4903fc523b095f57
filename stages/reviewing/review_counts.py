"""What became of the labels, boxes and images of a file of reviews: counted, and said."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from stages.outcome import counted, is_most
from stages.sources.name_checks import quoted_first, quoted_names

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stages.reviewing.review_collector import ReviewCollector
    from stages.reviewing.review_comparison import Opinion

_OUTCOMES = ("right", "renamed", "moved", "deleted", "unsure")
_NOT_READ = (
    ("cancelled", "cancelled annotation", ""),
    ("unread", "shape that is no upright box", "shapes that are no upright boxes"),
    ("answers", "answer that is no shape", "answers that are no shapes"),
)
_WITHOUT = "images without annotation"


class ReviewTally:
    """Counts opinions, review by review."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._labels: dict[int, int] = {}
        self._reviewers: set[str] = set()

    def add(self, position: int, reviewer: str, said: Sequence[Opinion], num_new: int) -> None:
        """Count what one person says of the labels of an image.

        Args:
            position: Of the image.
            reviewer: Who.
            said: Of each label.
            num_new: Boxes besides.
        """
        self._labels[position] = len(said)
        self._reviewers.add(reviewer)
        outcomes = [_outcome(opinion) for opinion in said]
        self._counts.update(outcomes)
        self._counts["new"] += num_new
        self._counts["emptied"] += bool(said) and all(one == "deleted" for one in outcomes)

    def note(self, collector: ReviewCollector) -> dict[str, Any]:
        """All counts, with what the file had besides."""
        return {
            **collector.counts,
            **{name: self._counts[name] for name in (*_OUTCOMES, "new", "emptied")},
            "labels": sum(self._labels.values()),
            "judged": len(self._labels),
            "reviewers": len(self._reviewers),
            "without": collector.num_without_review,
            "absent": collector.num_absent,
            "unknown_images": collector.unknown,
            "strange": len(collector.strange),
            "strange_names": sorted(collector.strange)[:5],
        }


def described(note: Mapping[str, Any]) -> list[str]:
    """Sentences about the counts; the first is what most want to know."""
    counts = Counter({name: n for name, n in note.items() if isinstance(n, int)})
    labels, images = counted(counts["labels"], "label"), counted(counts["judged"], "image")
    by = f" by {counts['reviewers']} people" if counts["reviewers"] > 1 else ""
    opinions = sum(counts[name] for name in _OUTCOMES)
    by += f", {opinions:,} opinions" if opinions > counts["labels"] else ""
    said = [f"{counts[name]:,} {name}" for name in _OUTCOMES if counts[name] or name == "right"]
    kinds = (("new", "new box", "new boxes"), ("without", "image without annotation", _WITHOUT))
    left = [counted(counts[kind], one, many) for kind, one, many in kinds if counts[kind]]
    line = f"{labels} of {images} reviewed{by}: {', '.join(said)}"
    return [f"{line}; {' and '.join(left)} left out" if left else line, *_more(note, counts)]


def empty_reason(note: Mapping[str, Any]) -> str:
    """Why nothing was judged."""
    counts = Counter({name: n for name, n in note.items() if isinstance(n, int)})
    images = counted(counts["images"], "image")
    if counts["images"] == counts["unknown"]:
        return (
            f"none of {images} of the file was exported to that folder"
            f"{_examples(note)}: give --exported the folder that these annotations began with"
        )
    return (
        f"no image was judged: of {images} in the file, {counts['unknown']:,} were not exported "
        f"and {counts['without']:,} have no finished annotation"
    )


def lost_images(note: Mapping[str, Any]) -> list[str]:
    """A sentence if most images of the file are not of the export."""
    unknown, images = note.get("unknown", 0), note.get("images", 0)
    if not is_most(unknown, images):
        return []
    return [f"{unknown:,} of {images:,} images of the file were not exported to that folder"]


def _outcome(opinion: Opinion) -> str:
    if opinion.verdict == "wrong":
        return "deleted" if opinion.concept is None else "renamed"
    return "moved" if opinion.verdict == "wrong-box" else opinion.verdict


def _more(note: Mapping[str, Any], counts: Counter[str]) -> list[str]:
    lines = []
    if counts["absent"]:
        lines.append(f"not in the file: {counted(counts['absent'], 'image')} of the export")
    if counts["unknown"]:
        unknown = counted(counts["unknown"], "image")
        lines.append(f"not of the export, left out: {unknown} of the file{_examples(note)}")
    if counts["emptied"]:
        lines.append(f"{counted(counts['emptied'], 'annotation')} deleted every label of the image")
    if counts["superseded"]:
        earlier = counted(counts["superseded"], "earlier annotation")
        lines.append(f"left out: {earlier} of the same people about the same images")
    lines += [
        f"not read: {counted(counts[kind], name, plural)}"
        for kind, name, plural in _NOT_READ
        if counts[kind]
    ]
    if counts["strange"]:
        names = counted(counts["strange"], "other name")
        listed = quoted_first(note["strange_names"], counts["strange"])
        lines.append(f"{names} than the export offered: {listed}")
    return lines


def _examples(note: Mapping[str, Any]) -> str:
    return f" ({quoted_names(note['unknown_images'])})" if note["unknown_images"] else ""
