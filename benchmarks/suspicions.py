"""Do suspicions find wrong labels better than probability, margin and cleanlab? By ground truth.

    python -m benchmarks.suspicions --out suspicions --cleanlab PYTHON
    python -m benchmarks.suspicions --out suspicions --choose --scenes 400    # weights, by seed 77

A label is wrong unless its concept is the category of the ground-truth object that it overlaps
most, by an IoU of 0.5 or more. Three sets of labels are scored, and only kept ones are ranked:

* of synthetic scenes, by the bundled teacher, among the whole pool (`rc label`);
* the same among the concepts that captions mention (`rc label --among captions`);
* of COCO photographs, by a detector (`benchmarks.detector_labels`).

Of labels that are not kept, with a threshold of 0.5, the question is which are right all the same.

For each: the area under the ROC curve of finding wrong labels, the same among labels whose box is
on an object (so that only their names can be wrong), and which share of the first 100 and 1,000 is
wrong. PYTHON is one with cleanlab installed (`pip install cleanlab` in an environment of its own);
it runs `benchmarks/cleanlab_scores.py`. Its predictions are every region's concept with its
probability: of the labels of --against, or, without, of the same labels.

Shapes: R labels.
"""

from __future__ import annotations

import argparse
import json
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.detector_labels import DATA, NO_DETECTOR, can_label, label_photographs
from pipeline import api, demo, sql
from stages.suspicion.signals import SIGNALS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

    from pipeline.store.artifact import Artifact

CHOSEN_ON: Final = 77
FIRST: Final = (100, 1000)
_STATEMENT: Final = """
SELECT image_id, region, s.concept_id, s.kept, s.probability, s.margin, s.objectness, fault,
    suspicion, swapped, misplaced,
    s.x0, s.y0, s.x1, s.y1, coalesce(s.concept = truth, false) AS is_right,
    truth IS NOT NULL AS is_placed, {signals}
FROM suspected_labels AS s JOIN judged_labels USING (image_id, region)
ORDER BY image_id, region
"""

_PREDICTED: Final = """
SELECT image_id, x0, y0, x1, y1, concept_id, probability
FROM pseudo_labels ORDER BY image_id, region
"""


@dataclass(frozen=True)
class ScoredLabels:
    """Labels with all that ranks them.

    Attributes:
        rows: (R,) of `_STATEMENT`.
        wrong: (R,) what is looked for: wrong ones of those that are kept, right ones of others.
        placed: (R,) whether the box is on an object.
        scores: (R,) of each way to rank, higher is more suspicious.
    """

    rows: pa.Table
    wrong: NDArray[np.bool_]
    placed: NDArray[np.bool_]
    scores: dict[str, NDArray[np.float64]]

    @classmethod
    def of(cls, store: api.Store, suspicions: Artifact, cleanlab: str | None) -> ScoredLabels:
        """The labels that suspicions are about."""
        everything = _rows(store, suspicions)
        kept = np.flatnonzero(everything["kept"].to_numpy())
        rows = everything.take(kept)
        scores = {
            "suspicion": floats(rows, "suspicion"),
            "swapped": floats(rows, "swapped"),
            "misplaced": floats(rows, "misplaced"),
            "probability": -floats(rows, "probability"),
            "margin": -floats(rows, "margin"),
            "objectness": -floats(rows, "objectness"),
        }
        if cleanlab:
            predicted = everything
            if against := suspicions.manifest.inputs.get("against"):
                with sql.connect(store.root, [against]) as connection:
                    predicted = sql.batches(sql.query(connection, _PREDICTED)).read_all()
            folder = store.root.parent / "cleanlab"
            quality = cleanlab_scores(cleanlab, everything, predicted, folder)
            scores |= {name: -values[kept] for name, values in quality.items()}
        wrong = ~np.asarray(rows["is_right"].to_numpy())
        return cls(rows, wrong, np.asarray(rows["is_placed"].to_numpy()), scores)

    @classmethod
    def not_kept(cls, store: api.Store, suspicions: Artifact) -> ScoredLabels:
        """The labels that are not kept, to find those that are right."""
        everything = _rows(store, suspicions)
        rows = everything.filter(~everything["kept"].to_numpy())
        names = ("suspicion", "probability", "margin", "objectness")
        right, placed = (np.asarray(rows[name].to_numpy()) for name in ("is_right", "is_placed"))
        return cls(rows, right, placed, {name: floats(rows, name) for name in names})


