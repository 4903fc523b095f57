"""Push: artifacts to a remote, with what they were made from.

The files of an artifact go first, then its manifest, which is created once. So what is there is
whole, a killed push goes on where it was, and of two pushes of one artifact one is first; the other
one finds it there.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.progress import Silent
from pipeline.remote import additions
from pipeline.remote.catalog import fetch
from pipeline.remote.remote import NotThereError, file_name, manifest_name
from pipeline.store import manifest as manifests
from pipeline.store.artifact import open_artifact
from schemas.errors import ArtifactError, SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline.progress import Reporter
    from pipeline.remote.catalog import Pushed
    from pipeline.remote.remote import Remote
    from pipeline.store.artifact import Artifact


@dataclass
class Sent:
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
) -> list[Sent]:
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
        sent = Sent(artifact.address, was_there=there is not None and not again)
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
    ordered: dict[Path, Artifact] = {}
    waiting = [(artifact, False) for artifact in reversed(artifacts)]
    while waiting:
        current, inputs_done = waiting.pop()
        if inputs_done:
            ordered.setdefault(current.path, current)
        elif current.path not in ordered:
            waiting.append((current, True))
            waiting.extend((parent, False) for parent in _inputs(current, reporter or Silent()))
    return list(ordered.values())


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
    remote: Remote, artifact: Artifact, sent: Sent, reporter: Reporter, *, again: bool
) -> None:
    files = {digest: (path, size) for path, (size, digest) in artifact.listed.items()}

    def send(digest: str) -> tuple[bool, int]:
        path, size = files[digest]
        if not path.is_file():
            raise ArtifactError(
                f"{path} is missing although its manifest lists it; recompute its artifact with "
                f"'rc {artifact.manifest.stage.name} --force'"
            )
        return remote.send(file_name(digest), path, size, digest, again=again), size

    reporter.start(f"push {artifact.address}", sum(size for _, size in files.values()), "bytes")
    pool = ThreadPoolExecutor(remote.concurrency)
    try:
        for was_sent, size in pool.map(send, files):
            sent.files += was_sent
            sent.bytes += size * was_sent
            reporter.advance(size)
    except NotThereError:
        raise SourceError(
            f"{remote.url} takes no files: there is no such bucket, or it is another provider's"
        ) from None
    finally:
        pool.shutdown(cancel_futures=True)
        reporter.stop()


def _publish(remote: Remote, artifact: Artifact) -> None:
    """Create the manifest, and know it for ours if only the reply was lost."""
    content = (artifact.path / manifests.NAME).read_bytes()
    failure: SourceError | None = None
    try:
        if remote.create(manifest_name(artifact.address), content):
            return
    except SourceError as error:
        failure = error
    there = fetch(remote, artifact.address, artifact.root)
    if there is None:
        raise failure or SourceError(
            f"{remote.url} neither takes the manifest of {artifact.address} nor has one"
        )
    _check_same(remote, artifact, there)


def _check_same(remote: Remote, artifact: Artifact, there: Pushed) -> None:
    """Pass if the remote has this artifact, whenever and wherever it was made."""
    if there.artifact.manifest.recipe() != artifact.manifest.recipe():
        raise ArtifactError(
            f"{remote.url} has {artifact.address} with other content: the same recipe, run on "
            "another kind of machine or with other packages. It stays as it is; push yours to "
            "another remote, or pull that one into another store."
        )
