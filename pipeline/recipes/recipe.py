"""A recipe: a chain of stages in a TOML file, one `[[step]]` each, in the order data meets them.

    [[step]]
    run = "label"              # the verb
    as = "round1"              # a name that later steps may use
    temperature = 0.01         # any option of the verb
    features = "@features1"    # an input: a step's name after @, or table@prefix

Text may contain {name}, replaced by `--set name=value`, else by the recipe's `[defaults]`; {here}
is the recipe's own folder. A default may contain the names of defaults above it. Other keys of a
file are in `pipeline.recipes.recipe_file`; docs/recipes.md explains all of them with examples.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from pipeline.recipes.recipe_file import Placeholders, fill, read_recipe
from pipeline.recipes.recipe_rounds import entries_by_round, entry_name, read_rounds
from pipeline.recipes.recipe_running import read_running
from pipeline.recipes.synthetic_data import SyntheticData, read_synthetic_data
from pipeline.recipes.table_spec import TableSpec, read_table_spec
from pipeline.verbs import VERBS
from schemas.errors import SourceError
from stages.option import choices, option_types, takes_number, value_type
from stages.sources.files import foreign

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from pipeline.recipes.recipe_file import RecipeFile
    from pipeline.recipes.recipe_rounds import Located, Rounds
    from stages.base import Stage


@dataclass(frozen=True)
class Step:
    """One stage of a recipe: its options, its pinned inputs, its swept values, its round."""

    verb: str
    name: str
    options: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)
    swept: dict[str, Any] = field(default_factory=dict)
    round: int = 1

    @property
    def label(self) -> str:
        """Its name and swept values: unique in the recipe."""
        return step_label(self.name, self.swept)


@dataclass(frozen=True)
class Recipe:
    """The content of a recipe file, with all placeholders replaced."""

    steps: list[Step]
    synthetic_data: list[SyntheticData] = field(default_factory=list)
    tables: list[TableSpec] = field(default_factory=list)
    report: Path | None = None
    introduction: str = ""
    rounds: Rounds | None = None
    running: Mapping[str, Any] = field(default_factory=dict)

    def of_round(self, number: int, finished: Collection[str] | None = None) -> list[Step]:
        """The steps of a round; only those with one of some labels, if these are given."""
        return [
            step
            for step in self.steps
            if step.round == number and (finished is None or step.label in finished)
        ]

    def finished(self, labels: Collection[str]) -> Recipe:
        """The recipe for the steps with these labels, and the tables that need no others."""
        return self._with([step for step in self.steps if step.label in labels])

    def only(self, names: Sequence[str]) -> Recipe:
        """The recipe for these steps, tables, or rows of tables, with all steps they need.

        Raises:
            SourceError: If no step, table or row has such a name.
        """
        tables = {table.name: table.steps() for table in self.tables}
        known = {n: {n} for step in self.steps for n in (step.name, step.label)} | tables
        rows: dict[str, set[str]] = {}  # several tables can have a row of one name
        for name, steps in (row for table in self.tables for row in table.steps_by_row()):
            rows[name] = rows.get(name, set()) | steps
        known = rows | known
        if unknown := sorted(set(names) - known.keys()):
            there = ", ".join(tables or dict.fromkeys(step.name for step in self.steps))
            raise SourceError(
                f"no step, table or row of the recipe is called {unknown[0]!r}; "
                f"its {'tables' if tables else 'steps'} are {there}"
            )
        selected = {step for name in names for step in known[name]}
        labels = {step.label for step in self.steps if {step.name, step.label} & selected}
        for step in reversed(self.steps):
            if step.label in labels:
                labels |= {name[1:] for name in step.inputs.values() if name.startswith("@")}
        return self._with([step for step in self.steps if step.label in labels])

    def _with(self, steps: list[Step]) -> Recipe:
        names = {step.name for step in steps}
        tables = [table for table in self.tables if table.steps() <= names]
        return replace(self, steps=steps, tables=tables)


def step_label(name: str, swept: Mapping[str, Any]) -> str:
    """The name of a step for one combination of swept values.

    >>> step_label("student", {"seed": 2})
    'student [seed=2]'
    """
    values = ", ".join(f"{key}={value}" for key, value in swept.items())
    return f"{name} [{values}]" if values else name


def load(
    path: Path, settings: Mapping[str, str], *, quick: bool = False, rounds: int | None = None
) -> Recipe:
    """Read a recipe file, replace its placeholders, and expand its rounds and sweeps.

    Args:
        path: The file.
        settings: Values of {name}, as text; of a swept name, several separated by commas.
        quick: Whether the values of [quick] replace the defaults.
        rounds: How many, instead of as many as [rounds] says.

    Raises:
        SourceError: If a file is missing, not TOML, or has an unknown verb, option or name.
        OptionError: If rounds are asked for, and the recipe has none.
    """
    file = read_recipe(path)
    with foreign(f"recipe {path}", "compare it with docs/recipes.md"):
        return _expanded(
            file, Placeholders.of(file, settings, quick=quick, path=path), path, rounds
        )


def _expanded(
    file: RecipeFile, placeholders: Placeholders, path: Path, rounds: int | None
) -> Recipe:
    """The recipe of a file, with its placeholders replaced, its rounds and sweeps expanded."""
    values = placeholders.values({}, str(path))
    spec = read_rounds(fill(file.rounds, values, f"[rounds] of {path}"), rounds, str(path))
    by_round = entries_by_round(file.step, spec, str(path))
    steps = list(_steps(by_round, placeholders, path))
    labels = [step.label for step in steps]
    if repeated := {label for label in labels if labels.count(label) > 1}:
        raise SourceError(f"recipe {path} has several steps called {', '.join(sorted(repeated))}")
    report = fill(file.report, values, f"report of {path}")
    recipe = Recipe(
        steps,
        list(dict.fromkeys(_synthetic_data(file, placeholders))),
        [
            read_table_spec(fill(entry, values, location), location)
            for location, entry in file.table
        ],
        Path(report) if report else None,
        file.introduction,
        spec,
        read_running(fill(file.running, values, f"[running] of {path}"), str(path)),
    )
    _check_tables(recipe)
    return recipe


def _steps(
    by_round: Sequence[Sequence[Located]], placeholders: Placeholders, path: Path
) -> Iterator[Step]:
    """Every step for every combination of the swept values that it depends on."""
    swept_by_step: dict[str, list[str]] = {}
    numbered = [(n, *located) for n, entries in enumerate(by_round, 1) for located in entries]
    for number, location, entry in numbered:
        example = next(placeholders.combinations(list(placeholders.sweep)))
        filled = fill(entry, placeholders.values(example, str(path)), location)
        inputs = [
            swept_by_step.get(value[1:], [])
            for key, value in filled.items()
            if key != "as" and isinstance(value, str) and value.startswith("@")
        ]
        depends_on = set(placeholders.swept_by(entry)).union(*inputs)
        names = [name for name in placeholders.sweep if name in depends_on]
        for swept in placeholders.combinations(names):
            filled = fill(entry, placeholders.values(swept, str(path)), location)
            step = _step(location, filled, swept, swept_by_step)
            swept_by_step[step.name] = names
            yield replace(step, round=number)


def _step(
    location: str,
    entry: dict[str, Any],
    swept: dict[str, Any],
    swept_by_step: Mapping[str, Sequence[str]],
) -> Step:
    verb = entry.pop("run", None)
    if not isinstance(verb, str) or verb not in VERBS:
        raise SourceError(f"{location}: run = {verb!r} is not a verb; there are {', '.join(VERBS)}")
    stage = VERBS[verb].load()
    name = entry_name(location, {"run": verb, **entry})
    entry.pop("as", None)
    options_of_stage = [f for f in stage.__dataclass_fields__.values() if f.metadata]
    fields = {f.name: f for f in options_of_stage} | {_flag_name(f): f for f in options_of_stage}
    options, inputs = {}, {}
    for key, value in entry.items():
        field_name = key.replace("-", "_")
        if field_name in stage.reads:
            inputs[field_name] = _resolve_input(str(value), swept, swept_by_step)
        elif field_name in fields:
            option = fields[field_name].name
            options[option] = _convert(stage, option, value, f"{location}: {key}")
        else:
            allowed = ", ".join(sorted({*fields, *stage.reads}))
            raise SourceError(f"{location}: {verb} has no '{key}'; it has {allowed}")
    return Step(verb, name, options, inputs, swept)


def _resolve_input(
    value: str, swept: Mapping[str, Any], swept_by_step: Mapping[str, Sequence[str]]
) -> str:
    """An input @name as @label: with the same swept values as the step that reads it."""
    if not value.startswith("@"):
        return value
    names = swept_by_step.get(value[1:], [])
    return "@" + step_label(value[1:], {name: swept[name] for name in names})


def _synthetic_data(file: RecipeFile, placeholders: Placeholders) -> Iterator[SyntheticData]:
    for location, entry in file.draw:
        for swept in placeholders.combinations(placeholders.swept_by(entry)):
            values = placeholders.values(swept, location)
            yield read_synthetic_data(fill(entry, values, location), location)


def _check_tables(recipe: Recipe) -> None:
    step_names = {step.name for step in recipe.steps}
    for table in recipe.tables:
        for name in sorted(table.steps()):
            if name not in step_names:
                raise SourceError(f"table '{table.name}': no step is called '{name}'")


def _convert(stage: type[Stage], option: str, value: Any, location: str) -> Any:
    """`value` as the type of its option: 1 becomes 1.0 for a float option.

    Raises:
        SourceError: If it cannot be converted.
    """
    target = value_type(option_types(stage)[option])
    adapter = TypeAdapter(target, config=ConfigDict(coerce_numbers_to_str=True))
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise SourceError(
            f"{location} = {value!r} cannot be {_described(target)}: {reason}"
        ) from None


def _described(kind: Any) -> str:
    if takes_number(kind):
        return f"a number or {' or '.join(choices(kind))}"
    return str(getattr(kind, "__name__", kind))


def _flag_name(option: Any) -> str:
    """The name of an option on the command line, with underscores."""
    flag = option.metadata.get("flag")
    name = flag[2:] if flag and flag.startswith("--") else option.name
    return str(name).replace("-", "_")
