"""A recipe: a chain of stages in a TOML file, one `[[step]]` each, in the order data meets them.

    [[step]]
    run = "label"              # the verb
    as = "round1"              # a name that later steps may use
    temperature = 0.01         # any option of the verb
    features = "@features1"    # an input: a step's name after @, or table@prefix

Text may hold {name}, filled in from `--set name=value`, else from the recipe's `[defaults]`;
{here} is the recipe's own folder. A default may hold the names of those above it. What else a
file may hold is in `pipeline.recipes.file`; docs/recipes.md has it all with examples.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from pipeline.recipes.file import Placeholders, filled, read
from pipeline.recipes.synthetic_data import SyntheticData, read_drawing
from pipeline.recipes.table_spec import TableSpec, read_comparison
from pipeline.verbs import VERBS
from schemas.errors import SourceError
from stages.option import option_types, value_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline.recipes.file import RecipeFile
    from stages.base import Stage


@dataclass(frozen=True)
class Step:
    """One stage of a recipe: its options as written, its pinned inputs, and swept values."""

    verb: str
    name: str
    options: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    at: dict[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """Its name, and the swept values it was made for: unique in the recipe."""
        return label(self.name, self.at)


@dataclass(frozen=True)
class Recipe:
    """What a recipe file asks for, everything filled in."""

    steps: list[Step]
    drawings: list[SyntheticData] = field(default_factory=list)
    comparisons: list[TableSpec] = field(default_factory=list)
    report: Path | None = None
    introduction: str = ""

    def only(self, names: Sequence[str]) -> Recipe:
        """What is needed for these steps, or for the tables of these names, and nothing else.

        Raises:
            SourceError: If no step or table has such a name.
        """
        tables = {comparison.name: comparison for comparison in self.comparisons}
        wanted = {one for name in names if name in tables for one in tables[name].steps()}
        wanted |= set(names) - tables.keys()
        labels = {step.label for step in self.steps if {step.name, step.label} & wanted}
        if unknown := wanted - {n for s in self.steps for n in (s.name, s.label)}:
            raise SourceError(f"no step or table of the recipe is called {sorted(unknown)[0]!r}")
        for step in reversed(self.steps):
            if step.label in labels:
                labels |= {name[1:] for name in step.inputs.values() if name.startswith("@")}
        steps = [step for step in self.steps if step.label in labels]
        named = {step.name for step in steps}
        kept = [one for one in self.comparisons if one.steps() <= named]
        return Recipe(steps, self.drawings, kept, self.report, self.introduction)


def label(name: str, at: Mapping[str, Any]) -> str:
    """The name of a step for one choice of swept values.

    >>> label("student", {"seed": 2})
    'student [seed=2]'
    """
    told = ", ".join(f"{key}={value}" for key, value in at.items())
    return f"{name} [{told}]" if told else name


def load(path: Path, given: Mapping[str, str], *, quick: bool = False) -> Recipe:
    """A recipe file, its text filled in and its sweeps spelt out.

    Args:
        path: The file.
        given: Values of {name}, as text; of a swept name several with commas between them.
        quick: Whether the values of [quick] take the place of the defaults.

    Raises:
        SourceError: If a file is missing, not TOML, or names what does not exist.
    """
    written = read(path)
    names = Placeholders.of(written, given, quick=quick, place=path)
    steps = list(_steps(written, names, path))
    labels = [step.label for step in steps]
    if twice := {label for label in labels if labels.count(label) > 1}:
        raise SourceError(f"recipe {path} has several steps called {', '.join(sorted(twice))}")
    once = names.values({}, str(path))
    report = filled(written.report, once, f"report of {path}")
    found = Recipe(
        steps,
        list(dict.fromkeys(_drawings(written, names))),
        [read_comparison(filled(one, once, place), place) for place, one in written.table],
        Path(report) if report else None,
        written.introduction,
    )
    _check_comparisons(found)
    return found


def _steps(written: RecipeFile, names: Placeholders, path: Path) -> Iterator[Step]:
    """Every step for every choice of the swept values that it depends on."""
    depends: dict[str, list[str]] = {}
    for place, one in written.step:
        direct = names.swept_by(one)
        sample = next(names.combinations(list(names.sweep)))
        guess = filled(one, names.values(sample, str(path)), place)
        read_from = [
            depends.get(value[1:], [])
            for key, value in guess.items()
            if key != "as" and isinstance(value, str) and value.startswith("@")
        ]
        through = set(direct).union(*read_from)
        swept = [name for name in names.sweep if name in through]
        for at in names.combinations(swept):
            step = _step(place, filled(one, names.values(at, str(path)), place), at, depends)
            depends[step.name] = swept
            yield step


def _step(
    place: str, left: dict[str, Any], at: dict[str, Any], depends: Mapping[str, Sequence[str]]
) -> Step:
    verb = left.pop("run", None)
    if verb not in VERBS:
        raise SourceError(f"{place}: run = {verb!r} is no verb; there are {', '.join(VERBS)}")
    stage = VERBS[verb].load()
    name = str(left.pop("as", place.split(" of ")[0].removeprefix("step ") + f" {verb}"))
    known = [f for f in stage.__dataclass_fields__.values() if f.metadata]
    fields = {f.name: f for f in known} | {_flag_name(f): f for f in known}
    options, inputs = {}, {}
    for key, value in left.items():
        word = key.replace("-", "_")
        if word in stage.reads:
            inputs[word] = _pointed(str(value), at, depends)
        elif word in fields:
            name_ = fields[word].name
            options[name_] = _typed(stage, name_, value, f"{place}: {key}")
        else:
            allowed = ", ".join(sorted({*fields, *stage.reads}))
            raise SourceError(f"{place}: {verb} has no '{key}'; it has {allowed}")
    return Step(verb, name, options, inputs, at)


def _pointed(value: str, at: Mapping[str, Any], depends: Mapping[str, Sequence[str]]) -> str:
    """An input with @name made @label: of the same swept values as the step that reads it."""
    if not value.startswith("@"):
        return value
    swept = depends.get(value[1:], [])
    return "@" + label(value[1:], {name: at[name] for name in swept})


def _drawings(written: RecipeFile, names: Placeholders) -> Iterator[SyntheticData]:
    for place, one in written.draw:
        for at in names.combinations(names.swept_by(one)):
            yield read_drawing(filled(one, names.values(at, place), place), place)


def _check_comparisons(recipe: Recipe) -> None:
    known = {step.name: step.verb for step in recipe.steps}
    for comparison in recipe.comparisons:
        for name in sorted(comparison.steps()):
            if name not in known:
                raise SourceError(f"table '{comparison.name}': no step is called '{name}'")


def _typed(stage: type[Stage], option: str, value: Any, place: str) -> Any:
    """`value` as the type of its option: 1 is 1.0 where a number may have a fraction.

    Raises:
        SourceError: If it cannot be one.
    """
    kind = value_type(option_types(stage)[option])
    adapter = TypeAdapter(kind, config=ConfigDict(coerce_numbers_to_str=True))
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        said = error.errors()[0]["msg"]
        raise SourceError(
            f"{place} = {value!r} cannot be {getattr(kind, '__name__', kind)}: {said}"
        ) from None


def _flag_name(field_: Any) -> str:
    """The key of an option as on the command line: its flag, if it has one of its own."""
    flag = field_.metadata.get("flag")
    name = flag[2:] if flag and flag.startswith("--") else field_.name
    return str(name).replace("-", "_")
