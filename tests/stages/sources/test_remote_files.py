"""Sources in object stores and on web servers: read in pieces, told apart without being read."""

from __future__ import annotations

import io
import re
import sys
from typing import TYPE_CHECKING, Any, ClassVar

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.errors import SourceError
from stages.ingest import Ingest
from stages.pixels import load_image
from stages.sources.file_patterns import expand
from stages.sources.files import file_digest, open_file, read_at, size_of
from stages.sources.remote_files import RemoteFile, remote_state
from tests.stages.sources.samples import encoded, ids, ingest, run_part, write_tar
from tests.web_server import WebFiles, web_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.s3_server import S3Server

NOISE = np.random.default_rng(0).bytes(6 << 20)  # of a column that nobody asks for


def members(*keys: str) -> dict[str, bytes]:
    pairs = [(f"{key}.jpg", encoded(seed)) for seed, key in enumerate(keys)]
    return dict(pairs) | {f"{key}.txt": b"a dog" for key in keys}


def ranges(s3: S3Server, name: str) -> list[tuple[int, int]]:
    """First and last byte of each read of an object."""
    reads = [one for one in s3.requests if one.method == "GET" and one.path.endswith(name)]
    found = [re.match(r"bytes=(\d+)-(\d+)", one.headers.get("range", "")) for one in reads]
    assert all(found), "an object was read whole"
    return [(int(one[1]), int(one[2])) for one in found if one]


