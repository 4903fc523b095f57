"""Options of a stage: declared once, as fields of its dataclass.

The constructor, the command line, the recipe keys, the documentation and the fingerprint all read
what is declared here. An option with a few allowed values has a `Literal` type, so that the type
checker finds a wrong one too.
"""

from __future__ import annotations

from dataclasses import Field, field, fields
from functools import cache
from types import MappingProxyType, UnionType
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from schemas.errors import OptionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


def option(
    default: Any,
    doc: str,
    *,
    recipe: bool | Literal["changed"] = True,
    flag: str | None = None,
    presets: Mapping[Any, Mapping[str, Any]] | None = None,
    **limits: float,
) -> Any:
    """Declare an option once, for the constructor, the command line and the docs.

    Args:
        default: Value when not given; the annotation is the option's type.
        doc: One line, with the unit.
        recipe: Whether it decides the rows; False if it only decides the speed, or if `digests`
            speaks for it (paths). "changed": where it is not the default, which leaves the rows as
            they are without it.
        flag: Name on the command line, if not the field's own.
        presets: Values of other options by each value of this one; see `with_presets`.
        **limits: Any of `above`, `at_least`, `at_most`, `below`.
    """
    metadata = {"doc": doc, "recipe": recipe, "flag": flag, "presets": presets, "limits": limits}
    return field(default=default, metadata=metadata)


def decides(stage: Any, option_field: Field[Any]) -> bool:
    """Whether an option of a stage belongs to its recipe; see `option`."""
    recipe = option_field.metadata["recipe"]
    if recipe == "changed":
        return bool(getattr(stage, option_field.name) != option_field.default)
    return bool(recipe)


@cache
def option_types(stage: type) -> Mapping[str, Any]:
    """The type of each option of a stage class, by name; annotations are text until asked for."""
    names = {f.name for f in fields(stage) if f.metadata}
    types: dict[str, Any] = {}
    for cls in reversed(stage.__mro__):
        declared = vars(cls).get("__annotations__", {})
        own = {name: text for name, text in declared.items() if name in names}
        namespace = {"__annotations__": own, "__module__": cls.__module__}
        types |= get_type_hints(type(cls.__name__, (), namespace))
    return MappingProxyType(types)


def choices(kind: Any) -> tuple[str, ...]:
    """The values that a type allows by name; none if it has no names.

    >>> choices(Literal["a", "b"] | None), choices(float | Literal["a"]), choices(str)
    (('a', 'b'), ('a',), ())
    """
    if get_origin(kind) is Literal:
        return get_args(kind)
    if isinstance(kind, UnionType) or get_origin(kind) is not None:
        return tuple(value for inner in get_args(kind) for value in choices(inner))
    return ()


def takes_number(kind: Any) -> bool:
    """Whether a type allows any number beside the values it names.

    >>> takes_number(float | Literal["a"]), takes_number(float), takes_number(Literal["a"])
    (True, False, False)
    """
    return bool(choices(kind)) and float in get_args(kind)


def value_type(kind: Any) -> Any:
    """The type of an option as it is typed in by a person: text where a few names are allowed.

    >>> value_type(Literal["a", "b"]), value_type(float | None)
    (<class 'str'>, float | None)
    """
    if get_origin(kind) is Literal:
        return str
    if type(None) in get_args(kind):
        return value_type(get_args(kind)[0]) | None
    return kind


def with_presets(stage: type, given: Mapping[str, Any]) -> dict[str, Any]:
    """The options given, and those that a preset among them sets and the user did not.

    The command line, recipes and Python all pass through here. An unknown preset sets nothing;
    the stage itself refuses it, with the names it knows.

    Args:
        stage: The stage's class.
        given: Options by field; only those that the user gave.
    """
    values: dict[str, Any] = {}
    for f in fields(stage):
        if presets := f.metadata.get("presets"):
            values |= presets.get(given.get(f.name), {})
    return {**values, **given}


def check_options(stage: Any) -> None:
    """Compare every option of a stage with its choices and limits.

    Raises:
        OptionError: If one has a value that it may not have.
    """
    types = option_types(stage.__class__)
    for f in fields(stage):
        if (value := getattr(stage, f.name)) is None:
            continue
        flag = _flag(f)
        if allowed := choices(types[f.name]):
            if value in allowed:
                continue
            if not (takes_number(types[f.name]) and _is_number(value)):
                raise OptionError(
                    f"rc {stage.name}: {flag} must be {_accepted(types[f.name])}, got {value!r}"
                )
        for key, bound in f.metadata["limits"].items():
            words, holds = _LIMITS[key]
            if not holds(value, bound):  # nan fails every comparison, so it is refused here too
                raise OptionError(f"rc {stage.name}: {flag} {words} {bound:g}, got {value:g}")


def check_switches(stage: Any, only_with: Mapping[str, Sequence[str]]) -> None:
    """Pass if no option was given that means nothing without a switch that is off.

    Args:
        stage: With its options.
        only_with: Names of options, and perhaps of other things, by the switch that they are of.

    Raises:
        OptionError: If one was.
    """
    known = {f.name: f for f in fields(stage)}
    for switch, names in only_with.items():
        options = [known[name] for name in names if name in known and not getattr(stage, switch)]
        if given := [_flag(f) for f in options if getattr(stage, f.name) != f.default]:
            raise OptionError(
                f"rc {stage.name}: {given[0]} is of {_flag(known[switch])}; give that too, "
                f"or leave it out"
            )


def _flag(option_field: Any) -> str:
    name = option_field.metadata.get("flag") or option_field.name
    return "--" + str(name).lstrip("-").replace("_", "-")


def _accepted(kind: Any) -> str:
    names = ", ".join(choices(kind))
    return f"a number or {names}" if takes_number(kind) else f"one of {names}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_LIMITS: Mapping[str, tuple[str, Callable[[float, float], bool]]] = {
    "above": ("must be above", lambda value, bound: value > bound),
    "at_least": ("must be at least", lambda value, bound: value >= bound),
    "below": ("must be below", lambda value, bound: value < bound),
    "at_most": ("must be at most", lambda value, bound: value <= bound),
}
