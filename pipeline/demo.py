"""The demo: synthetic scenes, accuracies of the evaluated models, pictures of the results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.contact_sheets import RIGHT, WRONG, Mark, Panel, save_sheet
from pipeline.sql import connect, query
from schemas.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

_IMAGES_PER_SHEET = 3
_HOLDOUT_SEED_OFFSET = 500_000  # held-out scenes have other seeds than training scenes


@dataclass(frozen=True)
class Score:
    """The accuracies of one evaluated model, in [0, 1], with its name in the recipe."""

    name: str
    address: str
    top1: float
    top5: float
    base: float | None
    novel: float | None


def weights_folder() -> Path:
    """The folder of bundled weights, in the checkout or in an installed wheel.

    Raises:
        SourceError: If neither exists.
    """
    root = Path(__file__).resolve().parents[1]
    for folder in (root / "data" / "demo", root / "stages" / "data" / "demo"):
        if (folder / "teacher.safetensors").is_file():
            return folder
    raise SourceError(
        "the demo's weights are not installed (data/demo/teacher.safetensors); "
        "use a checkout of the repository, or make them with 'rc run demo_teacher'"
    )


def render_demo_scenes(out: Path, scenes: int, holdout: int, seed: int) -> dict[str, Any]:
    """Render training and held-out scenes; return the settings of the demo recipe for them."""
    from stages.synthetic.dataset_writers import write_scenes

    write_scenes(out / "scenes", "scenes", scenes, seed)
    write_scenes(out / "holdout", "holdout", holdout, seed + _HOLDOUT_SEED_OFFSET)
    return {
        "scenes": str(out / "scenes"),
        "holdout": str(out / "holdout"),
        "splits": str(out / "holdout" / "splits.json"),
        "data": str(weights_folder()),
        "seed": seed,
    }


def scores(root: Path, evaluated: dict[str, str]) -> list[Score]:
    """Accuracies of each evaluated model, in the order of the recipe."""
    accuracies = []
    for name, address in evaluated.items():
        with connect(root, [address]) as connection:
            rows = query(
                connection, "SELECT metric, split, value FROM metrics WHERE category = ''"
            ).fetchall()
        values = {(metric, split): value for metric, split, value in rows}
        accuracies.append(
            Score(
                name,
                address,
                values[("top1", "all")],
                values[("top5", "all")],
                values.get(("top1", "base")),
                values.get(("top1", "novel")),
            )
        )
    return accuracies


def save_pseudo_label_sheet(root: Path, labels: str, out: Path) -> Path:
    """Save training scenes with the pseudo-labels that their captions mention; return the path."""
    with connect(root, [labels]) as connection:
        images = _select_images(
            connection,
            "SELECT image_id FROM pseudo_labels WHERE kept AND in_caption GROUP BY 1 "
            f"ORDER BY count(DISTINCT concept_id) DESC, 1 LIMIT {_IMAGES_PER_SHEET}",
        )
        panels = []
        for image in images:
            labelled = _fetch(
                connection,
                "SELECT concept, probability, x0, y0, x1, y1 FROM pseudo_labels "
                "WHERE image_id = ? AND kept AND in_caption "
                "QUALIFY row_number() OVER (PARTITION BY concept ORDER BY probability DESC) = 1 "
                "ORDER BY probability DESC",
                [image["image_id"]],
            )
            marks = [
                Mark((r["x0"], r["y0"], r["x1"], r["y1"]), f"{r['concept']} {r['probability']:.2f}")
                for r in labelled
            ]
            text = " / ".join(image["captions"])
            panels.append(Panel(_decode(image), marks, "pseudo-labels", text))
    path = out / "pseudo_labels.png"
    save_sheet(path, [panels])
    return path


def save_comparison_sheet(root: Path, evaluated: Sequence[tuple[str, str]], out: Path) -> Path:
    """Save held-out scenes with the predictions of each model for the ground-truth boxes."""
    rows: list[list[Panel]] = []
    for name, address in evaluated:
        with connect(root, [address]) as connection:
            images = _select_images(
                connection,
                "SELECT image_id FROM detections GROUP BY 1 ORDER BY count(*) DESC, 1 "
                f"LIMIT {_IMAGES_PER_SHEET}",
            )
            rows.append([_prediction_panel(connection, image, name) for image in images])
    path = out / "teacher_and_student.png"
    save_sheet(path, rows)
    return path


def _prediction_panel(connection: Any, image: dict[str, Any], name: str) -> Panel:
    predictions = _fetch(
        connection,
        "SELECT category, truth, x0, y0, x1, y1 FROM detections WHERE image_id = ? "
        "ORDER BY (x1 - x0) * (y1 - y0) DESC",
        [image["image_id"]],
    )
    num_right = sum(row["category"] == row["truth"] for row in predictions)
    marks = [
        Mark(
            (row["x0"], row["y0"], row["x1"], row["y1"]),
            row["category"],
            RIGHT if row["category"] == row["truth"] else WRONG,
        )
        for row in predictions
    ]
    return Panel(_decode(image), marks, f"{name}: {num_right} of {len(predictions)} right")


def _select_images(connection: Any, statement: str) -> list[dict[str, Any]]:
    return _fetch(
        connection,
        f"SELECT i.* FROM images AS i SEMI JOIN ({statement}) USING (image_id) ORDER BY image_id",
    )


def _fetch(connection: Any, statement: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
    result = connection.execute(statement, list(values))
    names = [column[0] for column in result.description]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _decode(image: dict[str, Any]) -> Any:
    from stages.pixels import load_image

    return load_image(image)
