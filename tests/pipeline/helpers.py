"""Short ways to say what most tests of the pipeline do."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from pipeline.execution import inputs, runner
from pipeline.store import recency
from pipeline.store.artifact import stream
from tests.pipeline import toys
from tests.waiting import HANG_S

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline.store.artifact import Artifact
    from stages.base import Stage

ROOT = Path(__file__).parents[2]


def make(stage: Stage, root: Path, pins: Mapping[str, str] | None = None, **how: Any) -> Artifact:
    """What `rc STAGE` does, without the command line."""
    return runner.materialize(stage, inputs.resolve(stage, pins or {}, root), root, **how)


def make_all(root: Path, count: int = 20, **how: Any) -> dict[str, Artifact]:
    """One artifact of every toy, by table."""
    how = {"allow_empty": count < 2, **how}  # the first image is refused
    made = {"images": make(toys.Ingest(count=count, refuse_every=7), root, **how)}
    for toy in toys.TOYS[1:]:
        needed = {role: reads for role, reads in toy.reads.items() if not reads.optional}
        pins = {role: made[reads.table.name].address for role, reads in needed.items()}
        made[toy.writes.name] = make(toy(), root, pins, **how)
    return made


def rows_of(artifact: Artifact, *, drafts: bool = False) -> pa.Table:
    """All rows of an artifact in memory."""
    return pa.Table.from_batches(list(stream(artifact.files(drafts=drafts))))


def contents(folder: Path) -> dict[str, bytes | dict[str, Any]]:
    """Every file of an artifact but caches; of the manifest, what follows from the recipe."""
    found: dict[str, bytes | dict[str, Any]] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix != ".faiss" and path.name != recency.NAME:
            found[str(path.relative_to(folder))] = path.read_bytes()
    manifest = json.loads((folder / "manifest.json").read_bytes())
    del manifest["run"], manifest["own_sha256"]
    return {**found, "manifest.json": manifest}


def rewrite_manifest(folder: Path, content: Mapping[str, Any]) -> None:
    """Give an artifact another manifest, unchecked, with the hash that fits it."""
    text = json.dumps({**content, "own_sha256": ""})
    head, _, tail = text.rpartition('""')
    digest = hashlib.sha256((head + tail).encode()).hexdigest()
    (folder / "manifest.json").write_text(f'{head}"{digest}"{tail}')


def records_in(folder: Path) -> list[dict[str, Any]]:
    """What a list of parts says, line by line."""
    return [json.loads(line) for line in (folder / "parts.jsonl").read_text().splitlines()]


def rewrite_list(folder: Path, records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Give a folder another list of parts, unchecked; what a manifest that fits it says of it."""
    content = "".join(json.dumps(record) + "\n" for record in records).encode()
    (folder / "parts.jsonl").write_bytes(content)
    files = [file for record in records for file in record.get("files", ())]
    return {
        "count": len(records),
        "rows": sum(record["rows"] for record in records),
        "bytes": sum(one["bytes"] for one in [*records, *files]),
        "list_bytes": len(content),
        "list_sha256": hashlib.sha256(content).hexdigest(),
    }


def command(*words: str | Path) -> list[str]:
    """The command line of `rc` with toys for stages."""
    return [sys.executable, "-m", "tests.pipeline.rc_toys", *map(str, words)]


def rc(*words: str | Path, **how: Any) -> subprocess.CompletedProcess[str]:
    """Run `rc` with toys for stages in its own process."""
    return subprocess.run(
        command(*words),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=HANG_S,
        check=False,
        **how,
    )


class Listener:
    """A reporter that remembers what it was told."""

    def __init__(self) -> None:
        self.sentences: list[str] = []
        self.started: list[tuple[str, int | None, str]] = []
        self.count = 0
        self.stopped = 0

    def start(self, verb: str, total: int | None, unit: str) -> None:
        self.started.append((verb, total, unit))

    def advance(self, count: int) -> None:
        self.count += count

    def say(self, sentence: str) -> None:
        self.sentences.append(sentence)

    def stop(self) -> None:
        self.stopped += 1
