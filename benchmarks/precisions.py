"""What another precision changes: labels and recall beside those of float32, on the demo's scenes.

    python -m benchmarks.precisions --out precisions --scenes 40

The bundled networks propose, featurize and label synthetic scenes in each precision; features are
always of the boxes of float32, and labels are compared whether they are kept or not. The columns:
seconds that the processor spends on featurize and on propose (on a GPU: seconds that pass); the
least cosine of a feature and that of float32; regions whose best concept differs; the mean absolute
difference of the best concept's probability; regions that only one of the two keeps; and the recall
of the precision's own boxes at IoU 0.5.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from pipeline import api
from pipeline.demo import RECIPE, render_demo_scenes
from pipeline.recipes.recipe import load
from pipeline.store.artifact import stream
from schemas.table import as_matrix
from stages.models.device import resolve
from stages.proposals.recall import recall_and_ar100

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline.store.artifact import Artifact

EXACT: Final = "float32"
HEAD: Final = (
    "| precision | featurize, s | propose, s | least cosine | best concept differs, % "
    "| difference of probability | kept differs, % | recall |"
)
_KEY: Final = [("image_id", "ascending"), ("region", "ascending")]
_LABELS: Final = "labels as in the paper"


@dataclass(frozen=True)
class Agreement:
    """How the labels of one precision compare with those of float32.

    Attributes:
        regions: How many are compared.
        cosine: The least of a feature and that of float32.
        differs: Share of regions with another best concept.
        probability: Mean absolute difference of the probability of the best concept.
        kept: Share of regions that one keeps and the other does not.
    """

    regions: int
    cosine: float
    differs: float
    probability: float
    kept: float

    def cells(self) -> str:
        """For the table."""
        shares = f"{100 * self.differs:.2f} | {self.probability:.5f} | {100 * self.kept:.2f}"
        return f"{self.cosine:.5f} | {shares}"


def agreement(
    exact: tuple[pa.Table, pa.Table], other: tuple[pa.Table, pa.Table], least: float
) -> Agreement:
    """Compare features and labels with those of float32; rows in any order.

    Args:
        exact: Rows of `features` and of `pseudo_labels`, one for each region.
        other: Likewise, of the same regions.
        least: Probability above which a label is kept.
    """
    (features, labels), (features_b, labels_b) = (
        [table.sort_by(_KEY) for table in tables] for tables in (exact, other)
    )
    for ours, theirs in ((features, features_b), (labels, labels_b)):
        if any(not ours[name].equals(theirs[name]) for name in ("image_id", "region")):
            raise ValueError("the two are not of the same regions")
    a, b = (as_matrix(table, "feature").astype(np.float64) for table in (features, features_b))
    cosines = (a * b).sum(axis=1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    best, best_b = (table["concept_id"].to_numpy() for table in (labels, labels_b))
    p, q = (table["probability"].to_numpy().astype(np.float64) for table in (labels, labels_b))
    return Agreement(
        regions=labels.num_rows,
        cosine=float(cosines.min()),
        differs=float((best != best_b).mean()),
        probability=float(np.abs(p - q).mean()),
        kept=float(((p > least) != (q > least)).mean()),
    )


class Bench:
    """A store with scenes, and the demo's own steps up to a label.

    Args:
        arguments: Of the command line.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        out, self._least = arguments.out, arguments.min_probability
        settings = render_demo_scenes(out, arguments.scenes, 1, arguments.seed)
        recipe = load(RECIPE, {name: str(value) for name, value in settings.items()})
        self._steps = {step.name: step for step in recipe.steps}
        self._store = api.Store(out / "store")
        self._common = {"device": arguments.device, "threads": 1}
        cuda = resolve(arguments.device).type == "cuda"
        self._clock: Callable[[], float] = time.perf_counter if cuda else time.process_time
        self._made: dict[str, Artifact] = {}
        self._run("proposals", {}, limit=2)  # to warm up: what is loaded, is loaded
        self._boxes = self._timed("proposals", EXACT)
        self._made["proposals"] = self._boxes[1]
        self._run("features", {}, limit=2)
        self._exact = self._features_and_labels(EXACT)
        self.regions = self._exact[1][1].num_rows

    def line(self, precision: str) -> str:
        """The row of a precision."""
        seconds, tables = self._exact
        proposing, proposed = self._boxes
        if precision != EXACT:
            seconds, tables = self._features_and_labels(precision)
            proposing, proposed = self._timed("proposals", precision)
        compared = agreement(self._exact[1], tables, self._least)
        recall, _ = recall_and_ar100(proposed.manifest.notes["recall"])
        times = f"{seconds:.1f} | {proposing:.1f}"
        return f"| {precision} | {times} | {compared.cells()} | {recall:.4f} |"

    def _features_and_labels(self, precision: str) -> tuple[float, tuple[pa.Table, pa.Table]]:
        seconds, features = self._timed("features", precision, dtype="float32")
        labels = self._run(_LABELS, {"features": features}, min_probability=self._least)
        return seconds, (_rows(features), _rows(labels))

    def _timed(self, name: str, precision: str, **more: Any) -> tuple[float, Artifact]:
        """Seconds of a step, and what it made; 0 if an earlier run did."""
        started = self._clock()
        made = self._run(name, {}, precision=precision, **more)
        return self._clock() - started, made

    def _run(self, name: str, inputs: dict[str, Artifact], **more: Any) -> Artifact:
        """Run a step, and before it what it reads, with other options than the recipe's own."""
        step = self._steps[name]
        for role, value in step.inputs.items():
            other = value.removeprefix("@")
            if role not in inputs and other not in self._made:
                self._made[other] = self._run(other, {})
            inputs = inputs if role in inputs else {**inputs, role: self._made[other]}
        options = {**step.options, **self._common, **more}
        return self._store.run(step.verb, inputs, **options)


def _rows(artifact: Artifact) -> pa.Table:
    return pa.Table.from_batches(list(stream(artifact.files())))


def main(words: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What another precision changes.")
    parser.add_argument("--out", type=Path, default=Path("precisions"), help="a new folder")
    parser.add_argument("--scenes", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precisions", nargs="+", help="default: all that the device has")
    parser.add_argument("--min-probability", type=float, default=0.5, help="of kept labels")
    arguments = parser.parse_args(words)
    cuda = resolve(arguments.device).type == "cuda"
    usual = [EXACT, "tf32", "bfloat16", "float16"] if cuda else [EXACT, "bfloat16"]
    bench = Bench(arguments)
    print(f"{arguments.scenes} scenes, {bench.regions:,} regions\n")
    print(HEAD + "\n" + "|---" * 8 + "|")
    for precision in arguments.precisions or usual:
        print(bench.line(precision), flush=True)


if __name__ == "__main__":
    main()
