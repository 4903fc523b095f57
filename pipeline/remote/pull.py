"""Pull: artifacts from a remote into the store, with what they were made from.

A pull commits as a run does: files under `.work/`, hashed while they arrive, then renamed; the
manifest last. A killed pull keeps what is whole. A remote is believed in nothing: what is longer
than its manifest says is cut off there, what has another hash or other rows is not taken.
"""

from __future__ import annotations

import hashlib
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from pipeline.progress import Silent
from pipeline.remote import pushed
from pipeline.remote.push import Moved, move_files
from pipeline.remote.remote import NotThereError, file_name, read_whole
from pipeline.store import catalog, part_records, parts, recency, unfinished
from pipeline.store import manifest as manifests
from pipeline.store.artifact import open_artifact, open_readable, with_readable_parts
from pipeline.store.atomic import exclusively, make_folder, publish, sha256, whole_or_absent
from pipeline.store.disk_full import room_for
from schemas.errors import ArtifactError, DiskFullError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipeline.progress import Reporter
    from pipeline.remote.pushed import Pushed
    from pipeline.remote.remote import Remote
    from pipeline.store.artifact import Artifact
    from pipeline.store.part_records import PartList

_MOST_ARTIFACTS: Final = 1000  # of one pull; a remote may invent inputs without end


def pull(
    remote: Remote, root: Path, wanted: Sequence[Pushed], reporter: Reporter | None = None
) -> list[Moved]:
    """Fetch artifacts into a store, in this order; what was fetched of each.

    Args:
        remote: Where from.
        root: The store.
        wanted: See `with_inputs`.
        reporter: Is told of the bytes.

    Raises:
        ArtifactError: If a file is not what its manifest says; the artifact is then not there.
        DiskFullError: If there is not enough room.
        SourceError: If the remote does not answer, or refuses.
    """
    reporter = reporter or Silent()
    _check_room(root, sum(_still_to_come(one.artifact) for one in wanted))
    return [_fetch(remote, one, reporter) for one in wanted]


def with_inputs(
    remote: Remote, root: Path, wanted: Sequence[Pushed], reporter: Reporter | None = None
) -> list[Pushed]:
    """The artifacts and all that they were made from, inputs first, each once.

    Args:
        remote: Where they are.
        root: The store that they may be pulled to.
        wanted: See `pipeline.remote.pushed.find`.
        reporter: Is told of inputs that are not there.

    Raises:
        ArtifactError: If a manifest is damaged, or there are too many.
        SourceError: If the remote does not answer, or refuses.
    """
    told = reporter or Silent()
    known: dict[str, Pushed | None] = {one.artifact.address: one for one in wanted}

    def input_of(child: Pushed, address: str) -> Pushed | None:
        if address not in known:
            if len(known) == _MOST_ARTIFACTS:
                raise ArtifactError(
                    f"{remote.url} says that more than {_MOST_ARTIFACTS} artifacts belong "
                    "together: that is not believed. Pull them one by one, with --only."
                )
            known[address] = pushed.fetch(remote, address, root)
            if known[address] is None and not (root / address / manifests.NAME).is_file():
                told.say(
                    f"{child.artifact.address} was made from {address}, which {remote.url} does "
                    "not have: it is not fetched"
                )
        return known[address]

    def inputs(child: Pushed) -> list[Pushed]:
        found = (input_of(child, address) for address in child.artifact.manifest.inputs.values())
        return [one for one in found if one]

    return pushed.inputs_first(wanted, lambda one: one.artifact.address, inputs)


def _still_to_come(artifact: Artifact) -> int:
    """Bytes of an artifact that are not here yet, of a pull that was killed or of none."""
    folders = artifact.manifest.lists(artifact.path)
    here = sum(_size(path) for folder in folders for path in folder.glob("[!.]*"))
    return max(artifact.manifest.bytes() - here, 0)


def _size(path: Path) -> int:
    """Bytes of a file; none if another process, which makes the same artifact, has removed it."""
    with suppress(FileNotFoundError):
        return path.stat().st_size if path.is_file() else 0
    return 0


def _check_room(root: Path, wanted: int) -> None:
    place = next(
        folder for folder in (root.absolute(), *root.absolute().parents) if folder.exists()
    )
    free = shutil.disk_usage(place).free
    if wanted > free:
        raise DiskFullError(
            f"{wanted:,} bytes are to be fetched into {root}, and {free:,} are free; nothing was "
            "fetched"
        )


