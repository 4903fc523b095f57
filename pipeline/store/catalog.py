"""What is in a store: finding artifacts by name, walking their ancestry, checking and sweeping."""

from __future__ import annotations

import fcntl
import re
from typing import TYPE_CHECKING

from pipeline.progress import Silent
from pipeline.store import manifest as manifests
from pipeline.store import part_records, parts, unfinished
from pipeline.store.artifact import Artifact, open_artifact, open_readable
from pipeline.store.atomic import remove_folder
from pipeline.store.missing import not_found
from pipeline.store.recency import recency
from pipeline.store.tables import models
from schemas.errors import ArtifactError, ArtifactNotFoundError, OptionError, SchemaError
from schemas.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from pipeline.progress import Reporter
    from schemas.table import Table

_SUPERSEDED = "superseded, and nothing refers to it"
_FOLDER = re.compile(r"v(\d+)-([0-9a-f]{12})")


def find(root: Path, name: str, version: int | None = None) -> Artifact:
    """The newest artifact of a table, or the one that `table@prefix` (or its address) names.

    A selection may also be named as the user called it: `pseudo_labels@sure`; it is never what a
    table alone names, so that choosing some labels changes nothing that does not ask for them.
    The newest is the one last made, or last asked for by the command that makes it; one without
    rows never is.

    Raises:
        ArtifactNotFoundError: If nothing committed matches.
        ArtifactError: If the prefix names several.
        SchemaError: If it was written with another version of its table than `version`.
    """
    table, version_prefix, prefix = split_name(name)
    matches = [
        path
        for path in committed(root, table)
        if path.name.startswith(version_prefix) and path.name.split("-")[1].startswith(prefix)
    ] or [path for path in committed(root, table) if prefix and _called(path) == prefix]
    if not matches:
        there = {path.name: path.parent.name for path in committed(root)}
        called = {path.name: _called(path) for path in committed(root, table)}
        raise ArtifactNotFoundError(not_found(root, name, table, there, called))
    if prefix and len(matches) > 1 and not all(_called(path) == prefix for path in matches):
        several = ", ".join(f"{path.parent.name}/{path.name}" for path in matches)
        raise ArtifactError(f"'{name}' could be any of {several}; write more of its name")
    artifacts = open_readable(matches) or [open_artifact(path) for path in matches]
    if not prefix:
        artifacts = [one for one in artifacts if not selected(one)] or artifacts
        artifacts = [artifact for artifact in artifacts if not artifact.is_empty]
    if not artifacts:
        raise ArtifactNotFoundError(
            f"all {name} in {root} have no rows; to use one of them, name it: "
            f"{', '.join(f'{path.parent.name}/{path.name}' for path in matches)}"
        )
    newest = max(artifacts, key=_recency)
    _refuse_other_version(newest.path, version)
    return newest


def of_table(root: Path, table: Table, name: str | None = None) -> Artifact:
    """The artifact of one table that a user names; the newest if they name none.

    Args:
        root: The store.
        table: The table.
        name: As in `find`; the table may be left out.

    Raises:
        OptionError: If it names another table.
        ArtifactNotFoundError: If there is none.
        ArtifactError: If it names several.
        SchemaError: If it was written with another version of the table.
    """
    full = named(table.name, name or table.name)
    if re.split("[@/]", full)[0] != table.name:
        raise OptionError(
            f"'{name}' is no {table.name}: write {table.name}@ and the beginning of its name"
        )
    return find(root, full, table.version)


def named(table: str, name: str) -> str:
    """A name with its table, which may be left out where only one fits.

    >>> named("pseudo_labels", "sure"), named("pseudo_labels", "pseudo_labels@3f9c")
    ('pseudo_labels@sure', 'pseudo_labels@3f9c')
    """
    return name if "@" in name or "/" in name or name == table else f"{table}@{name}"


def selected(artifact: Artifact) -> str:
    """What the user called a selection; empty if it is none."""
    called = artifact.manifest.stage.options.get("called")
    return called if isinstance(called, str) else ""


def unselected(artifact: Artifact) -> Artifact:
    """What a selection was chosen from in the end, as far as it is there; itself if it is none."""
    while selected(artifact) and (source := parents(artifact).get(artifact.manifest.artifact)):
        artifact = source
    return artifact


def committed(root: Path, table: str = "*") -> list[Path]:
    """Folders of all committed artifacts of a table, or of all tables."""
    return sorted(
        path.parent
        for path in root.glob(f"{table}/v*-*/{manifests.NAME}")
        if _FOLDER.fullmatch(path.parent.name)
    )


def everything(root: Path) -> list[Artifact]:
    """All committed artifacts, oldest first; a warning names one whose manifest is damaged."""
    return sorted(open_readable(committed(root)), key=_recency)


def damage(path: Path) -> str:
    """Why the artifact in a folder cannot be read; empty if it can be."""
    try:
        open_artifact(path)
    except ArtifactError as error:
        return str(error)
    return ""


def parents(artifact: Artifact) -> dict[str, Artifact]:
    """The inputs an artifact was made from, by role; without those deleted or damaged since."""
    inputs: dict[str, Artifact] = {}
    for role, address in artifact.manifest.inputs.items():
        path = artifact.root / address
        if (path / manifests.NAME).is_file():
            inputs.update((role, parent) for parent in open_readable([path]))
    return inputs


def ancestry(artifact: Artifact, stop: Collection[str] = ()) -> Iterator[Artifact]:
    """It and all it was made from, nearest first, each once; not what tables `stop` came from."""
    waiting, visited = [artifact], set()
    while waiting:
        current = waiting.pop(0)
        if current.path not in visited:
            visited.add(current.path)
            yield current
            if current.manifest.artifact not in stop:
                waiting.extend(parents(current).values())


