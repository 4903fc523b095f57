"""A store of many parts: one part of every stage, made by it, under as many numbers.

The rows of 30 synthetic images are computed once, and their files are links under every number.
What the store says of itself is made by the code that makes it in every run: plan, fingerprint,
recipe of each part, notes, list of parts, manifest. So all hashes hold, and counts are those of so
many images. Two things are not as in a real store: rows repeat, and the fingerprint and recipes of
`images` are made up, since no source of so many images was read.
"""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from pipeline.api import Store
from pipeline.demo import weights_folder
from pipeline.execution import planning
from pipeline.execution.conclusion import Made, commit
from pipeline.execution.notes import Notes
from pipeline.store import manifest as manifests
from pipeline.store import part_records, parts, recency
from pipeline.store.artifact import Artifact, open_artifact
from pipeline.store.atomic import make_folder
from pipeline.store.parts import Receipt
from pipeline.verbs import VERBS
from stages.synthetic.dataset_writers import write_scenes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipeline.store.part_records import PartRecord

IMAGES, REGIONS = 30, 100  # of a part; of an image
_LINKS: Final = 30_000  # of one file, before it is copied: ext4 has at most 65,000
RESIZE: Final = "192x400"
_STAGES: Final[dict[str, dict[str, Any]]] = {
    "extract-concepts": {"min_frequency": 1},
    "embed-concepts": {"templates": "plain"},
    "propose": {"top_k": REGIONS, "nms": 0.95, "resize": RESIZE},
    "label": {"from_images": True, "resize": RESIZE},
}
_WEIGHTS: Final = {
    "teacher": ("teacher.safetensors", "teacher_model.json"),
    "rpn": ("rpn.safetensors", "rpn.json"),
}


def make_one_part(folder: Path, images: int = IMAGES) -> Path:
    """A store with one part of images, and what the stages make of it up to pseudo-labels."""
    write_scenes(folder / "scenes", "scenes", images, 3)
    store = Store(folder / "one")
    store.run("ingest", sources=[str(folder / "scenes")], part_images=images)
    for kind, names in _WEIGHTS.items():
        weights, network = (str(weights_folder() / name) for name in names)
        store.run("import-weights", file=weights, kind=kind, architecture=network)
    for verb, options in _STAGES.items():
        store.run(verb, **options)
    return store.root


def make_many_parts(one: Path, root: Path, count: int) -> None:
    """A store as `make_one_part` makes it, with `count` parts of all that has parts."""
    made: dict[str, Artifact] = {}
    for old in Store(one).artifacts():
        verb, table = old.manifest.stage.name, old.manifest.artifact
        if verb in _STAGES:
            made[table] = _grown(old, made, root, count)
        elif table == "images":
            made[table] = _grown_images(old, root, count)
        else:
            shutil.copytree(old.path, root / old.address)
            made[table] = open_artifact(root / old.address)


def _grown_images(old: Artifact, root: Path, count: int) -> Artifact:
    fingerprint = _digest(f"{old.manifest.fingerprint} {count}")
    folder = root / "images" / f"v{old.manifest.version}-{fingerprint[:12]}"
    [record] = old.parts
    recipes = {number: _digest(f"{record.recipe} {number}") for number in range(count)}
    listed = part_records.write(folder, _linked(old.path, record, folder, recipes))
    recency.record(folder)
    made_up = {"fingerprint": fingerprint, "parts": listed}
    manifests.write(folder, old.manifest.model_copy(update=made_up))
    return open_artifact(folder)


def _grown(old: Artifact, made: Mapping[str, Artifact], root: Path, count: int) -> Artifact:
    """What a stage makes of the grown inputs; one that makes a single part of them makes it."""
    verb = old.manifest.stage.name
    stage = VERBS[verb].load()(**_STAGES[verb])
    inputs = {role: made[address.split("/")[0]] for role, address in old.manifest.inputs.items()}
    work = planning.plan(stage, inputs, root)
    recipes = {task.number: task.recipe for task in work.with_recipes(work.tasks)}
    receipts = _receipts(old, work.tasks[0].folder, recipes, drafts=stage.drafts is not None)
    merged = _receipts(old, work.folder, {0: None}, drafts=False) if stage.drafts else receipts
    commit(work, Made(receipts, merged, Notes(), old.manifest.run), allow_empty=False)
    return open_artifact(work.folder)


def _receipts(
    old: Artifact, folder: Path, recipes: Mapping[int, str | None], *, drafts: bool
) -> list[Receipt]:
    source = old.path / "drafts" if drafts else old.path
    [record] = old.drafts if drafts else old.parts
    notes = {name: old.manifest.notes[name] for name in record.facts}
    return [Receipt(part=one, notes=notes) for one in _linked(source, record, folder, recipes)]


def _linked(
    source: Path, record: PartRecord, folder: Path, recipes: Mapping[int, str | None]
) -> list[PartRecord]:
    """Put the files of a part into a folder under every number; the records."""
    make_folder(folder)
    names = [parts.part_name(record.number), *(file.name for file in record.files)]
    records, latest = [], {name: source / name for name in names}
    for place, (number, recipe) in enumerate(recipes.items()):
        own = [name.replace(f"{record.number:05d}", f"{number:05d}", 1) for name in names]
        for name, target in zip(names, map(folder.joinpath, own), strict=True):
            if place % _LINKS:
                parts.link_file(latest[name], target)
            else:
                latest[name] = shutil.copyfile(source / name, target)
        files = tuple(replace(f, name=n) for f, n in zip(record.files, own[1:], strict=True))
        records.append(replace(record, number=number, files=files, recipe=recipe))
    return records


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
