"""Circumstances of a run: what the manifest records besides the recipe."""

from __future__ import annotations

import os
import subprocess
from dataclasses import fields
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from stages.base import Stage
from stages.sources.files import is_remote

_LIBRARIES = ("torch", "torchvision", "open_clip_torch", "spacy", "pyarrow", "numpy", "duckdb")


def circumstances() -> dict[str, Any]:
    """When, with which code and libraries; never part of a fingerprint."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="microseconds"),
        "code": {"version": _version("regionclip-toolkit"), **_commit()},
        "libraries": {name: _version(name) for name in _LIBRARIES},
    }


def origins(stage: Stage) -> dict[str, list[str]]:
    """Files and folders that a stage read, with the paths they had, for people to find again.

    What decides the rows is their content, whose hash is in the fingerprint. So also the name of
    what the stage knows by a name in the place of a file, such as a kind of templates.
    """
    common = {f.name for f in fields(Stage)}
    paths_by_option = {}
    for f in fields(stage):
        value = getattr(stage, f.name)
        several = value if isinstance(value, tuple) else (value,)
        is_origin = _is_file if f.metadata.get("recipe", True) else _is_path
        if f.name in common or value == f.default:
            continue
        if paths := [_absolute(str(one)) for one in several if is_origin(one)]:
            paths_by_option[f.name] = paths
    return paths_by_option


def _absolute(path: str) -> str:
    """A path from the root; a name of no file, or of a remote one, as it is."""
    local = not is_remote(path) and (os.sep in path or Path(path).exists())
    return str(Path(path).absolute()) if local else path


def _is_path(value: object) -> bool:
    """Of an option whose content decides: a path, or a name of what the stage knows."""
    return isinstance(value, (str, Path))


def _is_file(value: object) -> bool:
    """Of an option that may also be a name, such as a tag of weights or a kind of templates."""
    try:
        return isinstance(value, (str, Path)) and Path(value).is_file()
    except OSError:  # a long condition in SQL is no name of a file
        return False


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _commit() -> dict[str, Any]:
    """Commit of the checkout the program runs from; nothing when it was installed."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return {}
    try:
        head = _git(root, "rev-parse", "HEAD")
        dirty = bool(_git(root, "status", "--porcelain", "--untracked-files=no"))
    except (OSError, subprocess.SubprocessError):
        return {}
    return {"commit": head, "dirty": dirty}


def _git(root: Path, *words: str) -> str:
    command = ["git", "-C", str(root), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    return done.stdout.strip()
