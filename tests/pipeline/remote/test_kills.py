"""Pushes and pulls whose process is killed while the server has a file in hand."""

from __future__ import annotations

import os
import subprocess
import threading
from typing import TYPE_CHECKING

import pytest

from pipeline.remote import pushed
from pipeline.remote.remote import open_remote
from pipeline.store import catalog
from tests.pipeline.helpers import ROOT, command, contents, make, rc
from tests.pipeline.toys import Ingest, Propose
from tests.waiting import HANG_S

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipeline.store.artifact import Artifact
    from tests.s3_server import Request, S3Server

pytestmark = pytest.mark.slow


def killed_at(s3: S3Server, method: str, number: int, words: Sequence[str | Path]) -> None:
    """Run a command; kill it when it has asked for so many files, the last without an answer."""
    reached, end = threading.Event(), threading.Event()
    left = [number]

    def hold(request: Request) -> None:
        if request.method == method and "/files/" in request.path:
            left[0] -= 1
            if left[0] <= 0:
                reached.set()
                end.wait(HANG_S)

    s3.instead = hold
    process = subprocess.Popen(
        command(*words), cwd=ROOT, env={**os.environ}, stderr=subprocess.PIPE
    )
    try:
        assert reached.wait(HANG_S)
    finally:
        process.kill()
        process.communicate()
        s3.instead = lambda _: None
        end.set()
    assert process.returncode == -9


@pytest.fixture
def proposals(root: Path) -> Artifact:
    make(Ingest(), root)
    return make(Propose(), root)


def test_a_killed_push_leaves_nothing_half_and_resumes(
    s3: S3Server, bucket: str, proposals: Artifact, tmp_path: Path
) -> None:
    words = ("push", bucket, "--store", proposals.root)
    killed_at(s3, "PUT", 7, words)
    remote = open_remote(bucket)
    assert pushed.fetch(remote, proposals.address, tmp_path) is None
    again = rc(*words)
    assert again.returncode == 0, again.stderr
    assert f"{proposals.address:<34} 8 files" not in again.stdout
    rc("pull", bucket, "proposals", "--store", tmp_path / "other")
    assert contents(tmp_path / "other" / proposals.address) == contents(proposals.path)


def test_a_killed_pull_leaves_nothing_visible_and_resumes(
    s3: S3Server, bucket: str, proposals: Artifact, tmp_path: Path
) -> None:
    rc("push", bucket, "--store", proposals.root)
    words = ("pull", bucket, "proposals", "--store", tmp_path / "other")
    killed_at(s3, "GET", 7, words)
    assert tmp_path.joinpath("other", proposals.address) not in catalog.committed(
        tmp_path / "other"
    )
    again = rc(*words)
    assert again.returncode == 0, again.stderr
    for address in (proposals.manifest.inputs["images"], proposals.address):
        there = tmp_path / "other" / address
        assert contents(there) == contents(proposals.root / address)
        assert list(there.glob(".*")) == []
    assert rc("verify", "--store", tmp_path / "other").returncode == 0