def table(images: list[bytes]) -> bytes:
    """A Parquet file of two row groups, mostly of a column that is not read."""
    file = io.BytesIO()
    columns: dict[str, Any] = {"image": images, "caption": ["a dog"] * len(images)}
    columns["noise"] = [NOISE[: len(NOISE) // len(images)]] * len(images)
    pq.write_table(pa.table(columns), file, row_group_size=len(images) // 2, use_dictionary=False)
    return file.getvalue()


@pytest.fixture
def web() -> Iterator[WebFiles]:
    with web_server(WebFiles()) as files:
        yield files


def without_uri(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "uri": None} for row in rows]


@pytest.mark.parametrize("pattern", ["shards/{00..01}.tar", "shards/*.tar"])
def test_tars_of_an_object_store_are_read_once_as_they_pass_by(
    s3: S3Server, tmp_path: Path, pattern: str
) -> None:
    (tmp_path / "shards").mkdir()
    for name in ("00", "01"):
        tar = write_tar(tmp_path / f"shards/{name}.tar", members("x", "y"))
        s3.put(f"shards/{name}.tar", tar.read_bytes())
    s3.requests.clear()
    rows, refused = ingest(tmp_path / "s", f"s3://bucket/{pattern}")
    assert (ids(rows), refused) == (["00/x", "00/y", "01/x", "01/y"], [])
    assert rows[0]["uri"] == "s3://bucket/shards/00.tar"
    assert without_uri(rows) == without_uri(ingest(tmp_path / "s", tmp_path / "shards")[0])
    assert len(ranges(s3, "00.tar")) == 1
    s3.requests.clear()
    assert load_image(rows[1]).shape == (8, 12, 3)
    ((first, last),) = ranges(s3, "00.tar")  # exactly the image
    assert (first, last - first + 1) == (rows[1]["offset"], rows[1]["num_bytes"])


def test_parquet_is_read_by_ranges_and_only_the_columns_that_are_needed(
    s3: S3Server, tmp_path: Path
) -> None:
    content = table([encoded(seed) for seed in range(4)])
    s3.put("a.parquet", content)
    s3.requests.clear()
    rows, refused = ingest(tmp_path / "s", "s3://bucket/a.parquet")
    assert (len(rows), refused) == (4, [])
    assert load_image(rows[3]).shape == (8, 12, 3)
    assert sum(last - first + 1 for first, last in ranges(s3, "a.parquet")) < len(content) / 4


def test_a_digest_reads_nothing_and_changes_with_the_object(s3: S3Server) -> None:
    s3.put("a.tar", b"one")
    digests = [file_digest("s3://bucket/a.tar")]
    assert {request.method for request in s3.requests} <= {"PUT", "HEAD"}
    assert file_digest("s3://bucket/a.tar") == digests[0]
    s3.put("a.tar", b"two")
    fsspec.filesystem("s3").invalidate_cache()
    digests.append(file_digest("s3://bucket/a.tar"))
    assert digests[0] != digests[1]
    assert re.fullmatch(r'3 bytes, ETag "[0-9a-f]{32}"', remote_state("s3://bucket/a.tar"))


@pytest.mark.parametrize("pattern", ["a.tar", "*.tar"])
def test_a_changed_object_is_a_changed_source_at_once(
    s3: S3Server, tmp_path: Path, pattern: str
) -> None:
    stage = Ingest(sources=(f"s3://bucket/{pattern}",))
    seen = []
    for key in ("x", "x", "y"):
        s3.put("a.tar", write_tar(tmp_path / "a.tar", members(key)).read_bytes())
        seen.append(stage.digests())
    assert seen[0] == seen[1] != seen[2]


@pytest.mark.parametrize(
    ("headers", "state"),
    [
        ({"ETag": '"7"', "Last-Modified": "then"}, '3 bytes, ETag "7"'),
        ({"Last-Modified": "Sun, 29 Nov 2026 16:00:00 GMT"}, "3 bytes, modified Sun, 29 Nov 2026"),
    ],
)
def test_of_a_web_server_it_is_the_etag_or_else_the_time(
    web: WebFiles, headers: dict[str, str], state: str
) -> None:
    web.files["/a"], web.headers = b"abc", headers
    assert remote_state(f"{web.url}/a").startswith(state)
    assert web.sent == 0


def test_a_server_that_gives_neither_is_refused(web: WebFiles) -> None:
    web.files["/a"], web.headers = b"abc", {}
    with pytest.raises(SourceError, match="gives neither an ETag nor a time of modification, so a"):
        file_digest(f"{web.url}/a")


class Elsewhere(fsspec.AbstractFileSystem):  # type: ignore[misc]
    """A provider that tells this of every file."""

    protocol, cachable = "elsewhere", False
    told: ClassVar[dict[str, object]] = {}

    def info(self, path: str, **_: object) -> dict[str, object]:
        return {"name": path, "size": 3, "type": "file", **self.told}


@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({"etag": "CKj=", "mtime": 5, "updated": "now"}, "3 bytes, ETag CKj="),  # Google's
        ({"blob_id": "ab12", "last_commit": None}, "3 bytes, ETag ab12"),  # Hugging Face's
        ({"mtime": 1764432000.5}, "3 bytes, modified 1764432000.5"),  # of SFTP
    ],
)
def test_each_provider_has_its_own_name_for_it(told: dict[str, object], state: str) -> None:
    fsspec.register_implementation("elsewhere", Elsewhere, clobber=True)
    Elsewhere.told = told
    assert remote_state("elsewhere://a") == state


def test_a_file_in_memory_has_its_time(tmp_path: Path) -> None:
    with fsspec.open("memory://files/state", "wb") as file:
        file.write(b"abc")
    assert re.match(r"3 bytes, modified 20\d\d-", remote_state("memory://files/state"))


@pytest.mark.parametrize("has_ranges", [True, False])
def test_a_tar_is_read_from_any_web_server(web: WebFiles, tmp_path: Path, has_ranges: bool) -> None:
    for name, mode in (("a.tar", "w"), ("b.tar.gz", "w:gz")):
        web.files[f"/{name}"] = write_tar(tmp_path / name, members("x", "y"), mode).read_bytes()
    web.has_ranges = has_ranges
    rows, refused = ingest(tmp_path / "s", f"{web.url}/a.tar", f"{web.url}/b.tar.gz")
    assert (ids(rows), refused) == (["a/x", "a/y", "b/x", "b/y"], [])
    assert load_image(rows[1]).shape == load_image(rows[3]).shape == (8, 12, 3)


