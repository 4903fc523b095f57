"""Push: whole or absent, once, resumed, whoever else pushes at the same time."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from werkzeug.wrappers import Response

from pipeline.remote import additions, pull, pushed
from pipeline.remote import push as pushing
from pipeline.remote.push import push, with_inputs
from pipeline.remote.remote import open_remote
from pipeline.store.artifact import open_artifact
from pipeline.store.atomic import remove_folder
from pipeline.store.manifest import NAME
from schemas.errors import ArtifactError, SourceError
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
    from pathlib import Path

    from pipeline.remote.remote import Remote
    from pipeline.store.artifact import Artifact
    from tests.s3_server import Request, S3Server


@pytest.fixture
def proposals(root: Path) -> Artifact:
    make(Ingest(), root)
    return make(Propose(), root)


def fetched(remote: Remote, address: str, store: Path) -> Artifact:
    """An artifact after its way to another store."""
    wanted = pushed.find(remote, address, store)
    pull.pull(remote, store, pull.with_inputs(remote, store, [wanted]))
    return open_artifact(store / address)


def test_an_artifact_goes_with_what_it_was_made_from_inputs_first(
    remote: Remote, proposals: Artifact, tmp_path: Path
) -> None:
    sent = push(remote, with_inputs([proposals]))
    images = proposals.manifest.inputs["images"]
    assert [one.address for one in sent] == [images, proposals.address]
    assert [one.files for one in sent] == [5, 9]  # the lists of parts too
    assert additions.read(remote) == [images, proposals.address]
    there = fetched(remote, proposals.address, tmp_path / "other")
    assert contents(there.path) == contents(proposals.path)
    assert (there.path / NAME).read_bytes() == (proposals.path / NAME).read_bytes()


def test_inputs_come_first_however_often_they_are_used(root: Path) -> None:
    made = list(make_all(root).values())
    for given in (made, made[::-1], made[3:], made[-1:]):
        ordered = [one.address for one in with_inputs(given)]
        assert len(set(ordered)) == len(ordered)
        assert {one.address for one in given} <= set(ordered)
        for one in map(root.joinpath, ordered):
            inputs = open_artifact(one).manifest.inputs.values()
            assert all(
                ordered.index(i) < ordered.index(f"{one.parent.name}/{one.name}") for i in inputs
            )


def test_what_is_there_is_not_sent_again(remote: Remote, proposals: Artifact) -> None:
    push(remote, with_inputs([proposals]))
    sent = push(remote, with_inputs([proposals]))
    assert all(one.was_there and one.files == one.bytes == 0 for one in sent)
    assert additions.read(remote) == [one.address for one in sent]


def test_files_that_another_artifact_has_are_not_sent_again(remote: Remote, root: Path) -> None:
    push(remote, [make(Ingest(count=10, per_part=5), root)])
    grown = make(Ingest(count=15, per_part=5), root)
    hashes = [part.sha256 for part in grown.parts]
    (sent,) = push(remote, [grown])
    assert len(set(hashes)) == 3
    assert sent.files == 2  # a part, and the list of parts


def test_force_mends_what_was_damaged_there(s3: S3Server, bucket: str, proposals: Artifact) -> None:
    remote = open_remote(bucket)
    push(remote, with_inputs([proposals]))
    name = next(name for name in s3.names() if "/files/" in name)
    whole = s3.get(name)
    s3.put(name, bytes(len(whole)))
    push(remote, with_inputs([proposals]))
    assert s3.get(name) != whole
    push(remote, with_inputs([proposals]), again=True)
    assert s3.get(name) == whole


def test_a_damaged_file_stops_the_push_before_the_manifest(
    remote: Remote, proposals: Artifact, tmp_path: Path
) -> None:
    path = proposals.part(1)
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(ArtifactError, match=r"part-00001.parquet differs from the hash in its man"):
        push(remote, [proposals])
    assert pushed.fetch(remote, proposals.address, tmp_path) is None
    assert additions.read(remote) == []
    path.unlink()
    with pytest.raises(ArtifactError, match=r"part-00001.parquet is missing although its manifest"):
        push(remote, [proposals])


def test_a_push_that_was_stopped_resumes(s3: S3Server, bucket: str, proposals: Artifact) -> None:
    remote = open_remote(bucket)
    remote.concurrency = 1
    let_through = 3

    def stop(request: Request) -> Response | None:
        nonlocal let_through
        let_through -= request.method == "PUT"
        return Response(b"", 403) if let_through < 0 else None

    s3.instead = stop
    with pytest.raises(SourceError, match="refuses these credentials"):
        push(remote, [proposals])
    s3.instead = lambda _: None
    assert pushed.fetch(remote, proposals.address, proposals.root) is None
    (sent,) = push(remote, [proposals])
    assert sent.files == 9 - 3


@pytest.mark.parametrize("status", [500, 400])
def test_a_reply_that_is_lost_is_recognised_by_reading_back(
    s3: S3Server, bucket: str, proposals: Artifact, tmp_path: Path, status: int
) -> None:
    remote, lost = open_remote(bucket), []

    def lose(request: Request) -> Response | None:
        if request.method != "PUT" or request.path in lost or "/files/" in request.path:
            return None
        lost.append(request.path)
        return Response(b"", status)

    s3.after = lose
    push(
        remote, with_inputs([proposals])
    )  # at 500, obstore asks again, and is told that it is there
    assert len(lost) == 4
    s3.after = lambda _: None
    assert len(additions.read(remote)) == 2
    there = fetched(remote, proposals.address, tmp_path / "other")
    assert contents(there.path) == contents(proposals.path)


def test_pushes_of_one_artifact_at_once_end_with_one_that_is_whole(
    remote: Remote, root: Path, tmp_path: Path
) -> None:
    stores = [tmp_path / f"machine {number}" for number in range(4)]
    made = [make(Ingest(), store) for store in stores]  # each says when it was made
    assert len({(one.path / NAME).read_bytes() for one in made}) == 4
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda one: push(remote, [one]), made))
    assert additions.read(remote) == [made[0].address]
    there = fetched(remote, made[0].address, tmp_path / "other")
    assert contents(there.path) == contents(made[0].path)


def test_many_pushes_at_once_lose_no_addition(remote: Remote, tmp_path: Path) -> None:
    made = [make(Ingest(count=count), tmp_path / "store") for count in range(2, 10)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda one: push(remote, [one]), made))
    assert sorted(additions.read(remote)) == sorted(one.address for one in made)


def test_other_content_of_the_same_recipe_stays_and_is_told(
    remote: Remote, proposals: Artifact
) -> None:
    push(remote, [proposals])
    content: dict[str, Any] = json.loads((proposals.path / NAME).read_text())
    [first, *more] = records_in(proposals.path)
    content["parts"] = rewrite_list(proposals.path, [{**first, "sha256": "0" * 64}, *more])
    rewrite_manifest(proposals.path, content)
    other = open_artifact(proposals.path)
    with pytest.raises(ArtifactError, match=f"{proposals.address} with other content: the same re"):
        push(remote, [other])
    there = pushed.fetch(remote, proposals.address, proposals.root)
    assert there is not None
    assert there.artifact.manifest == proposals.manifest


def test_an_input_that_is_gone_is_told(remote: Remote, proposals: Artifact) -> None:
    remove_folder(proposals.root / proposals.manifest.inputs["images"], first=NAME)
    listener = Listener()
    assert push(remote, with_inputs([proposals], listener))[0].address == proposals.address
    (sentence,) = listener.sentences
    assert sentence.startswith(f"{proposals.address} was made from images/v2-")
    assert sentence.endswith("which is deleted or damaged here: it is not sent")


def test_nothing_is_ever_listed_renamed_or_deleted(
    s3: S3Server, bucket: str, proposals: Artifact, tmp_path: Path
) -> None:
    remote = open_remote(bucket)
    push(remote, with_inputs([proposals]))
    pushed.everything(remote, tmp_path)
    fetched(remote, proposals.address, tmp_path / "other")
    assert {request.method for request in s3.requests} == {"GET", "HEAD", "PUT"}
    assert all(request.path.count("/") > 3 and not request.query for request in s3.requests)
    assert not any("x_amz_copy_source" in request.headers for request in s3.requests)
    manifests = [one for one in s3.requests if one.method == "PUT" and one.path.endswith(NAME)]
    assert all(request.headers["if_none_match"] == "*" for request in manifests)
    assert len(manifests) == 2
    puts = [request.path for request in s3.requests if request.method == "PUT"]
    assert [path.split("/")[4] for path in puts[-10:]] == [*["files"] * 8, "artifacts", "additions"]


def test_a_bucket_that_is_not_there_is_one_sentence(s3: S3Server, proposals: Artifact) -> None:
    with pytest.raises(SourceError, match="s3://nowhere/x takes no files: there is no such bucket"):
        push(open_remote("s3://nowhere/x"), [proposals])
    with pytest.raises(SourceError, match="s3://nowhere/x takes no files: there is no such bucket"):
        additions.add(open_remote("s3://nowhere/x"), proposals.address)


def test_a_list_of_parts_that_nobody_could_pull_is_not_pushed(
    proposals: Artifact, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = proposals.manifest.parts.list_bytes
    monkeypatch.setattr(pushing, "MOST_BYTES", size - 1)
    with pytest.raises(ArtifactError, match=f"jsonl has {size:,} bytes, and a remote takes lists"):
        push(open_remote(str(tmp_path / "remote")), [proposals])
    assert not [path for path in (tmp_path / "remote").rglob("*") if path.is_file()]