def _fetch(remote: Remote, one: Pushed, reporter: Reporter) -> Moved:
    artifact = one.artifact
    folder, sent = artifact.path, Moved(artifact.address)
    waiting = f"another run is making {artifact.address}; waiting for it to finish"
    with exclusively(catalog.lock(folder), lambda: reporter.say(waiting)):
        if (folder / manifests.NAME).is_file():
            open_artifact(folder).records()  # a damaged one says so
            unfinished.tidy(folder)  # what finished it may have been killed before it could
            sent.was_there = True
            return sent
        with unfinished.failures_recorded(folder), room_for(folder):
            shutil.rmtree(folder / ".work", ignore_errors=True)
            make_folder(folder)
            inputs = [artifact.root / address for address in artifact.manifest.inputs.values()]
            unfinished.record_inputs(
                folder, [open_artifact(p) for p in inputs if (p / manifests.NAME).is_file()]
            )
            _fetch_lists(remote, artifact, sent)
            _fetch_files(remote, artifact, sent, reporter)
            _check_rows(remote, artifact)
            recency.record(folder)
            with whole_or_absent(folder / manifests.NAME) as draft:
                draft.write_bytes(one.content)
            unfinished.tidy(folder)
    return sent


def _fetch_lists(remote: Remote, artifact: Artifact, sent: Moved) -> None:
    """Fetch the lists of parts; only they say which other files there are."""
    for folder, summary in artifact.manifest.lists(artifact.path).items():
        path = folder / part_records.NAME
        if _is_whole(path, summary.list_sha256):  # of a pull that was killed
            continue
        content = _received_list(remote, artifact, summary)
        make_folder(folder)
        with whole_or_absent(path) as draft:
            draft.write_bytes(content)
        sent.files += 1
        sent.bytes += len(content)


def _received_list(remote: Remote, artifact: Artifact, summary: PartList) -> bytes:
    """A list of parts that a remote has, if it is what the manifest means."""
    name, most = file_name(summary.list_sha256), min(summary.list_bytes, pushed.MOST_BYTES)
    content = read_whole(remote, name, most) if most else b""
    if content is None:
        raise ArtifactError(_missing(remote, name))
    try:
        part_records.parse(content, summary)
    except ValueError as error:
        raise ArtifactError(
            f"{name} in {remote.url}, which lists the parts of {artifact.address}, cannot be "
            f"read: {part_records.why(error)}; {_push_again(remote)}"
        ) from None
    return content


def _fetch_files(remote: Remote, artifact: Artifact, sent: Moved, reporter: Reporter) -> None:
    work = artifact.path / ".work"
    make_folder(work)
    here = {
        digest: other.path / name
        for other in _others(artifact)
        for name, (_, digest) in other.listed.items()
    }

    def fetch(name: str) -> tuple[bool, int]:
        path, (size, digest) = artifact.path / name, artifact.listed[name]
        if _is_whole(path, digest):  # of a pull that was killed
            return False, size
        draft = work / f"{uuid4().hex}.{path.name}"
        is_here = digest in here and _is_whole(here[digest], digest)
        if is_here:
            parts.link_file(here[digest], draft)
        else:
            _receive(remote, draft, size, digest)
        publish(draft, path)
        return not is_here, size

    total = sum(size for size, _ in artifact.listed.values())
    reporter.start(f"pull {artifact.address}", total, "bytes")
    move_files(fetch, artifact.listed, sent, reporter, remote.concurrency)


def _others(artifact: Artifact) -> list[Artifact]:
    """Artifacts of the same table in the store, whose parts may be the same."""
    others = open_readable(catalog.committed(artifact.root, artifact.manifest.artifact))
    return list(with_readable_parts(others))


def _is_whole(path: Path, digest: str) -> bool:
    return path.is_file() and sha256(path) == digest


def _receive(remote: Remote, draft: Path, size: int, digest: str) -> None:
    """Write a file of the remote, and no byte more than it may have."""
    name, hashed, count = file_name(digest), hashlib.sha256(), 0
    with draft.open("wb") as file:
        try:
            for piece in remote.read(name) if size else ():
                count += len(piece)
                if count > size:
                    break
                hashed.update(piece)
                file.write(piece)
        except NotThereError:
            raise ArtifactError(_missing(remote, name)) from None
    if count != size or hashed.hexdigest() != digest:
        harm = f"is longer than the {size:,} bytes" if count > size else "is not what"
        what = "of its manifest" if count > size else "its name says"
        raise ArtifactError(f"{name} in {remote.url} {harm} {what}; {_push_again(remote)}")


def _check_rows(remote: Remote, artifact: Artifact) -> None:
    """Pass if the files of rows have as many as the lists say."""
    for folder, records in artifact.records().items():
        for record in records:
            rows = parts.count(folder / parts.part_name(record.number))
            if rows != record.rows:
                raise ArtifactError(
                    f"part {record.number} of {artifact.address} in {remote.url} has {rows} rows, "
                    f"and {record.rows} in its list: it cannot be used"
                )


def _missing(remote: Remote, name: str) -> str:
    return f"{name} is missing in {remote.url} although a manifest lists it; {_push_again(remote)}"


def _push_again(remote: Remote) -> str:
    return f"nothing of it was taken. Where the artifact is whole: 'rc push {remote.url} --force'"
