"""Recipe files: includes, placeholders, and their errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.recipes.recipe_file import (
    Placeholders,
    RecipeFile,
    fill,
    placeholder_names,
    read_recipe,
)
from schemas.errors import SourceError

STEP = '[[step]]\nrun = "ingest"\n'


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_an_included_file_comes_first_and_only_once(tmp_path: Path) -> None:
    write(tmp_path / "base.toml", '[defaults]\na = 1\nb = 1\n[[step]]\nrun = "base"\n')
    write(tmp_path / "left.toml", 'include = ["base.toml"]\n[[step]]\nrun = "left"\n')
    write(tmp_path / "right.toml", 'include = ["base.toml"]\n[[step]]\nrun = "right"\n')
    path = write(
        tmp_path / "top.toml",
        'include = ["left.toml", "right.toml"]\n[defaults]\nb = 2\n[[step]]\nrun = "top"\n',
    )
    recipe = read_recipe(path)
    assert [entry["run"] for _, entry in recipe.step] == ["base", "left", "right", "top"]
    assert [location for location, _ in recipe.step][-1] == f"step 1 of {path}"
    assert recipe.defaults == {"a": 1, "b": 2}


def test_files_that_include_each_other_are_read_once(tmp_path: Path) -> None:
    write(tmp_path / "a.toml", 'include = ["b.toml"]\n' + STEP)
    write(tmp_path / "b.toml", 'include = ["a.toml"]\n' + STEP)
    assert len(read_recipe(tmp_path / "a.toml").step) == 2


def test_the_report_of_an_included_file_is_not_that_of_the_recipe(tmp_path: Path) -> None:
    write(tmp_path / "base.toml", 'report = "base.md"\nintroduction = "Base"\n' + STEP)
    path = write(tmp_path / "top.toml", 'include = ["base.toml"]\n')
    recipe = read_recipe(path)
    assert (recipe.report, recipe.introduction) == (None, "")
    assert read_recipe(tmp_path / "base.toml").report == "base.md"


def test_here_is_the_folder_of_the_file_that_contains_it(tmp_path: Path) -> None:
    write(tmp_path / "sub" / "base.toml", '[defaults]\nx = ["{here}/x"]\n' + STEP)
    path = write(tmp_path / "top.toml", 'include = ["sub/base.toml"]\n[defaults]\ny = "{here}/y"\n')
    expected = {"x": [f"{tmp_path}/sub/x"], "y": f"{tmp_path}/y"}
    assert read_recipe(path).defaults == expected


def test_a_missing_include_is_refused_with_its_name(tmp_path: Path) -> None:
    path = write(tmp_path / "top.toml", 'include = ["none.toml"]\n' + STEP)
    with pytest.raises(SourceError, match=r"recipe .*none\.toml does not exist"):
        read_recipe(path)


@pytest.mark.parametrize(
    "text", ["nonsense = 1\n", "defaults = 1\n", "table = [1]\n", "[draw]\nkind = 'web'\n"]
)
def test_a_key_that_no_recipe_has_is_refused(tmp_path: Path, text: str) -> None:
    path = write(tmp_path / "r.toml", text + STEP)
    with pytest.raises(SourceError) as error:
        read_recipe(path)
    assert str(error.value) == (
        f"recipe {path} may have include, report, introduction, [defaults], [quick], [sweep], "
        f"[rounds], [running], [[draw]] and [[table]], must have at least one [[step]], and may "
        f"have nothing else"
    )


def placeholders(
    tmp_path: Path, settings: dict[str, str] | None = None, *, use_quick: bool = False, **parts: Any
) -> Placeholders:
    return Placeholders.of(
        RecipeFile(**parts), settings or {}, quick=use_quick, path=tmp_path / "r"
    )


def test_settings_come_before_quick_values_and_these_before_defaults(tmp_path: Path) -> None:
    parts = {"defaults": {"a": 1, "b": 1, "c": 1}, "quick": {"b": 2, "c": 2}}
    assert placeholders(tmp_path, **parts).values({}, "r") == {"a": 1, "b": 1, "c": 1}
    quick = placeholders(tmp_path, {"c": "3"}, use_quick=True, **parts)
    assert quick.values({}, "r") == {"a": 1, "b": 2, "c": "3"}


def test_a_default_can_contain_defaults_above_it(tmp_path: Path) -> None:
    defaults = {"name": "x", "folder": "data/{name}", "file": "{folder}/{name}.txt"}
    values = placeholders(tmp_path, defaults=defaults).values({}, "r")
    assert values["file"] == "data/x/x.txt"
    changed = placeholders(tmp_path, {"name": "y"}, defaults=defaults).values({}, "r")
    assert changed["file"] == "data/y/y.txt"


def test_a_default_that_contains_one_below_it_is_refused(tmp_path: Path) -> None:
    below = placeholders(tmp_path, defaults={"file": "{name}.txt", "name": "x"})
    with pytest.raises(SourceError, match=r"\[defaults\] of r: \{name\} has no value"):
        below.values({}, "r")


def test_swept_names_are_found_through_defaults(tmp_path: Path) -> None:
    parts = {"sweep": {"seed": [0, 1], "size": [8]}, "defaults": {"folder": "f-{seed}", "x": "y"}}
    names = placeholders(tmp_path, **parts)
    assert names.swept_by({"a": ["{folder}"], "b": 3}) == ["seed"]
    assert names.swept_by("{size}{seed}") == ["seed", "size"]
    assert names.swept_by("{x} {other}") == []
    assert placeholders(tmp_path, {"folder": "f"}, **parts).swept_by("{folder}") == []


def test_a_default_that_depends_on_a_sweep_has_a_value_only_with_it(tmp_path: Path) -> None:
    parts = {"sweep": {"seed": [0, 1]}, "defaults": {"folder": "f-{seed}", "x": "y"}}
    names = placeholders(tmp_path, **parts)
    assert names.values({}, "r") == {"x": "y"}
    assert names.values({"seed": 1}, "r") == {"x": "y", "seed": 1, "folder": "f-1"}


def test_combinations_are_the_product_of_the_swept_values(tmp_path: Path) -> None:
    names = placeholders(tmp_path, {"size": "8,9"}, sweep={"seed": [0, 1], "size": [7]})
    assert list(names.combinations(["seed", "size"])) == [
        {"seed": seed, "size": size} for seed in (0, 1) for size in ("8", "9")
    ]
    assert list(names.combinations([])) == [{}]


def test_a_quick_value_of_a_sweep_can_be_a_single_value(tmp_path: Path) -> None:
    parts = {"sweep": {"seed": [0, 1]}, "quick": {"seed": 5}}
    names = placeholders(tmp_path, use_quick=True, **parts)
    assert list(names.combinations(["seed"])) == [{"seed": 5}]


def test_a_quick_value_that_replaces_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="replaces a, b, which is neither in"):
        placeholders(tmp_path, quick={"b": 1, "a": 1})


def test_a_name_in_defaults_and_in_sweep_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"seed is in \[defaults\] and in \[sweep\] of "):
        placeholders(tmp_path, defaults={"seed": 1}, sweep={"seed": [1]})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{n}", 7),
        ("{n}-{s}", "7-x"),
        (["{n}", {"k": "{s}{s}"}, 3], [7, {"k": "xx"}, 3]),
        ("{} {1a} {{s}}", "{} {1a} {x}"),
        (True, True),
    ],
)
def test_a_text_of_one_placeholder_becomes_its_value_and_other_texts_contain_it(
    value: Any, expected: Any
) -> None:
    assert fill(value, {"n": 7, "s": "x"}, "step 1 of r") == expected


def test_the_value_of_a_placeholder_is_not_searched_for_placeholders() -> None:
    assert fill("<{a}>", {"a": "{b}", "b": "never"}, "step 1 of r") == "<{b}>"


def test_a_placeholder_without_a_value_is_refused() -> None:
    with pytest.raises(SourceError) as error:
        fill({"k": ["a {lost}"]}, {"n": 7}, "step 1 of r")
    assert str(error.value) == "step 1 of r: {lost} has no value; give one with --set lost=..."


def test_names_are_found_in_nested_texts() -> None:
    assert placeholder_names({"{key}": ["{a}", {"x": "{b}-{a}"}], "n": 3}) == {"a", "b"}


def test_defaults_that_name_each_other_without_end_are_swept_by_what_they_name() -> None:
    recipe = RecipeFile(defaults={"a": "{b}", "b": "{a}{seed}"}, sweep={"seed": [0, 1]})
    placeholders = Placeholders.of(recipe, {}, quick=False, path=Path("r.toml"))
    assert placeholders.swept_by("{a}") == ["seed"]


@pytest.mark.parametrize(
    "content",
    [
        "x = " + "[" * 5000 + "]" * 5000,
        "x = 1" + "0" * 5000,
        "include = 3\n" + STEP,
        "include = [[]]\n" + STEP,
        'include = ["\\u0000"]\n' + STEP,
        "report = 3\n" + STEP,
        "introduction = []\n" + STEP,
    ],
)
def test_what_no_recipe_holds_is_one_sentence(tmp_path: Path, content: str) -> None:
    with pytest.raises(SourceError, match=r"recipe .*r\.toml"):
        read_recipe(write(tmp_path / "r.toml", content))


def test_a_sweep_without_values_is_refused() -> None:
    with pytest.raises(SourceError, match="gives seed no value"):
        Placeholders.of(RecipeFile(sweep={"seed": []}), {}, quick=False, path=Path("r.toml"))