def _rows(store: api.Store, suspicions: Artifact) -> pa.Table:
    statement = _STATEMENT.format(signals=", ".join(signal.name for signal in SIGNALS))
    with sql.connect(store.root, [suspicions.address]) as connection:
        return sql.batches(sql.query(connection, statement)).read_all()


def floats(rows: pa.Table, column: str) -> NDArray[np.float64]:
    """A column (R,) as float64, NaN where it is null."""
    return np.asarray(rows[column].to_numpy(zero_copy_only=False).astype(np.float64))


def area_under_curve(scores: NDArray[np.float64], wrong: NDArray[np.bool_]) -> float:
    """Probability that a wrong label has a higher score than a right one; ties count half.

    >>> area_under_curve(np.array([3.0, 1.0, 1.0, 0.0]), np.array([True, True, False, False]))
    0.875
    """
    order = np.sort(scores[~wrong])
    below = np.searchsorted(order, scores[wrong], side="left")
    up_to = np.searchsorted(order, scores[wrong], side="right")
    return float(((below + up_to) / 2).mean() / max(len(order), 1))


def share_wrong(scores: NDArray[np.float64], wrong: NDArray[np.bool_], first: int) -> float:
    """Share of the `first` most suspicious labels that are wrong; of equals, in their order."""
    order = np.argsort(-scores, kind="stable")[:first]
    return float(wrong[order].mean())


def synthetic(folder: Path, seed: int, scenes: int) -> dict[str, tuple[api.Store, Artifact]]:
    """Suspicions of the labels of synthetic scenes, by name."""
    from stages.synthetic.dataset_writers import write_scenes

    store, data = api.Store(folder / "store"), demo.weights_folder()
    if not (folder / "scenes").exists():
        write_scenes(folder / "scenes", "scenes", scenes, seed)
    images = {"images": store.run("ingest", sources=[str(folder / "scenes")], part_images=100)}
    concepts = store.run("extract-concepts", images, min_frequency=max(2, round(scenes / 40)))
    model, weights = str(data / "teacher_model.json"), str(data / "teacher.safetensors")
    teacher = store.run("pretrain", images, model=model, pretrained=weights, steps=0)
    embeddings = store.run("embed-concepts", {"concepts": concepts, "teacher": teacher})
    options: dict[str, Any] = {"weights": data / "rpn.safetensors", "resize": ["256x320"]}
    rpn = store.run("train-rpn", images, anchor_sizes=[24, 40, 64, 112], steps=0, **options)
    how: dict[str, Any] = {"top_k": 50, "min_size": 12.0, "nms_within": "image"}
    proposals = store.run("propose", {**images, "rpn": rpn}, **how)
    regions = {**images, "proposals": proposals, "teacher": teacher}
    size: dict[str, Any] = {"resize": "192x400", "interpolation": "bicubic", "whole_image": False}
    features = store.run("featurize", regions, **size)
    crops = store.run("featurize", regions, pooling="crop", whole_image=False)
    found = {}
    asked = {"embeddings": embeddings, "mentions": concepts, "proposals": proposals}
    cold: dict[str, Any] = {"temperature": 0.01}
    for among in ("pool", "captions"):
        labels = store.run("label", {**asked, "features": features}, among=among, **cold)
        found[f"among {among}"] = store, store.run("suspect", {"pseudo_labels": labels})
        strict = store.run(
            "label", {**asked, "features": features}, among=among, min_probability=0.5, **cold
        )
        found[f"among {among}, not kept"] = store, store.run("suspect", {"pseudo_labels": strict})
    of_crops = store.run("label", {**asked, "features": crops}, **cold)
    inputs = {"pseudo_labels": found["among pool"][1].manifest.inputs["pseudo_labels"]}
    inputs["against"] = of_crops.address
    return {**found, "among pool, --against crops": (store, store.run("suspect", inputs))}


def cleanlab_scores(
    python: str, rows: pa.Table, predicted: pa.Table, folder: Path
) -> dict[str, NDArray[np.float64]]:
    """Quality (R,) of every label by cleanlab's scores of boxes, in another Python.

    Args:
        python: Its path.
        rows: (R,) labels.
        predicted: Regions with concept_id and probability.
        folder: For the files that go there and back.
    """
    folder.mkdir(exist_ok=True)
    numbers = {image: n for n, image in enumerate(sorted(set(rows["image_id"].to_pylist())))}
    content: dict[str, Any] = {
        "kept": rows["kept"].to_numpy(),
        "labels": rows["concept_id"].to_numpy(),
        "predicted_labels": predicted["concept_id"].to_numpy(),
        "predicted_scores": floats(predicted, "probability"),
    }
    for name, table in (("", rows), ("predicted_", predicted)):
        images = table["image_id"].to_pylist()
        content[f"{name}images"] = np.array([numbers.get(image, -1) for image in images])
        sides = [floats(table, side) for side in ("x0", "y0", "x1", "y1")]
        content[f"{name}boxes"] = np.stack(sides, axis=1)
    np.savez(folder / "labels.npz", **content)
    script = Path(__file__).with_name("cleanlab_scores.py")
    command = [python, str(script), str(folder / "labels.npz"), str(folder / "scores.npz")]
    subprocess.run(command, check=True)
    with np.load(folder / "scores.npz") as scores:
        return {name: scores[name] for name in scores.files}


