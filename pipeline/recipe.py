"""A recipe: a chain of stages in a TOML file, one `[[step]]` each, in the order data meets them.

    [[step]]
    run = "label"              # the verb
    as = "round1"              # a name that later steps may use
    temperature = 0.01         # any option of the verb
    features = "@features1"    # an input: a step's name after @, or table@prefix

Text may hold {name}, filled in from `--set name=value` and the recipe's `[defaults]`.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline.verbs import VERBS
from schemas.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


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
    unknown = set(content) - {"step", "defaults"}
    if unknown or not content.get("step"):
        raise SourceError(
            f"recipe {path} may hold [defaults] and needs at least one [[step]]; "
            f"found {', '.join(sorted(content)) or 'nothing'}"
        )
    values = {**content.get("defaults", {}), **given}
    return [
        _step(path, number, _filled(step, values, path))
        for number, step in enumerate(content["step"], 1)
    ]


def _step(path: Path, number: int, written: dict[str, Any]) -> Step:
    verb = written.pop("run", None)
    if verb not in VERBS:
        raise SourceError(
            f"step {number} of {path}: run = {verb!r} is no verb; there are {', '.join(VERBS)}"
        )
    stage = VERBS[verb].load()
    label = str(written.pop("as", f"{number} {verb}"))
    names = {_flag_name(f): f.name for f in stage.__dataclass_fields__.values() if f.metadata}
    options, inputs = {}, {}
    for key, value in written.items():
        name = key.replace("-", "_")
        if name in stage.reads:
            inputs[name] = str(value)
        elif name in names:
            options[names[name]] = value
        else:
            allowed = ", ".join(sorted({*names, *stage.reads}))
            raise SourceError(f"step {number} of {path}: {verb} has no '{key}'; it has {allowed}")
    return Step(verb, label, options, inputs)


def _flag_name(field_: Any) -> str:
    """The key of an option: its flag without dashes where it has one of its own."""
    flag = field_.metadata.get("flag")
    name = flag[2:] if flag and flag.startswith("--") else field_.name
    return str(name).replace("-", "_")


def _filled(value: Any, given: Mapping[str, Any], path: Path) -> Any:
    """`value` with {name} in its text replaced; a text that is one {name} takes its type."""
    if isinstance(value, dict):
        return {key: _filled(inner, given, path) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, given, path) for inner in value]
    if not isinstance(value, str) or "{" not in value:
        return value
    if value[1:-1] in given and value == "{" + value[1:-1] + "}":
        return given[value[1:-1]]
    for name, replacement in {**given, "here": path.parent}.items():
        value = value.replace("{" + name + "}", str(replacement))
    return value
