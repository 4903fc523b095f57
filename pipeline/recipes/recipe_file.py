"""Recipe files as written: with their includes, and the values of their placeholders.

include = ["world.toml"]     # files beside this one; their content comes first, each file once
report = "{results}"         # where `rc run` writes the tables, see `pipeline.recipes.results_page`
introduction = "..."         # start of that file

[defaults]                   # values of {name}, unless --set gives another
scenes = 800
[quick]                      # values that replace the defaults with --quick
scenes = 100
[sweep]                      # a step that contains {seed}, or reads such a step, is run for each
seed = [0, 1, 2]             # of these values
[[draw]]                     # synthetic images to make first: kind, folder, split, count, seed
[rounds]                     # repetition with the student as the teacher, see `recipe_rounds`
[running]                    # by whom and with how many workers, see `recipe_running`
[[step]]                     # stages, see `pipeline.recipes.recipe`
[[table]]                    # tables of results, see `pipeline.recipes.table_spec`
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

from schemas.errors import SourceError
from stages.sources.files import foreign

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

_PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}")
_LISTS = ("draw", "step", "table")
_VALUES = ("defaults", "quick", "sweep", "rounds", "running")
_TEXTS = ("report", "introduction")
_ADVICE = "compare it with docs/recipes.md"


@dataclass
class RecipeFile:
    """A recipe and its includes, as written; lists have (location for messages, content)."""

    defaults: dict[str, Any] = field(default_factory=dict)
    quick: dict[str, Any] = field(default_factory=dict)
    sweep: dict[str, Any] = field(default_factory=dict)
    rounds: dict[str, Any] = field(default_factory=dict)
    running: dict[str, Any] = field(default_factory=dict)
    draw: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    step: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    table: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    report: str | None = None
    introduction: str = ""


def read_recipe(path: Path) -> RecipeFile:
    """Read a recipe file with all its includes.

    Raises:
        SourceError: If a file is missing, not TOML, or has keys that no recipe has.
    """
    recipe = RecipeFile()
    with foreign(f"recipe {path}", _ADVICE):
        _add_file(recipe, path, set())
    if not recipe.step:
        raise _not_a_recipe(path)
    return recipe


def _add_file(recipe: RecipeFile, path: Path, visited: set[Path]) -> None:
    """Add the includes of a file, then its own content; a file in `visited` adds nothing."""
    if path.resolve() in visited:
        return
    visited.add(path.resolve())
    content = _fill_here(_read_toml(path), str(path.parent))
    included = content.pop("include", [])
    if not isinstance(included, list) or not all(isinstance(name, str) for name in included):
        raise SourceError(f"include of recipe {path} must be a list of names of files")
    for name in included:
        _add_file(recipe, path.parent / name, visited)
    lists = [content.get(name, []) for name in _LISTS]
    values = [content.get(name, {}) for name in _VALUES]
    is_recipe = (
        content.keys() <= {*_LISTS, *_VALUES, *_TEXTS}
        and all(isinstance(x, list) and all(isinstance(y, dict) for y in x) for x in lists)
        and all(isinstance(x, dict) for x in values)
        and all(isinstance(content.get(name, ""), str) for name in _TEXTS)
    )
    if not is_recipe:
        raise _not_a_recipe(path)
    for name, table in zip(_VALUES, values, strict=True):
        getattr(recipe, name).update(table)
    for name, entries in zip(_LISTS, lists, strict=True):
        located = [(f"{name} {n} of {path}", entry) for n, entry in enumerate(entries, 1)]
        getattr(recipe, name).extend(located)
    # the report of an included file is not the report of the whole recipe
    recipe.report = content.get("report")
    recipe.introduction = content.get("introduction", "")


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise SourceError(f"recipe {path} does not exist") from None
    except ValueError as error:  # of TOML, of UTF-8, or of a number with thousands of digits
        raise SourceError(f"recipe {path} is not TOML: {error}") from None


def _not_a_recipe(path: Path) -> SourceError:
    return SourceError(
        f"recipe {path} may have {', '.join(['include', *_TEXTS])}, "
        f"{', '.join(f'[{name}]' for name in _VALUES)}, [[draw]] and [[table]], must have at least "
        f"one [[step]], and may have nothing else"
    )


def _fill_here(value: Any, here: str) -> Any:
    """`value` with {here} replaced by the folder of the file."""
    if isinstance(value, dict):
        return {key: _fill_here(inner, here) for key, inner in value.items()}
    if isinstance(value, list):
        return [_fill_here(inner, here) for inner in value]
    return value.replace("{here}", here) if isinstance(value, str) else value


@dataclass(frozen=True)
class Placeholders:
    """Values of the placeholders of a recipe, for each combination of swept values.

    Attributes:
        sweep: Values of each swept name.
        defaults: Value of each default; may contain placeholders.
        settings: Values from the user, as text.
    """

    sweep: Mapping[str, Sequence[Any]]
    defaults: Mapping[str, Any]
    settings: Mapping[str, str]

    @classmethod
    def of(
        cls, recipe: RecipeFile, settings: Mapping[str, str], *, quick: bool, path: Path
    ) -> Placeholders:
        """The placeholders of a recipe; settings override quick values, these override defaults.

        Raises:
            SourceError: If a name is both swept and a default, or a quick value replaces neither.
        """
        quick_values = dict(recipe.quick) if quick else {}
        if unknown := sorted(recipe.quick.keys() - {*recipe.defaults, *recipe.sweep}):
            raise SourceError(
                f"[quick] of {path} replaces {', '.join(unknown)}, which is neither in "
                f"[defaults] nor in [sweep]"
            )
        if repeated := sorted(recipe.defaults.keys() & recipe.sweep.keys()):
            raise SourceError(f"{', '.join(repeated)} is in [defaults] and in [sweep] of {path}")
        sweep = {}
        for name, values in recipe.sweep.items():
            if name in settings:
                values = settings[name].split(",")
            else:
                values = quick_values.get(name, values)
            sweep[name] = values if isinstance(values, list) else [values]
            if not sweep[name]:
                raise SourceError(f"[sweep] of {path} gives {name} no value; give one at least")
        defaults = {name: quick_values.get(name, value) for name, value in recipe.defaults.items()}
        return cls(sweep, defaults, {k: v for k, v in settings.items() if k not in sweep})

    def swept_by(self, value: Any) -> list[str]:
        """The swept names that `value` contains, directly or through defaults."""
        names = set().union(*(self._swept_names(name) for name in placeholder_names(value)))
        return [name for name in self.sweep if name in names]

    def combinations(self, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Every combination of values of these swept names; one empty one without names."""
        for values in product(*(self.sweep[name] for name in names)):
            yield dict(zip(names, values, strict=True))

    def values(self, swept: Mapping[str, Any], path: str) -> dict[str, Any]:
        """The value of each name, for one combination of swept values.

        Raises:
            SourceError: If a default contains a name that has no value.
        """
        values: dict[str, Any] = {**self.settings, **swept}
        for name, default in self.defaults.items():
            if name not in values and not self._swept_names(name) - swept.keys():
                values[name] = fill(default, values, f"[defaults] of {path}")
        return values

    def _swept_names(self, name: str) -> set[str]:
        """The swept names that the value of `name` depends on; defaults may name each other."""
        seen: set[str] = set()
        names = [name]
        while names:
            name = names.pop()
            if name not in seen and name not in self.settings and name not in self.sweep:
                names += placeholder_names(self.defaults.get(name))
            seen.add(name)
        return seen & self.sweep.keys()


def placeholder_names(value: Any) -> set[str]:
    """Every {name} in the texts of a value."""
    if isinstance(value, dict):
        return set().union(*(placeholder_names(inner) for inner in value.values()))
    if isinstance(value, list):
        return set().union(*(placeholder_names(inner) for inner in value))
    return set(_PLACEHOLDER.findall(value)) if isinstance(value, str) else set()


def fill(value: Any, values: Mapping[str, Any], location: str) -> Any:
    """`value` with every {name} replaced; a text that is only {name} becomes its value and type.

    Raises:
        SourceError: If a name has no value.
    """
    if isinstance(value, dict):
        return {key: fill(inner, values, location) for key, inner in value.items()}
    if isinstance(value, list):
        return [fill(inner, values, location) for inner in value]
    if not isinstance(value, str):
        return value
    for name in _PLACEHOLDER.findall(value):
        if name not in values:
            raise SourceError(
                f"{location}: {{{name}}} has no value; give one with --set {name}=..."
            )
    if whole := _PLACEHOLDER.fullmatch(value):
        return values[whole[1]]
    return _PLACEHOLDER.sub(lambda match: str(values[match[1]]), value)
