"""Pseudo-labels: the concept the teacher gives each region, and how sure it is.

Probabilities exclude each other, or are independent (`--probability sigmoid` of `rc label`, for
teachers trained by the sigmoid loss); the probabilities of a row and its residual sum to 1 in the
first case only. Rows of a region that is none of the concepts have low probabilities in the second.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from schemas.table import Column, Table

REVIEWED: Final = ("right", "renamed", "moved", "renamed and moved")

PSEUDO_LABELS = Table(
    name="pseudo_labels",
    version=3,
    doc="Pseudo-labels: the concept the teacher gives each region, and how sure it is.",
    key=(
        "image_id",
        "region",
    ),
    columns=(
        Column("image_id", pa.string(), "as in images"),
        Column("region", pa.int32(), "as in proposals"),
        Column("concept_id", pa.int32(), "most similar concept; of equals the lowest id"),
        Column(
            "cosine",
            pa.float32(),
            "similarity of feature and embedding, in [-1, 1]; null where a person gave the concept "
            "or the box, so that probability is 1",
            nullable=True,
        ),
        Column(
            "probability",
            pa.float32(),
            "softmax over all concepts of cosine / temperature, in [0, 1]; if made with "
            "--probability sigmoid: sigmoid of cosine / temperature + bias, independent",
        ),
        Column(
            "margin",
            pa.float32(),
            "probability minus that of the runner-up; equals probability in a pool of one",
        ),
        Column(
            "entropy",
            pa.float32(),
            "of the distribution over all concepts, nats; if independent: sum of the entropies of "
            "each concept's yes or no",
        ),
        Column("kept", pa.bool_(), "probability strictly above the threshold"),
        Column(
            "in_caption",
            pa.bool_(),
            "a caption of this image mentions the concept; null if mentions are unknown",
            nullable=True,
        ),
        Column("top_ids", pa.list_(pa.int32()), "the K most similar concepts, best first"),
        Column("top_probabilities", pa.list_(pa.float32()), "their probabilities"),
        Column(
            "residual",
            pa.float32(),
            "probability that it is any other concept, in [0, 1]: their sum; if independent: "
            "1 - product of (1 - probability)",
        ),
        Column("x0", pa.float32(), "left edge, pixels of the original image"),
        Column("y0", pa.float32(), "top edge, pixels of the original image"),
        Column("x1", pa.float32(), "right edge, exclusive"),
        Column("y1", pa.float32(), "bottom edge, exclusive"),
        Column("objectness", pa.float32(), "as in proposals"),
        Column(
            "reviewed",
            pa.string(),
            f"what people decided: {', '.join(REVIEWED)}; null if nothing",
            nullable=True,
        ),
    ),
)
