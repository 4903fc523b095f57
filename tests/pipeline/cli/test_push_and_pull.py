"""`rc push`, `rc pull`, `rc status --remote`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from tests.pipeline.helpers import contents, make
from tests.pipeline.toys import Ingest, Propose

if TYPE_CHECKING:
    from pathlib import Path

    from tests.s3_server import S3Server


def test_artifacts_travel_to_another_store(rc, root: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    remote, other = tmp_path / "remote", tmp_path / "other"
    images, proposals = make(Ingest(), root), make(Propose(), root)
    pushed = rc("push", remote, "proposals")
    assert (pushed.code, len(pushed.out.splitlines())) == (0, 2)
    size = images.manifest.bytes() + images.manifest.parts.list_bytes
    assert pushed.out.splitlines()[0].split() == [
        *(images.address, "5", "files,", f"{size:,}", "bytes", "sent"),
    ]
    assert rc("push", remote).out.count("was there already") == 2
    pulled = rc("pull", remote, "proposals", "--store", other)
    assert (pulled.code, pulled.out.count("fetched")) == (0, 2)
    assert contents(other / proposals.address) == contents(proposals.path)
    assert rc("verify", "--store", other).out == "2 artifacts verified: every hash holds\n"


def test_only_leaves_out_the_inputs(rc, root: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(), root), make(Propose(), root)
    assert rc("push", tmp_path / "r", "proposals", "--only").out.startswith("proposals/")
    pulled = rc("pull", tmp_path / "r", "proposals", "--only", "--store", tmp_path / "other")
    assert [line.split("/")[0] for line in pulled.out.splitlines()] == ["proposals"]


def test_status_of_a_remote_is_that_of_the_store_it_came_from(
    rc, root: Path, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    remote = tmp_path / "remote"
    nothing = rc("status", "--remote", remote)
    assert (nothing.code, nothing.out) == (0, "")
    assert nothing.err == f"nothing was pushed to {remote} yet; 'rc push {remote}' does it\n"
    make(Ingest(), root), make(Propose(), root)
    rc("push", remote)
    elsewhere = ("--store", tmp_path / "nowhere")  # it needs no store
    for form in ((), ("--json",)):
        assert rc("status", "--remote", remote, *elsewhere, *form).out == rc("status", *form).out


def test_status_names_what_is_missing_or_damaged_there(rc, root: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    first, second = make(Ingest(), root), make(Ingest(count=4), root)
    rc("push", tmp_path / "r")
    (tmp_path / "r/artifacts" / first.address / "manifest.json").unlink()
    (tmp_path / "r/artifacts" / second.address / "manifest.json").write_text("x")
    lines = rc("status", "--remote", tmp_path / "r").out.splitlines()
    assert [line.split() for line in lines] == [
        [first.address, "missing"],
        [second.address, "damaged"],
    ]
    facts = map(json.loads, rc("status", "--json", "--remote", tmp_path / "r").out.splitlines())
    assert [sorted(fact) for fact in facts] == [["address", "missing"], ["address", "damaged"]]


def test_pushing_an_empty_store_says_where_to_begin(rc, root: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    result = rc("push", tmp_path / "remote")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith(f"error: nothing is in {root} yet; begin with 'rc ingest'")


def test_without_the_extra_it_is_one_sentence_and_code_1(  # type: ignore[no-untyped-def]
    rc, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(Ingest(), root)
    monkeypatch.delitem(sys.modules, "pipeline.remote.object_store", raising=False)
    monkeypatch.setitem(sys.modules, "obstore", None)
    for words in (
        ("push", "s3://b/x"),
        ("pull", "s3://b/x", "images"),
        ("status", "--remote", "s3://b"),
    ):
        result = rc(*words)
        assert (result.code, result.out) == (1, "")
        assert result.err.endswith(
            "needs obstore; install the extra: pip install 'regionclip-toolkit[remote]'\n"
        )


@pytest.mark.slow
def test_the_commands_reach_an_object_store(
    rc, s3: S3Server, bucket: str, root: Path, tmp_path: Path
) -> None:  # type: ignore[no-untyped-def]
    make(Ingest(), root)
    assert rc("push", bucket).out.rstrip().endswith("bytes sent")
    assert rc("status", "--remote", bucket).out == rc("status").out
    assert rc("pull", bucket, "images", "--store", tmp_path / "other").code == 0
    assert rc("verify", "--store", tmp_path / "other").code == 0
