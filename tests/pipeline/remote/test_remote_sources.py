"""Sources in an object store, from the bucket to the store of artifacts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from werkzeug.wrappers import Response

from pipeline.store import catalog
from schemas.errors import StageError
from stages.ingest import Ingest
from tests.pipeline.helpers import make, rows_of
from tests.stages.sources.samples import encoded, write_tar

if TYPE_CHECKING:
    from pathlib import Path

    from tests.s3_server import S3Server

pytestmark = pytest.mark.slow
SOURCE = ("s3://bucket/shards/*.tar",)


def put_tar(s3: S3Server, scratch: Path, name: str, *keys: str) -> None:
    members = {f"{key}.jpg": encoded(len(key)) for key in keys} | {f"{k}.txt": b"x" for k in keys}
    s3.put(f"shards/{name}.tar", write_tar(scratch / "x.tar", members).read_bytes())


def test_a_changed_object_is_a_changed_recipe_and_costs_its_own_part(
    s3: S3Server, root: Path, tmp_path: Path
) -> None:
    for name in ("00", "01", "02"):
        put_tar(s3, tmp_path, name, "a", "bb")
    first = make(Ingest(sources=SOURCE), root)
    s3.requests.clear()
    assert make(Ingest(sources=SOURCE), root).path == first.path
    assert not [one for one in s3.requests if one.method == "GET" and one.path.endswith("tar")]
    put_tar(s3, tmp_path, "01", "a", "ccc")
    second = make(Ingest(sources=SOURCE), root)
    assert second.path != first.path
    assert second.manifest.run["reused_parts"] == 2
    ids = rows_of(second)["image_id"].to_pylist()
    assert ids == ["00/a", "00/bb", "01/a", "01/ccc", "02/a", "02/bb"]


def test_a_part_whose_object_cannot_be_read_fails_and_the_others_are_kept(
    s3: S3Server, root: Path, tmp_path: Path
) -> None:
    for name in ("00", "01", "02"):
        put_tar(s3, tmp_path, name, "a")
    s3.instead = lambda one: Response(b"", 403) if one.path.endswith("01.tar") else None
    with pytest.raises(
        StageError, match=r"1 of 3 parts failed; part 1 said: cannot open s3://buck"
    ):
        make(Ingest(sources=SOURCE), root)
    assert catalog.committed(root) == []
    s3.instead = lambda _: None
    artifact = make(Ingest(sources=SOURCE), root)
    assert artifact.manifest.run["resumed_parts"] == 2
    assert (artifact.manifest.rows, artifact.manifest.dropped) == (3, {})


def test_processes_share_a_remote_source(s3: S3Server, root: Path, tmp_path: Path) -> None:
    for name in ("00", "01", "02"):
        put_tar(s3, tmp_path, name, "a")
    artifact = make(Ingest(sources=SOURCE), root, workers=2)
    assert rows_of(artifact)["image_id"].to_pylist() == ["00/a", "01/a", "02/a"]
