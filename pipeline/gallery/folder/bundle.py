"""The JavaScript modules of the gallery as one script, which a page opened from disk can run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_IMPORT: Final = re.compile(r'^import \{ ([\w, ]+) \} from "\./([\w-]+\.js)";$', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export ((?:async )?function|const|class) (\w+)", re.MULTILINE)
_UNSUPPORTED: Final = re.compile(
    r"^\s*(?:import|export)\b.*|\bimport\s*\(.*|\bimport\.meta", re.MULTILINE
)


def bundle(folder: Path, entry: str, replacements: Mapping[str, str]) -> str:
    """One classic script that does the same as the module `entry` and all its imports.

    Each module becomes a function, so equal names do not collide. Supported are the forms that our
    modules use: named imports from the same folder; exported functions, classes and constants.

    Args:
        folder: The folder of the modules.
        entry: The module to run.
        replacements: Modules that are replaced by others with the same exports.

    Raises:
        ValueError: If a module uses another form, or the imports form a cycle.
    """
    bundled: dict[str, str] = {}
    _add(folder, entry, replacements, bundled, ())
    return "(async () => {\n" + "".join(bundled.values()) + "})();\n"


def _add(
    folder: Path,
    name: str,
    replacements: Mapping[str, str],
    bundled: dict[str, str],
    importers: tuple[str, ...],
) -> None:
    """Add a module after all that it imports."""
    if name in importers:
        raise ValueError(f"{name} imports itself, through {', '.join(importers)}")
    if name in bundled:
        return
    text = (folder / replacements.get(name, name)).read_text()
    for match in _IMPORT.finditer(text):
        _add(folder, match[2], replacements, bundled, (*importers, name))
    names = [match[2] for match in _EXPORT.finditer(text)]
    text = _IMPORT.sub(lambda match: f"const {{ {match[1]} }} = {_variable(match[2])};", text)
    text = _EXPORT.sub(r"\1 \2", text)
    if rest := _UNSUPPORTED.search(text):
        raise ValueError(f"{name}: this form is not supported: {rest[0].strip()}")
    bundled[name] = (
        f"const {_variable(name)} = await (async () => {{\n"
        f"{text}\nreturn {{ {', '.join(names)} }};\n}})();\n"
    )


def _variable(module: str) -> str:
    return "$" + module.removesuffix(".js").replace("-", "_")
