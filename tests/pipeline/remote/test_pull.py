"""Pull: whole or absent, whatever a remote says."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug.wrappers import Response

from pipeline.remote import pull as pulling
from pipeline.remote import pushed
from pipeline.remote.pull import pull, with_inputs
from pipeline.remote.push import push
from pipeline.remote.push import with_inputs as push_inputs
from pipeline.remote.remote import file_name, manifest_name, open_remote, read_whole
from pipeline.store import catalog, part_records
from pipeline.store.artifact import open_artifact
from pipeline.store.manifest import NAME
from schemas.errors import ArtifactError, DiskFullError, SourceError
from tests.pipeline.helpers import (
    Listener,
    contents,
    make,
    make_all,
    records_in,
    rewrite_list,
    rewrite_manifest,
)
from tests.pipeline.toys import Ingest, Propose

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.remote.push import Moved
    from pipeline.remote.remote import Remote
    from pipeline.store.artifact import Artifact
    from tests.s3_server import Request, S3Server


def fetch(remote: Remote, store: Path, *names: str, **how: Any) -> list[Moved]:
    wanted = [pushed.find(remote, name, store) for name in names]
    return pull(remote, store, with_inputs(remote, store, wanted, **how), **how)


@pytest.fixture
def other(tmp_path: Path) -> Path:
    return tmp_path / "other"


@pytest.fixture
def images(root: Path) -> Artifact:
    return make(Ingest(), root)


@pytest.fixture
def folder(tmp_path: Path, images: Artifact) -> Path:
    """A folder to which the images were pushed."""
    push(open_remote(str(tmp_path / "remote")), [images])
    return tmp_path / "remote"


@pytest.mark.slow
def test_everything_that_was_pushed_is_the_same_in_another_store(
    remote: Remote, root: Path, other: Path
) -> None:
    made = make_all(root)
    push(remote, push_inputs(list(made.values())))
    fetch(remote, other, *made)
    for artifact in made.values():
        there = open_artifact(other / artifact.address)
        assert contents(there.path) == contents(artifact.path)
        assert catalog.verify(there) == []
    hidden = [path for path in other.rglob(".*") if not path.name.endswith(".lock")]
    assert hidden == []


def test_what_is_here_is_not_fetched_again_and_stays_as_it_is(
    remote: Remote, images: Artifact, other: Path
) -> None:
    push(remote, [images])
    own = make(Ingest(), other)
    before = (own.path / NAME).read_bytes()
    (sent,) = fetch(remote, other, images.address)
    assert (sent.was_there, sent.files) == (True, 0)
    assert (own.path / NAME).read_bytes() == before != (images.path / NAME).read_bytes()


def test_of_what_is_here_with_a_damaged_list_nothing_good_is_said(
    folder: Path, images: Artifact
) -> None:
    (images.path / part_records.NAME).write_bytes(b"")
    (images.path / NAME).touch()  # forget what was read
    with pytest.raises(ArtifactError, match=r"parts.jsonl cannot be read: .* and --force"):
        fetch(open_remote(str(folder)), images.root, images.address)


def test_the_artifact_that_was_asked_for_is_the_newest(
    remote: Remote, root: Path, images: Artifact, other: Path
) -> None:
    later = make(Ingest(count=3), root)
    push(remote, [images, later])
    fetch(remote, other, later.address, images.address)
    assert catalog.find(other, "images").address == images.address


def test_only_what_is_asked_for_is_fetched(remote: Remote, images: Artifact, other: Path) -> None:
    proposals = make(Propose(), images.root)
    push(remote, push_inputs([proposals]))
    (sent,) = pull(remote, other, [pushed.find(remote, "proposals", other)])
    assert sent.address == proposals.address
    assert [path.name for path in other.iterdir()] == ["proposals"]


def test_an_input_that_the_remote_does_not_have_is_told(
    remote: Remote, images: Artifact, other: Path
) -> None:
    proposals = make(Propose(), images.root)
    push(remote, [proposals])
    listener = Listener()
    fetch(remote, other, "proposals", reporter=listener)
    assert listener.sentences == [
        f"{proposals.address} was made from {images.address}, which {remote.url} does not have: "
        "it is not fetched"
    ]


def test_a_pull_that_was_stopped_keeps_what_is_whole(
    s3: S3Server, bucket: str, images: Artifact, other: Path
) -> None:
    remote = open_remote(bucket)
    push(remote, [images])
    remote.concurrency = 1
    let_through = 3  # the list of parts, two parts

    def stop(request: Request) -> Response | None:
        nonlocal let_through
        let_through -= "/files/" in request.path
        return Response(b"", 403) if let_through < 0 else None

    s3.instead = stop
    with pytest.raises(SourceError, match="refuses these credentials"):
        fetch(remote, other, images.address)
    assert catalog.committed(other) == []
    s3.instead = lambda _: None
    (sent,) = fetch(remote, other, images.address)
    assert sent.files == 2
    assert contents(other / images.address) == contents(images.path)


def test_a_half_file_of_a_killed_pull_is_fetched_again(
    folder: Path, images: Artifact, other: Path
) -> None:
    half = other / images.address / "part-00001.parquet"
    half.parent.mkdir(parents=True)
    half.write_bytes(images.part(1).read_bytes()[:-3])
    (half.parent / ".work").mkdir()
    (half.parent / ".work" / "rest").write_text("of a file")
    fetch(open_remote(str(folder)), other, images.address)
    assert contents(other / images.address) == contents(images.path)


def test_what_another_pull_removes_meanwhile_is_not_missed(
    folder: Path, images: Artifact, other: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    going = other / images.address / "going"
    going.parent.mkdir(parents=True)
    going.write_text("away")
    is_file = type(going).is_file

    def then_gone(path: Path) -> bool:
        there = is_file(path)
        if path.name == going.name:
            path.unlink(missing_ok=True)
        return there

    monkeypatch.setattr(type(going), "is_file", then_gone)
    fetch(open_remote(str(folder)), other, images.address)
    assert contents(other / images.address) == contents(images.path)


def in_remote(folder: Path, artifact: Artifact, part: int) -> Path:
    return folder / file_name(artifact.parts[part].sha256)


def test_an_endless_file_ends_at_its_length(bucket: str, root: Path, other: Path) -> None:
    remote, sent, images = open_remote(bucket), 0, make(Ingest(per_part=20), root)
    push(remote, [images])

    class Endless:
        url, concurrency = remote.url, 1

        def read(self, name: str) -> Any:
            nonlocal sent
            if name != file_name(images.parts[0].sha256):
                yield from remote.read(name)
                return
            while True:
                sent += 1000
                yield bytes(1000)

    size = images.parts[0].bytes
    with pytest.raises(
        ArtifactError, match=f"is longer than the {size:,} bytes of its manifest; no"
    ):
        fetch(Endless(), other, images.address)  # type: ignore[arg-type]
    assert sent <= size + 1000
    assert catalog.committed(other) == []


def test_a_part_that_another_artifact_has_is_linked(
    remote: Remote, root: Path, other: Path
) -> None:
    made = [make(Ingest(count=count), root) for count in (10, 15)]
    push(remote, made)
    first, second = fetch(remote, other, *(artifact.address for artifact in made))
    assert (first.files, second.files) == (3, 2)  # the list of parts is each one's own
    assert contents(other / second.address) == contents(made[1].path)
    assert (other / second.address / "part-00000.parquet").stat().st_nlink == 2
    assert catalog.verify(open_artifact(other / second.address)) == []


def test_a_damaged_part_of_another_artifact_is_fetched(
    remote: Remote, root: Path, other: Path
) -> None:
    made = [make(Ingest(count=count), root) for count in (10, 15)]
    push(remote, made)
    fetch(remote, other, made[0].address)
    (other / made[0].address / "part-00000.parquet").write_bytes(b"PAR1")
    (sent,) = fetch(remote, other, made[1].address)
    assert sent.files == 3
    assert contents(other / sent.address) == contents(made[1].path)


@pytest.mark.parametrize("harm", ["flipped", "shorter", "gone"])
def test_a_file_that_is_not_what_it_should_be_is_not_taken(
    folder: Path, images: Artifact, other: Path, harm: str
) -> None:
    file = in_remote(folder, images, 2)
    content = file.read_bytes()
    file.write_bytes({"flipped": content[:-1] + b"\0", "shorter": content[:-1]}.get(harm, b""))
    if harm == "gone":
        file.unlink()
    said = "is missing" if harm == "gone" else "is not what its name says; nothing of it was taken"
    with pytest.raises(ArtifactError, match=f"{file.name} .*{said}"):
        fetch(open_remote(str(folder)), other, images.address)
    assert catalog.committed(other) == []
    assert not (other / images.address / "part-00002.parquet").exists()
    push(open_remote(str(folder)), [images], again=True)
    fetch(open_remote(str(folder)), other, images.address)
    assert contents(other / images.address) == contents(images.path)


def pretend(
    folder: Path,
    artifact: Artifact,
    scratch: Path,
    records: Sequence[dict[str, Any]] | None = None,
    **changes: Any,
) -> str:
    """Give an artifact of a remote another manifest and list, which are whole; its address."""
    content = {**json.loads((artifact.path / NAME).read_text()), **changes}
    scratch.mkdir(parents=True, exist_ok=True)
    if records is not None:
        content["parts"] = rewrite_list(scratch, records)
        list_of_parts = folder / file_name(content["parts"]["list_sha256"])
        list_of_parts.parent.mkdir(parents=True, exist_ok=True)
        list_of_parts.write_bytes((scratch / part_records.NAME).read_bytes())
    rewrite_manifest(scratch, content)
    fingerprint = content["fingerprint"]
    address = f"{content['artifact']}/v{content['version']}-{fingerprint[:12]}"
    target = folder / manifest_name(address)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes((scratch / NAME).read_bytes())
    return address


def test_rows_that_are_not_there_are_not_believed(
    folder: Path, images: Artifact, other: Path, tmp_path: Path
) -> None:
    records = records_in(images.path)
    records[1]["rows"] += 1
    pretend(folder, images, tmp_path / "x", records)
    with pytest.raises(
        ArtifactError, match=f"part 1 of {images.address} in .* has 5 rows, and 6 in"
    ):
        fetch(open_remote(str(folder)), other, images.address)
    assert catalog.committed(other) == []


def test_more_than_the_disk_holds_is_refused_before_anything_is_fetched(
    folder: Path, images: Artifact, other: Path, tmp_path: Path
) -> None:
    records = records_in(images.path)
    records[1]["bytes"] = 2**60
    pretend(folder, images, tmp_path / "x", records)
    with pytest.raises(
        DiskFullError, match=r"bytes are to be fetched into .*; nothing was fetched"
    ):
        fetch(open_remote(str(folder)), other, images.address)
    assert not other.exists()


@pytest.mark.parametrize(
    "name", ["../../x", "/etc/passwd", "a/b", "manifest.json", ".hidden", "drafts"]
)
def test_names_that_leave_the_folder_are_refused(
    folder: Path, images: Artifact, other: Path, tmp_path: Path, name: str
) -> None:
    records = records_in(images.path)
    records[0]["files"] = [{"name": name, "bytes": 0, "sha256": hashlib.sha256().hexdigest()}]
    pretend(folder, images, tmp_path / "x", records)
    with pytest.raises(
        ArtifactError, match=rf"lists the parts of {images.address}, cannot be read: .*push"
    ):
        fetch(open_remote(str(folder)), other, images.address)
    assert catalog.committed(other) == []
    there = [path.name for path in other.rglob("*") if path.is_file()]
    assert sorted(there) == [".failed", ".inputs", f".{images.path.name}.lock"]


@pytest.mark.parametrize("harm", ["flipped", "longer", "gone", "another"])
def test_a_list_of_parts_that_is_not_what_the_manifest_means_is_not_taken(
    folder: Path, images: Artifact, other: Path, harm: str
) -> None:
    file = folder / file_name(images.manifest.parts.list_sha256)
    content = file.read_bytes()
    harmed = {"flipped": content[:-2] + b"!\n", "longer": content + b"{}\n", "another": b""}
    file.write_bytes(harmed.get(harm, b""))
    if harm == "gone":
        file.unlink()
    said = {"gone": "is missing", "longer": "is longer than"}.get(harm, "differs from the hash in")
    with pytest.raises(ArtifactError, match=f"{file.name} .*{said}"):
        fetch(open_remote(str(folder)), other, images.address)
    assert catalog.committed(other) == []
    push(open_remote(str(folder)), [images], again=True)
    fetch(open_remote(str(folder)), other, images.address)
    assert contents(other / images.address) == contents(images.path)


def test_a_list_of_another_size_than_any_is_not_waited_for(
    folder: Path, images: Artifact, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    summary = {**images.manifest.parts.model_dump(), "list_bytes": 2**60}
    pretend(folder, images, tmp_path / "x", parts=summary)
    monkeypatch.setattr(pushed, "MOST_BYTES", 100)
    monkeypatch.setattr(pushed, "read_whole", lambda *given: read_whole(*given[:2], 2**30))
    with pytest.raises(ArtifactError, match="is longer than 100 bytes"):
        fetch(open_remote(str(folder)), other, images.address)


def test_an_artifact_without_parts_travels(remote: Remote, root: Path, other: Path) -> None:
    empty = make(Ingest(count=0), root, allow_empty=True)
    push(remote, [empty])
    fetch(remote, other, empty.address)
    assert contents(other / empty.address) == contents(empty.path)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"\xff", b"[" * 100_000, b'{"a": "\x1b[2J"}'], ids=range(5)
)
def test_a_manifest_of_anything_is_one_sentence(
    folder: Path, images: Artifact, other: Path, content: bytes
) -> None:
    (folder / manifest_name(images.address)).write_bytes(content)
    with pytest.raises(
        ArtifactError, match=r"cannot be read: .* It was damaged, or written"
    ) as error:
        fetch(open_remote(str(folder)), other, images.address)
    assert str(error.value).isprintable()


def test_the_manifest_of_another_artifact_is_refused(
    folder: Path, images: Artifact, other: Path
) -> None:
    address = "images/v2-0123456789ab"
    target = folder / manifest_name(address)
    target.parent.mkdir(parents=True)
    target.write_bytes((images.path / NAME).read_bytes())
    with pytest.raises(ArtifactError, match=f"cannot be read: it is that of {images.address}"):
        fetch(open_remote(str(folder)), other, address)


def test_inputs_in_a_circle_and_without_end(
    folder: Path, images: Artifact, other: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{number:064x}"[::-1] for number in range(1, 12)]
    addresses = [f"images/v2-{name[:12]}" for name in names]
    for name, following in zip(names, [*addresses[1:], addresses[0]], strict=True):
        pretend(folder, images, tmp_path / "x", fingerprint=name, inputs={"a": following})
    remote = open_remote(str(folder))
    sent = fetch(remote, other, addresses[0])
    assert [one.address for one in sent] == addresses[::-1]
    monkeypatch.setattr(pulling, "_MOST_ARTIFACTS", 10)
    with pytest.raises(ArtifactError, match="says that more than 10 artifacts belong together"):
        fetch(remote, other, addresses[0])


def test_an_empty_attachment_travels(
    folder: Path, images: Artifact, other: Path, tmp_path: Path
) -> None:
    empty = hashlib.sha256().hexdigest()
    records = records_in(images.path)
    records[0]["files"] = [{"name": "part-00000.empty.txt", "bytes": 0, "sha256": empty}]
    pretend(folder, images, tmp_path / "x", records)
    fetch(open_remote(str(folder)), other, images.address)
    assert (other / images.address / "part-00000.empty.txt").read_bytes() == b""
    assert catalog.verify(open_artifact(other / images.address)) == []
