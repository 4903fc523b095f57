"""Names of artifacts in a remote mean what they mean in a store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipeline.remote import additions
from pipeline.remote.push import push
from pipeline.remote.pushed import everything, find
from pipeline.remote.remote import manifest_name, open_remote
from schemas.errors import ArtifactError, ArtifactNotFoundError
from tests.pipeline.helpers import make
from tests.pipeline.toys import Ingest

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.remote.remote import Remote


def test_a_table_is_the_last_pushed_and_a_prefix_the_one_that_has_it(
    remote: Remote, root: Path, tmp_path: Path
) -> None:
    first, second = make(Ingest(), root), make(Ingest(count=4), root)
    push(remote, [second, first])
    assert find(remote, "images", tmp_path).artifact.address == first.address
    for artifact in (first, second):
        prefix = artifact.path.name.split("-")[1][:6]
        for name in (f"images@{prefix}", artifact.address):
            assert find(remote, name, tmp_path).artifact.manifest == artifact.manifest


def test_what_has_no_rows_is_not_what_a_table_names(
    remote: Remote, root: Path, tmp_path: Path
) -> None:
    some = make(Ingest(), root)
    push(remote, [some, make(Ingest(count=0), root, allow_empty=True)])
    assert find(remote, "images", tmp_path).artifact.address == some.address


@pytest.mark.parametrize("name", ["images", "images@0", "images/v2-0123456789ab"])
def test_a_name_of_nothing_says_where_to_look(remote: Remote, tmp_path: Path, name: str) -> None:
    with pytest.raises(
        ArtifactNotFoundError, match=f"'rc status --remote {remote.url}' shows what"
    ):
        find(remote, name, tmp_path)


def test_a_prefix_of_several_names_them(root: Path, tmp_path: Path) -> None:
    remote = open_remote(str(tmp_path / "remote"))
    made = [make(Ingest(count=count), root) for count in range(1, 19)]
    push(remote, made)
    firsts = [one.path.name.split("-")[1][0] for one in made]
    twice = next(first for first in firsts if firsts.count(first) > 1)
    with pytest.raises(ArtifactError, match=f"'images@{twice}' could be any of images/v2-{twice}"):
        find(remote, f"images@{twice}", tmp_path)


def test_where_additions_and_manifests_disagree_the_manifests_are_right(
    root: Path, tmp_path: Path
) -> None:
    remote = open_remote(str(tmp_path / "remote"))
    gone, damaged, unlisted = (make(Ingest(count=count), root) for count in (3, 4, 5))
    push(remote, [gone, damaged])
    (tmp_path / "remote" / manifest_name(gone.address)).unlink()
    (tmp_path / "remote" / manifest_name(damaged.address)).write_text("{}")
    push(remote, [unlisted])
    (tmp_path / "remote" / "additions" / "00000002").unlink()  # as of a push killed before it
    found = everything(remote, root)
    assert list(found) == [gone.address, damaged.address]
    assert found[gone.address] is None
    assert isinstance(found[damaged.address], ArtifactError)
    assert find(remote, unlisted.address, root).artifact.manifest == unlisted.manifest
    (sent,) = push(remote, [unlisted])
    assert sent.was_there
    assert additions.read(remote)[-1] == unlisted.address
