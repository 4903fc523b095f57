"""Recipe files as written: includes joined, names that stand for values known, nothing filled in.

include = ["world.toml"]     # files beside this one; what they hold comes first, each once
report = "{results}"         # where `rc run` writes the tables, see `pipeline.recipes.results_page`
introduction = "..."         # how that file begins

[defaults]                   # values of {name}, unless --set gives another
scenes = 800
[quick]                      # values that take their place with --quick
scenes = 100
[sweep]                      # every step that mentions {seed}, or reads one that does, is run
seed = [0, 1, 2]             # for each of these
[[draw]]                     # pictures to draw first: kind, folder, split, count, seed
[[step]]                     # stages, see `pipeline.recipes.recipe`
[[table]]                    # what to compare, see `pipeline.recipes.table_spec`
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING, Any

from schemas.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

HOLE = re.compile(r"\{([A-Za-z_]\w*)\}")
_LISTS = ("draw", "step", "table")
_TABLES = ("defaults", "quick", "sweep")
_TEXTS = ("report", "introduction")


@dataclass
class RecipeFile:
    """A recipe and all it includes, as written; lists hold (place for messages, content)."""

    defaults: dict[str, Any] = field(default_factory=dict)
    quick: dict[str, Any] = field(default_factory=dict)
    sweep: dict[str, Any] = field(default_factory=dict)
    draw: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    step: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    table: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    report: str | None = None
    introduction: str = ""


def read(path: Path) -> RecipeFile:
    """A recipe file with all it includes.

    Raises:
        SourceError: If a file is missing, not TOML, or holds what no recipe does.
    """
    written = RecipeFile()
    _join(written, path, set())
    if not written.step:
        raise _no_recipe(path)
    return written


def _join(written: RecipeFile, path: Path, seen: set[Path]) -> None:
    if path.resolve() in seen:
        return
    seen.add(path.resolve())
    content = _filled_here(_toml(path), str(path.parent))
    for name in content.pop("include", []):
        _join(written, path.parent / name, seen)
    known = {*_LISTS, *_TABLES, *_TEXTS}
    lists = [content.get(name, []) for name in _LISTS]
    tables = [content.get(name, {}) for name in _TABLES]
    fine = (
        content.keys() <= known
        and all(isinstance(x, list) and all(isinstance(y, dict) for y in x) for x in lists)
        and all(isinstance(x, dict) for x in tables)
    )
    if not fine:
        raise _no_recipe(path)
    for name, table in zip(_TABLES, tables, strict=True):
        getattr(written, name).update(table)
    for name, several in zip(_LISTS, lists, strict=True):
        placed = [(f"{name} {n} of {path}", one) for n, one in enumerate(several, 1)]
        getattr(written, name).extend(placed)
    # what an included file says about its own report is not said about the whole
    written.report = content.get("report")
    written.introduction = content.get("introduction", "")


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise SourceError(f"recipe {path} does not exist") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SourceError(f"recipe {path} is not TOML: {error}") from None


def _no_recipe(path: Path) -> SourceError:
    return SourceError(
        f"recipe {path} holds {', '.join(['include', *_TEXTS])}, [defaults], [quick], [sweep], "
        f"[[draw]] and [[table]], if it likes, and at least one [[step]], nothing else"
    )


def _filled_here(value: Any, here: str) -> Any:
    """`value` with {here}, which means another folder in every file, replaced."""
    if isinstance(value, dict):
        return {key: _filled_here(inner, here) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled_here(inner, here) for inner in value]
    return value.replace("{here}", here) if isinstance(value, str) else value


@dataclass(frozen=True)
class Placeholders:
    """What the names in a recipe stand for, for each combination of swept values."""

    sweep: Mapping[str, Sequence[Any]]
    defaults: Mapping[str, Any]
    given: Mapping[str, str]

    @classmethod
    def of(
        cls, written: RecipeFile, given: Mapping[str, str], *, quick: bool, place: Path
    ) -> Placeholders:
        """The names of a recipe: given ones before quick ones before defaults.

        Raises:
            SourceError: If a name is both swept and a default, or quick replaces none.
        """
        told = dict(written.quick) if quick else {}
        known = {*written.defaults, *written.sweep}
        if unknown := sorted(written.quick.keys() - known):
            raise SourceError(
                f"[quick] of {place} replaces {', '.join(unknown)}, which is neither in "
                f"[defaults] nor in [sweep]"
            )
        if both := sorted(written.defaults.keys() & written.sweep.keys()):
            raise SourceError(f"{', '.join(both)} is in [defaults] and in [sweep] of {place}")
        swept = {}
        for name, values in written.sweep.items():
            chosen = given[name].split(",") if name in given else told.get(name, values)
            swept[name] = chosen if isinstance(chosen, list) else [chosen]
        defaults = {name: told.get(name, value) for name, value in written.defaults.items()}
        return cls(swept, defaults, {k: v for k, v in given.items() if k not in swept})

    def swept_by(self, value: Any) -> list[str]:
        """The swept names that `value` mentions, itself or through defaults."""
        found = set().union(*(self._reach(name) for name in holes(value)))
        return [name for name in self.sweep if name in found]

    def combinations(self, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Every choice of a value for each of these swept names; one empty choice for none."""
        for values in product(*(self.sweep[name] for name in names)):
            yield dict(zip(names, values, strict=True))

    def values(self, at: Mapping[str, Any], place: str) -> dict[str, Any]:
        """What each name stands for where the swept ones have these values.

        Raises:
            SourceError: If a default mentions a name that has no value.
        """
        found: dict[str, Any] = {**self.given, **at}
        for name, value in self.defaults.items():
            if name not in found and not set(self._reach(name)) - at.keys():
                found[name] = filled(value, found, f"[defaults] of {place}")
        return found

    def _reach(self, name: str) -> set[str]:
        if name in self.sweep:
            return {name}
        if name in self.given or name not in self.defaults:
            return set()
        inner = holes(self.defaults[name]) - {name}
        return set().union(*(self._reach(one) for one in inner))


def holes(value: Any) -> set[str]:
    """Every {name} in the texts of a value."""
    if isinstance(value, dict):
        return set().union(*(holes(inner) for inner in value.values()))
    if isinstance(value, list):
        return set().union(*(holes(inner) for inner in value))
    return set(HOLE.findall(value)) if isinstance(value, str) else set()


def filled(value: Any, given: Mapping[str, Any], place: str) -> Any:
    """`value` with {name} in its text replaced; a text that is one {name} takes its type.

    Raises:
        SourceError: If a name has no value.
    """
    if isinstance(value, dict):
        return {key: filled(inner, given, place) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, given, place) for inner in value]
    if not isinstance(value, str):
        return value
    for name in HOLE.findall(value):
        if name not in given:
            raise SourceError(f"{place}: {{{name}}} has no value; give one with --set {name}=...")
    if whole := HOLE.fullmatch(value):
        return given[whole[1]]
    return HOLE.sub(lambda hole: str(given[hole[1]]), value)
