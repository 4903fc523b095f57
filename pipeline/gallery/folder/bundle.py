"""The gallery's modules as one script that a page opened from disk may run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_IMPORT: Final = re.compile(r'^import \{ ([\w, ]+) \} from "\./([\w-]+\.js)";$', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export ((?:async )?function|const|class) (\w+)", re.MULTILINE)
_LEFT: Final = re.compile(r"^\s*(?:import|export)\b.*|\bimport\s*\(.*|\bimport\.meta", re.MULTILINE)


def bundle(folder: Path, entry: str, instead: Mapping[str, str]) -> str:
    """One classic script that does what the module `entry` and all it imports do.

    Each module becomes a function of its own, so names do not meet. Understood are the forms our
    modules use: named imports of files beside them, exported functions, classes and constants.

    Args:
        folder: Where the modules lie.
        entry: The module to run.
        instead: Modules that are replaced by others of the same exports.

    Raises:
        ValueError: If a module has another form, or imports go round in a circle.
    """
    done: dict[str, str] = {}
    _add(folder, entry, instead, done, ())
    return "(async () => {\n" + "".join(done.values()) + "})();\n"


def _add(
    folder: Path,
    name: str,
    instead: Mapping[str, str],
    done: dict[str, str],
    above: tuple[str, ...],
) -> None:
    """Put a module behind all that it imports."""
    if name in above:
        raise ValueError(f"{name} imports itself, by way of {', '.join(above)}")
    if name in done:
        return
    text = (folder / instead.get(name, name)).read_text()
    for found in _IMPORT.finditer(text):
        _add(folder, found[2], instead, done, (*above, name))
    names = [found[2] for found in _EXPORT.finditer(text)]
    text = _IMPORT.sub(lambda found: f"const {{ {found[1]} }} = {_variable(found[2])};", text)
    text = _EXPORT.sub(r"\1 \2", text)
    if left := _LEFT.search(text):
        raise ValueError(f"{name}: this is not understood: {left[0].strip()}")
    done[name] = (
        f"const {_variable(name)} = await (async () => {{\n"
        f"{text}\nreturn {{ {', '.join(names)} }};\n}})();\n"
    )


def _variable(module: str) -> str:
    return "$" + module.removesuffix(".js").replace("-", "_")
