"""Circumstances of a run: what the manifest records besides the recipe."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_LIBRARIES = ("torch", "torchvision", "open_clip_torch", "spacy", "pyarrow", "numpy", "duckdb")


def circumstances() -> dict[str, Any]:
    """When, with which code and libraries; never part of a fingerprint."""
    return {
        "created": datetime.now(UTC).isoformat(timespec="microseconds"),
        "code": {"version": _version("regionclip-toolkit"), **_commit()},
        "libraries": {name: _version(name) for name in _LIBRARIES},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _commit() -> dict[str, Any]:
    """Commit of the checkout the program runs from; nothing when it was installed."""
    root = Path(__file__).resolve().parents[1]
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
