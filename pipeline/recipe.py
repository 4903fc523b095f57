"""A recipe: a chain of stages in a TOML file, one `[[step]]` each, in the order data meets them.

    [[step]]
    run = "label"              # the verb
    as = "round1"              # a name that later steps may use
    temperature = 0.01         # any option of the verb
    features = "@features1"    # an input: a step's name after @, or table@prefix

Text may hold {name}, filled in from `--set name=value`, else from the recipe's `[defaults]`;
{here} is the recipe's own folder. A default may hold the names of those above it.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, TypeAdapter, ValidationError

from pipeline.verbs import VERBS, option_type
from schemas.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_HOLE = re.compile(r"\{([A-Za-z_]\w*)\}")


@dataclass(frozen=True)
class Step:
    """One stage of a recipe: its options as written, and its pinned inputs."""

    verb: str
    label: str
    options: dict[str, Any] = field(default_factory=dict)
    inputs: dict[str, str] = field(default_factory=dict)


def load(path: Path, given: Mapping[str, str]) -> list[Step]:
    """The steps of a recipe file, its text filled in.

    Raises:
        SourceError: If the file is missing, not TOML, or names what does not exist.
    """
    try:
        content = tomllib.loads(path.read_text())
    except FileNotFoundError:
        raise SourceError(f"recipe {path} does not exist") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SourceError(f"recipe {path} is not TOML: {error}") from None
    steps, defaults = content.pop("step", None), content.pop("defaults", {})
    tables = isinstance(steps, list) and all(isinstance(step, dict) for step in steps)
    if content or not steps or not tables or not isinstance(defaults, dict):
        raise SourceError(
            f"recipe {path} holds [defaults], if it likes, and at least one [[step]], nothing else"
        )
    values: dict[str, Any] = {"here": str(path.parent), **given}
    for name, value in defaults.items():
        values.setdefault(name, _filled(value, values, f"[defaults] of {path}"))
    found = [_step(path, number, step, values) for number, step in enumerate(steps, 1)]
    labels = [step.label for step in found]
    if twice := {label for label in labels if labels.count(label) > 1}:
        raise SourceError(f"recipe {path} has several steps called {', '.join(sorted(twice))}")
    return found


def _step(path: Path, number: int, written: dict[str, Any], values: Mapping[str, Any]) -> Step:
    place = f"step {number} of {path}"
    left = {key: _filled(value, values, place) for key, value in written.items()}
    verb = left.pop("run", None)
    if verb not in VERBS:
        raise SourceError(f"{place}: run = {verb!r} is no verb; there are {', '.join(VERBS)}")
    stage = VERBS[verb].load()
    label = str(left.pop("as", f"{number} {verb}"))
    known = [f for f in stage.__dataclass_fields__.values() if f.metadata]
    names = {f.name: f for f in known} | {_flag_name(f): f for f in known}
    options, inputs = {}, {}
    for key, value in left.items():
        name = key.replace("-", "_")
        if name in stage.reads:
            inputs[name] = str(value)
        elif name in names:
            options[names[name].name] = _typed(names[name], value, f"{place}: {key}")
        else:
            allowed = ", ".join(sorted({*names, *stage.reads}))
            raise SourceError(f"{place}: {verb} has no '{key}'; it has {allowed}")
    return Step(verb, label, options, inputs)


def _typed(field_: Any, value: Any, place: str) -> Any:
    """`value` as the type of its option: 1 is 1.0 where a number may have a fraction.

    Raises:
        SourceError: If it cannot be one.
    """
    adapter = TypeAdapter(option_type(field_), config=ConfigDict(coerce_numbers_to_str=True))
    try:
        return adapter.validate_python(value)
    except ValidationError as error:
        said = error.errors()[0]["msg"]
        raise SourceError(f"{place} = {value!r} cannot be {field_.type}: {said}") from None


def _flag_name(field_: Any) -> str:
    """The key of an option as on the command line: its flag, if it has one of its own."""
    flag = field_.metadata.get("flag")
    name = flag[2:] if flag and flag.startswith("--") else field_.name
    return str(name).replace("-", "_")


def _filled(value: Any, given: Mapping[str, Any], place: str) -> Any:
    """`value` with {name} in its text replaced; a text that is one {name} takes its type."""
    if isinstance(value, dict):
        return {key: _filled(inner, given, place) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, given, place) for inner in value]
    if not isinstance(value, str):
        return value
    for name in _HOLE.findall(value):
        if name not in given:
            raise SourceError(f"{place}: {{{name}}} has no value; give one with --set {name}=...")
    if whole := _HOLE.fullmatch(value):
        return given[whole[1]]
    return _HOLE.sub(lambda hole: str(given[hole[1]]), value)