def test_parquet_of_a_server_without_ranges_is_refused_with_a_sentence(
    web: WebFiles, tmp_path: Path
) -> None:
    web.files["/a.parquet"], web.has_ranges = table([encoded(1)] * 2), False
    with pytest.raises(SourceError, match=r"a\.parquet gives no ranges: download it first"):
        ingest(tmp_path / "s", f"{web.url}/a.parquet")


@pytest.mark.parametrize("name", ["a.tar", "a.parquet"])
def test_a_network_that_breaks_is_no_damage_of_the_file(
    web: WebFiles, tmp_path: Path, name: str
) -> None:
    images = [np.random.default_rng(n).bytes(1 << 20) for n in range(8)]
    tar = {f"{n}.jpg": image for n, image in enumerate(images)}
    content = write_tar(tmp_path / "a", tar).read_bytes() if name == "a.tar" else table(images)
    web.files[f"/{name}"] = content
    stage = Ingest(sources=(f"{web.url}/{name}",))
    stage.digests()
    stage.plan({})
    web.breaks_at = 1 << 19
    with pytest.raises(SourceError, match=rf"cannot open {web.url}/{name}: "):
        run_part(stage, tmp_path / "s", 0)


def test_a_file_is_read_by_lines_and_from_anywhere(web: WebFiles) -> None:
    web.files["/a"] = b"one\ntwo\nthree"
    for web.has_ranges in (True, False):
        with RemoteFile(f"{web.url}/a") as file:
            assert file.read(5) == b"one\nt"
            assert file.tell() == 5
            assert file.seek(2) == 2
            assert file.read() == b"e\ntwo\nthree"
            assert file.read(1) == b""
    web.has_ranges = True
    with RemoteFile(f"{web.url}/a") as file:
        assert list(file) == [b"one\n", b"two\n", b"three"]
        assert file.seek(-5, io.SEEK_END) == 8
        assert file.read(9) == b"three"


@pytest.mark.parametrize("has_ranges", [True, False])
def test_a_range_is_a_range_whatever_the_server_sends(web: WebFiles, has_ranges: bool) -> None:
    web.files["/a"], web.has_ranges = b"0123456789", has_ranges
    assert read_at(f"{web.url}/a", 3, 4) == b"3456"
    assert read_at(f"{web.url}/a", 0, 4) == b"0123"


@pytest.mark.parametrize(
    "uri",
    [
        "https://user:geheim@host/a.tar",
        "https://host/a.tar?X-Amz-Credential=geheim",
        "https://host/a.tar?a=1&X-Amz-Signature=geheim",
        "https://host/a.tar?sig=geheim",
        "https://host/a.tar?access_token=geheim",
    ],
)
def test_credentials_in_a_url_are_refused_since_every_row_would_have_them(uri: str) -> None:
    for use in (open_file, size_of, file_digest, lambda uri: expand(f"{uri}*")):
        with pytest.raises(SourceError, match="holds credentials, which would be stored") as error:
            use(uri)
        assert "geheim" not in str(error.value)


def test_a_library_that_is_missing_is_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(SourceError, match=r"cannot open gs://b/a.tar: .*gcsfs.*toolkit\[remote\]"):
        open_file("gs://b/a.tar")


@pytest.mark.parametrize("uri", ["s3://bucket/none.tar", "s3://nowhere/a.tar"])
def test_an_object_that_is_not_there_is_named(s3: S3Server, uri: str) -> None:
    with pytest.raises(SourceError, match=f"cannot open {uri}: "):
        size_of(uri)


def test_a_remote_folder_says_to_name_a_pattern(s3: S3Server, tmp_path: Path) -> None:
    with pytest.raises(
        SourceError, match=r"s3://bucket/x/ is not a remote source: name tars, .*\.tar"
    ):
        ingest(tmp_path / "s", "s3://bucket/x/")
