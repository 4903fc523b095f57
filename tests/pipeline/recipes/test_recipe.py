"""Loading a recipe: steps, sweeps, selections, and errors that name what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pipeline.recipes import recipe
from pipeline.verbs import VERBS, Verb
from schemas.errors import SourceError
from tests.pipeline.cli.toy_presets import VerbWithPresets

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("toy_verbs")


def load(folder: Path, text: str) -> list[recipe.Step]:
    path = folder / "recipe.toml"
    path.write_text(text)
    return recipe.load(path, {}).steps


def step(folder: Path, line: str, verb: str = "ingest") -> recipe.Step:
    (only,) = load(folder, f'[[step]]\nrun = "{verb}"\n{line}\n')
    return only


def test_steps_come_in_order_with_their_names_options_and_inputs(tmp_path: Path) -> None:
    steps = load(
        tmp_path,
        """
        [[step]]
        run = "ingest"
        as = "pictures"
        per-part = 3
        [[step]]
        run = "propose"
        images = "@pictures"
        """,
    )
    assert steps == [
        recipe.Step("ingest", "pictures", {"per_part": 3}, {}),
        recipe.Step("propose", "2 propose", {}, {"images": "@pictures"}),
    ]


@pytest.mark.parametrize(
    ("line", "options"),
    [
        ("tint = 2", {"tint": 2.0}),
        ("count = 2", {"count": 2}),
        ('count = "2"', {"count": 2}),
        ('mark = "text"', {"mark": "text"}),
        ("mark = 7", {"mark": "7"}),
        ('sources = ["a", "b"]', {"sources": ("a", "b")}),
    ],
)
def test_values_take_the_types_of_their_options(
    tmp_path: Path, line: str, options: dict[str, Any]
) -> None:
    converted = step(tmp_path, line).options
    assert converted == options
    assert {name: type(v) for name, v in converted.items()} == {
        n: type(v) for n, v in options.items()
    }


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('count = "many"', r"step 1 of .*: count = 'many' cannot be int: .* valid integer"),
        ("count = 2.5", "count = 2.5 cannot be int"),
        ("count = [1]", "cannot be int"),
        ('sources = "a"', "cannot be tuple"),
        ("counts = 2", "ingest has no 'counts'; it has batch, break_part, count, "),
        ('images = "@x"', "ingest has no 'images'"),
        ("store = 'x'", "ingest has no 'store'"),
    ],
)
def test_a_value_that_does_not_fit_its_option_is_refused(
    tmp_path: Path, line: str, said: str
) -> None:
    with pytest.raises(SourceError, match=said):
        step(tmp_path, line)


@pytest.mark.parametrize(
    ("line", "hue"), [("hue = 2", 2.0), ('hue = "0.5"', 0.5), ('hue = "random"', "random")]
)
def test_an_option_takes_a_number_or_a_name(tmp_path: Path, line: str, hue: float | str) -> None:
    VERBS["ingest"] = VerbWithPresets("ingest", "has such an option")  # the fixture restores it
    value = step(tmp_path, line).options["hue"]
    assert (value, type(value)) == (hue, type(hue))


def test_neither_a_number_nor_a_name_is_refused(tmp_path: Path) -> None:
    VERBS["ingest"] = VerbWithPresets("ingest", "has such an option")
    with pytest.raises(SourceError, match="hue = 'blue' cannot be a number or random"):
        step(tmp_path, 'hue = "blue"')


def test_an_unknown_verb_is_refused_with_a_list_of_verbs(tmp_path: Path) -> None:
    with pytest.raises(
        SourceError, match=r"step 1 of .*: run = 'digest' is not a verb; .* ingest, ex"
    ):
        step(tmp_path, "", verb="digest")


@pytest.mark.parametrize(
    "text",
    ["", "[defaults]\na = 1", '[step]\nrun = "ingest"', "step = 1", "step = [1]", "[other]\n"],
)
def test_a_file_without_steps_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(SourceError, match=r"recipe .* must have at least one \[\[step\]\]"):
        load(tmp_path, text)


@pytest.mark.parametrize("content", [b"= nonsense", b"\xff\xfe"])
def test_a_missing_file_or_one_that_is_not_toml_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "r.toml").write_bytes(content)
    with pytest.raises(SourceError, match=r"r\.toml is not TOML: "):
        recipe.load(tmp_path / "r.toml", {})
    with pytest.raises(SourceError, match=r"recipe .*none\.toml does not exist"):
        recipe.load(tmp_path / "none.toml", {})


def test_two_steps_with_the_same_name_are_refused(tmp_path: Path) -> None:
    text = '[[step]]\nrun = "ingest"\nas = "a"\n' * 2
    with pytest.raises(SourceError, match="has several steps called a"):
        load(tmp_path, text)


@pytest.mark.parametrize("verb", ["{a = 1}", "[1]", "3", "1979-05-27"])
def test_a_verb_that_is_no_text_is_refused(tmp_path: Path, verb: str) -> None:
    with pytest.raises(SourceError, match="is not a verb"):
        load(tmp_path, f"[[step]]\nrun = {verb}\n")


def test_a_step_that_trains_may_have_ranks(tmp_path: Path) -> None:
    VERBS["train"] = Verb("train", "The real one.")  # the fixture restores it
    assert step(tmp_path, "ranks = 2", verb="train").options == {"ranks": 2}
