"""The parts of the demo on five synthetic scenes, with toy stages behind the real tables."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from pipeline import demo
from schemas.errors import SourceError
from tests.pipeline.demo_store import NUM_HOLDOUT, NUM_SCENES, DemoStore

pytestmark = pytest.mark.slow


def test_settings_name_the_folders_that_were_written(demo_store: DemoStore) -> None:
    settings = demo_store.settings
    assert settings["seed"] == 2
    for name, count in (("scenes", NUM_SCENES), ("holdout", NUM_HOLDOUT)):
        assert len(list((Path(settings[name]) / "images" / name).iterdir())) == count
    assert Path(settings["splits"]).is_file()
    assert (Path(settings["data"]) / "teacher.safetensors").is_file()


def test_held_out_scenes_differ_from_the_scenes_to_learn_from(demo_store: DemoStore) -> None:
    paths = [
        *demo_store.folder.glob("scenes/images/*/*"),
        *demo_store.folder.glob("holdout/images/*/*"),
    ]
    assert len({path.read_bytes() for path in paths}) == NUM_SCENES + NUM_HOLDOUT


def test_another_seed_gives_other_scenes(demo_store: DemoStore, tmp_path: Path) -> None:
    demo.render_demo_scenes(tmp_path, 1, 0, seed=3)
    first, second = (
        (folder / "scenes/images/scenes/000000.jpg").read_bytes()
        for folder in (demo_store.folder, tmp_path)
    )
    assert first != second


def test_weights_are_found_beside_the_code_or_in_an_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "__file__", str(tmp_path / "pipeline" / "demo.py"))
    for folder in (tmp_path / "stages/data/demo", tmp_path / "data/demo"):  # the checkout wins
        folder.mkdir(parents=True)
        (folder / "teacher.safetensors").touch()
        assert demo.weights_folder() == folder


def test_missing_weights_are_refused_with_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "__file__", str(tmp_path / "pipeline" / "demo.py"))
    with pytest.raises(SourceError) as refused:
        demo.weights_folder()
    assert str(refused.value) == (
        "the demo's weights are not installed (data/demo/teacher.safetensors); "
        "use a checkout of the repository, or make them with 'rc run demo_teacher'"
    )


def test_scores_are_the_accuracies_over_all_categories_in_the_order_given(
    demo_store: DemoStore,
) -> None:
    with_splits, without = (artifact.address for artifact in demo_store.metrics)
    scores = demo.scores(demo_store.root, {"student": without, "teacher": with_splits})
    assert scores == [
        demo.Score("student", without, 0.25, 0.5, None, None),
        demo.Score("teacher", with_splits, 0.25, 0.5, 0.375, 0.125),
    ]


def test_no_evaluation_has_no_scores(demo_store: DemoStore) -> None:
    assert demo.scores(demo_store.root, {}) == []


@pytest.mark.parametrize(("scenes", "share"), [(800, 1), (2000, 1), (200, 0.25), (10, 0.0125)])
def test_fewer_scenes_need_rarer_concepts_and_fewer_steps(
    scenes: int, share: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stages.synthetic.dataset_writers.write_scenes", lambda *_: None)
    given = demo.render_demo_scenes(tmp_path, scenes, 10, 0)
    defaults = tomllib.loads(demo.RECIPE.read_text())["defaults"]
    for name, least in (("min_frequency", 2), ("paper_steps", 2), ("our_steps", 10)):
        assert given[name] == max(least, round(share * defaults[name]))


def score(name: str, top1: float) -> demo.Score:
    return demo.Score(name, f"metrics/{name}", top1, 0.9, None, None)


def test_the_gain_is_one_true_sentence() -> None:
    teacher, worse, better = score("teacher", 0.477), score("plain", 0.418), score("best", 0.543)
    assert demo.gain([teacher, worse, better], 800) == (
        "Trained on captions alone, our student names 54.3 % of the boxes rightly, "
        "6.6 points more than its teacher (47.7 %)."
    )
    assert demo.gain([teacher, worse], 24) == (
        "Trained on captions alone, our student names 41.8 % of the boxes rightly, "
        "5.9 points less than its teacher (47.7 %). With 24 scenes, much of this is chance; "
        "the default is 800."
    )


def test_the_teacher_is_compared_or_else_the_first_model() -> None:
    scores = [score("student, plain", 0.2), score("teacher", 0.3), score("student, best", 0.4)]
    assert demo.teacher_score(scores).name == "teacher"
    assert demo.teacher_score(scores[2:]).name == "student, best"
