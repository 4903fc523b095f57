"""Push: artifacts to a remote, with what they were made from.

The files of an artifact go first, then its manifest, which is created once. So what is there is
whole, a killed push goes on where it was, and of two pushes of one artifact one is first; the other
one finds it there.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.progress import Silent
from pipeline.remote import additions
from pipeline.remote.pushed import MOST_BYTES, fetch, inputs_first, parse
from pipeline.remote.remote import create_once, file_name, manifest_name
from pipeline.store import manifest as manifests
from pipeline.store import part_records
from pipeline.store.artifact import open_artifact
from schemas.errors import ArtifactError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pipeline.progress import Reporter
    from pipeline.remote.pushed import Pushed
    from pipeline.remote.remote import Remote
    from pipeline.store.artifact import Artifact


@dataclass
class Moved:
    """What a push or pull moved.

    Attributes:
        address: Of the artifact.
        files: That were sent.
        bytes: Of these files.
        was_there: Whether the whole artifact was there already.
    """

    address: str
    files: int = 0
    bytes: int = 0
    was_there: bool = False


def push(
    remote: Remote,
    artifacts: Sequence[Artifact],
    *,
    again: bool = False,
    reporter: Reporter | None = None,
) -> list[Moved]:
    """Send artifacts, in this order; what was sent of each.

    Args:
        remote: Where to.
        artifacts: See `with_inputs`.
        again: Send files that are there already too, in case they were damaged there.
        reporter: Is told of the bytes.

    Raises:
        ArtifactError: If a file is not what its manifest says, or the remote has another artifact
            of the same recipe.
        SourceError: If the remote does not answer, or refuses.
    """
    reporter = reporter or Silent()
    done = []
    for artifact in artifacts:
        there = fetch(remote, artifact.address, artifact.root)
        sent = Moved(artifact.address, was_there=there is not None and not again)
        if there is not None:
            _check_same(remote, artifact, there)
        if not sent.was_there:
            _send_files(remote, artifact, sent, reporter, again=again)
            _publish(remote, artifact)
        additions.add(remote, artifact.address)
        done.append(sent)
    return done


def with_inputs(artifacts: Sequence[Artifact], reporter: Reporter | None = None) -> list[Artifact]:
    """The artifacts and all that they were made from, inputs first, each once.

    Args:
        artifacts: Of one store.
        reporter: Is told of inputs that are not in the store any more.
    """
    told = reporter or Silent()
    return inputs_first(artifacts, lambda one: one.address, lambda one: list(_inputs(one, told)))


def _inputs(artifact: Artifact, reporter: Reporter) -> Iterator[Artifact]:
    for address in artifact.manifest.inputs.values():
        try:
            yield open_artifact(artifact.root / address)
        except (ArtifactError, OSError):
            reporter.say(
                f"{artifact.address} was made from {address}, which is deleted or damaged here: "
                "it is not sent"
            )


def _send_files(
    remote: Remote, artifact: Artifact, sent: Moved, reporter: Reporter, *, again: bool
) -> None:
    for folder, summary in artifact.manifest.lists(artifact.path).items():
        if summary.list_bytes > MOST_BYTES:  # nobody could pull it
            raise ArtifactError(
                f"{folder / part_records.NAME} has {summary.list_bytes:,} bytes, and a remote "
                f"takes lists of {MOST_BYTES:,}: make {artifact.address} of larger parts"
            )
    files = {
        digest: (artifact.path / name, size) for name, (size, digest) in artifact.listed.items()
    }

    def send(digest: str) -> tuple[bool, int]:
        path, size = files[digest]
        if not path.is_file():
            raise ArtifactError(
                f"{path} is missing although its manifest lists it; recompute its artifact with "
                f"'rc {artifact.manifest.stage.name} --force'"
            )
        return remote.send(file_name(digest), path, size, digest, again=again), size

    reporter.start(f"push {artifact.address}", sum(size for _, size in files.values()), "bytes")
    move_files(send, files, sent, reporter, remote.concurrency)


def move_files(
    move: Callable[[Any], tuple[bool, int]],
    items: Iterable[Any],
    moved: Moved,
    reporter: Reporter,
    at_once: int,
) -> None:
    """Move files, several at once, and count those that had to be; stops the reporter.

    Args:
        move: Moves one; whether it had to, and its bytes.
        items: What it takes.
        moved: Is added to.
        reporter: Started, to count bytes.
        at_once: How many.
    """
    pool = ThreadPoolExecutor(at_once)
    try:
        for was_moved, size in pool.map(move, items):
            moved.files += was_moved
            moved.bytes += size * was_moved
            reporter.advance(size)
    finally:
        pool.shutdown(cancel_futures=True)
        reporter.stop()


def _publish(remote: Remote, artifact: Artifact) -> None:
    """Create the manifest; of another push, which was faster, it must be that of the same."""
    name, content = manifest_name(artifact.address), (artifact.path / manifests.NAME).read_bytes()
    there = create_once(remote, name, content, MOST_BYTES)
    if there != content:
        _check_same(remote, artifact, parse(remote, artifact.address, artifact.root, there))


def _check_same(remote: Remote, artifact: Artifact, there: Pushed) -> None:
    """Pass if the remote has this artifact, whenever and wherever it was made."""
    if there.artifact.manifest.recipe() != artifact.manifest.recipe():
        raise ArtifactError(
            f"{remote.url} has {artifact.address} with other content: the same recipe, run on "
            "another kind of machine or with other packages. It stays as it is; push yours to "
            "another remote, or pull that one into another store."
        )
