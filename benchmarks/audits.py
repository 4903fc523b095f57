"""How often intervals of audits hold, and how narrow they are: ground truth plays the reviewer.

    python -m benchmarks.audits --store STORE --audits 500
    python -m benchmarks.audits --store FOLDER --photographs ../shared/data

The second labels photographs of COCO by a detector first (`benchmarks.detector_labels`), in FOLDER.
A label is right if its concept is the category of the ground-truth object that it overlaps most,
by an IoU of 0.5 or more. The stage is not run for each audit: labels are read once and divided
into strata once, and each audit takes the labels that the stage would draw with that seed, by the
stage's own functions. A simple random sample takes the smallest of the same random numbers.

Shapes: R labels, n judgements, H strata.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.detector_labels import NO_DETECTOR, can_label, label_photographs
from pipeline import sql
from stages.auditing import random_order
from stages.auditing.allocation import allocate
from stages.auditing.estimation import Judgements, share_right
from stages.auditing.label_strata import label_strata

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from stages.auditing.estimation import Estimate
    from stages.auditing.label_strata import Sorted

SURE = 0.5  # probability
ALL, ABOVE = "all", f"probability > {SURE:g}"
STATEMENT = """
SELECT image_id, region, concept_id, in_caption, probability, margin, entropy, cosine, objectness,
    x0, y0, x1, y1, coalesce(concept = truth, false) AS judged_right
FROM judged_labels ORDER BY image_id, region
"""


@dataclass(frozen=True)
class JudgedLabels:
    """All labels of a store: rows (R,), whether each is right, and whether it is in `ABOVE`."""

    rows: pa.RecordBatch
    right: NDArray[np.bool_]
    sure: NDArray[np.bool_]

    @classmethod
    def of(cls, rows: pa.Table) -> JudgedLabels:
        """The rows of `STATEMENT`."""
        right = np.asarray(rows["judged_right"].to_numpy())
        sure = np.asarray(rows["probability"].to_numpy()) > SURE
        (batch,) = rows.drop_columns(["judged_right"]).combine_chunks().to_batches()
        return cls(batch, right, sure)

    def truths(self) -> dict[str, float]:
        """The true precision of each domain."""
        return {ALL: float(self.right.mean()), ABOVE: float(self.right[self.sure].mean())}


class Draws:
    """The samples of one way to sort labels into strata.

    Args:
        labels: Of the store.
        by: What they are sorted by.
        strata: At most so many.
    """

    def __init__(self, labels: JudgedLabels, by: Sorted, strata: int = 10) -> None:
        self._labels = labels
        counter = label_strata(by)
        counter.add(labels.rows)
        self.strata = counter.divide(strata)
        self._places = counter.strata(labels.rows)
        self._members = [np.flatnonzero(self._places == h) for h in range(len(self.strata.sizes))]

    def draw(self, numbers: NDArray[np.uint64], size: int) -> NDArray[np.int64]:
        """Rows of the sample with these random numbers (R,)."""
        drawn = allocate(self.strata.sizes, self.strata.deviations, size)
        chosen = [
            members[np.argsort(numbers[members], kind="stable")[:count]]
            for members, count in zip(self._members, drawn, strict=True)
        ]
        return np.concatenate(chosen)

    def judged(self, rows: NDArray[np.int64]) -> dict[str, Estimate]:
        """What an audit of these rows says of each domain."""
        return _estimates(self._labels, rows, self.strata.sizes, self._places[rows])


def numbers_of(labels: JudgedLabels, seed: int) -> NDArray[np.uint64]:
    """The random number of each label, (R,), as the stage has it with this seed."""
    names = labels.rows.column("image_id").to_pylist()
    return random_order.numbers(seed, names, labels.rows.column("region").to_numpy())


def simulate(
    labels: JudgedLabels, by: Sorted, audits: int, sizes: Sequence[int]
) -> list[dict[str, Any]]:
    """One row for each size and domain: coverage and mean width of audits and simple samples."""
    draws, simple_sizes = Draws(labels, by), np.array([len(labels.right)])
    found: dict[tuple[str, int, str], list[Estimate]] = defaultdict(list)
    for seed in range(audits):
        numbers = numbers_of(labels, seed)
        smallest = np.argpartition(numbers, max(sizes))[: max(sizes)]
        ordered = smallest[np.argsort(numbers[smallest])]
        for size in sizes:
            for domain, estimate in draws.judged(draws.draw(numbers, size)).items():
                found["audit", size, domain].append(estimate)
            simple = _estimates(labels, ordered[:size], simple_sizes, np.zeros(size, np.int64))
            for domain, estimate in simple.items():
                found["simple", size, domain].append(estimate)
    return [
        {
            "labels": domain,
            "judgements": size,
            "holds": _coverage(found["audit", size, domain], truth),
            "width": _width(found["audit", size, domain]),
            "simple holds": _coverage(found["simple", size, domain], truth),
            "simple width": _width(found["simple", size, domain]),
        }
        for domain, truth in labels.truths().items()
        for size in sizes
    ]


def _estimates(
    labels: JudgedLabels,
    rows: NDArray[np.int64],
    sizes: NDArray[np.int64],
    strata: NDArray[np.int64],
) -> dict[str, Estimate]:
    judgements = Judgements(sizes, strata, labels.right[rows])
    return {ALL: share_right(judgements), ABOVE: share_right(judgements, labels.sure[rows])}


def _coverage(estimates: list[Estimate], truth: float) -> float:
    return float(np.mean([one.low <= truth <= one.high for one in estimates]))


def _width(estimates: list[Estimate]) -> float:
    return float(np.mean([one.high - one.low for one in estimates]))


def table(by: str, rows: list[dict[str, Any]]) -> str:
    """The rows of `simulate` as Markdown."""
    lines = [
        f"| by {by}: labels | judgements | holds | width | simple: holds | width | narrower |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['labels']} | {row['judgements']} | {row['holds']:.1%} | {row['width']:.4f} "
            f"| {row['simple holds']:.1%} | {row['simple width']:.4f} "
            f"| {row['simple width'] / row['width']:.2f} |"
        )
    return "\n".join(lines)


def main(words: list[str] | None = None) -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", type=Path, required=True, help="with ground truth and labels")
    parser.add_argument("--photographs", type=Path, help="data of which labels are made first")
    parser.add_argument("--labels", help="pseudo_labels@…; default: the newest")
    parser.add_argument("--audits", type=int, default=500)
    parser.add_argument("--sizes", type=int, nargs="+", default=[200, 400], help="judgements")
    parser.add_argument("--by", nargs="+", default=["objectness", "probability"])
    arguments = parser.parse_args(words)
    root, prefer = arguments.store, [arguments.labels] if arguments.labels else []
    if arguments.photographs:
        if not can_label(arguments.photographs):
            parser.error(f"no photographs can be labelled, {NO_DETECTOR}")
        store, suspicions = label_photographs(arguments.store, arguments.photographs)
        root, prefer = store.root, [suspicions.manifest.inputs["pseudo_labels"]]
    with sql.connect(root, prefer) as connection:
        rows = sql.batches(sql.query(connection, STATEMENT)).read_all()
    labels = JudgedLabels.of(rows)
    truths = ", ".join(f"{truth:.4f} of {name}" for name, truth in labels.truths().items())
    print(f"{rows.num_rows:,} labels; precision {truths}; {arguments.audits} audits each\n")
    for by in arguments.by:
        print(
            table(by, simulate(labels, by, arguments.audits, arguments.sizes)),
            end="\n\n",
            flush=True,
        )


if __name__ == "__main__":
    main()
