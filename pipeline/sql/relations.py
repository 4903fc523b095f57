"""Relations: the files and in-memory tables behind each name that a statement may use."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

from pipeline.sql.catalog_tables import catalog_tables
from pipeline.sql.views import view_files
from pipeline.store import catalog
from pipeline.store.artifact import with_readable_parts
from pipeline.store.missing import nothing_in
from pipeline.store.tables import all_tables
from schemas.errors import ArtifactNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from pipeline.store.artifact import Artifact

_LABEL_INPUTS: Final = {"_labelled_concepts": "concept_embeddings", "_labelled_images": "images"}
_ALL_LABELS: Final = "_all_labels"  # the pseudo-labels that a selection was chosen from
_ATTACHED: Final = {  # Parquet files attached to an artifact
    "metrics": ("evaluated_detections", "confusions", "curves", "calibration")
}
VIEW_SOURCES: Final = {  # the table behind a view of another name
    "captions": "images",
    "objects": "images",
    "mentions": "concepts",
    "judged_labels": "pseudo_labels",
    "suspected_labels": "suspicions",
    **{name: table for table, names in _ATTACHED.items() for name in names},
}
TABLE_ORDER: Final = (  # in the order in which stages make them
    *("images", "duplicates", "concepts", "teachers", "concept_embeddings", "rpns", "proposals"),
    "features",
    *("pseudo_labels", "presence", "suspicions", "region_maps", "audits", "reviews"),
    *("students", "detectors", "detections", "metrics"),
)
VIEWS: Final = frozenset({*TABLE_ORDER, *VIEW_SOURCES, "artifacts", "lineage", "quarantine"})
_DEFAULT_SUBJECTS: Final = ("pseudo_labels",)  # of a statement that names no table


@dataclass(frozen=True)
class Relations:
    """What a connection may read: Parquet files by table name, and small in-memory tables.

    Attributes:
        files: Parquet files of each table.
        tables: Tables made in memory.
        pinned: Further views by name, such as `pseudo_labels@3f9c`, each with the relations that
            it is made from.
    """

    files: Mapping[str, Sequence[Path]]
    tables: Mapping[str, pa.Table] = field(default_factory=dict)
    pinned: Mapping[str, Relations] = field(default_factory=dict)

    def paths(self) -> list[Path]:
        """All files that a statement may read."""
        own = [path for files in self.files.values() for path in files]
        return own + [path for pinned in self.pinned.values() for path in pinned.paths()]


def store_relations(
    root: Path,
    prefer: Sequence[str],
    names: Sequence[str],
    subjects: Sequence[str] = (),
    only: Collection[str] | None = None,
) -> Relations:
    """The relations of a store; see `connection.connect`. A pinned view has all of its own.

    Raises:
        ArtifactNotFoundError: If a pin matches nothing, or the store is empty.
        SchemaError: If a pin was written with another version of its table.
    """
    everything = catalog.everything(root)
    if not everything:
        raise ArtifactNotFoundError(nothing_in(root))
    versions = _versions()
    readable = [a for a in everything if a.manifest.version == versions.get(a.manifest.artifact)]
    readable.sort(key=lambda a: not catalog.selected(a))  # selections are shown only by name
    newest = {a.manifest.artifact: a for a in readable}
    leading = [newest[table] for table in subjects or _DEFAULT_SUBJECTS if table in newest]
    pins = [_find(root, _artifact_name(pin)) for pin in prefer]
    chosen = _choose(pins, [*readable, *reversed(leading)])
    shown = {artifact.path for artifact in chosen.values()}
    pinned = {name: Relations(_files(_pinned(root, name))) for name in names}
    needed = None if only is None else relations_behind(only)
    refusing = everything if needed is None or "quarantine" in needed else ()
    tables = catalog_tables(everything, shown, refusing)
    return Relations(_files(chosen, needed), tables, pinned)


def part_relations(
    labels: Artifact,
    number: int,
    beside: Artifact | None = None,
    whole: Artifact | None = None,
) -> Relations:
    """One part of pseudo_labels, with the tables that its views join, and others.

    Of the one beside it the same part, of the other all parts.
    """
    files = {"pseudo_labels": [labels.part(number)]}
    if beside:
        files[beside.manifest.artifact] = [beside.part(number)]
    if whole:
        files[whole.manifest.artifact] = whole.files()
    for name, artifact in _joined(labels).items():
        by_part = name != "_labelled_concepts"
        files[name] = [artifact.part(number)] if by_part else artifact.files()
    return Relations(files)


def relations_behind(views: Collection[str]) -> set[str]:
    """The relations that views read, and those whose presence says why a view is not there."""
    reads = {name: [one.removeprefix("_") for one in tables] for name, tables, _ in view_files()}
    behind = {one for view in views for one in reads.get(view, [view])}
    return behind | {VIEW_SOURCES.get(view, view) for view in views}


def empty_table(name: str) -> pa.Table:
    """A table with the columns of `name` and no rows, for an artifact without parts."""
    tables = {table.name: table for table in all_tables()}
    sources = {**_LABEL_INPUTS, _ALL_LABELS: "pseudo_labels"}
    return tables[sources.get(name, name)].arrow.empty_table()


def _files(
    chosen: Mapping[str, Artifact], needed: Collection[str] | None = None
) -> dict[str, Sequence[Path]]:
    """Files by relation; each is looked at, so those that are not needed are left out."""
    known: dict[Path, Sequence[Path]] = {}

    def files_of(artifact: Artifact) -> Sequence[Path]:
        if artifact.path not in known:
            known[artifact.path] = artifact.files()
        return known[artifact.path]

    sources: dict[str, Callable[[], Sequence[Path]]] = {
        name: partial(files_of, artifact) for name, artifact in chosen.items()
    }
    if "concepts" in chosen:
        sources["mentions"] = partial(chosen["concepts"].files, drafts=True)
    if "pseudo_labels" in chosen:
        joined = _joined(chosen["pseudo_labels"])
        sources |= {name: partial(files_of, artifact) for name, artifact in joined.items()}
    files = {name: get() for name, get in sources.items() if needed is None or name in needed}
    for artifact in with_readable_parts(chosen[table] for table in _ATTACHED if table in chosen):
        for name in _ATTACHED[artifact.manifest.artifact]:
            if attached := artifact.attachments(f"{name}.parquet"):
                files[name] = attached
    return files


def _joined(labels: Artifact) -> dict[str, Artifact]:
    """What the views of pseudo-labels join, as far as it is there."""
    sources = {
        name: made_from
        for name, table in _LABEL_INPUTS.items()
        if (made_from := catalog.ancestor(labels, (table,)))
    }
    return {**sources, _ALL_LABELS: catalog.unselected(labels)}


def _choose(pinned: Sequence[Artifact], everything: Sequence[Artifact]) -> dict[str, Artifact]:
    """The artifact of each table: the pinned one, else an ancestor of a pin, else the newest."""
    chosen = {artifact.manifest.artifact: artifact for artifact in pinned}
    for artifact in [*pinned, *reversed(everything)]:
        if chosen.setdefault(artifact.manifest.artifact, artifact) is artifact:
            for older in catalog.ancestry(artifact):
                chosen.setdefault(older.manifest.artifact, older)
    versions = _versions()
    return {name: a for name, a in chosen.items() if a.manifest.version == versions.get(name)}


def _pinned(root: Path, name: str) -> dict[str, Artifact]:
    """The artifacts behind `view@prefix`: the one it names, and its ancestors."""
    return _choose([_find(root, _artifact_name(name))], [])


def _artifact_name(pin: str) -> str:
    """A pin of a view, as that of the artifact it is made from: captions@3f is images@3f."""
    view = re.split("[@/]", pin)[0]
    return VIEW_SOURCES.get(view, view) + pin[len(view) :]


def _find(root: Path, name: str) -> Artifact:
    return catalog.find(root, name, _versions().get(re.split("[@/]", name)[0]))


def _versions() -> dict[str, int]:
    """The version of each table that this program can read."""
    return {table.name: table.version for table in all_tables()}