def table(found: Sequence[tuple[str, ScoredLabels]], sought: str = "wrong") -> str:
    """Markdown: a row for each set of labels and way to rank them; `sought` is looked for."""
    lines = [
        f"| labels | ranked by | area | on objects | {sought} of first 100 | of first 1,000 |",
        "|---|---|---|---|---|---|",
    ]
    for name, labels in found:
        said = f"{name}: {len(labels.wrong):,}, {labels.wrong.mean():.1%} {sought}"
        for way, scores in labels.scores.items():
            shares = [f"{share_wrong(scores, labels.wrong, first):.3f}" for first in FIRST]
            areas = [
                f"{area_under_curve(scores[of], labels.wrong[of]):.4f}"
                for of in (slice(None), labels.placed)
            ]
            lines.append(f"| {said} | {way} | {' | '.join([*areas, *shares])} |")
    return "\n".join(lines)


def choose(labels: ScoredLabels) -> dict[str, float]:
    """Weights of the signals by logistic regression, none below 0; the largest is 3."""
    import torch

    names = [signal.name for signal in SIGNALS if signal.of != "dropped"]
    columns = torch.tensor(np.stack([floats(labels.rows, name) for name in names], axis=1))
    means = torch.nan_to_num(columns.nanmean(dim=0), nan=0.5)
    columns = torch.where(columns.isnan(), means, columns)
    wrong = torch.tensor(labels.wrong, dtype=columns.dtype)
    weights = torch.zeros(len(names), dtype=columns.dtype, requires_grad=True)
    bias = torch.zeros((), dtype=columns.dtype, requires_grad=True)
    optimiser = torch.optim.Adam([weights, bias], lr=0.05)
    for _ in range(1500):
        optimiser.zero_grad()
        logits = columns @ weights + bias
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, wrong)
        (loss + 1e-3 * weights.square().sum()).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        with torch.no_grad():
            weights.clamp_(min=0)
    scaled = weights.detach() * 3 / max(float(weights.detach().max()), 1e-9)
    return dict(zip(names, scaled.tolist(), strict=True))


def main(words: list[str] | None = None) -> None:
    """Print the tables, or the weights."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("suspicions"), help="folder of the stores")
    parser.add_argument("--seeds", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--scenes", type=int, default=200, help="of each seed")
    parser.add_argument("--data", type=Path, default=DATA, help="photographs and a detector")
    parser.add_argument("--cleanlab", help="a Python with cleanlab; default: not compared")
    parser.add_argument("--choose", action="store_true", help=f"print weights for {CHOSEN_ON}")
    arguments = parser.parse_args(words)
    if arguments.choose:
        found = synthetic(arguments.out / str(CHOSEN_ON), CHOSEN_ON, arguments.scenes)
        for name, one in found.items():
            if "not kept" in name:
                continue
            labels = ScoredLabels.of(*one, arguments.cleanlab)
            weights = {key: round(value, 2) for key, value in choose(labels).items()}
            print(f"{name}: {json.dumps(weights)}\n{table([(name, labels)])}\n", flush=True)
        return
    for seed in arguments.seeds:
        found = synthetic(arguments.out / str(seed), seed, arguments.scenes)
        rows = [
            (f"seed {seed}, {name}", ScoredLabels.of(*one, arguments.cleanlab))
            for name, one in found.items()
            if "not kept" not in name
        ]
        print(table(rows), end="\n\n", flush=True)
        others = [
            (f"seed {seed}, {name}", ScoredLabels.not_kept(*one))
            for name, one in found.items()
            if "not kept" in name
        ]
        print(table(others, "right"), end="\n\n", flush=True)
    if not can_label(arguments.data):
        print(f"COCO photographs: skipped, {NO_DETECTOR}")
        return
    labels = ScoredLabels.of(
        *label_photographs(arguments.out / "coco", arguments.data), arguments.cleanlab
    )
    print(table([("COCO", labels)]))


if __name__ == "__main__":
    main()
