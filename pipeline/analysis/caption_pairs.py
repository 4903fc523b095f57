"""What captions say of two names: whether they are names of one thing.

Captions of an image describe the same things. Of two names of one thing, different captions of an
image often use one and the other, and a caption that has the one seldom needs the other. Two things
that are seen together, such as a cat and a dog, are named by one caption as readily as by two.

Where images have a single caption each, there are no two captions to compare. Then all that can be
said against a pair is that captions have both more often than chance would.

Shapes: P pairs of concepts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from pipeline import sql

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    Counts = NDArray[np.int64]

TIMES: Final = 3  # in one place as often as in another, to count as more


@dataclass(frozen=True)
class CaptionPairs:
    """What captions say of pairs of concepts; arrays are (P,).

    Attributes:
        captions: All captions that name something.
        with_others: Those of them whose image has other such captions.
        caption_pairs: Ordered pairs of different captions of one image.
        together: Captions that have both concepts.
        apart: Ordered pairs of different captions of one image, the first with the first concept
            and the second with the second.
        images: Images with such a pair of captions.
        mixed: How many captions of images with several would have both, if one caption named both
            as readily as two captions of the image do.
        mixed_together: Captions of images with several that have both.
    """

    captions: int
    with_others: int
    caption_pairs: int
    together: Counts
    apart: Counts
    images: Counts
    mixed: NDArray[np.float64]
    mixed_together: Counts

    @property
    def comparable(self) -> bool:
        """Whether most captions have others of the same image to be compared with."""
        return 2 * self.with_others >= max(self.captions, 1)

    def of_one_thing(self, first: Counts, second: Counts) -> NDArray[np.bool_]:
        """Whether two concepts may be one thing by what captions say, (P,).

        With several captions an image: different captions of one image have one and the other at
        least three times, and three times as often as they would by chance over all images; and one
        caption has both at most a third as often as if the two were things of their own.
        With one: captions have each, and both no more often than by chance.

        Args:
            first: Captions that have the first concept, (P,).
            second: Likewise.
        """
        share = first.astype(np.float64) * second / max(self.captions, 1)
        if not self.comparable:
            return np.asarray((self.together <= share) & (share > 0))
        chance = share / max(self.captions, 1) * self.caption_pairs
        apart = self.apart >= TIMES * np.maximum(chance, 1)
        return np.asarray(apart & (TIMES * self.mixed_together <= self.mixed))


def count_captions(root: Path, concepts: str, first: Counts, second: Counts) -> CaptionPairs:
    """Count what captions say of pairs of concepts.

    Args:
        root: The store.
        concepts: Address of the artifact whose mentions are counted.
        first: Ids of the first concept of each pair, (P,).
        second: Of the second, each above its first.
    """
    with sql.connect(root, [concepts], only={"mentions"}) as connection:
        ((captions, with_others, caption_pairs),) = sql.query(connection, _CAPTIONS).fetchall()
        pairs = pa.table({"pair": np.arange(len(first)), "a": first, "b": second})
        connection.register("_pairs", pairs)
        rows = sql.batches(sql.query(connection, _PAIRS)).read_all()
    place = rows.column("pair").to_numpy()
    counts: dict[str, NDArray[Any]] = {}
    for name in ("together", "apart", "images", "mixed", "mixed_together"):
        values = np.zeros(len(first), np.float64 if name == "mixed" else np.int64)
        values[place] = rows.column(name).to_numpy()
        counts[name] = values
    return CaptionPairs(captions, with_others, caption_pairs, **counts)


_CAPTIONS: Final = """
SELECT
    coalesce(sum(n), 0)::BIGINT,
    coalesce(sum(n) FILTER (n > 1), 0)::BIGINT,
    coalesce(sum(n * (n - 1)), 0)::BIGINT
FROM (SELECT count(DISTINCT caption) AS n FROM _mentions WHERE mentions > 0 GROUP BY image_id)
"""
# All pairs within an image come first: they are few, whatever the number of similar concepts.
_PAIRS: Final = """
WITH sizes AS (
    SELECT hash(image_id) AS image, count(DISTINCT caption) AS n
    FROM _mentions WHERE mentions > 0 GROUP BY image_id
),
said AS MATERIALIZED (
    SELECT hash(image_id) AS image, caption, concept_id FROM mentions
    WHERE concept_id IN (SELECT a FROM _pairs UNION ALL SELECT b FROM _pairs)
),
counts AS MATERIALIZED (SELECT image, concept_id, count(*) AS n FROM said GROUP BY ALL),
within_images AS MATERIALIZED (
    SELECT image, one.concept_id AS a, other.concept_id AS b, one.n * other.n AS products
    FROM counts AS one JOIN counts AS other USING (image)
    WHERE one.concept_id < other.concept_id
),
in_one AS MATERIALIZED (
    SELECT image, one.concept_id AS a, other.concept_id AS b, count(*) AS n
    FROM said AS one JOIN said AS other USING (image, caption)
    WHERE one.concept_id < other.concept_id
    GROUP BY ALL
),
counted AS (
    SELECT pair, sizes.n AS captions, coalesce(in_one.n, 0) AS together,
        products - coalesce(in_one.n, 0) AS apart
    FROM within_images JOIN _pairs USING (a, b) JOIN sizes USING (image)
    LEFT JOIN in_one USING (image, a, b)
)
SELECT
    pair,
    sum(together)::BIGINT AS together,
    sum(apart)::BIGINT AS apart,
    count(*) FILTER (apart > 0) AS images,
    coalesce(sum(apart / (captions - 1)) FILTER (captions > 1), 0)::DOUBLE AS mixed,
    coalesce(sum(together) FILTER (captions > 1), 0)::BIGINT AS mixed_together
FROM counted GROUP BY pair
"""