def ancestor(
    artifact: Artifact, tables: tuple[str, ...], stop: Collection[str] = ()
) -> Artifact | None:
    """The nearest artifact of one of `tables` in the ancestry, itself included; see `ancestry`."""
    found = ancestry(artifact, stop)
    return next((one for one in found if one.manifest.artifact in tables), None)


def made_from(artifact: Artifact, table: str) -> Artifact:
    """The nearest artifact of a table that this one was made from.

    Raises:
        ArtifactError: If it is not in the store any more.
    """
    if source := ancestor(artifact, (table,)):
        return source
    raise ArtifactError(
        f"the {table} that {artifact.address} was made from are not in the store any more; "
        f"run 'rc {artifact.manifest.stage.name}' again on what is there"
    )


def verify(artifact: Artifact) -> list[str]:
    """Files that are missing, differ from the manifest or are not in it, relative to the store."""
    broken = []
    for folder in artifact.manifest.lists(artifact.path):
        place = folder.relative_to(artifact.root)
        try:
            records = artifact.parts if folder == artifact.path else artifact.drafts
        except ArtifactError:  # without it, nothing is known of the others
            broken.append(f"{place}/{part_records.NAME}")
            continue
        listed = set[str]()
        for record in records:
            listed |= {parts.part_name(record.number), *(file.name for file in record.files)}
            broken += [f"{place}/{name}" for name in parts.damaged(folder, record)]
        strays = {path.name for path in folder.glob("part-*")} - listed
        broken += [f"{place}/{name}" for name in sorted(strays)]
    return broken


def lock(folder: Path) -> Path:
    """The file that a run holds while it makes the artifact in `folder`."""
    return folder.parent / f".{folder.name}.lock"


def under_way(root: Path) -> list[str]:
    """Addresses of the artifacts that some process is making at this moment."""
    held = []
    for path in sorted(root.glob("*/.v*-*.lock")):
        with path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                held.append(f"{path.parent.name}/{path.name[1:].removesuffix('.lock')}")
    return held


def sweepable(root: Path) -> dict[Path, str]:
    """Folders that nothing refers to, with the reason: unfinished runs and superseded artifacts.

    While what an artifact or run was made from cannot be read, no artifact is superseded.
    """
    finished = everything(root)
    newest = {(a.manifest.artifact, selected(a)): a for a in finished}
    # models cost hours, and nothing else is made from metrics: neither goes unasked
    kept = [a for a in finished if a.manifest.artifact in {*models(), METRICS.name}]
    started = [unfinished.inputs(folder) for folder in unfinished.folders(root)]
    begun = [artifact for inputs in started for artifact in inputs or ()]
    needed = {a.path for leaf in [*newest.values(), *kept, *begun] for a in ancestry(leaf)}
    unknown = None in started or len(finished) < len(committed(root))  # what damaged ones need
    folders = {} if unknown else {a.path: _SUPERSEDED for a in finished if a.path not in needed}
    busy = set(under_way(root))
    for path in unfinished.folders(root):
        if f"{path.parent.name}/{path.name}" not in busy:
            folders[path] = "unfinished"
    return folders


def sweep(root: Path, folders: Collection[Path], reporter: Reporter | None = None) -> int:
    """Delete artifacts and unfinished runs, manifests first; how many bytes that freed.

    Raises:
        ArtifactError: If a run is under way: it may be reading what looks superseded.
    """
    if busy := under_way(root):
        raise ArtifactError(
            f"nothing was deleted: {', '.join(busy)} is being made at this moment, perhaps from "
            "what would go. Run 'rc gc' again when it is finished."
        )
    size, reporter = 0, reporter or Silent()
    reporter.start("gc", len(folders), "folders")
    try:
        for folder in folders:
            size += sum(map(_freed, folder.rglob("*")))
            remove_folder(folder, first=manifests.NAME)
            reporter.advance(1)
    finally:
        reporter.stop()
    return size


def split_name(name: str) -> tuple[str, str, str]:
    """The table, the table version (v1-) if any, and the beginning of the fingerprint in a name.

    Raises:
        ArtifactNotFoundError: If it is no name of an artifact.
    """
    match = re.fullmatch(r"(\w+)(?:@([\w-]*)|/(v\d+-)([0-9a-f]+)/?)?", name)
    if not match:
        raise ArtifactNotFoundError(
            f"'{name}' names no artifact: write table, table@prefix or the address that "
            "'rc status' prints"
        )
    return match[1], match[3] or "", match[2] or match[4] or ""


def _freed(path: Path) -> int:
    """Bytes that go with a file; none while another artifact has it too, see `parts.link`."""
    status = path.lstat()
    return status.st_size if path.is_file() and status.st_nlink == 1 else 0


def _recency(artifact: Artifact) -> tuple[int, str]:
    return recency(artifact.path, artifact.manifest.run)


def _called(path: Path) -> str:
    return next(map(selected, open_readable([path])), "")


def _refuse_other_version(path: Path, version: int | None) -> None:
    match = _FOLDER.fullmatch(path.name)
    if version is None or not match or int(match[1]) == version:
        return
    age = "a newer" if int(match[1]) > version else "an older"
    cure = "Upgrade, or recompute it." if int(match[1]) > version else "Recompute it."
    raise SchemaError(
        f"{path.parent.name}/{path.name} was written by {age} version of this program (table "
        f"version {match[1]}; this one reads {version}). {cure}"
    )
