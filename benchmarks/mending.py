"""What mending labels is worth: ground truth plays the reviewer, and a student learns again.

    python -m benchmarks.mending --out mending --reviewed 400 2000

Makes the labels of the demo that captions chose, scores them by `rc suspect`, and lets ground truth
review some: the most suspicious ones, or as many at random. A box on no object is a wrong box; a
wrong name gets the name of the object, if the pool has it. `rc select --reviews` makes labels of
that, and a student learns from each set by the demo's own recipe. For each: how many of the labels
are right, and the student's accuracy on held-out scenes.
"""

from __future__ import annotations

import argparse
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline import api
from pipeline.analysis.audits import sample_of
from pipeline.demo import RECIPE, render_demo_scenes
from pipeline.recipes.recipe import load
from pipeline.store.journals import journal_path
from stages.auditing.journal import Journal, Judgement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.store.artifact import Artifact

STUDENT, TEACHER = "our student", "bundled teacher"
_MADE = ("labels", "held-out scenes", TEACHER)  # steps of the recipe that come before
_TRUTH = "SELECT image_id, region, concept, truth FROM judged_labels"
_RIGHT = """
SELECT count(*) AS labels, avg((concept = truth AND truth IS NOT NULL)::INTEGER) AS is_right
FROM judged_labels WHERE kept
"""


@dataclass(frozen=True)
class Mended:
    """One set of labels, and the student of it.

    Attributes:
        name: What was done.
        labels: How many a student learns from.
        right: Share of them that are right.
        top1: Share of held-out objects that the student names.
    """

    name: str
    labels: int
    right: float
    top1: float

    def line(self) -> str:
        """For the table."""
        return f"| {self.name} | {self.labels:,} | {100 * self.right:.1f} | {100 * self.top1:.1f} |"


class Bench:
    """A store with labels, suspicions, and what a student needs.

    Args:
        out: Folder of scenes and store.
        scenes: To learn from.
        holdout: To test on.
        seed: Of the scenes and of the training.
    """

    def __init__(self, out: Path, scenes: int, holdout: int, seed: int) -> None:
        settings = render_demo_scenes(out, scenes, holdout, seed)
        recipe = load(RECIPE, {name: str(value) for name, value in settings.items()})
        self.steps = {step.name: step for step in recipe.steps}
        self.store = api.Store(out / "store")
        self.made: dict[str, Artifact] = {}
        for name in _MADE:
            self.make(name)
        labels = {"pseudo_labels": self.made["labels"], "features": self.made["features"]}
        self.suspicions = self.store.run("suspect", labels)
        rows = self.store.sql(_TRUTH, [self.made["labels"].address]).to_arrow().to_pylist()
        self.truth = {(row["image_id"], row["region"]): row for row in rows}
        embedded = self.store.sql("SELECT concept FROM concept_embeddings").to_arrow()
        self.pool = set(embedded["concept"].to_pylist())

    def make(self, name: str, instead: Mapping[str, Artifact] | None = None) -> Artifact:
        """What a step of the recipe makes, after what it reads; some inputs may be others."""
        step, inputs = self.steps[name], dict(instead or {})
        for role, value in step.inputs.items():
            if role not in inputs:
                other = value.removeprefix("@")
                inputs[role] = self.made.get(other) or self.make(other)
        options = {
            name: value for name, value in step.options.items() if name != "where" or not instead
        }
        made = self.store.run(step.verb, inputs, **options)
        if not instead:
            self.made[name] = made
        return made

    def mended(self, name: str, reviewed: int, *, suspicious: bool, seed: int) -> Artifact:
        """Labels of which ground truth reviewed some, and that a student may learn from."""
        where: str | None = self.steps[STUDENT].options["where"]
        among = f"({where})"
        if suspicious:
            rows = self.store.sql(
                f"SELECT suspicion FROM suspected_labels WHERE {among} "
                f"ORDER BY suspicion DESC LIMIT 1 OFFSET {reviewed - 1}",
                [self.suspicions.address],
            ).to_arrow()
            among += f" AND suspicion >= {rows['suspicion'][0].as_py()!r}"
        pins = {"pseudo_labels": self.made["labels"], "suspicions": self.suspicions}
        options: dict[str, Any] = {"called": name, "size": reviewed, "strata": 1, "where": among}
        audit = self.store.run("audit draw", pins, seed=seed, **options)
        self._review(audit, name)
        path = journal_path(self.store.root, name)
        reviews = self.store.run("audit close", {"audits": audit}, called=name, journal=path)
        inputs = {"pseudo_labels": self.made["labels"], "reviews": reviews}
        return self.store.run("select", inputs, called=name, where=where)

    def measured(self, name: str, labels: Artifact) -> Mended:
        """A set of labels and its student."""
        (row,) = self.store.sql(_RIGHT, [labels.address]).to_arrow().to_pylist()
        student = self.make(STUDENT, {"pseudo_labels": labels})
        evaluated = self.make("student, our recipe", {"model": student})
        statement = (
            "SELECT value FROM metrics WHERE metric = 'top1' AND split = 'all' AND category = ''"
        )
        (found,) = self.store.sql(statement, [evaluated.address]).to_arrow()["value"].to_pylist()
        return Mended(name, row["labels"], row["is_right"], found)

    def _review(self, audit: Artifact, name: str) -> None:
        """Write down what ground truth says of each label of an audit."""
        path = journal_path(self.store.root, name)
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
        journal = Journal(path)
        for row in sample_of(audit).select(["image_id", "region", "concept_id"]).to_pylist():
            known = self.truth[row["image_id"], row["region"]]
            truth = known["truth"]
            verdict = "right" if truth == known["concept"] else "wrong" if truth else "wrong-box"
            named = truth if verdict == "wrong" and truth in self.pool else None
            content = {**row, "verdict": verdict, "concept": named, "reviewer": "ground truth"}
            journal.append(Judgement(id=os.urandom(8).hex(), **content))


def main(words: list[str] | None = None) -> None:
    """Mend, train and print the table."""
    parser = argparse.ArgumentParser(description="What mending labels is worth.")
    parser.add_argument("--out", type=Path, default=Path("mending"))
    parser.add_argument("--scenes", type=int, default=800)
    parser.add_argument("--holdout", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reviewed", type=int, nargs="+", default=[400, 2000])
    arguments = parser.parse_args(words)
    bench = Bench(arguments.out, arguments.scenes, arguments.holdout, arguments.seed)
    pins = {"pseudo_labels": bench.made["labels"]}
    where = bench.steps[STUDENT].options["where"]
    plain = bench.store.run("select", pins, called="plain", where=where)
    print("| reviewed | labels | right, % | top-1, % |\n|---|---|---|---|")
    print(bench.measured("none", plain).line(), flush=True)
    for count in arguments.reviewed:
        for suspicious, which in ((False, "random"), (True, "most suspicious")):
            name = f"{'suspicious' if suspicious else 'random'}-{count}"
            labels = bench.mended(name, count, suspicious=suspicious, seed=arguments.seed)
            print(bench.measured(f"{count:,} {which}", labels).line(), flush=True)


if __name__ == "__main__":
    main()
