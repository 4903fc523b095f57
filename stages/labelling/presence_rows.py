"""Presence rows: the table that `rc label --absent` writes, and what it says of it.

Shapes: R regions, C concepts, D embedding width.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch

from schemas.presence import ABSENT, PRESENCE, UNMET
from stages.featurizing.image_counts import described_images, lost_images
from stages.labelling.label_counts import STORED_FEATURES
from stages.labelling.label_similarity import described_similarity
from stages.labelling.near_synonyms import centred
from stages.labelling.presence import best_regions, find_presence
from stages.models import device
from stages.models.network_stage import described_precision
from stages.outcome import Outcome, Result, counted, is_most

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

    from stages.base import Part
    from stages.labelling.concept_pool import ConceptPool
    from stages.labelling.label_similarity import LabelSimilarity
    from stages.labelling.presence import PresenceRule

    _Features = tuple[int, pa.Table, NDArray[np.float32]]

NO_PRESENCE: Final = dict.fromkeys(
    ("images", "unmentioned", UNMET, ABSENT, "lacking", "short", "without_regions"), 0
)


@dataclass(frozen=True)
class PresenceFinder:
    """All that decides which concepts images lack.

    Attributes:
        pool: The concepts.
        vectors: (C, D) their `centred` embeddings.
        index: Their places in the pool, by name.
        mentioned: Names that the captions of each image mention.
        scale: From cosine to probability.
        rule: The thresholds.
        block: Regions compared at a time.
    """

    pool: ConceptPool
    vectors: torch.Tensor
    index: Mapping[str, int]
    mentioned: Mapping[str, set[str]]
    scale: LabelSimilarity
    rule: PresenceRule
    block: int

    @classmethod
    def of(
        cls,
        pool: ConceptPool,
        mentioned: Mapping[str, set[str]],
        scale: LabelSimilarity,
        rule: PresenceRule,
        numbers: int,
    ) -> PresenceFinder:
        """A finder that holds about so many `numbers` at a time, or those of one region."""
        vectors = torch.from_numpy(centred(pool.embeddings.cpu().numpy()))
        index = {name: place for place, name in enumerate(pool.names)}
        block = max(1, numbers // len(pool.names))
        return cls(pool, vectors.to(pool.embeddings.device), index, mentioned, scale, rule, block)

    def of_part(
        self, part: Part, tables: Iterable[_Features], *, advance: bool
    ) -> Iterator[pa.RecordBatch]:
        """Yield the rows of a part, and count what became of its images, under `presence`.

        Args:
            part: Of `rc label`.
            tables: Of whole images: rows that were read, those that can be used, their features.
            advance: Whether regions are what its progress counts.
        """
        left = {image for image in self.mentioned if self._places(image)}
        found = device.in_order(tables, self._rows_of, self.pool.embeddings.device)
        for count, rows, counts, images in found:
            left -= images
            part.count("presence", counts)
            if advance:
                part.advance(count)
            yield rows
        part.count("presence", {**NO_PRESENCE, "without_regions": len(left)})

    def _rows_of(self, read: _Features) -> tuple[int, pa.RecordBatch, dict[str, int], set[str]]:
        return read[0], *self.rows(*read[1:])

    def rows(
        self, regions: pa.Table, features: NDArray[np.float32]
    ) -> tuple[pa.RecordBatch, dict[str, int], set[str]]:
        """Rows of the images of a table that hold whole images; counts; which images there are.

        Images are computed one by one, so neither other images nor parts change a bit.

        Args:
            regions: R rows with image_id and region, those of an image one after the other.
            features: (R, D), finite and of some length.
        """
        counts = Counter(NO_PRESENCE)
        columns: dict[str, list[Any]] = {column.name: [] for column in PRESENCE.columns}
        images = regions.column("image_id").to_pylist()
        numbers = regions.column("region").to_numpy()
        starts = [n for n in range(len(images)) if n == 0 or images[n] != images[n - 1]]
        for start, end in zip(starts, [*starts[1:], len(images)], strict=True):
            counts["images"] += 1
            mentioned = self._places(images[start])
            if not len(mentioned):
                counts["unmentioned"] += 1
                continue
            found, said = self._image(numbers[start:end], features[start:end], mentioned)
            counts.update(said)
            columns["image_id"] += [images[start]] * len(found["state"])
            for name, values in found.items():
                columns[name] += values
        return PRESENCE.batch(columns), dict(counts), set(images)

    def _places(self, image: str) -> list[int]:
        names = self.mentioned.get(image, ())
        return sorted(self.index[name] for name in names if name in self.index)

    def _image(
        self, numbers: NDArray[np.int32], features: NDArray[np.float32], mentioned: list[int]
    ) -> tuple[dict[str, list[Any]], dict[str, int]]:
        """The columns of one image but its id; and counts.

        Args:
            numbers: (R,) of its regions.
            features: (R, D) of them.
            mentioned: Places in the pool, at least one.
        """
        units, embeddings = self.pool.units(features), self.pool.embeddings
        best = best_regions(units, embeddings, self.scale, self.block)
        mask = torch.zeros(len(embeddings), dtype=torch.bool, device=embeddings.device)
        mask[torch.tensor(mentioned, device=embeddings.device)] = True
        found = find_presence(best, mask, self.vectors, self.rule)
        places = torch.cat([found.unmet, found.absent])
        columns = {
            "concept_id": self.pool.ids[places.cpu().numpy()].tolist(),
            "state": [UNMET] * len(found.unmet) + [ABSENT] * len(found.absent),
            "region": numbers[best.regions[places].cpu().numpy()].tolist(),
            "cosine": best.cosines[places].tolist(),
            "probability": best.probabilities[places].tolist(),
        }
        listed = len(found.absent)
        counts = {UNMET: len(found.unmet), ABSENT: listed, "lacking": found.lacking}
        return columns, {**counts, "short": int(listed < self.rule.count)}


def presence_outcome(result: Result, count: int) -> Outcome:
    """The outcome, from the counts `presence` and `images`, and the note `similarity`."""
    counts = NO_PRESENCE | result.notes.get("presence", {})
    made = result.notes.get("images", STORED_FEATURES)
    images = counts["images"]
    known = images - counts["unmentioned"]
    line = f"{counted(counts[ABSENT], 'absent concept')} of {counted(known, 'image')}, of "
    line += f"{counts['lacking']:,} that no caption and no region speaks of; "
    line += f"{counts[UNMET]:,} mentioned and unmet"
    line += f"{described_images(made)}; {described_similarity(result.notes['similarity'])}"
    lines = [line + described_precision(result.notes)]
    if counts["unmentioned"]:
        lines.append(
            f"{counted(counts['unmentioned'], 'image')} whose captions mention no concept of the "
            "pool: nothing is known of what they lack"
        )
    if counts["without_regions"]:
        lines.append(
            f"{counted(counts['without_regions'], 'image')} with captions and without a region: "
            "left out"
        )
    if counts["short"]:
        lines.append(f"{counted(counts['short'], 'image')} with fewer than {count} absent")
    refused = sum(result.dropped.values()) - made["unreadable"]
    if refused:
        lines.append(f"{counted(refused, 'region')} refused")
    empty = None if result.rows else f"no concept is absent, and none unmet: {'; '.join(lines)}"
    losses = lost_images(made)
    if is_most(counts["unmentioned"], images):
        losses.append(f"{counts['unmentioned']:,} of {counted(images, 'image')} without mentions")
    return Outcome(lines, empty, losses)
