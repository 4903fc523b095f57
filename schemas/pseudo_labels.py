"""Pseudo-labels: the concept the teacher gives each region, and how sure it is.

Probabilities exclude each other, or are independent (`--probability sigmoid` of `rc label`, for
teachers trained by the sigmoid loss); the probabilities of a row and its residual sum to 1 in the
first case only. Rows of a region that is none of the concepts have low probabilities in the second.
"""

from __future__ import annotations

from typing import Final

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
        Column("image_id", "string", "as in images"),
        Column("region", "int32", "as in proposals"),
        Column("concept_id", "int32", "most similar concept; of equals the lowest id"),
        Column(
            "cosine",
            "float32",
            "similarity of feature and embedding, in [-1, 1]; null where a person gave the concept "
            "or the box, so that probability is 1",
            nullable=True,
        ),
        Column(
            "probability",
            "float32",
            "softmax over all concepts of cosine / temperature, in [0, 1]; if made with "
            "--probability sigmoid: sigmoid of cosine / temperature + bias, independent",
        ),
        Column(
            "margin",
            "float32",
            "probability minus that of the runner-up; equals probability in a pool of one",
        ),
        Column(
            "entropy",
            "float32",
            "of the distribution over all concepts, nats; if independent: sum of the entropies of "
            "each concept's yes or no",
        ),
        Column("kept", "bool", "probability strictly above the threshold"),
        Column(
            "in_caption",
            "bool",
            "a caption of this image mentions the concept; null if mentions are unknown",
            nullable=True,
        ),
        Column("top_ids", "list<int32>", "the K most similar concepts, best first"),
        Column("top_probabilities", "list<float32>", "their probabilities"),
        Column(
            "residual",
            "float32",
            "probability that it is any other concept, in [0, 1]: their sum; if independent: "
            "1 - product of (1 - probability)",
        ),
        Column("x0", "float32", "left edge, pixels of the original image"),
        Column("y0", "float32", "top edge, pixels of the original image"),
        Column("x1", "float32", "right edge, exclusive"),
        Column("y1", "float32", "bottom edge, exclusive"),
        Column("objectness", "float32", "as in proposals"),
        Column(
            "reviewed",
            "string",
            f"what people decided: {', '.join(REVIEWED)}; null if nothing",
            nullable=True,
        ),
    ),
)
