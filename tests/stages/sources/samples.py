"""Small sources: images of smooth noise, tars, tables; and a function that ingests them."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from stages.ingest import Ingest
from tests.in_memory import InMemory

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Refused = list[tuple[str, str, str]]


def encoded(
    seed: int = 0, size: tuple[int, int] = (12, 8), kind: str = "JPEG", **options: Any
) -> bytes:
    """An encoded picture of smooth noise; `size` is width, height."""
    coarse = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize(size, Image.Resampling.BILINEAR)
    return saved(picture, kind, **options)


def saved(picture: Image.Image, kind: str, **options: Any) -> bytes:
    """A picture as the bytes of a file."""
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def write_images(folder: Path, names: Sequence[str]) -> None:
    """One picture per name, all different."""
    for seed, name in enumerate(names):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(
            encoded(seed, kind={".png": "PNG", ".webp": "WEBP"}.get(path.suffix, "JPEG"))
        )


def write_tar(path: Path, members: Mapping[str, bytes], mode: str = "w") -> Path:
    """A tar with `members`, in order."""
    with tarfile.open(path, mode) as tar:  # type: ignore[call-overload]
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def write_json(path: Path, content: Any) -> Path:
    """`content` as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def ingest(
    scratch: Path, *sources: Path | str, **options: Any
) -> tuple[list[dict[str, Any]], Refused]:
    """All rows and refusals of all parts; every batch is checked against the table."""
    stage = Ingest(sources=tuple(map(str, sources)), **options)
    stage.digests()
    stage.survey(InMemory({}))
    parts = [run_part(stage, scratch, number) for number in stage.plan({})]
    return [row for rows, _ in parts for row in rows], [r for _, refused in parts for r in refused]


def run_part(stage: Ingest, scratch: Path, number: int) -> tuple[list[dict[str, Any]], Refused]:
    """Rows and refusals of one part."""
    scratch.mkdir(exist_ok=True)
    part = InMemory({}, scratch, number)
    rows: list[dict[str, Any]] = []
    for batch in stage.run(part):
        Ingest.writes.check(batch)
        rows += batch.to_pylist()
    return rows, part.refused


def ids(rows: list[dict[str, Any]]) -> list[str]:
    """The image_id of each row."""
    return [row["image_id"] for row in rows]


def reasons(refused: Refused) -> list[tuple[str, str]]:
    """Record and reason of each refusal."""
    return [(record, reason) for record, reason, _ in refused]


def shared_data(*names: str) -> Path:
    """A file or folder of the real data; skips the test if it is not there."""
    default = Path(__file__).parents[4] / "shared" / "data"
    path = Path(os.environ.get("RC_SHARED_DATA", default), *names)
    if not path.exists():
        pytest.skip(f"the real data is not at {path}; set RC_SHARED_DATA")
    return path
