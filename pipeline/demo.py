"""The demo: synthetic scenes, settings of its recipe, accuracies of the models."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pipeline.recipes.recipe_file import read_recipe
from pipeline.sql import connect, query
from schemas.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

RECIPE: Final = Path(__file__).with_name("recipes") / "demo.toml"
_HOLDOUT_SEED_OFFSET = 500_000  # held-out scenes have other seeds than training scenes
_SCENES: Final = 800  # for which the recipe was made; fewer need a rarer concept and fewer steps
_SMALLEST: Final = {"min_frequency": 2, "paper_steps": 2, "our_steps": 10}


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
        **_scaled(scenes),
    }


def _scaled(scenes: int) -> dict[str, int]:
    """Settings of the recipe for fewer scenes: as many passes, and concepts as frequent in them."""
    defaults, share = read_recipe(RECIPE).defaults, min(1.0, scenes / _SCENES)
    return {name: max(least, round(defaults[name] * share)) for name, least in _SMALLEST.items()}


def gain(evaluated: Sequence[Score], scenes: int) -> str:
    """What the last model, our student, gains over the teacher, in a sentence."""
    teacher, student = teacher_score(evaluated), evaluated[-1]
    points = 100 * (student.top1 - teacher.top1)
    comparison = f"{abs(points):.1f} points {'more' if points >= 0 else 'less'}"
    sentence = (
        f"Trained on captions alone, our student names {100 * student.top1:.1f} % of the "
        f"boxes rightly, {comparison} than its teacher ({100 * teacher.top1:.1f} %)."
    )
    if scenes >= _SCENES:
        return sentence
    return f"{sentence} With {scenes} scenes, much of this is chance; the default is {_SCENES}."


def teacher_score(evaluated: Sequence[Score]) -> Score:
    """The accuracies of the teacher; of the first model if none has this name."""
    return next((score for score in evaluated if score.name == "teacher"), evaluated[0])


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
