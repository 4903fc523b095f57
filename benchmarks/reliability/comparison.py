"""Comparison of two artifacts, without what depends on when and where they were made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipeline.store import own_hash, recency

if TYPE_CHECKING:
    from pathlib import Path


def differences(undisturbed: Path, attacked: Path) -> list[str]:
    """Names of files that differ, that only one has, or that should have been removed."""
    here, there = ({str(p.relative_to(f)): p for p in _files(f)} for f in (undisturbed, attacked))
    names = sorted(set(here) ^ set(there))
    names += [
        n for n in sorted(set(here) & set(there)) if content_of(here[n]) != content_of(there[n])
    ]
    hidden = [str(p.relative_to(attacked)) for p in attacked.rglob(".*")]
    return [f"{attacked.name}/{name}" for name in [*names, *hidden]]


def _files(folder: Path) -> list[Path]:
    """All files of an artifact but caches and the time of its last use."""
    files = (p for p in folder.rglob("*") if p.is_file())
    return [p for p in files if p.suffix != ".faiss" and p.name != recency.NAME]


def content_of(path: Path) -> bytes:
    """What is in a file of an artifact; of its manifest, what follows from the recipe."""
    content = path.read_bytes()
    if path.name != "manifest.json":
        return content
    try:
        manifest = json.loads(content)
    except ValueError:
        return content
    recipe = {key: value for key, value in manifest.items() if key not in ("run", own_hash.FIELD)}
    return json.dumps(recipe).encode()  # the order of keys counts too
