"""Which files stand behind each name that a statement may use."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from pipeline.sql.catalogs import catalogs
from pipeline.store import catalog
from pipeline.store.tables import all_tables
from schemas.errors import ArtifactNotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from pipeline.store.artifact import Artifact

_BESIDE: Final = {"_labelled_concepts": "concept_embeddings", "_labelled_images": "images"}
_ALL_LABELS: Final = "_all_labels"  # what a selection was chosen from
_ATTACHED: Final = {  # Parquet beside the rows
    "metrics": ("detections", "confusions", "curves", "calibration")
}
VIEWED: Final = {  # views that are made from the rows of a table with another name
    "captions": "images",
    "objects": "images",
    "mentions": "concepts",
    "judged_labels": "pseudo_labels",
    **{name: table for table, names in _ATTACHED.items() for name in names},
}
IN_ORDER: Final = (  # tables as data meets them
    *("images", "concepts", "teachers", "concept_embeddings", "rpns", "proposals", "features"),
    *("pseudo_labels", "students", "detectors", "detections", "metrics"),
)
_LEADING: Final = ("pseudo_labels",)  # of a question that names no table


@dataclass(frozen=True)
class Relations:
    """What a connection may see: Parquet files by table name, and small tables made in memory.

    Attributes:
        files: Parquet files of each table.
        tables: What is made in memory.
        pinned: Further tables by the name asked for, `pseudo_labels@3f9c`, each with all that
            its view is made from.
    """

    files: Mapping[str, Sequence[Path]]
    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    pinned: Mapping[str, Relations] = field(default_factory=dict)

    def paths(self) -> list[Path]:
        """All files a statement may read."""
        own = [path for files in self.files.values() for path in files]
        return own + [path for pinned in self.pinned.values() for path in pinned.paths()]


def of_store(
    root: Path, prefer: Sequence[str], names: Sequence[str], leads: Sequence[str] = ()
) -> Relations:
    """The relations of a store; see `connection.connect`.

    Raises:
        ArtifactNotFoundError: If a pin matches nothing, or the store holds nothing.
        SchemaError: If a pin was written with another version of its table.
    """
    everything = catalog.everything(root)
    if not everything:
        raise ArtifactNotFoundError(f"nothing is in {root} yet; begin with 'rc ingest'")
    ours = _versions()
    readable = [a for a in everything if a.manifest.version == ours.get(a.manifest.artifact)]
    readable.sort(key=lambda a: not catalog.selected(a))  # those are shown when they are named
    newest = {a.manifest.artifact: a for a in readable}
    leading = [newest[table] for table in leads or _LEADING if table in newest]
    chosen = _chosen([_find(root, pin) for pin in prefer], [*readable, *reversed(leading)])
    shown = {artifact.path for artifact in chosen.values()}
    pinned = {name: Relations(_files(_pinned(root, name))) for name in names}
    return Relations(_files(chosen), catalogs(everything, shown), pinned)


def of_part(labels: Artifact, number: int) -> Relations:
    """One part of pseudo_labels and what its view is made from."""
    return Relations({"pseudo_labels": [labels.part(number)], **_beside(labels, number)})


def empty(name: str) -> pa.Table:
    """The rows of an artifact without parts."""
    tables = {table.name: table for table in all_tables()}
    beside = {**_BESIDE, _ALL_LABELS: "pseudo_labels"}
    return tables[beside.get(name, name)].arrow.empty_table()


def _files(chosen: Mapping[str, Artifact]) -> dict[str, list[Path]]:
    files = {name: artifact.files() for name, artifact in chosen.items()}
    if "concepts" in chosen:
        files["mentions"] = chosen["concepts"].files(drafts=True)
    for table, names in _ATTACHED.items():
        for name in names if table in chosen else ():
            if found := chosen[table].attachments(f"{name}.parquet"):
                files[name] = found
    if "pseudo_labels" in chosen:
        files |= _beside(chosen["pseudo_labels"])
    return files


def _beside(labels: Artifact, number: int | None = None) -> dict[str, list[Path]]:
    """Files that views of pseudo-labels join: names and images, of one part or of all."""
    files = {}
    for name, table in _BESIDE.items():
        if made_from := catalog.ancestor(labels, (table,)):
            one = table == "images" and number is not None
            files[name] = [made_from.part(number or 0)] if one else made_from.files()
    source = catalog.unselected(labels)
    files[_ALL_LABELS] = source.files() if number is None else [source.part(number)]
    return files


def _chosen(pinned: Sequence[Artifact], everything: Sequence[Artifact]) -> dict[str, Artifact]:
    """The artifact behind each table's view: pinned, else an ancestor of a pin, else the newest."""
    chosen = {artifact.manifest.artifact: artifact for artifact in pinned}
    for artifact in [*pinned, *reversed(everything)]:
        if chosen.setdefault(artifact.manifest.artifact, artifact) is artifact:
            for older in catalog.ancestry(artifact):
                chosen.setdefault(older.manifest.artifact, older)
    ours = _versions()
    return {name: a for name, a in chosen.items() if a.manifest.version == ours.get(name)}


def _pinned(root: Path, name: str) -> dict[str, Artifact]:
    """What `view@prefix` is made from: the artifact it names, and all that was made from."""
    view, _, prefix = name.partition("@")
    found = _find(root, f"{VIEWED.get(view, view)}@{prefix}")
    return _chosen([found], [])


def _find(root: Path, name: str) -> Artifact:
    return catalog.find(root, name, _versions().get(re.split("[@/]", name)[0]))


def _versions() -> dict[str, int]:
    """The version of each table that this program reads."""
    return {table.name: table.version for table in all_tables()}
